#include "api/python_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>

namespace etesian::api {
namespace {

struct Range {
  char32_t first, last;
};
// What str.isprintable() denies: categories Cc, Cf, Cs, Co, Zl, Zp, and Zs without the blank.
constexpr Range kUnprintable[] = {
    {0x0, 0x1F},         {0x7F, 0xA0},       {0xAD, 0xAD},       {0x600, 0x605},
    {0x61C, 0x61C},      {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x1680, 0x1680},
    {0x180E, 0x180E},    {0x2000, 0x200F},   {0x2028, 0x202F},   {0x205F, 0x206F},
    {0x3000, 0x3000},    {0xD800, 0xF8FF},   {0xFEFF, 0xFEFF},   {0xFFF0, 0xFFFB},
    {0xFFFE, 0xFFFF},    {0x110BD, 0x110BD}, {0x1D173, 0x1D17A}, {0xE0000, 0xE007F},
    {0xF0000, 0x10FFFF},
};

bool is_printable(char32_t c) {
  for (const auto& range : kUnprintable) {
    if (c >= range.first && c <= range.last) return false;
  }
  return true;
}

/// The character at the beginning of valid UTF-8, and its length.
std::pair<char32_t, std::size_t> first_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t c = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length && i < text.size(); ++i) c = (c << 6U) | (byte(i) & 0x3FU);
  return {c, std::min(length, text.size())};
}

void append_character(std::string& out, char32_t c, std::string_view bytes, char quote) {
  if (c == static_cast<unsigned char>(quote) || c == U'\\') {
    out += '\\';
    out += static_cast<char>(c);
  } else if (c == U'\n') {
    out += "\\n";
  } else if (c == U'\r') {
    out += "\\r";
  } else if (c == U'\t') {
    out += "\\t";
  } else if (is_printable(c)) {
    out += bytes;
  } else {
    const auto code = static_cast<std::uint32_t>(c);
    auto to = std::back_inserter(out);
    if (code < 0x100) {
      fmt::format_to(to, "\\x{:02x}", code);
    } else if (code < 0x10000) {
      fmt::format_to(to, "\\u{:04x}", code);
    } else {
      fmt::format_to(to, "\\U{:08x}", code);
    }
  }
}

/// float.__repr__: the shortest digits that read back, as a plain number from 1e-4 to below 1e16.
std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
  char buffer[64];
  const auto shortest =
      std::to_chars(buffer, std::end(buffer), number, std::chars_format::scientific);
  std::string text(buffer, shortest.ptr);
  const auto mark = text.find('e');
  int exponent = 0;
  const char* digits = text.data() + mark + 1;
  if (*digits == '+') ++digits;
  std::from_chars(digits, text.data() + text.size(), exponent);
  if (exponent < -4 || exponent >= 16) return text;
  const auto fixed = std::to_chars(buffer, std::end(buffer), number, std::chars_format::fixed);
  text.assign(buffer, fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

void append(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: out += "None"; return;
    case json::kind::bool_: out += value.get_bool() ? "True" : "False"; return;
    case json::kind::int64: out += std::to_string(value.get_int64()); return;
    case json::kind::uint64: out += std::to_string(value.get_uint64()); return;
    case json::kind::double_: out += float_text(value.get_double()); return;
    case json::kind::string: out += python_repr(std::string_view(value.get_string())); return;
    case json::kind::array: {
      out += '[';
      bool is_first = true;
      for (const auto& item : value.get_array()) {
        if (!is_first) out += ", ";
        is_first = false;
        append(out, item);
      }
      out += ']';
      return;
    }
    case json::kind::object: {
      out += '{';
      bool is_first = true;
      for (const auto& member : value.get_object()) {
        if (!is_first) out += ", ";
        is_first = false;
        out += python_repr(std::string_view(member.key())) + ": ";
        append(out, member.value());
      }
      out += '}';
      return;
    }
  }
}

}  // namespace

std::string python_repr(std::string_view text) {
  const bool has_single = text.find('\'') != std::string_view::npos;
  const bool has_double = text.find('"') != std::string_view::npos;
  const char quote = has_single && !has_double ? '"' : '\'';
  std::string out(1, quote);
  while (!text.empty()) {
    const auto [c, length] = first_character(text);
    append_character(out, c, text.substr(0, length), quote);
    text.remove_prefix(length);
  }
  out += quote;
  return out;
}

std::string python_repr(const json::value& value) {
  std::string out;
  append(out, value);
  return out;
}

std::string python_str(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : python_repr(value);
}

}  // namespace etesian::api
