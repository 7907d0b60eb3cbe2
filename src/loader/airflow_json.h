#pragma once
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

namespace etesian::airflow_json {

/// Why a serialised DAG is not taken. Thrown and caught inside this module only.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// "unsupported: <feature>: <what to do>": Airflow runs it, the engine does not.
[[noreturn]] void refuse(const std::string& feature, const std::string& what_to_do);
/// The text is not what the SDK writes.
[[noreturn]] void malformed(const std::string& where, const std::string& what);

/// Parses what the SDK wrote. Errors: InvalidInput with offset; TooLarge over 256 MiB.
Result<json::value> parse(const std::string& text);

/// What a wrapper {"__type": t, "__var": v} holds; nullopt: the value has none.
struct Wrapped {
  std::string_view type;
  const json::value& value;
};
std::optional<Wrapped> unwrap(const json::value& value);
/// The value without any wrappers below: dicts, sets and tuples as plain JSON, an unset argument as
/// null.
json::value plain(const json::value& value);
/// The wrapper of a Python argument that was not given.
bool is_unset(const json::value& value);

// Typed reading; `where` names the member in an error.
const json::object& object(const json::value& value, std::string_view where);
const json::array& array(const json::value& value, std::string_view where);
std::string text(const json::value& value, std::string_view where);
bool flag(const json::value& value, std::string_view where);
double number(const json::value& value, std::string_view where);
int whole(const json::value& value, std::string_view where);
/// Seconds, bare or wrapped as timedelta. Beyond a hundred years it is cut: nobody waits longer.
Duration length(const json::value& value, std::string_view where);
/// Seconds since the epoch, bare or wrapped as datetime.
Instant instant(const json::value& value, std::string_view where);

/// The member, or nullptr where it is absent or null.
const json::value* member(const json::object& object, std::string_view name);
/// The member that must be there.
const json::value& required(const json::object& object, std::string_view name,
                            std::string_view where);

/// Effective values of one operator's fields, wherever the serialiser left them: its own members,
/// `partial_kwargs` of a mapped one, `client_defaults`, or the defaults of the schema.
class Operator {
 public:
  /// Neither object may die before this one. `client_defaults` may be null.
  Operator(const json::object& own, const json::object* client_defaults);

  const std::string& id() const { return id_; }
  const json::object& own() const { return own_; }
  bool is_mapped() const { return is_mapped_; }
  /// The value without a wrapper; nullptr: none, nor a default.
  const json::value* find(std::string_view name) const;
  std::string text(std::string_view name) const;
  bool flag(std::string_view name) const;
  int whole(std::string_view name) const;
  std::optional<int> maybe_whole(std::string_view name) const;
  std::optional<Duration> length(std::string_view name) const;
  std::optional<Instant> instant(std::string_view name) const;
  /// "task 'x': 'retries'"
  std::string where(std::string_view name) const;

 private:
  const json::object& own_;
  const json::object* partial_ = nullptr;
  const json::object* client_;
  std::string id_;
  bool is_mapped_ = false;
};

/// Defaults of an operator's fields, those that the engine reads.
/// Source: Airflow 3.3.2, airflow/serialization/schema.json, definitions.operator.
const json::object& operator_defaults();

}  // namespace etesian::airflow_json
