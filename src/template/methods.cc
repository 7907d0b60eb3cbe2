// Methods of data, `macros`, and range().
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "template/callables.h"
#include "template/unicode.h"
#include "template/value_text.h"

namespace etesian::templates {
namespace {

template <class T>
T taken(Result<T> result, const Meter& meter) {
  if (!result) meter.fail(result.error().message);
  return std::move(*result);
}

enum Sides { Left = 1, Right = 2 };

std::string stripped(std::string_view text, const std::optional<Value>& chars, int sides,
                     Meter& meter) {
  const bool given = chars && !chars->is<None>();
  const std::string set = given ? text_argument(chars, "", meter) : " \t\n\r\v\f";
  const auto wanted = characters(set);
  meter.text(text.size() + set.size());
  const auto strip = [&](std::string_view c) {
    return std::find(wanted.begin(), wanted.end(), c) != wanted.end();
  };
  const auto all = characters(text);
  std::size_t begin = 0, end = all.size();
  if ((sides & Left) != 0) {
    for (; begin < end && strip(all[begin]); ++begin) meter.text(16 * set.size());
  }
  if ((sides & Right) != 0) {
    for (; end > begin && strip(all[end - 1]); --end) meter.text(16 * set.size());
  }
  std::string out;
  for (std::size_t i = begin; i < end; ++i) out += all[i];
  return out;
}

Value split(std::string_view text, Arguments& arguments, Meter& meter) {
  std::int64_t left = integer_argument(arguments[1], -1, meter);
  std::vector<Value> out;
  const auto add = [&](std::string_view part) {
    meter.step();
    out.push_back(make_text(std::string(part)));
  };
  if (arguments[0] && !arguments[0]->is<None>()) {
    const std::string separator = text_argument(arguments[0], "", meter);
    if (separator.empty()) meter.fail("the separator of 'split' cannot be empty");
    meter.search(text.size(), separator.size());
    for (std::size_t at; left != 0 && (at = text.find(separator)) != std::string_view::npos;
         --left) {
      add(text.substr(0, at));
      text.remove_prefix(at + separator.size());
    }
    add(text);
    return make_list(std::move(out), meter);
  }
  const auto skip = [&] {
    while (!text.empty() && is_space(text[0])) text.remove_prefix(1);
  };
  for (skip(); !text.empty(); skip(), --left) {
    std::size_t end = 0;
    while (end < text.size() && !is_space(text[end])) ++end;
    if (left == 0) end = text.size();
    add(text.substr(0, end));
    text.remove_prefix(end);
  }
  return make_list(std::move(out), meter);
}

Value split_lines(std::string_view text, Meter& meter) {
  std::vector<Value> out;
  while (!text.empty()) {
    meter.step();
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    out.push_back(make_text(std::string(text.substr(0, end))));
    const std::size_t mark = end == text.size() ? 0 : text.substr(end, 2) == "\r\n" ? 2 : 1;
    text.remove_prefix(end + mark);
  }
  return make_list(std::move(out), meter);
}

Value replaced(std::string_view text, Arguments& arguments, Meter& meter) {
  const std::string from = text_argument(arguments[0], "", meter),
                    to = text_argument(arguments[1], "", meter);
  meter.search(text.size(), from.size());
  const bool counted = arguments[2] && !arguments[2]->is<None>();
  std::int64_t left = counted ? integer_argument(arguments[2], -1, meter) : -1;
  std::string out;
  std::size_t at = 0;
  // An empty pattern stands before every character and at the end, as in Python.
  while (left != 0) {
    const std::size_t found = text.find(from, at);
    if (found == std::string_view::npos) break;
    meter.text(to.size());
    out += text.substr(at, found - at);
    out += to;
    at = found + from.size();
    --left;
    if (from.empty()) {
      if (at >= text.size()) return meter.text(out.size()), make_text(std::move(out));
      const std::size_t length = character_length(text, at);
      out += text.substr(at, length);
      at += length;
    }
    meter.output(out.size());
  }
  out += text.substr(at);
  meter.output(out.size());
  return make_text(std::move(out));
}

std::string capitalized(std::string_view text, bool each_word) {
  std::string out = to_lower(text);
  bool start = true;
  for (char& c : out) {
    const bool letter = c >= 'a' && c <= 'z';
    if (letter && start) c = static_cast<char>(c - 'a' + 'A');
    start = each_word && !letter && static_cast<unsigned char>(c) < 0x80;
    if (!each_word) break;
  }
  return out;
}

std::int64_t occurrences(const std::string& text, const std::string& part) {
  if (part.empty()) return static_cast<std::int64_t>(character_count(text)) + 1;
  std::int64_t count = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size())
    ++count;
  return count;
}

Value zero_filled(const std::string& text, std::int64_t width, Meter& meter) {
  const auto length = static_cast<std::int64_t>(character_count(text));
  if (width <= length) return make_text(text);
  const auto missing = static_cast<std::size_t>(width - length);
  meter.output(missing);
  meter.text(missing);
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  return make_text(text.substr(0, sign) + std::string(missing, '0') + text.substr(sign));
}

Value text_method(const std::string& text, std::string_view name, Arguments& a, Meter& meter) {
  meter.text(text.size());
  const auto argument = [&] {
    std::string part = text_argument(a[0], "", meter);
    meter.search(text.size(), part.size());
    return part;
  };
  if (name == "upper") return make_text(to_upper(text));
  if (name == "lower") return make_text(to_lower(text));
  if (name == "title") return make_text(capitalized(text, true));
  if (name == "capitalize") return make_text(capitalized(text, false));
  if (name == "strip") return make_text(stripped(text, a[0], Left | Right, meter));
  if (name == "lstrip") return make_text(stripped(text, a[0], Left, meter));
  if (name == "rstrip") return make_text(stripped(text, a[0], Right, meter));
  if (name == "split") return split(text, a, meter);
  if (name == "splitlines") return split_lines(text, meter);
  if (name == "replace") return replaced(text, a, meter);
  if (name == "startswith") return text.starts_with(argument());
  if (name == "endswith") return text.ends_with(argument());
  if (name == "count") return occurrences(text, argument());
  if (name == "zfill") return zero_filled(text, integer_argument(a[0], 0, meter), meter);
  if (name == "removeprefix") {
    const std::string prefix = argument();
    return make_text(text.starts_with(prefix) ? text.substr(prefix.size()) : text);
  }
  if (name == "removesuffix") {
    const std::string suffix = argument();
    return make_text(text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text);
  }
  if (name == "find") {
    const std::size_t at = text.find(argument());
    if (at == std::string::npos) return std::int64_t{-1};
    return static_cast<std::int64_t>(character_count(std::string_view(text).substr(0, at)));
  }
  Arguments join = {make_text(text), std::nullopt};
  return find_filter("join")->apply(*a[0], join, meter);
}

Value dict_method(const Dict& dict, std::string_view name, Arguments& a, Meter& meter) {
  if (name == "get") {
    const auto* key = defined(*a[0]).get<Text>();
    const Value* found = key ? find(dict, **key) : nullptr;
    if (found) return *found;
    return a[1] ? *a[1] : Value(None{});
  }
  std::vector<Value> out;
  for (const auto& [key, value] : dict->pairs) {
    meter.step();
    if (name == "values") {
      out.push_back(value);
    } else if (name == "keys") {
      out.push_back(make_text(key));
    } else {
      out.push_back(make_list({make_text(key), value}, meter, Items::Kind::Tuple));
    }
  }
  return make_list(std::move(out), meter);
}

Shift shift_from(const Arguments& a, std::int64_t sign, Meter& meter) {
  const auto part = [&](std::size_t i) {
    std::int64_t value = 0;
    if (__builtin_mul_overflow(integer_argument(a[i], 0, meter), sign, &value)) {
      meter.fail("the result does not fit into 64 bits");
    }
    return value;
  };
  return {part(0), part(1), part(2), part(3), part(4), part(5), part(6), part(7)};
}

Value moment_method(const Moment& moment, std::string_view name, Arguments& a, Meter& meter) {
  if (name == "strftime") {
    std::string text = taken(format_moment(moment, text_argument(a[0], "", meter)), meter);
    meter.output(text.size());
    return meter.text(text.size()), make_text(std::move(text));
  }
  if (name == "isoformat") {
    const std::string separator = text_argument(a[0], "T", meter);
    if (separator.size() != 1) meter.fail("the separator is one character");
    return make_text(iso_text(moment, separator[0]));
  }
  if (name == "add") return taken(shifted(moment, shift_from(a, 1, meter)), meter);
  if (name == "subtract") return taken(shifted(moment, shift_from(a, -1, meter)), meter);
  if (name == "weekday") return static_cast<std::int64_t>(parts_of(moment).weekday);
  if (name == "isoweekday") return static_cast<std::int64_t>(parts_of(moment).weekday + 1);
  if (name == "to_date_string") return make_text(*format_moment(moment, "%Y-%m-%d"));
  if (name == "to_datetime_string") return make_text(*format_moment(moment, "%Y-%m-%d %H:%M:%S"));
  if (name == "date") {
    Parts p = parts_of(moment);
    p.hour = p.minute = p.second = p.microsecond = 0;
    return Moment{taken(instant_from_parts(p), meter), TimeZone::utc(), Moment::Form::Date};
  }
  if (moment.form != Moment::Form::Aware)
    meter.fail(fmt::format("'{}' needs a date-time with a zone", name));
  if (name == "timestamp")
    return std::chrono::duration<double>(moment.at.time_since_epoch()).count();
  return Moment{moment.at, taken(TimeZone::find(text_argument(a[0], "", meter)), meter),
                Moment::Form::Aware};
}

Value macro_timedelta(const Arguments& a, Meter& meter) {
  static constexpr double Micros[] = {86'400e6, 1e6, 1, 1e3, 60e6, 3'600e6, 604'800e6};
  std::int64_t total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!a[i]) continue;
    std::int64_t part = 0;
    bool fits = true;
    if (const auto whole = as_integer(defined(*a[i]))) {
      fits = !__builtin_mul_overflow(*whole, static_cast<std::int64_t>(Micros[i]), &part);
    } else if (const auto* number = a[i]->get<double>()) {
      const double exact = std::nearbyint(*number * Micros[i]);
      fits = std::abs(exact) < 9.2e18;
      part = fits ? static_cast<std::int64_t>(exact) : 0;
    } else {
      meter.fail("a time span is made of numbers, not of a " + std::string(type_name(*a[i])));
    }
    if (!fits || __builtin_add_overflow(total, part, &total))
      meter.fail("this time span is too long");
  }
  return Delta(total);
}

