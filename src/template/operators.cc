#include "template/operators.h"

#include <fmt/format.h>

#include <cmath>

#include "template/names.h"
#include "template/nearest.h"
#include "template/unicode.h"
#include "template/value_text.h"

namespace etesian::templates {
namespace {

[[noreturn]] void overflow(const Meter& meter) {
  meter.fail("the result does not fit into 64 bits");
}

std::string_view symbol(Operator op) {
  switch (op) {
    case Operator::Add: return "+";
    case Operator::Subtract: return "-";
    case Operator::Multiply: return "*";
    case Operator::Divide: return "/";
    case Operator::FloorDivide: return "//";
    case Operator::Modulo: return "%";
    default: return "**";
  }
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent, Meter& meter) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) overflow(meter);
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) overflow(meter);
  }
  return result;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

Value integers(Operator op, std::int64_t a, std::int64_t b, Meter& meter) {
  std::int64_t result = 0;
  switch (op) {
    case Operator::Add:
      if (__builtin_add_overflow(a, b, &result)) overflow(meter);
      return result;
    case Operator::Subtract:
      if (__builtin_sub_overflow(a, b, &result)) overflow(meter);
      return result;
    case Operator::Multiply:
      if (__builtin_mul_overflow(a, b, &result)) overflow(meter);
      return result;
    case Operator::Divide: return static_cast<double>(a) / static_cast<double>(b);
    case Operator::FloorDivide:
      if (a == INT64_MIN && b == -1) overflow(meter);
      return floor_divide(a, b);
    case Operator::Modulo:
      if (b == -1) return std::int64_t{0};
      return a - floor_divide(a, b) * b;
    default:
      if (b < 0) return std::pow(static_cast<double>(a), static_cast<double>(b));
      return a == 0 || a == 1 ? Value(b == 0 ? std::int64_t{1} : a)
                              : Value(integer_power(a, b, meter));
  }
}

Value floats(Operator op, double a, double b, Meter& meter) {
  switch (op) {
    case Operator::Add: return a + b;
    case Operator::Subtract: return a - b;
    case Operator::Multiply: return a * b;
    case Operator::Divide: return a / b;
    case Operator::FloorDivide: {
      const double rest = std::fmod(a, b);
      double quotient = (a - rest) / b;
      if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
      return quotient == 0 ? std::copysign(0.0, a / b) : std::floor(quotient + 0.5);
    }
    case Operator::Modulo: {
      const double rest = std::fmod(a, b);
      if (rest == 0) return std::copysign(0.0, b);
      return (rest < 0) != (b < 0) ? rest + b : rest;
    }
    default: {
      if (a < 0 && b != std::floor(b)) meter.fail("this power is not a real number");
      const double result = std::pow(a, b);
      if (std::isinf(result) && !std::isinf(a) && !std::isinf(b))
        meter.fail("the result is too large");
      return result;
    }
  }
}

Value repeated(const Value& value, std::int64_t count, Meter& meter) {
  const auto times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  if (const auto* text = value.get<Text>()) {
    if ((*text)->empty()) return value;
    const std::size_t size = (*text)->size();
    if (times > SIZE_MAX / size) meter.output(SIZE_MAX);
    meter.output(size * times);
    meter.text(size * times);
    std::string out;
    out.reserve(size * times);
    for (std::size_t i = 0; i < times; ++i) out += **text;
    return make_text(std::move(out));
  }
  const Items& list = **value.get<List>();
  if (list.values.empty()) return value;
  meter.step(times > SIZE_MAX / list.values.size() ? SIZE_MAX : times * list.values.size());
  std::vector<Value> out;
  for (std::size_t i = 0; i < times; ++i)
    out.insert(out.end(), list.values.begin(), list.values.end());
  return make_list(std::move(out), meter, list.kind);
}

Delta rounded(double exact, Meter& meter) {
  const double micros = std::nearbyint(exact);
  if (!(std::abs(micros) < 9.2e18)) overflow(meter);
  return Delta(static_cast<std::int64_t>(micros));
}

