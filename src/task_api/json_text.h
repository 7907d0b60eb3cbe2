#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace etesian::task_api {

/// Makes the text of a JSON object member by member. Values that came from a client are put in as
/// the text they came as: nothing of them is lost to a number type.
class ObjectText {
 public:
  ObjectText& raw(std::string_view name, std::string_view json);  ///< `json` is valid JSON.
  ObjectText& text(std::string_view name, std::string_view value);
  ObjectText& text_or_null(std::string_view name, std::string_view value);  ///< Null when empty.
  ObjectText& number(std::string_view name, std::int64_t value);
  ObjectText& boolean(std::string_view name, bool value);
  ObjectText& instant(std::string_view name, const std::optional<Instant>& value);
  ObjectText& null(std::string_view name) { return raw(name, "null"); }
  std::string take();

 private:
  std::string text_ = "{";
};

std::string quoted(std::string_view text);  ///< A JSON string.
/// "2024-08-15T05:01:43Z" as a JSON string, or null.
std::string instant_text(const std::optional<Instant>& at);

/// The members of a JSON object with the text of their values; views of `object`, which is valid
/// JSON. Of a repeated name the last one counts. Empty for anything but an object.
std::map<std::string, std::string_view, std::less<>> raw_members(std::string_view object);

/// Whether this is one JSON value (RFC 8259). Repeated keys are allowed, and it may be deeper than
/// what `parse_json` takes: it is only stored, for Python to read.
bool is_json(std::string_view text);

}  // namespace etesian::task_api