Value macro_datetime(const Arguments& a, Meter& meter) {
  const auto part = [&](std::size_t i) {
    const std::int64_t value = integer_argument(a[i], 0, meter);
    if (value < 0 || value > 999'999) meter.fail("this date does not exist");
    return static_cast<int>(value);
  };
  Parts p;
  p.year = part(0), p.month = static_cast<unsigned>(part(1)),
  p.day = static_cast<unsigned>(part(2));
  p.hour = part(3), p.minute = part(4), p.second = part(5), p.microsecond = part(6);
  return Moment{taken(instant_from_parts(p), meter), TimeZone::utc(), Moment::Form::Naive};
}

}  // namespace

Value call_method(const Value& self, std::string_view name, Arguments& arguments, Meter& meter) {
  if (const auto* text = self.get<Text>()) return text_method(**text, name, arguments, meter);
  if (const auto* dict = self.get<Dict>()) return dict_method(*dict, name, arguments, meter);
  if (const auto* moment = self.get<Moment>())
    return moment_method(*moment, name, arguments, meter);
  return std::chrono::duration<double>(*self.get<Delta>()).count();
}

Value call_macro(std::string_view name, Arguments& arguments, Meter& meter) {
  if (name == "timedelta") return macro_timedelta(arguments, meter);
  if (name == "datetime") return macro_datetime(arguments, meter);
  const std::string text = text_argument(arguments[0], "", meter);
  if (name == "strptime")
    return taken(moment_from_text(text, text_argument(arguments[1], "", meter)), meter);
  if (name == "ds_format") {
    const Moment moment =
        taken(moment_from_text(text, text_argument(arguments[1], "", meter)), meter);
    return make_text(taken(format_moment(moment, text_argument(arguments[2], "", meter)), meter));
  }
  Shift shift;
  shift.days = integer_argument(arguments[1], 0, meter);
  const Moment day = taken(moment_from_text(text, "%Y-%m-%d"), meter);
  return make_text(*format_moment(taken(shifted(day, shift), meter), "%Y-%m-%d"));
}

const Signature& range_signature() {
  static const Signature Range = {"range", {"start", "stop", "step"}, 1};
  return Range;
}

Value call_range(const Arguments& arguments, Meter& meter) {
  const bool one = !arguments[1];
  std::int64_t at = one ? 0 : integer_argument(arguments[0], 0, meter);
  const std::int64_t stop = integer_argument(arguments[one ? 0 : 1], 0, meter);
  const std::int64_t step = integer_argument(arguments[2], 1, meter);
  if (step == 0) meter.fail("the step of 'range' cannot be 0");
  std::vector<Value> out;
  while (step > 0 ? at < stop : at > stop) {
    meter.step();
    out.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return make_list(std::move(out), meter);
}

}  // namespace etesian::templates
