#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace etesian::http {

/// "a=1&b=x+y" decoded exactly once, in order, repeats kept; '+' is a blank. nullopt: a malformed
/// escape or a NUL.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query);

int hex_value(char digit);                    ///< -1 for anything but 0-9, a-f, A-F.
std::string to_lower(std::string_view text);  ///< ASCII letters only.

}  // namespace etesian::http
