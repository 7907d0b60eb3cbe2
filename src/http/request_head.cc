#include "http/request_head.h"

#include <algorithm>

#include "http/encoding.h"

namespace etesian::http {
namespace {

bool is_token_char(char c) {
  constexpr std::string_view Marks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         Marks.find(c) != std::string_view::npos;
}

bool is_visible(char c) { return c > ' ' && c < '\x7f'; }

/// Field values: visible, blank, tab and bytes from 0x80 (RFC 9110, section 5.5).
bool is_value_char(char c) {
  return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f');
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  const std::size_t end = text.find_last_not_of(" \t");
  return end == std::string_view::npos ? std::string_view{} : text.substr(begin, end + 1 - begin);
}

Error malformed(std::string_view what) {
  return {ErrorCode::InvalidInput, "malformed request: " + std::string(what)};
}

std::optional<std::uint64_t> parse_length(std::string_view digits) {
  if (digits.empty() || digits.size() > 18) return std::nullopt;  // 18 digits fit in 64 bits
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

Result<Done> parse_request_line(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos) return malformed("request line");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, second - first - 1);
  const std::string_view version = line.substr(second + 1);
  if (!is_token(method)) return malformed("method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return malformed("version; this is HTTP/1.1");
  if (target.empty() || target.front() != '/' || target.find('#') != std::string_view::npos ||
      !std::all_of(target.begin(), target.end(), is_visible)) {
    return malformed("target; it is a path in visible ASCII that starts with '/'");
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  auto query = parse_query(target.substr(std::min(question + 1, target.size())));
  if (!query) return malformed("escape in the query");
  head.is_http_1_0 = version == "HTTP/1.0";
  head.request.method = method;
  head.request.path = target.substr(0, question);
  head.request.query = std::move(*query);
  return Done{};
}

/// What framing and routing depend on may come once only; other fields may repeat.
struct FieldsSeen {
  bool host = false;
  bool content_length = false;
};

Result<Done> apply_field(std::string_view name, std::string_view value, FieldsSeen& seen,
                         RequestHead& head) {
  if (name == "host") {
    if (std::exchange(seen.host, true)) return malformed("repeated Host");
  } else if (name == "content-length") {
    if (std::exchange(seen.content_length, true)) return malformed("repeated Content-Length");
    const auto length = parse_length(value);
    if (!length) return malformed("Content-Length");
    head.content_length = *length;
  } else if (name == "transfer-encoding") {
    if (std::exchange(head.is_chunked, true)) return malformed("repeated Transfer-Encoding");
    if (to_lower(value) != "chunked" || head.is_http_1_0) return malformed("Transfer-Encoding");
  } else if (name == "connection") {
    const std::string options = "," + to_lower(value) + ",";
    for (std::size_t begin = 1; begin < options.size();) {
      const std::size_t end = options.find(',', begin);
      if (trim(std::string_view(options).substr(begin, end - begin)) == "close")
        head.keep_alive = false;
      begin = end + 1;
    }
  } else if (name == "expect") {
    if (to_lower(value) != "100-continue") return malformed("Expect");
    head.expects_continue = true;
  }
  return Done{};
}

Result<Done> parse_field(std::string_view line, FieldsSeen& seen, RequestHead& head) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return malformed("header name");  // a folded line too: it starts with a blank
  }
  const std::string_view value = trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_char)) return malformed("header value");
  std::string name = to_lower(line.substr(0, colon));
  auto applied = apply_field(name, value, seen, head);
  if (!applied) return applied.error();
  head.request.headers.emplace_back(std::move(name), value);
  return Done{};
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

HeadScan scan_head(std::string_view text, std::size_t from) {
  using enum HeadScan::State;
  if (!text.empty() && !is_token_char(text.front())) return {Malformed, 0};
  std::size_t lf = text.find('\n', from);
  for (; lf != std::string_view::npos; lf = text.find('\n', lf + 1)) {
    if (lf == 0 || text[lf - 1] != '\r') return {Malformed, 0};
    if (lf >= 3 && text.substr(lf - 3, 4) == "\r\n\r\n") return {Complete, lf + 1};
  }
  return {Incomplete, text.size()};
}

Result<RequestHead> parse_request_head(std::string_view head_text) {
  RequestHead head;
  FieldsSeen seen;
  std::size_t end = head_text.find("\r\n");
  if (end == std::string_view::npos) return malformed("request line");
  auto parsed = parse_request_line(head_text.substr(0, end), head);
  head.keep_alive = !head.is_http_1_0;
  while (parsed) {
    head_text.remove_prefix(end + 2);
    end = head_text.find("\r\n");
    if (end == std::string_view::npos) return malformed("no empty line");
    if (end == 0) break;
    parsed = parse_field(head_text.substr(0, end), seen, head);
  }
  if (!parsed) return parsed.error();
  if (head_text.size() != 2) return malformed("text behind the empty line");
  if (head.is_chunked && seen.content_length) {
    return malformed("Content-Length beside Transfer-Encoding");
  }
  if (!seen.host && !head.is_http_1_0) return malformed("no Host");
  return head;
}

}  // namespace etesian::http