Value checked(Result<Moment> moment, const Meter& meter) {
  if (!moment) meter.fail(moment.error().message);
  return std::move(*moment);
}

/// Arithmetic of dates and time spans; nullopt when the kinds do not go together.
std::optional<Value> time_arithmetic(Operator op, const Value& a, const Value& b, Meter& meter) {
  const auto *date = a.get<Moment>(), *other = b.get<Moment>();
  const auto *left = a.get<Delta>(), *right = b.get<Delta>();
  const auto negated = [&](Delta delta) {
    if (delta == Delta::min()) overflow(meter);
    return -delta;
  };
  if (date && right && op == Operator::Add) return checked(moved(*date, *right), meter);
  if (date && right && op == Operator::Subtract)
    return checked(moved(*date, negated(*right)), meter);
  if (left && other && op == Operator::Add) return checked(moved(*other, *left), meter);
  if (date && other && op == Operator::Subtract) {
    if (date->form != other->form)
      meter.fail("a date with a zone and one without have no difference");
    return Value(date->at - other->at);
  }
  if (left && right) {
    const std::int64_t x = left->count(), y = right->count();
    if (op == Operator::Add || op == Operator::Subtract)
      return Delta(*as_integer(integers(op, x, y, meter)));
    if (op == Operator::Multiply || op == Operator::Power) return std::nullopt;
    if (y == 0) meter.fail("division by zero");
    const Value result = integers(op, x, y, meter);
    return op == Operator::Modulo ? Value(Delta(*as_integer(result))) : result;
  }
  const auto factor = as_number(left ? b : a);
  if (!factor) return std::nullopt;
  if (op == Operator::Multiply && (left || right))
    return Value(rounded(static_cast<double>((left ? *left : *right).count()) * *factor, meter));
  if (left && (op == Operator::Divide || op == Operator::FloorDivide)) {
    if (*factor == 0) meter.fail("division by zero");
    if (op == Operator::FloorDivide && as_integer(b)) {
      return Delta(*as_integer(integers(op, left->count(), *as_integer(b), meter)));
    }
    if (op == Operator::Divide)
      return Value(rounded(static_cast<double>(left->count()) / *factor, meter));
  }
  return std::nullopt;
}

std::optional<Value> sequence_arithmetic(Operator op, const Value& a, const Value& b,
                                         Meter& meter) {
  const bool sequence_a = a.is<Text>() || a.is<List>();
  const bool sequence_b = b.is<Text>() || b.is<List>();
  if (op == Operator::Multiply && sequence_a && as_integer(b))
    return repeated(a, *as_integer(b), meter);
  if (op == Operator::Multiply && sequence_b && as_integer(a))
    return repeated(b, *as_integer(a), meter);
  if (op != Operator::Add || !sequence_a || a.kind.index() != b.kind.index()) return std::nullopt;
  if (const auto* text = a.get<Text>()) {
    const std::string& tail = **b.get<Text>();
    meter.output((*text)->size() + tail.size());
    meter.text((*text)->size() + tail.size());
    return make_text(**text + tail);
  }
  const Items &left = **a.get<List>(), &right = **b.get<List>();
  if (left.kind != right.kind) return std::nullopt;
  meter.step(left.values.size() + right.values.size());
  std::vector<Value> out = left.values;
  out.insert(out.end(), right.values.begin(), right.values.end());
  return make_list(std::move(out), meter, left.kind);
}

}  // namespace

Value undefined(const Meter& meter, std::string message, std::string hint) {
  const Span span = meter.where();
  return Undefined{std::make_shared<const TemplateError>(
      TemplateError{span.offset, span.length, std::move(message), std::move(hint)})};
}

