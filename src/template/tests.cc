// The tests of `is`, and of select and reject.
#include <algorithm>

#include "template/callables.h"
#include "template/operators.h"
#include "template/unicode.h"

namespace etesian::templates {
namespace {

std::int64_t whole(const Value& value, Meter& meter) {
  if (const auto number = as_integer(defined(value))) return *number;
  meter.fail("this test needs an integer, not a " + std::string(type_name(value)));
}

template <class T>
bool is_kind(const Value& value, Arguments&, Meter&) {
  return defined(value).is<T>();
}

template <Operator Op>
bool relation(const Value& value, Arguments& arguments, Meter& meter) {
  return holds(Op, value, *arguments[0], meter);
}

bool is_sequence(const Value& value, Arguments&, Meter&) {
  return defined(value).is<List>() || value.is<Text>() || value.is<Dict>();
}

bool is_divisible(const Value& value, Arguments& arguments, Meter& meter) {
  const std::int64_t by = whole(*arguments[0], meter);
  if (by == 0) meter.fail("division by zero");
  return by == -1 || whole(value, meter) % by == 0;
}

bool has_case(const Value& value, std::string (*convert)(std::string_view), Meter& meter) {
  const auto* text = defined(value).get<Text>();
  if (!text) return false;
  meter.text((*text)->size());
  return convert(**text) == **text && to_upper(**text) != to_lower(**text);
}

const std::vector<Test>& all_tests() {
  static const std::vector<Test> Tests = {
      {{"defined", {}}, [](const Value& v, Arguments&, Meter&) { return !v.is<Undefined>(); }},
      {{"undefined", {}}, [](const Value& v, Arguments&, Meter&) { return v.is<Undefined>(); }},
      {{"none", {}}, is_kind<None>},
      {{"number", {}},
       [](const Value& v, Arguments&, Meter&) { return as_number(defined(v)).has_value(); }},
      {{"integer", {}}, is_kind<std::int64_t>},
      {{"float", {}}, is_kind<double>},
      {{"boolean", {}}, is_kind<bool>},
      {{"true", {}},
       [](const Value& v, Arguments&, Meter&) { return defined(v).is<bool>() && is_true(v); }},
      {{"false", {}},
       [](const Value& v, Arguments&, Meter&) { return defined(v).is<bool>() && !is_true(v); }},
      {{"string", {}}, is_kind<Text>},
      {{"mapping", {}}, is_kind<Dict>},
      {{"sequence", {}}, is_sequence},
      {{"iterable", {}}, is_sequence},
      {{"even", {}}, [](const Value& v, Arguments&, Meter& m) { return whole(v, m) % 2 == 0; }},
      {{"odd", {}}, [](const Value& v, Arguments&, Meter& m) { return whole(v, m) % 2 != 0; }},
      {{"divisibleby", {"num"}, 1}, is_divisible},
      {{"lower", {}},
       [](const Value& v, Arguments&, Meter& m) { return has_case(v, to_lower, m); }},
      {{"upper", {}},
       [](const Value& v, Arguments&, Meter& m) { return has_case(v, to_upper, m); }},
      {{"in", {"seq"}, 1}, relation<Operator::In>},
      {{"eq", {"other"}, 1}, relation<Operator::Equal>},
      {{"equalto", {"other"}, 1}, relation<Operator::Equal>},
      {{"==", {"other"}, 1}, relation<Operator::Equal>},
      {{"ne", {"other"}, 1}, relation<Operator::NotEqual>},
      {{"!=", {"other"}, 1}, relation<Operator::NotEqual>},
      {{"lt", {"other"}, 1}, relation<Operator::Less>},
      {{"<", {"other"}, 1}, relation<Operator::Less>},
      {{"le", {"other"}, 1}, relation<Operator::LessEqual>},
      {{"<=", {"other"}, 1}, relation<Operator::LessEqual>},
      {{"gt", {"other"}, 1}, relation<Operator::Greater>},
      {{">", {"other"}, 1}, relation<Operator::Greater>},
      {{"greaterthan", {"other"}, 1}, relation<Operator::Greater>},
      {{"lessthan", {"other"}, 1}, relation<Operator::Less>},
      {{"ge", {"other"}, 1}, relation<Operator::GreaterEqual>},
      {{">=", {"other"}, 1}, relation<Operator::GreaterEqual>}};
  return Tests;
}

}  // namespace

const Test* find_test(std::string_view name) {
  const auto& tests = all_tests();
  const auto found = std::find_if(tests.begin(), tests.end(),
                                  [&](const Test& t) { return t.signature.name == name; });
  return found == tests.end() ? nullptr : &*found;
}

std::vector<std::string_view> test_names() {
  std::vector<std::string_view> out;
  for (const Test& test : all_tests()) out.push_back(test.signature.name);
  return out;
}

}  // namespace etesian::templates
