#include "task_api/fields.h"

#include <charconv>
#include <cmath>

#include "base/time_text.h"
#include "task_api/iso_duration.h"

namespace etesian::task_api {
namespace {

std::optional<std::int64_t> integer_from(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Whether a date-time says where it is: "…Z" or "…+02:00".
bool has_zone(std::string_view text) {
  if (text.size() < 11) return false;
  const std::string_view time = text.substr(10);
  return time.find_first_of("Zz+-") != std::string_view::npos;
}

std::optional<bool> flag_from(std::string_view text) {
  for (const std::string_view yes : {"true", "True", "1", "yes", "on", "t", "y"})
    if (text == yes) return true;
  for (const std::string_view no : {"false", "False", "0", "no", "off", "f", "n"})
    if (text == no) return false;
  return std::nullopt;
}

constexpr std::string_view kNoInteger =
    "Input should be a valid integer, unable to parse string as an integer";
constexpr std::string_view kNoDate = "Input should be a valid datetime or date";

}  // namespace

void Mistakes::add(std::string_view type, json::array location, std::string_view message,
                   json::value input) {
  list_.push_back(json::object{
      {"type", type}, {"loc", std::move(location)}, {"msg", message}, {"input", std::move(input)}});
}

http::Response Mistakes::response() const {
  http::Response response;
  response.status = 422;
  response.body = json::serialize(json::object{{"detail", list_}});
  return response;
}

std::optional<http::Response> read_object(const std::string& body, json::object& into) {
  Mistakes mistakes;
  if (body.empty()) {
    mistakes.add("missing", {"body"}, "Field required", nullptr);
    return mistakes.response();
  }
  auto parsed = parse_json(body, body.size());
  if (!parsed) {
    mistakes.add("json_invalid", {"body"}, "JSON decode error: " + parsed.error().message,
                 json::object());
  } else if (!parsed->is_object()) {
    mistakes.add("model_attributes_type", {"body"},
                 "Input should be a valid dictionary or object to extract fields from", *parsed);
  } else {
    into = std::move(parsed->get_object());
  }
  return mistakes.is_empty() ? std::nullopt : std::optional(mistakes.response());
}

// ---- bodies ----

BodyReader::BodyReader(const json::object& body, std::string_view tag) : body_(body), tag_(tag) {}

json::array BodyReader::location(std::string_view name) const {
  json::array at{"body"};
  if (!tag_.empty()) at.emplace_back(tag_);
  at.emplace_back(name);
  return at;
}

void BodyReader::wrong(std::string_view name, std::string_view type, std::string_view message,
                       const json::value& input) {
  mistakes_.add(type, location(name), message, input);
}

const json::value* BodyReader::find(std::string_view name) {
  known_.emplace(name);
  return body_.if_contains(name);
}

const json::value* BodyReader::need(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) wrong(name, "missing", "Field required", body_);
  return value;
}

std::string BodyReader::text(std::string_view name) {
  const json::value* value = need(name);
  if (value == nullptr) return {};
  if (value->is_string()) return std::string(value->get_string());
  wrong(name, "string_type", "Input should be a valid string", *value);
  return {};
}

std::optional<std::string> BodyReader::maybe_text(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return text(name);
}

std::int64_t BodyReader::integer(std::string_view name) {
  const json::value* value = need(name);
  if (value == nullptr) return 0;
  if (value->is_int64()) return value->get_int64();
  if (value->is_double()) {
    const double number = value->get_double();
    if (number == std::floor(number) && std::abs(number) < 1e15)
      return static_cast<std::int64_t>(number);
    wrong(name, "int_from_float",
          "Input should be a valid integer, got a number with a fractional part", *value);
  } else if (value->is_string()) {
    if (const auto number = integer_from(value->get_string())) return *number;
    wrong(name, "int_parsing", kNoInteger, *value);
  } else {
    wrong(name, "int_type", "Input should be a valid integer", *value);
  }
  return 0;
}

std::optional<double> BodyReader::maybe_number(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_number()) return value->to_number<double>();
  wrong(name, "float_type", "Input should be a valid number", *value);
  return std::nullopt;
}

bool BodyReader::flag(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return false;
  if (value->is_bool()) return value->get_bool();
  wrong(name, "bool_type", "Input should be a valid boolean", *value);
  return false;
}

std::optional<Instant> BodyReader::instant_of(std::string_view name, const json::value& value) {
  if (!value.is_string()) {
    wrong(name, "datetime_type", "Input should be a valid datetime", value);
    return std::nullopt;
  }
  const std::string_view text = value.get_string();
  const auto at = instant_from_text(text);
  if (!at) {
    wrong(name, "datetime_from_date_parsing", kNoDate, value);
    return std::nullopt;
  }
  if (!has_zone(text)) {
    wrong(name, "timezone_aware", "Input should have timezone info", value);
    return std::nullopt;
  }
  return *at;
}

