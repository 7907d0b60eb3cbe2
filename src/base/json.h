#pragma once
// The JSON library behind one door: Boost.JSON (RFC 8259). Include it in .cc files and in headers
// of the modules loader, template, task_api, api and cli only.
#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace etesian {

namespace json = boost::json;

/// Strict parse of outside input: depth <= 128, no NaN, no trailing text, duplicate keys refused.
/// Errors: InvalidInput with offset; TooLarge over `size_max` bytes.
Result<json::value> parse_json(std::string_view text, std::size_t size_max = 16UL << 20);
/// Canonical text: keys sorted by code point, no blanks, shortest numbers. Equal values, equal
/// text.
std::string canonical_json(const json::value& value);

}  // namespace etesian
