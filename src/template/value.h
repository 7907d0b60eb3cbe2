#pragma once
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "template/meter.h"
#include "template/moment.h"

namespace etesian::templates {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

struct Value;

/// A name or member that does not exist. Only `default` and `is defined` accept it.
struct Undefined {
  std::shared_ptr<const TemplateError> why;
};
struct None {};
using Text = std::shared_ptr<const std::string>;
struct Items;
using List = std::shared_ptr<const Items>;
struct Entries;
using Dict = std::shared_ptr<const Entries>;

/// The objects behind Airflow's names. They have the members listed in names.cc and nothing else.
enum class HostKind {
  Dag,
  DagRun,
  Task,
  TaskInstance,
  Variables,
  VariableValues,
  VariableJson,
  Connections,
  Connection,
  Outputs,
  TaskOutput,
  Macros,
  MacrosDatetime
};
struct Host {
  HostKind kind;
  std::string id;  ///< Of the connection or the task; else empty.
};

/// A value of the template language: Python's semantics, 64-bit integers. Immutable and cheap to
/// copy: text, lists and dicts are shared.
struct Value {
  using Kinds = std::variant<None, Undefined, bool, std::int64_t, double, Text, List, Dict, Moment,
                             Delta, Host>;
  Kinds kind;

  Value() = default;
  template <class T>
  requires std::is_constructible_v<Kinds, T> Value(T value)
      : kind(std::move(value)) {}  // NOLINT(google-explicit-constructor)

  template <class T>
  const T* get() const {
    return std::get_if<T>(&kind);
  }
  template <class T>
  bool is() const {
    return std::holds_alternative<T>(kind);
  }
};

struct Items {
  std::vector<Value> values;
  enum class Kind { Array, Tuple } kind = Kind::Array;
  std::size_t height = 1;
};

struct Entries {
  std::vector<std::pair<std::string, Value>> pairs;         ///< In order of insertion.
  std::unordered_map<std::string_view, std::size_t> index;  ///< Views of `pairs`.
  std::size_t height = 1;
};

Value make_text(std::string text);
/// Fails when lists and dicts would nest deeper than 200: nothing may recurse without bound.
Value make_list(std::vector<Value> values, const Meter& meter,
                Items::Kind kind = Items::Kind::Array);
/// A later pair replaces an earlier one of the same key.
Value make_dict(std::vector<std::pair<std::string, Value>> pairs, const Meter& meter);
const Value* find(const Dict& dict, std::string_view key);

/// Charges the meter for each element. Fails when the input nests too deeply.
Value value_from_json(const json::value& from, Meter& meter);
/// Dates become ISO 8601 text, time spans seconds. Fails for what JSON cannot say (NaN, Undefined).
json::value json_from_value(const Value& from, Meter& meter);

/// "text", "int", "list": the words of error messages.
std::string_view type_name(const Value& value);
/// Raises the error of an undefined value; returns any other.
const Value& defined(const Value& value);
/// Python's truth.
bool is_true(const Value& value);
/// Python's ==.
bool equals(const Value& a, const Value& b, Meter& meter);
/// Python's order; fails for kinds that have none.
std::strong_ordering compare(const Value& a, const Value& b, Meter& meter);
/// `needle in haystack`.
bool contains(const Value& haystack, const Value& needle, Meter& meter);
/// Integer value of an int or a bool.
std::optional<std::int64_t> as_integer(const Value& value);
/// Numeric value of an int, bool or float.
std::optional<double> as_number(const Value& value);
/// The elements a loop sees: of a list, keys of a dict, characters of a text. Charges the meter.
std::vector<Value> elements(const Value& value, Meter& meter);

}  // namespace etesian::templates
