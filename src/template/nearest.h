#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace etesian::templates {

/// "did you mean 'x'?" with the candidate of the smallest edit distance; empty when none is near.
std::string did_you_mean(std::string_view name, const std::vector<std::string_view>& candidates);

}  // namespace etesian::templates