Value arithmetic(Operator op, const Value& a, const Value& b, Meter& meter) {
  defined(a), defined(b);
  const auto x = as_number(a), y = as_number(b);
  if (x && y) {
    const bool divides =
        op == Operator::Divide || op == Operator::FloorDivide || op == Operator::Modulo;
    if ((divides && *y == 0) || (op == Operator::Power && *x == 0 && *y < 0))
      meter.fail("division by zero");
    const auto i = as_integer(a), j = as_integer(b);
    return i && j ? integers(op, *i, *j, meter) : floats(op, *x, *y, meter);
  }
  if (auto result = time_arithmetic(op, a, b, meter)) return std::move(*result);
  if (auto result = sequence_arithmetic(op, a, b, meter)) return std::move(*result);
  const bool text = a.is<Text>() || b.is<Text>();
  std::string hint;
  if (op == Operator::Add && text) hint = "join texts and other values with '~'";
  if (op == Operator::Modulo && a.is<Text>())
    hint = "texts are not formatted with '%'; join values with '~'";
  meter.fail(
      fmt::format("'{}' does not work on a {} and a {}", symbol(op), type_name(a), type_name(b)),
      hint);
}

Value signed_value(Operator op, const Value& a, Meter& meter) {
  defined(a);
  if (const auto integer = as_integer(a)) {
    return op == Operator::Plus ? *integer : integers(Operator::Subtract, 0, *integer, meter);
  }
  if (const auto* number = a.get<double>()) return op == Operator::Plus ? *number : -*number;
  if (const auto* delta = a.get<Delta>()) {
    return op == Operator::Plus
               ? *delta
               : Delta(*as_integer(integers(Operator::Subtract, 0, delta->count(), meter)));
  }
  meter.fail("a " + std::string(type_name(a)) + " has no sign");
}

bool holds(Operator op, const Value& a, const Value& b, Meter& meter) {
  switch (op) {
    case Operator::Equal: return equals(a, b, meter);
    case Operator::NotEqual: return !equals(a, b, meter);
    case Operator::In: return contains(b, a, meter);
    case Operator::NotIn: return !contains(b, a, meter);
    case Operator::Less: return compare(a, b, meter) < 0;
    case Operator::LessEqual: return compare(a, b, meter) <= 0;
    case Operator::Greater: return compare(a, b, meter) > 0;
    default: return compare(a, b, meter) >= 0;
  }
}

namespace {

/// Index from the front, of `size` elements; nullopt when outside.
std::optional<std::size_t> position(std::int64_t index, std::size_t size) {
  const auto count = static_cast<std::int64_t>(size);
  if (index < 0) index += count;
  if (index < 0 || index >= count) return std::nullopt;
  return static_cast<std::size_t>(index);
}

}  // namespace

Value element(const Value& value, const Value& index, Meter& meter) {
  defined(value), defined(index);
  if (value.is<Dict>()) {
    if (const auto* key = index.get<Text>()) return data_member(value, **key, meter);
    return undefined(meter, "this dict has no such key", "keys are texts");
  }
  const auto number = as_integer(index);
  const bool sequence = value.is<List>() || value.is<Text>();
  if (!sequence || !number) {
    return undefined(
        meter, fmt::format("a {} has no element for a {}", type_name(value), type_name(index)));
  }
  if (const auto* list = value.get<List>()) {
    const auto& values = (*list)->values;
    if (const auto at = position(*number, values.size())) return values[*at];
    return undefined(
        meter, fmt::format("the list has {} elements; there is no [{}]", values.size(), *number));
  }
  const std::string& text = **value.get<Text>();
  meter.text(text.size());
  const auto all = characters(text);
  if (const auto at = position(*number, all.size())) return make_text(std::string(all[*at]));
  return undefined(
      meter, fmt::format("the text has {} characters; there is no [{}]", all.size(), *number));
}

