#include "loader/airflow_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace etesian::airflow_json {
namespace {

constexpr std::size_t kTextMax = 256UL << 20;
/// As `parse_json`, which reads parts of it again.
constexpr std::size_t kDepthMax = 128;
constexpr double kLongest = 100.0 * 366 * 86400;
/// Years 1 and 9999, the bounds of Python's datetime.
constexpr double kEarliest = -62135596800.0, kLatest = 253402300799.0;

std::int64_t microseconds(double seconds) {
  return static_cast<std::int64_t>(std::llround(seconds * 1e6));
}

const json::value& inside(const json::value& value) {
  const auto wrapped = unwrap(value);
  return wrapped ? wrapped->value : value;
}

}  // namespace

void refuse(const std::string& feature, const std::string& what_to_do) {
  throw Refused("unsupported: " + feature + ": " + what_to_do);
}

void malformed(const std::string& where, const std::string& what) {
  throw Refused(fmt::format("read serialised dag: {} {}", where, what));
}

Result<json::value> parse(const std::string& text) {
  if (text.size() > kTextMax)
    return Error{ErrorCode::TooLarge,
                 fmt::format("read serialised dag: larger than {} bytes", kTextMax)};
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::parser parser({}, options);
  json::error_code code;
  const std::size_t read = parser.write(text, code);
  if (code)
    return Error{ErrorCode::InvalidInput,
                 fmt::format("read serialised dag: at byte {}: {}", read, code.message())};
  return parser.release();
}

std::optional<Wrapped> unwrap(const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr || object->size() != 2) return std::nullopt;
  const json::value* type = object->if_contains("__type");
  const json::value* inner = object->if_contains("__var");
  if (type == nullptr || inner == nullptr || !type->is_string()) return std::nullopt;
  return Wrapped{std::string_view(type->get_string()), *inner};
}

bool is_unset(const json::value& value) {
  const auto wrapped = unwrap(value);
  return wrapped && wrapped->type == "arg_not_set";
}

json::value plain(const json::value& value) {
  if (is_unset(value)) return nullptr;
  const json::value& bare = inside(value);
  if (const json::array* array = bare.if_array()) {
    json::array copy;
    copy.reserve(array->size());
    for (const json::value& item : *array) copy.push_back(plain(item));
    return copy;
  }
  if (const json::object* object = bare.if_object()) {
    json::object copy;
    for (const auto& [key, item] : *object) copy[key] = plain(item);
    return copy;
  }
  return bare;
}

const json::object& object(const json::value& value, std::string_view where) {
  if (!value.is_object()) malformed(std::string(where), "is not an object");
  return value.get_object();
}

const json::array& array(const json::value& value, std::string_view where) {
  if (!value.is_array()) malformed(std::string(where), "is not a list");
  return value.get_array();
}

std::string text(const json::value& value, std::string_view where) {
  if (!value.is_string()) malformed(std::string(where), "is not a text");
  return std::string(value.get_string());
}

bool flag(const json::value& value, std::string_view where) {
  if (!value.is_bool()) malformed(std::string(where), "is neither true nor false");
  return value.get_bool();
}

double number(const json::value& value, std::string_view where) {
  if (!value.is_number()) malformed(std::string(where), "is not a number");
  const double n = value.to_number<double>();
  if (!std::isfinite(n)) malformed(std::string(where), "is not finite");
  return n;
}

int whole(const json::value& value, std::string_view where) {
  const double n = number(value, where);
  if (n != std::floor(n)) malformed(std::string(where), "is not a whole number");
  return static_cast<int>(std::clamp(n, static_cast<double>(std::numeric_limits<int>::min()),
                                     static_cast<double>(std::numeric_limits<int>::max())));
}

Duration length(const json::value& value, std::string_view where) {
  return Duration(microseconds(std::clamp(number(inside(value), where), -kLongest, kLongest)));
}

Instant instant(const json::value& value, std::string_view where) {
  return Instant(
      Duration(microseconds(std::clamp(number(inside(value), where), kEarliest, kLatest))));
}

const json::value* member(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_null() ? nullptr : found;
}

const json::value& required(const json::object& object, std::string_view name,
                            std::string_view where) {
  const json::value* found = object.if_contains(name);
  if (found == nullptr) malformed(std::string(where), fmt::format("has no '{}'", name));
  return *found;
}

const json::object& operator_defaults() {
  static const json::object kDefaults = {{"task_type", "BaseOperator"},
                                         {"owner", "airflow"},
                                         {"trigger_rule", "all_success"},
                                         {"depends_on_past", false},
                                         {"ignore_first_depends_on_past", false},
                                         {"wait_for_downstream", false},
                                         {"retries", 0},
                                         {"queue", "default"},
                                         {"pool", "default_pool"},
                                         {"pool_slots", 1},
                                         {"retry_delay", 300.0},
                                         {"retry_exponential_backoff", 0},
                                         {"priority_weight", 1},
                                         {"weight_rule", "downstream"},
                                         {"downstream_task_ids", json::array{}},
                                         {"inlets", json::array{}},
                                         {"outlets", json::array{}},
                                         {"has_on_execute_callback", false},
                                         {"has_on_success_callback", false},
                                         {"has_on_failure_callback", false},
                                         {"has_on_retry_callback", false},
                                         {"start_from_trigger", false},
                                         {"is_setup", false},
                                         {"is_teardown", false},
                                         {"on_failure_fail_dagrun", false}};
  return kDefaults;
}

Operator::Operator(const json::object& own, const json::object* client_defaults)
    : own_(own), client_(client_defaults) {
  id_ = airflow_json::text(required(own, "task_id", "a task"), "'task_id' of a task");
  if (const json::value* mapped = member(own, "_is_mapped"))
    is_mapped_ = airflow_json::flag(*mapped, where("_is_mapped"));
  if (!is_mapped_) return;
  if (const json::value* partial = member(own, "partial_kwargs"))
    partial_ = &object(*partial, where("partial_kwargs"));
}

const json::value* Operator::find(std::string_view name) const {
  // The order of Airflow's OperatorSerialization.populate_operator.
  const json::object* places[] = {partial_, partial_ ? client_ : nullptr, &own_, client_,
                                  &operator_defaults()};
  for (const json::object* place : places)
    if (const json::value* found = place ? member(*place, name) : nullptr) return &inside(*found);
  return nullptr;
}

std::string Operator::where(std::string_view name) const {
  return fmt::format("task '{}': '{}'", id_, name);
}

std::string Operator::text(std::string_view name) const {
  const json::value* found = find(name);
  return found ? airflow_json::text(*found, where(name)) : "";
}

bool Operator::flag(std::string_view name) const {
  const json::value* found = find(name);
  return found && airflow_json::flag(*found, where(name));
}

std::optional<int> Operator::maybe_whole(std::string_view name) const {
  const json::value* found = find(name);
  return found ? std::optional(airflow_json::whole(*found, where(name))) : std::nullopt;
}

int Operator::whole(std::string_view name) const { return maybe_whole(name).value_or(0); }

std::optional<Duration> Operator::length(std::string_view name) const {
  const json::value* found = find(name);
  return found ? std::optional(airflow_json::length(*found, where(name))) : std::nullopt;
}

std::optional<Instant> Operator::instant(std::string_view name) const {
  const json::value* found = find(name);
  return found ? std::optional(airflow_json::instant(*found, where(name))) : std::nullopt;
}

}  // namespace etesian::airflow_json
