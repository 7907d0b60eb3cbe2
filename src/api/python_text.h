#pragma once
#include <string>
#include <string_view>

#include "base/json.h"

namespace etesian::api {

/// str(value) of Python for what json.loads makes of the value: "True", "1e-07", "{'a': [1,
/// None]}". A text stands for itself. Whole numbers beyond 64 bits have the digits of a float.
std::string python_str(const json::value& value);
/// repr(value): the same, but a text is quoted.
std::string python_repr(const json::value& value);
/// repr of a text. Characters that Python does not print are escaped; those that no version of
/// Unicode assigns yet are taken for printable.
std::string python_repr(std::string_view text);

}  // namespace etesian::api