Value slice(const Value& value, const Value& start, const Value& stop, const Value& stride,
            Meter& meter) {
  const auto* text = defined(value).get<Text>();
  const auto* list = value.get<List>();
  if (!text && !list) meter.fail("a " + std::string(type_name(value)) + " cannot be sliced");
  const std::vector<Value> all = elements(value, meter);
  const auto bound = [&](const Value& from) -> std::optional<std::int64_t> {
    if (defined(from).is<None>()) return std::nullopt;
    if (const auto number = as_integer(from)) return number;
    meter.fail("the bounds of a slice are integers");
  };
  const std::int64_t step = bound(stride).value_or(1);
  if (step == 0) meter.fail("the step of a slice cannot be 0");
  const auto size = static_cast<std::int64_t>(all.size());
  const std::int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
  const auto clamp = [&](std::optional<std::int64_t> at, std::int64_t otherwise) {
    if (!at) return otherwise;
    return std::clamp(*at < 0 ? *at + size : *at, low, std::max(low, high));
  };
  const std::int64_t first = clamp(bound(start), step > 0 ? low : high);
  const std::int64_t last = clamp(bound(stop), step > 0 ? high : low);
  std::vector<Value> out;
  for (std::int64_t i = first; step > 0 ? i < last : i > last;) {
    out.push_back(all[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  if (list) return make_list(std::move(out), meter, (*list)->kind);
  std::string joined;
  for (const Value& character : out) joined += **character.get<Text>();
  return make_text(std::move(joined));
}

namespace {

std::optional<Value> moment_member(const Moment& moment, std::string_view name) {
  const Parts p = parts_of(moment);
  const bool date = moment.form == Moment::Form::Date;
  const auto number = [](auto n) { return Value(static_cast<std::int64_t>(n)); };
  if (name == "year") return number(p.year);
  if (name == "month") return number(p.month);
  if (name == "day") return number(p.day);
  if (name == "day_of_week") return number(p.weekday);
  if (name == "day_of_year") return number(p.yearday);
  if (name == "quarter") return number((p.month + 2) / 3);
  if (date) return std::nullopt;
  if (name == "hour") return number(p.hour);
  if (name == "minute") return number(p.minute);
  if (name == "second") return number(p.second);
  if (name == "microsecond") return number(p.microsecond);
  if (name == "timezone_name" && moment.form == Moment::Form::Aware)
    return make_text(moment.zone.name());
  if (name == "int_timestamp" && moment.form == Moment::Form::Aware) {
    return number(std::chrono::floor<std::chrono::seconds>(moment.at).time_since_epoch().count());
  }
  return std::nullopt;
}

std::optional<Value> delta_member(Delta delta, std::string_view name) {
  const auto whole = std::chrono::floor<std::chrono::days>(delta);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(delta - whole);
  if (name == "days") return Value(static_cast<std::int64_t>(whole.count()));
  if (name == "seconds") return Value(static_cast<std::int64_t>(seconds.count()));
  if (name == "microseconds")
    return Value(static_cast<std::int64_t>((delta - whole - seconds).count()));
  return std::nullopt;
}

}  // namespace

Value data_member(const Value& value, std::string_view name, Meter& meter) {
  if (const auto* dict = defined(value).get<Dict>()) {
    if (const Value* found = find(*dict, name)) return *found;
    std::vector<std::string_view> keys;
    for (const auto& pair : (*dict)->pairs) keys.push_back(pair.first);
    if (keys.size() > 200) keys.clear();  // A hint is not worth comparing with each of them.
    meter.step(keys.size());
    return undefined(meter, fmt::format("there is no member '{}'", name), did_you_mean(name, keys));
  }
  std::vector<std::string_view> known;
  if (const auto* moment = value.get<Moment>()) {
    if (auto found = moment_member(*moment, name)) return std::move(*found);
    known = member_names({Shape::Kind::Moment});
  } else if (const auto* delta = value.get<Delta>()) {
    if (auto found = delta_member(*delta, name)) return std::move(*found);
    known = member_names({Shape::Kind::TimeSpan});
  }
  return undefined(meter, fmt::format("a {} has no member '{}'", type_name(value), name),
                   did_you_mean(name, known));
}

}  // namespace etesian::templates
