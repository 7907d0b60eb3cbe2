#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "template/syntax.h"

namespace etesian::templates {

/// What a filter, test, function or method accepts.
struct Signature {
  std::string_view name;
  std::vector<std::string_view> parameters;
  std::size_t required = 0;
  bool variadic = false;         ///< Takes any further positional arguments.
  std::size_t keyword_only = 0;  ///< So many last parameters are given by name only.

  std::size_t positional() const { return parameters.size() - keyword_only; }
};

/// Values in the order of Signature::parameters, then the further ones of a variadic call.
using Arguments = std::vector<std::optional<Value>>;

struct Supplied {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Puts arguments in place; fails with the caller's word for the callee ("filter 'join'").
Arguments in_place(const Signature& signature, Supplied supplied, std::string_view what,
                   Meter& meter);
/// The same check before any value is known; nullopt when the call is well-formed.
std::optional<TemplateError> check_call(const Signature& signature, const Part& part,
                                        std::string_view what);

struct Filter {
  Signature signature;
  Value (*apply)(const Value& input, Arguments& arguments, Meter& meter);
};
struct Test {
  Signature signature;
  bool (*holds)(const Value& input, Arguments& arguments, Meter& meter);
};

/// nullptr when there is none.
const Filter* find_filter(std::string_view name);
const Test* find_test(std::string_view name);
std::vector<std::string_view> filter_names();
std::vector<std::string_view> test_names();
/// Only `range`.
const Signature& range_signature();
Value call_range(const Arguments& arguments, Meter& meter);
/// A method of data (text, dict, date, time span), already bound to find_method's signature.
Value call_method(const Value& self, std::string_view name, Arguments& arguments, Meter& meter);
/// A method of `macros` or `macros.datetime`.
Value call_macro(std::string_view name, Arguments& arguments, Meter& meter);

/// Typed access for implementations; `fail` in words of the callee.
std::string text_argument(const std::optional<Value>& value, std::string_view otherwise,
                          Meter& meter);
std::int64_t integer_argument(const std::optional<Value>& value, std::int64_t otherwise,
                              Meter& meter);
bool flag_argument(const std::optional<Value>& value);

}  // namespace etesian::templates
