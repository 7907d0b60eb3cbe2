#include "task_api/json_text.h"

#include "base/check.h"
#include "base/json.h"
#include "base/time_text.h"

namespace etesian::task_api {
namespace {

constexpr std::size_t kDepthMax = 1000;  ///< Python's own recursion limit.

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

/// Just behind the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return at + 1;
}

/// Just behind the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;  // The end of what a number or word stands in.
      if (--depth == 0) return at + 1;
    }
    if (depth == 0 && (c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n')) return at;
    ++at;
  }
  return at;
}

}  // namespace

ObjectText& ObjectText::raw(std::string_view name, std::string_view json) {
  if (text_.size() > 1) text_ += ',';
  text_.append(quoted(name)).append(":").append(json);
  return *this;
}
ObjectText& ObjectText::text(std::string_view name, std::string_view value) {
  return raw(name, quoted(value));
}
ObjectText& ObjectText::text_or_null(std::string_view name, std::string_view value) {
  return value.empty() ? null(name) : text(name, value);
}
ObjectText& ObjectText::number(std::string_view name, std::int64_t value) {
  return raw(name, std::to_string(value));
}
ObjectText& ObjectText::boolean(std::string_view name, bool value) {
  return raw(name, value ? "true" : "false");
}
ObjectText& ObjectText::instant(std::string_view name, const std::optional<Instant>& value) {
  return raw(name, instant_text(value));
}
std::string ObjectText::take() { return std::move(text_) + "}"; }

std::string quoted(std::string_view text) { return json::serialize(json::string(text)); }

std::string instant_text(const std::optional<Instant>& at) {
  return at ? quoted(to_iso_z(*at)) : "null";
}

std::map<std::string, std::string_view, std::less<>> raw_members(std::string_view object) {
  std::map<std::string, std::string_view, std::less<>> members;
  std::size_t at = skip_blanks(object, 0);
  if (at == object.size() || object[at] != '{') return members;
  for (at = skip_blanks(object, at + 1); at < object.size() && object[at] == '"';) {
    const std::size_t name_end = skip_string(object, at);
    const auto name = json::parse(object.substr(at, name_end - at));
    at = skip_blanks(object, skip_blanks(object, name_end) + 1);  // behind the colon
    const std::size_t end = skip_value(object, at);
    members.insert_or_assign(std::string(name.as_string()), object.substr(at, end - at));
    at = skip_blanks(object, end);
    if (at < object.size() && object[at] == ',') at = skip_blanks(object, at + 1);
  }
  return members;
}

bool is_json(std::string_view text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::parse(text, error, {}, options);
  return !error;
}

}  // namespace etesian::task_api
