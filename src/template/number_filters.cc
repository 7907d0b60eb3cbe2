#include "template/number_filters.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "template/operators.h"
#include "template/unicode.h"

namespace etesian::templates {
namespace {

constexpr std::size_t NumberTextMax = 400;

/// Text of a number as Python's int() and float() accept it: blanks around, '+', '_' between
/// digits.
std::optional<std::string> digits_of(const std::string& text) {
  std::size_t begin = 0, end = text.size();
  while (begin < end && is_space(text[begin])) ++begin;
  while (end > begin && is_space(text[end - 1])) --end;
  if (begin == end || end - begin > NumberTextMax) return std::nullopt;
  if (text[begin] == '+' && begin + 1 < end && text[begin + 1] != '-') ++begin;
  std::string out;
  for (std::size_t i = begin; i < end; ++i) {
    const auto digit = [&](std::size_t at) {
      return std::isxdigit(static_cast<unsigned char>(text[at])) != 0;
    };
    if (text[i] == '_' && i > begin && i + 1 < end && digit(i - 1) && digit(i + 1)) continue;
    out += text[i];
  }
  return out;
}

enum class Parsed { Good, Bad, TooLarge };

Parsed parse_integer(const std::string& text, std::int64_t base, std::int64_t& value) {
  auto digits = digits_of(text);
  if (!digits) return Parsed::Bad;
  const bool negative = digits->starts_with('-');
  std::string_view rest = std::string_view(*digits).substr(negative ? 1 : 0);
  const auto prefix = [&](std::string_view a, std::string_view b, int of) {
    if (base == of && (rest.starts_with(a) || rest.starts_with(b))) rest.remove_prefix(2);
  };
  prefix("0x", "0X", 16), prefix("0o", "0O", 8), prefix("0b", "0B", 2);
  if (rest.empty() || rest[0] == '-') return Parsed::Bad;
  const std::string signed_text = (negative ? "-" : "") + std::string(rest);
  const char* end = signed_text.data() + signed_text.size();
  const auto [stop, error] =
      std::from_chars(signed_text.data(), end, value, static_cast<int>(base));
  if (error == std::errc::result_out_of_range && stop == end) return Parsed::TooLarge;
  return error == std::errc{} && stop == end ? Parsed::Good : Parsed::Bad;
}

std::optional<double> parse_float(const std::string& text) {
  const auto digits = digits_of(text);
  if (!digits) return std::nullopt;
  double value = 0;
  const char* end = digits->data() + digits->size();
  const auto [stop, error] = std::from_chars(digits->data(), end, value);
  if (stop != end || digits->find('(') != std::string::npos) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // from_chars does not say which way: an exponent below zero means too small.
    const bool small =
        digits->find("e-") != std::string::npos || digits->find("E-") != std::string::npos;
    value = small ? 0 : digits->starts_with('-') ? -HUGE_VAL : HUGE_VAL;
  } else if (error != std::errc{}) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::int64_t> truncated(double number, const Meter& meter) {
  if (!std::isfinite(number)) return std::nullopt;
  const double whole = std::trunc(number);
  if (!(whole >= -9223372036854775808.0 && whole < 9223372036854775808.0)) {
    meter.fail("this number does not fit into 64 bits");
  }
  return static_cast<std::int64_t>(whole);
}

/// Half to even, at the exact decimal value, as Python's round().
double rounded_to(double number, std::int64_t precision) {
  if (!std::isfinite(number) || precision > 300) return number;
  if (precision >= 0) {
    const std::string text = fmt::format("{:.{}f}", number, static_cast<int>(precision));
    double out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
  }
  if (precision < -308) return 0;
  const double unit = std::pow(10.0, static_cast<double>(-precision));
  return std::nearbyint(number / unit) * unit;
}

}  // namespace

Value filter_int(const Value& input, Arguments& arguments, Meter& meter) {
  const std::int64_t base = integer_argument(arguments[1], 10, meter);
  if (base < 2 || base > 36) meter.fail("the base is a number from 2 to 36");
  const Value otherwise = arguments[0] ? *arguments[0] : Value(std::int64_t{0});
  if (const auto number = as_integer(defined(input))) return *number;
  if (const auto* number = input.get<double>()) {
    const auto whole = truncated(*number, meter);
    return whole ? Value(*whole) : otherwise;
  }
  const auto* text = input.get<Text>();
  if (!text) return otherwise;
  meter.text((*text)->size());
  std::int64_t value = 0;
  switch (parse_integer(**text, base, value)) {
    case Parsed::Good: return value;
    case Parsed::TooLarge: meter.fail("this number does not fit into 64 bits");
    case Parsed::Bad: break;
  }
  const auto number = parse_float(**text);
  const auto whole = number ? truncated(*number, meter) : std::nullopt;
  return whole ? Value(*whole) : otherwise;
}

Value filter_float(const Value& input, Arguments& arguments, Meter& meter) {
  const Value otherwise = arguments[0] ? *arguments[0] : Value(0.0);
  if (const auto number = as_number(defined(input))) return *number;
  const auto* text = input.get<Text>();
  if (!text) return otherwise;
  meter.text((*text)->size());
  const auto number = parse_float(**text);
  return number ? Value(*number) : otherwise;
}

Value filter_round(const Value& input, Arguments& arguments, Meter& meter) {
  const std::int64_t precision = integer_argument(arguments[0], 0, meter);
  const std::string method = text_argument(arguments[1], "common", meter);
  const auto number = as_number(defined(input));
  if (!number) meter.fail("a " + std::string(type_name(input)) + " cannot be rounded");
  if (method == "common") {
    if (const auto whole = as_integer(input)) {
      if (precision >= 0) return *whole;
      const double result = rounded_to(static_cast<double>(*whole), precision);
      return *truncated(result, meter);
    }
    return rounded_to(*number, precision);
  }
  if (method != "ceil" && method != "floor")
    meter.fail("the method of 'round' is common, ceil or floor");
  const double unit = std::pow(10.0, static_cast<double>(precision));
  return (method == "ceil" ? std::ceil(*number * unit) : std::floor(*number * unit)) / unit;
}

Value filter_abs(const Value& input, Arguments&, Meter& meter) {
  if (const auto* number = defined(input).get<double>()) return std::abs(*number);
  const auto whole = as_integer(input);
  const auto* delta = input.get<Delta>();
  if (!whole && !delta) meter.fail("a " + std::string(type_name(input)) + " has no absolute value");
  const bool negative = whole ? *whole < 0 : delta->count() < 0;
  return signed_value(negative ? Operator::Negate : Operator::Plus, input, meter);
}

}  // namespace etesian::templates
