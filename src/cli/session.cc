#include "cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "base/file.h"

namespace etesian::cli {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(60);
constexpr int kPage = 100;

std::string with_query(const std::string& path, const Query& query) {
  std::string target = path;
  char separator = '?';
  for (const auto& [name, value] : query) {
    target += separator + http::percent_encode(name) + "=" + http::percent_encode(value);
    separator = '&';
  }
  return target;
}

int exit_code_of(int status) {
  if (status == 401 || status == 403) return kDenied;
  if (status == 404) return kNotFound;
  if (status >= 500) return kServerError;
  return kRefused;
}

/// The sentence of an error body: {"detail": "…"} or a list of {"loc": […], "msg": "…"}.
std::string detail_of(const http::Response& response) {
  auto body = parse_json(response.body);
  if (!body || !body->is_object()) return fmt::format("the server answered {}", response.status);
  const json::value* detail = body->as_object().if_contains("detail");
  if (!detail) return fmt::format("the server answered {}", response.status);
  if (detail->is_string()) return std::string(detail->as_string());
  if (!detail->is_array()) return json::serialize(*detail);
  std::string text;
  for (const json::value& item : detail->as_array()) {
    if (!text.empty()) text += "; ";
    text += item.is_object() ? text_of(item, "msg") : json::serialize(item);
  }
  return text;
}

void require_success(const http::Response& response) {
  if (response.status < 400) return;
  std::string message = detail_of(response);
  if (response.status == 401)
    message += "; run 'etesian login', or set ETESIAN_TOKEN to a token from POST /auth/token";
  throw Failure{exit_code_of(response.status), message};
}

json::value body_of(const http::Response& response) {
  require_success(response);
  if (response.body.empty()) return {};
  auto value = parse_json(response.body);
  if (!value) throw Failure{kServerError, "read the server's answer: " + value.error().message};
  return std::move(*value);
}

std::string token_file() {
  const char* config = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  const std::string base = config && *config ? config : std::string(home ? home : ".") + "/.config";
  return base + "/etesian/tokens.json";
}

/// By the server's address.
json::object stored_tokens() {
  constexpr std::size_t kBytesMax = 1 << 20;
  const auto text = read_file(token_file(), kBytesMax);
  auto value = text ? parse_json(*text) : Result<json::value>(text.error());
  return value && value->is_object() ? std::move(value->as_object()) : json::object();
}

}  // namespace

void keep_token(const std::string& url, const std::string& token) {
  json::object tokens = stored_tokens();
  tokens[url] = token;
  const std::string file = token_file();
  auto kept = make_folders(file.substr(0, file.rfind('/')));
  if (kept) kept = write_file_durably(file, json::serialize(tokens) + "\n");
  if (!kept) throw Failure{kFailed, kept.error().message};
}

Session::Session(const Globals& globals) : token_(globals.token) {
  if (token_.empty()) token_ = text_of(stored_tokens(), globals.url);
  auto client = http::Client::create(globals.url, kTimeout);
  if (!client) throw Failure{kUsage, client.error().message};
  client_ = std::move(*client);
}

http::Response Session::send(const std::string& method, const std::string& path, const Query& query,
                             const std::string& body) {
  http::ClientRequest request{method, with_query(path, query), body, {}};
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  auto response = client_->send(request);
  if (!response) throw Failure{kNoServer, response.error().message};
  return std::move(*response);
}

json::value Session::get(const std::string& path, const Query& query) {
  return body_of(send("GET", path, query, ""));
}
json::value Session::post(const std::string& path, const json::value& body) {
  return body_of(send("POST", path, {}, json::serialize(body)));
}
json::value Session::patch(const std::string& path, const json::value& body) {
  return body_of(send("PATCH", path, {}, json::serialize(body)));
}
json::value Session::put(const std::string& path) { return body_of(send("PUT", path, {}, "{}")); }
void Session::remove(const std::string& path) { require_success(send("DELETE", path, {}, "")); }

Session::TextPage Session::get_text(const std::string& path, const Query& query) {
  http::ClientRequest request{"GET", with_query(path, query), "", {{"Accept", "text/plain"}}};
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  auto response = client_->send(request);
  if (!response) throw Failure{kNoServer, response.error().message};
  require_success(*response);
  TextPage page{std::move(response->body), {}};
  for (const auto& [name, value] : response->headers)
    if (name == "airflow-continuation-token") page.next = value;
  return page;
}

void Session::events(const std::string& path, const Query& query, const OnEvent& on_event) {
  http::ClientRequest request{
      "GET", with_query(path, query), "", {{"Accept", "text/event-stream"}}};
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  std::string buffer, id, event, data;
  const auto on_line = [&](std::string_view line) {
    const auto field = [&](std::string_view name, std::string& into) {
      if (!line.starts_with(name)) return;
      std::string_view value = line.substr(name.size());
      if (value.starts_with(' ')) value.remove_prefix(1);
      if (name == "data:" && !into.empty()) into += '\n';
      if (name == "data:")
        into += value;
      else
        into = value;
    };
    if (line.empty()) {
      const bool go_on = (data.empty() && event.empty()) || on_event(id, event, data);
      event.clear();
      data.clear();
      return go_on;
    }
    field("id:", id);
    field("event:", event);
    field("data:", data);
    return true;
  };
  auto response = client_->stream(request, [&](std::string_view chunk) {
    buffer += chunk;
    std::size_t begin = 0;
    for (std::size_t end = 0; (end = buffer.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      std::string_view line = std::string_view(buffer).substr(begin, end - begin);
      if (line.ends_with('\r')) line.remove_suffix(1);
      if (!on_line(line)) return false;
    }
    buffer.erase(0, begin);
    return true;
  });
  if (!response) throw Failure{kNoServer, response.error().message};
  require_success(*response);
}

json::array Session::all(const std::string& path, const std::string& member, Query query) {
  json::array rows;
  query.emplace_back("limit", std::to_string(kPage));
  query.emplace_back("offset", "0");
  for (;;) {
    query.back().second = std::to_string(rows.size());
    const json::value page = get(path, query);
    const json::array& items = page.at(member).as_array();
    rows.insert(rows.end(), items.begin(), items.end());
    if (items.size() < kPage) return rows;
  }
}

std::string text_of(const json::value& object, std::string_view member) {
  const json::value* value = object.is_object() ? object.as_object().if_contains(member) : nullptr;
  if (!value || value->is_null()) return "";
  if (value->is_double()) return fmt::format("{}", value->get_double());
  return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

bool print_structured(const Globals& globals, const json::value& value) {
  if (globals.format == Format::Table) return false;
  print(escape_hidden(globals.format == Format::Json ? json::serialize(value) + "\n"
                                                     : to_yaml(value)));
  return true;
}

void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDOUT_FILENO, text.data(), text.size());
    if (n <= 0) _exit(kFailed);  // The reader is gone (head, less): nobody is left to tell.
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace etesian::cli
