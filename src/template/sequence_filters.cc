#include "template/sequence_filters.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "template/nearest.h"
#include "template/operators.h"
#include "template/unicode.h"
#include "template/value_text.h"

namespace etesian::templates {
namespace {

/// Follows "a.b.0" from a value; Undefined where a member is missing.
Value attribute_of(Value value, const Value& path, Meter& meter) {
  meter.step();
  if (as_integer(path)) return element(value, path, meter);
  const std::string names = text_argument(path, "", meter);
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find('.', begin), names.size());
    const std::string name = names.substr(begin, end - begin);
    std::int64_t index = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool number = error == std::errc{} && stop == name.data() + name.size();
    value = number ? element(value, Value(index), meter) : data_member(value, name, meter);
    begin = end + 1;
  }
  return value;
}

bool is_given(const std::optional<Value>& argument) { return argument && !argument->is<None>(); }

Value attribute_or_self(const Value& value, const std::optional<Value>& attribute, Meter& meter) {
  return is_given(attribute) ? attribute_of(value, *attribute, meter) : value;
}

/// What values are compared by: without case unless asked for.
Value key_of(const Value& value, const std::optional<Value>& case_sensitive,
             const std::optional<Value>& attribute, Meter& meter) {
  Value key = attribute_or_self(value, attribute, meter);
  const auto* text = defined(key).get<Text>();
  if (!text || flag_argument(case_sensitive)) return key;
  meter.text((*text)->size());
  return make_text(to_lower(**text));
}

Value extreme(const Value& input, Arguments& arguments, Meter& meter, std::strong_ordering wanted) {
  Value best = undefined(meter, "an empty list has no smallest or largest element");
  Value best_key;
  bool first = true;
  for (const Value& value : elements(input, meter)) {
    Value key = key_of(value, arguments[0], arguments[1], meter);
    if (!first && compare(key, best_key, meter) != wanted) continue;
    first = false;
    best = value;
    best_key = std::move(key);
  }
  return best;
}

/// A test by name, with its arguments, or truth itself where no test is named.
class Condition {
 public:
  Condition(Arguments& arguments, std::size_t at, Meter& meter) : meter_(meter) {
    if (arguments.size() <= at || !arguments[at]) return;
    const std::string name = text_argument(arguments[at], "", meter);
    test_ = find_test(name);
    if (!test_) meter.fail("there is no test '" + name + "'", did_you_mean(name, test_names()));
    Supplied supplied;
    for (std::size_t i = at + 1; i < arguments.size(); ++i)
      supplied.positional.push_back(*arguments[i]);
    arguments_ = in_place(test_->signature, std::move(supplied), "test '" + name + "'", meter);
  }

  bool operator()(const Value& value) {
    meter_.step();
    return test_ ? test_->holds(value, arguments_, meter_) : is_true(value);
  }

 private:
  Meter& meter_;
  const Test* test_ = nullptr;
  Arguments arguments_;
};

enum class Keep { Matching, Others };

Value selected(const Value& input, Arguments& arguments, Meter& meter, Keep keep) {
  Condition condition(arguments, 0, meter);
  std::vector<Value> out;
  for (const Value& value : elements(input, meter)) {
    if (condition(value) == (keep == Keep::Matching)) out.push_back(value);
  }
  return make_list(std::move(out), meter);
}

Value selected_by_attribute(const Value& input, Arguments& arguments, Meter& meter, Keep keep) {
  Condition condition(arguments, 1, meter);
  std::vector<Value> out;
  for (const Value& value : elements(input, meter)) {
    if (condition(attribute_of(value, *arguments[0], meter)) == (keep == Keep::Matching))
      out.push_back(value);
  }
  return make_list(std::move(out), meter);
}

}  // namespace

Value filter_join(const Value& input, Arguments& arguments, Meter& meter) {
  const std::string between = arguments[0] ? to_str(*arguments[0], meter) : "";
  std::string out;
  bool first = true;
  for (const Value& value : elements(input, meter)) {
    if (!std::exchange(first, false)) out += between;
    meter.text(between.size());
    out += to_str(attribute_or_self(value, arguments[1], meter), meter);
    meter.output(out.size());
  }
  return make_text(std::move(out));
}

Value filter_first(const Value& input, Arguments&, Meter& meter) {
  std::vector<Value> all = elements(input, meter);
  return all.empty() ? undefined(meter, "an empty list has no first element") : all.front();
}

Value filter_last(const Value& input, Arguments&, Meter& meter) {
  std::vector<Value> all = elements(input, meter);
  return all.empty() ? undefined(meter, "an empty list has no last element") : all.back();
}

Value filter_list(const Value& input, Arguments&, Meter& meter) {
  return make_list(elements(input, meter), meter);
}