Instant BodyReader::instant(std::string_view name) {
  const json::value* value = need(name);
  return value == nullptr ? Instant{} : instant_of(name, *value).value_or(Instant{});
}

std::optional<Instant> BodyReader::maybe_instant(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return instant_of(name, *value);
}

std::optional<Duration> BodyReader::maybe_duration(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  std::optional<Duration> length;
  if (value->is_number()) length = duration_from_seconds(value->to_number<double>());
  if (value->is_string()) length = duration_from_iso(value->get_string());
  if (!length) wrong(name, "time_delta_parsing", "Input should be a valid timedelta", *value);
  return length;
}

void BodyReader::literal(std::string_view name, std::string_view wanted) {
  const json::value* value = need(name);
  if (value == nullptr || (value->is_string() && value->get_string() == wanted)) return;
  wrong(name, "literal_error", "Input should be '" + std::string(wanted) + "'", *value);
}

void BodyReader::object(std::string_view name) {
  const json::value* value = find(name);
  if (value != nullptr && !value->is_object())
    wrong(name, "dict_type", "Input should be a valid dictionary", *value);
}

void BodyReader::object_or_text(std::string_view name) {
  const json::value* value = find(name);
  if (value != nullptr && !value->is_object() && !value->is_string())
    wrong(name, "dict_type", "Input should be a valid dictionary or string", *value);
}

const json::array* BodyReader::maybe_list(std::string_view name) {
  const json::value* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) wrong(name, "list_type", "Input should be a valid list", *value);
  return value->if_array();
}

const json::array* BodyReader::list(std::string_view name) {
  return need(name) == nullptr ? nullptr : maybe_list(name);
}

std::optional<http::Response> BodyReader::refusal() {
  for (const auto& member : body_)
    if (!known_.contains(std::string_view(member.key())))
      wrong(member.key(), "extra_forbidden", "Extra inputs are not permitted", member.value());
  return mistakes_.is_empty() ? std::nullopt : std::optional(mistakes_.response());
}

// ---- queries ----

void QueryReader::missing(std::string_view name) {
  mistakes_.add("missing", {"query", name}, "Field required", nullptr);
}

std::string QueryReader::text(std::string_view name) {
  auto value = request_.query_value(name);
  if (!value) missing(name);
  return value.value_or("");
}

std::optional<std::string> QueryReader::maybe_text(std::string_view name) const {
  return request_.query_value(name);
}

std::optional<std::int64_t> QueryReader::maybe_integer(std::string_view name) {
  const auto value = request_.query_value(name);
  if (!value) return std::nullopt;
  const auto number = integer_from(*value);
  if (!number) mistakes_.add("int_parsing", {"query", name}, kNoInteger, json::value(*value));
  return number;
}

bool QueryReader::flag(std::string_view name) {
  const auto value = request_.query_value(name);
  if (!value) return false;
  const auto flag = flag_from(*value);
  if (!flag)
    mistakes_.add("bool_parsing", {"query", name},
                  "Input should be a valid boolean, unable to interpret input",
                  json::value(*value));
  return flag.value_or(false);
}

std::optional<Instant> QueryReader::instant_of(json::array location, const std::string& text) {
  const auto at = instant_from_text(text);
  if (at) return *at;
  mistakes_.add("datetime_from_date_parsing", std::move(location), kNoDate, json::value(text));
  return std::nullopt;
}

std::optional<Instant> QueryReader::maybe_instant(std::string_view name) {
  const auto value = request_.query_value(name);
  return value ? instant_of({"query", name}, *value) : std::nullopt;
}

Instant QueryReader::instant(std::string_view name) {
  if (!request_.query_value(name)) missing(name);
  return maybe_instant(name).value_or(Instant{});
}

std::vector<std::string> QueryReader::texts(std::string_view name) const {
  return request_.query_values(name);
}

std::vector<Instant> QueryReader::instants(std::string_view name) {
  std::vector<Instant> all;
  const auto values = request_.query_values(name);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (const auto at = instant_of({"query", name, i}, values[i])) all.push_back(*at);
  return all;
}

std::optional<TaskState> QueryReader::maybe_task_state(std::string_view name) {
  const auto value = request_.query_value(name);
  if (!value) return std::nullopt;
  const auto state = task_state_from_text(*value);
  if (!state || *state == TaskState::None) {
    mistakes_.add("enum", {"query", name}, "Input should be a state of a task instance",
                  json::value(*value));
    return std::nullopt;
  }
  return state;
}

std::optional<RunState> QueryReader::maybe_run_state(std::string_view name) {
  const auto value = request_.query_value(name);
  if (!value) return std::nullopt;
  const auto state = run_state_from_text(*value);
  if (!state)
    mistakes_.add("enum", {"query", name},
                  "Input should be 'queued', 'running', 'success' or 'failed'",
                  json::value(*value));
  return state;
}

std::optional<http::Response> QueryReader::refusal() const {
  return mistakes_.is_empty() ? std::nullopt : std::optional(mistakes_.response());
}

}  // namespace etesian::task_api
