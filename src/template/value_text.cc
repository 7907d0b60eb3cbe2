#include "template/value_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "template/unicode.h"

namespace etesian::templates {
namespace {

/// Characters that Python's repr shows as escapes: controls, blanks other than ' ', and the
/// invisible ones (format, private use, unassigned planes).
bool is_printable(std::uint32_t code) {
  if (code < 0x20 || (code >= 0x7F && code <= 0xA0) || code == 0xAD) return false;
  if (code >= 0x2000 && code <= 0x200F) return false;
  if ((code >= 0x2028 && code <= 0x202F) || (code >= 0x205F && code <= 0x206F)) return false;
  return code != 0x1680 && code != 0x3000 && code != 0xFEFF &&
         !(code >= 0xE000 && code <= 0xF8FF) && code < 0xE0000;
}

std::string text_repr(const std::string& text) {
  const bool doubles = text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = doubles ? '"' : '\'';
  std::string out(1, quote);
  for (const auto character : characters(text)) {
    const std::uint32_t code = code_point(character);
    if (character[0] == quote || character == "\\") {
      out += '\\';
      out += character;
    } else if (code == '\n' || code == '\r' || code == '\t') {
      out += code == '\n' ? "\\n" : code == '\r' ? "\\r" : "\\t";
    } else if (is_printable(code) && !(character.size() == 1 && code >= 0x80)) {
      out += character;
    } else {
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    }
  }
  return out += quote;
}

std::string moment_repr(const Moment& moment) {
  const Parts p = parts_of(moment);
  if (moment.form == Moment::Form::Date) {
    return fmt::format("datetime.date({}, {}, {})", p.year, p.month, p.day);
  }
  std::string time = fmt::format("{}, {}, {}, {}, {}", p.year, p.month, p.day, p.hour, p.minute);
  if (moment.form == Moment::Form::Aware) {
    time += fmt::format(", {}", p.second);
    if (p.microsecond != 0) time += fmt::format(", {}", p.microsecond);
    return fmt::format("DateTime({}, tzinfo=Timezone('{}'))", time, moment.zone.name());
  }
  if (p.second != 0 || p.microsecond != 0) time += fmt::format(", {}", p.second);
  if (p.microsecond != 0) time += fmt::format(", {}", p.microsecond);
  return fmt::format("datetime.datetime({})", time);
}

std::string delta_repr(Delta delta) {
  const auto days = std::chrono::floor<std::chrono::days>(delta);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(delta - days);
  const auto micros = delta - days - seconds;
  std::string inside;
  const auto add = [&](std::string_view name, std::int64_t count) {
    if (count != 0) inside += fmt::format("{}{}={}", inside.empty() ? "" : ", ", name, count);
  };
  add("days", days.count()), add("seconds", seconds.count()), add("microseconds", micros.count());
  return fmt::format("datetime.timedelta({})", inside.empty() ? "0" : inside);
}

std::string list_repr(const Items& list, Meter& meter) {
  const bool tuple = list.kind == Items::Kind::Tuple;
  std::string out(1, tuple ? '(' : '[');
  for (std::size_t i = 0; i < list.values.size(); ++i) {
    if (i > 0) out += ", ";
    out += to_repr(list.values[i], meter);
    meter.output(out.size());
  }
  if (tuple && list.values.size() == 1) out += ',';
  return out += tuple ? ')' : ']';
}

std::string dict_repr(const Entries& dict, Meter& meter) {
  std::string out = "{";
  for (const auto& [key, value] : dict.pairs) {
    if (out.size() > 1) out += ", ";
    out += text_repr(key) + ": " + to_repr(value, meter);
    meter.output(out.size());
  }
  return out += '}';
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (const auto character : characters(text)) {
    const std::uint32_t code = code_point(character);
    static constexpr std::string_view Short = "\"\\\b\f\n\r\t", Letters = "\"\\bfnrt";
    const std::size_t found =
        code < 0x80 ? Short.find(static_cast<char>(code)) : std::string_view::npos;
    if (found != std::string_view::npos) {
      out += '\\';
      out += Letters[found];
    } else if (code >= 0x10000) {
      out += fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10),
                         0xDC00 + (code & 0x3FF));
    } else if (code < 0x20 || code >= 0x7F || code == '<' || code == '>' || code == '&' ||
               code == '\'') {
      out += code == 0x7F ? "\x7F" : fmt::format("\\u{:04x}", code);
    } else {
      out += character;
    }
  }
  out += '"';
}

class JsonWriter {
 public:
  JsonWriter(std::int64_t indent, Meter& meter) : indent_(indent), meter_(meter) {}