Value filter_reverse(const Value& input, Arguments&, Meter& meter) {
  std::vector<Value> all = elements(input, meter);
  std::reverse(all.begin(), all.end());
  if (!input.is<Text>()) return make_list(std::move(all), meter);
  std::string out;
  for (const Value& character : all) out += **character.get<Text>();
  return make_text(std::move(out));
}

Value filter_sort(const Value& input, Arguments& arguments, Meter& meter) {
  const std::vector<Value> all = elements(input, meter);
  std::vector<Value> keys;
  for (const Value& value : all) keys.push_back(key_of(value, arguments[1], arguments[2], meter));
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), 0U);
  const bool reverse = flag_argument(arguments[0]);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return reverse ? compare(keys[b], keys[a], meter) < 0 : compare(keys[a], keys[b], meter) < 0;
  });
  std::vector<Value> out;
  for (const std::size_t i : order) out.push_back(all[i]);
  return make_list(std::move(out), meter);
}

Value filter_unique(const Value& input, Arguments& arguments, Meter& meter) {
  std::vector<Value> out, seen;
  for (const Value& value : elements(input, meter)) {
    Value key = key_of(value, arguments[0], arguments[1], meter);
    const bool known = std::any_of(seen.begin(), seen.end(),
                                   [&](const Value& other) { return equals(key, other, meter); });
    if (known) continue;
    seen.push_back(std::move(key));
    out.push_back(value);
  }
  return make_list(std::move(out), meter);
}

Value filter_min(const Value& input, Arguments& arguments, Meter& meter) {
  return extreme(input, arguments, meter, std::strong_ordering::less);
}

Value filter_max(const Value& input, Arguments& arguments, Meter& meter) {
  return extreme(input, arguments, meter, std::strong_ordering::greater);
}

Value filter_sum(const Value& input, Arguments& arguments, Meter& meter) {
  Value total = arguments[1] ? *arguments[1] : Value(std::int64_t{0});
  for (const Value& value : elements(input, meter)) {
    total = arithmetic(Operator::Add, total, attribute_or_self(value, arguments[0], meter), meter);
  }
  return total;
}

Value filter_batch(const Value& input, Arguments& arguments, Meter& meter) {
  const std::int64_t size = integer_argument(arguments[0], 1, meter);
  if (size < 1) meter.fail("a batch holds at least one element");
  std::vector<Value> out, batch;
  const auto finish = [&] { out.push_back(make_list(std::exchange(batch, {}), meter)); };
  for (const Value& value : elements(input, meter)) {
    if (batch.size() == static_cast<std::size_t>(size)) finish();
    batch.push_back(value);
  }
  if (!batch.empty()) {
    while (is_given(arguments[1]) && batch.size() < static_cast<std::size_t>(size)) {
      meter.step();
      batch.push_back(*arguments[1]);
    }
    finish();
  }
  return make_list(std::move(out), meter);
}

Value filter_map(const Value& input, Arguments& arguments, Meter& meter) {
  std::vector<Value> out;
  if (is_given(arguments[1])) {
    for (const Value& value : elements(input, meter)) {
      Value member = attribute_of(value, *arguments[1], meter);
      if (member.is<Undefined>() && arguments[2]) member = *arguments[2];
      out.push_back(std::move(member));
    }
    return make_list(std::move(out), meter);
  }
  if (!arguments[0]) meter.fail("'map' needs the name of a filter, or attribute=…");
  const std::string name = text_argument(arguments[0], "", meter);
  const Filter* filter = find_filter(name);
  if (!filter) meter.fail("there is no filter '" + name + "'", did_you_mean(name, filter_names()));
  // The only way in which filters could nest without bound.
  if (name == "map") meter.fail("'map' does not apply itself");
  for (const Value& value : elements(input, meter)) {
    meter.step();
    Supplied supplied;
    for (std::size_t i = 3; i < arguments.size(); ++i) supplied.positional.push_back(*arguments[i]);
    Arguments bound =
        in_place(filter->signature, std::move(supplied), "filter '" + name + "'", meter);
    out.push_back(filter->apply(value, bound, meter));
  }
  return make_list(std::move(out), meter);
}

Value filter_select(const Value& input, Arguments& arguments, Meter& meter) {
  return selected(input, arguments, meter, Keep::Matching);
}

Value filter_reject(const Value& input, Arguments& arguments, Meter& meter) {
  return selected(input, arguments, meter, Keep::Others);
}

Value filter_selectattr(const Value& input, Arguments& arguments, Meter& meter) {
  return selected_by_attribute(input, arguments, meter, Keep::Matching);
}

Value filter_rejectattr(const Value& input, Arguments& arguments, Meter& meter) {
  return selected_by_attribute(input, arguments, meter, Keep::Others);
}

}  // namespace etesian::templates
