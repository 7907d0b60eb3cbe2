#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>
#include <set>
#include <vector>

namespace etesian {
namespace {

constexpr std::size_t kDepthMax = 128;

/// Builds the value as json::parser does, and refuses a key that its object already has.
struct StrictHandler {
  static constexpr std::size_t max_object_size = SIZE_MAX;
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;
  using Code = json::error_code;
  using Text = json::string_view;

  json::value_stack stack;
  std::string key;
  std::vector<std::set<std::string, std::less<>>> keys;  ///< One set for each open object.
  std::string duplicate;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    keys.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t n, Code&) {
    keys.pop_back();
    stack.push_object(n);
    return true;
  }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t n, Code&) {
    stack.push_array(n);
    return true;
  }
  bool on_key_part(Text part, std::size_t, Code&) {
    key.append(part.data(), part.size());
    stack.push_chars(part);
    return true;
  }
  bool on_key(Text part, std::size_t, Code& code) {
    key.append(part.data(), part.size());
    if (!keys.back().insert(key).second) {
      duplicate = key;
      code = json::error::exception;
      return false;
    }
    key.clear();
    stack.push_key(part);
    return true;
  }
  bool on_string_part(Text part, std::size_t, Code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(Text part, std::size_t, Code&) {
    stack.push_string(part);
    return true;
  }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t v, Text, Code&) {
    stack.push_int64(v);
    return true;
  }
  bool on_uint64(std::uint64_t v, Text, Code&) {
    stack.push_uint64(v);
    return true;
  }
  bool on_double(double v, Text, Code& code) {
    if (!std::isfinite(v)) {
      code = json::error::exponent_overflow;
      return false;
    }
    stack.push_double(v);
    return true;
  }
  bool on_bool(bool v, Code&) {
    stack.push_bool(v);
    return true;
  }
  bool on_null(Code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(Text, Code&) { return false; }
  bool on_comment(Text, Code&) { return false; }
};

void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  out += '"';
}

void append_double(std::string& out, double v) {
  if (!std::isfinite(v)) {
    out += "null";  // JSON has no other word for it
    return;
  }
  if (v == 0) v = 0;  // -0 equals 0
  char digits[40];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
}

void append_canonical(std::string& out, const json::value& value);

void append_object(std::string& out, const json::object& object) {
  std::vector<const json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  // UTF-8 sorts by byte as by code point.
  std::sort(members.begin(), members.end(), [](const auto* a, const auto* b) {
    return std::string_view(a->key()) < std::string_view(b->key());
  });
  out += '{';
  for (const auto* member : members) {
    if (out.back() != '{') out += ',';
    append_string(out, member->key());
    out += ':';
    append_canonical(out, member->value());
  }
  out += '}';
}

void append_canonical(std::string& out, const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: out += "null"; break;
    case json::kind::bool_: out += value.get_bool() ? "true" : "false"; break;
    case json::kind::int64: out += std::to_string(value.get_int64()); break;
    case json::kind::uint64: out += std::to_string(value.get_uint64()); break;
    case json::kind::double_: append_double(out, value.get_double()); break;
    case json::kind::string: append_string(out, value.get_string()); break;
    case json::kind::object: append_object(out, value.get_object()); break;
    case json::kind::array: {
      out += '[';
      for (const auto& item : value.get_array()) {
        if (out.back() != '[') out += ',';
        append_canonical(out, item);
      }
      out += ']';
      break;
    }
  }
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::size_t size_max) {
  if (text.size() > size_max)
    return Error{ErrorCode::TooLarge, fmt::format("read JSON: larger than {} bytes", size_max)};
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::basic_parser<StrictHandler> parser(options);
  parser.handler().stack.reset();
  json::error_code code;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), code);
  if (!code && read < text.size()) code = json::error::extra_data;
  if (code && !parser.handler().duplicate.empty())
    return Error{ErrorCode::InvalidInput,
                 fmt::format("read JSON: at byte {}: key '{}' appears twice", read,
                             parser.handler().duplicate)};
  if (code)
    return Error{ErrorCode::InvalidInput,
                 fmt::format("read JSON: at byte {}: {}", read, code.message())};
  return parser.handler().stack.release();
}

std::string canonical_json(const json::value& value) {
  std::string out;
  append_canonical(out, value);
  return out;
}

}  // namespace etesian
