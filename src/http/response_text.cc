#include "http/response_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "http/encoding.h"
#include "http/request_head.h"

namespace etesian::http {
namespace {

constexpr std::string_view SecurityHeaders =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src "
    "'self' "
    "data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: same-origin\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Permissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()\r\n";

constexpr std::array<std::string_view, 11> ServerOwned = {"connection",
                                                          "content-length",
                                                          "content-type",
                                                          "content-security-policy",
                                                          "date",
                                                          "transfer-encoding",
                                                          "referrer-policy",
                                                          "cross-origin-opener-policy",
                                                          "permissions-policy",
                                                          "cross-origin-resource-policy",
                                                          "x-content-type-options"};

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "";
  }
}

/// A value may carry a user's text (a file name, a location): no byte of it may end the line.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  if (!is_token(name)) return;
  out.append(name).append(": ");
  std::transform(value.begin(), value.end(), std::back_inserter(out), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '\x7f' ? ' ' : c;
  });
  out.append("\r\n");
}

}  // namespace

std::string_view DateText::at(Instant now) {
  constexpr std::array<std::string_view, 7> Days = {"Sun", "Mon", "Tue", "Wed",
                                                    "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> Months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto second = std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count();
  if (second == second_) return text_;
  second_ = second;
  const auto day = std::chrono::floor<std::chrono::days>(now);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::seconds>(now - day));
  text_ = fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                      Days[std::chrono::weekday(day).c_encoding()], unsigned{date.day()},
                      Months[unsigned{date.month()} - 1], int{date.year()}, time.hours().count(),
                      time.minutes().count(), time.seconds().count());
  return text_;
}

void append_response(std::string& out, const Response& response, const ResponseFrame& frame) {
  const bool never_has_body = response.status == 204 || response.status == 304;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status, reason(response.status),
                 frame.date);
  out.append(SecurityHeaders);
  if (!response.content_type.empty() && !never_has_body) {
    append_field(out, "Content-Type", response.content_type);
  }
  const bool no_store = frame.no_store || response.status >= 400;
  if (no_store) out.append("Cache-Control: no-store\r\n");
  for (const auto& [name, value] : response.headers) {
    const std::string lower = to_lower(name);
    const bool is_owned =
        std::find(ServerOwned.begin(), ServerOwned.end(), lower) != ServerOwned.end();
    if (!is_owned && !(no_store && lower == "cache-control")) append_field(out, name, value);
  }
  if (!frame.keep_alive) out.append("Connection: close\r\n");
  using Body = ResponseFrame::Body;
  if (frame.body == Body::Chunked) {
    out.append("Transfer-Encoding: chunked\r\n\r\n");
  } else if (frame.body == Body::UntilClose || never_has_body) {
    out.append("\r\n");
  } else {
    const bool is_shared = response.shared_body != nullptr;
    fmt::format_to(to, "Content-Length: {}\r\n\r\n",
                   is_shared ? response.shared_body->size() : response.body.size());
    if (frame.body == Body::Sized && !is_shared) out.append(response.body);
  }
}

}  // namespace etesian::http