  void write(const Value& value) {
    meter_.step();
    if (value.is<None>()) {
      out += "null";
    } else if (const auto* flag = value.get<bool>()) {
      out += *flag ? "true" : "false";
    } else if (const auto* integer = value.get<std::int64_t>()) {
      out += std::to_string(*integer);
    } else if (const auto* number = value.get<double>()) {
      if (!std::isfinite(*number)) meter_.fail("JSON has no infinite numbers and no NaN");
      out += float_text(*number);
    } else if (const auto* text = value.get<Text>()) {
      meter_.text((*text)->size());
      append_json_string(out, **text);
    } else if (const auto* list = value.get<List>()) {
      write_list(**list);
    } else if (const auto* dict = value.get<Dict>()) {
      write_dict(**dict);
    } else if (value.is<Moment>()) {
      append_json_string(out, iso_text(*value.get<Moment>()));
    } else if (value.is<Delta>()) {
      out += float_text(std::chrono::duration<double>(*value.get<Delta>()).count());
    } else {
      defined(value);
      meter_.fail("this object has no JSON form", "use one of its members");
    }
    meter_.output(out.size());
  }

  std::string out;

 private:
  void separate(bool first) {
    if (!first) out += indent_ < 0 ? ", " : ",";
    line();
  }

  void line() {
    if (indent_ < 0) return;
    out += '\n';
    out.append(level_ * static_cast<std::size_t>(indent_), ' ');
  }

  void write_list(const Items& list) {
    out += '[';
    ++level_;
    bool first = true;
    for (const Value& value : list.values) {
      separate(std::exchange(first, false));
      write(value);
    }
    --level_;
    if (!first) line();
    out += ']';
  }

  void write_dict(const Entries& dict) {
    std::vector<const std::pair<std::string, Value>*> sorted;
    for (const auto& pair : dict.pairs) sorted.push_back(&pair);
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->first < b->first; });
    out += '{';
    ++level_;
    bool first = true;
    for (const auto* pair : sorted) {
      separate(std::exchange(first, false));
      meter_.text(pair->first.size());
      append_json_string(out, pair->first);
      out += ": ";
      write(pair->second);
    }
    --level_;
    if (!first) line();
    out += '}';
  }

  std::int64_t indent_;
  std::size_t level_ = 0;
  Meter& meter_;
};

}  // namespace

std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, std::abs(number), std::chars_format::scientific)
          .ptr;
  const std::string_view shown(buffer, static_cast<std::size_t>(end - buffer));
  const std::size_t e = shown.find('e');
  std::string digits(1, shown[0]);
  if (e > 2) digits += shown.substr(2, e - 2);
  int exponent = 0;
  std::from_chars(shown.data() + e + (shown[e + 1] == '+' ? 2 : 1), end, exponent);
  const std::string sign = std::signbit(number) ? "-" : "";
  const auto count = static_cast<int>(digits.size());
  if (exponent < -4 || exponent >= 16) {
    const std::string fraction = count > 1 ? "." + digits.substr(1) : "";
    return fmt::format("{}{}{}e{}{:02}", sign, digits[0], fraction, exponent < 0 ? '-' : '+',
                       std::abs(exponent));
  }
  if (exponent < 0)
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (count <= exponent + 1) {
    return sign + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  }
  const auto point = static_cast<std::size_t>(exponent + 1);
  return sign + digits.substr(0, point) + "." + digits.substr(point);
}

std::string to_repr(const Value& value, Meter& meter) {
  meter.step();
  if (const auto* text = value.get<Text>()) return meter.text((*text)->size()), text_repr(**text);
  if (const auto* moment = value.get<Moment>()) return moment_repr(*moment);
  if (const auto* delta = value.get<Delta>()) return delta_repr(*delta);
  return to_str(value, meter);
}

std::string to_str(const Value& value, Meter& meter) {
  defined(value);
  return std::visit(
      Overloaded{[](const None&) -> std::string { return "None"; },
                 [](bool flag) -> std::string { return flag ? "True" : "False"; },
                 [](std::int64_t number) -> std::string { return std::to_string(number); },
                 [](double number) -> std::string { return float_text(number); },
                 [&](const Text& text) -> std::string { return meter.text(text->size()), *text; },
                 [&](const List& list) -> std::string { return list_repr(*list, meter); },
                 [&](const Dict& dict) -> std::string { return dict_repr(*dict, meter); },
                 [](const Moment& moment) -> std::string { return iso_text(moment, ' '); },
                 [](Delta delta) -> std::string { return delta_text(delta); },
                 [&](const auto&) -> std::string {
                   meter.fail("an object cannot be printed", "print one of its members");
                 }},
      value.kind);
}

std::string to_json_text(const Value& value, std::int64_t indent, Meter& meter) {
  JsonWriter writer(std::min<std::int64_t>(indent, 16), meter);
  writer.write(value);
  return std::move(writer.out);
}

}  // namespace etesian::templates
