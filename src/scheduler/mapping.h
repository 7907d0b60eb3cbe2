#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/dag.h"

namespace etesian {

/// The instances of a mapped task: one JSON object of its arguments each. `values` holds the JSON
/// text of each argument, an array or an object (its items are then [key, value] pairs), in the
/// order of `rule.arguments`. Product: the last argument varies fastest. Zip: as long as the
/// shortest. Errors: InvalidInput (a value that is neither), TooLarge (over `count_max`, with both
/// numbers).
Result<std::vector<std::string>> map_arguments(const MapRule& rule,
                                               std::span<const std::string> values,
                                               std::size_t count_max);

/// zip() of JSON arrays: a JSON array of arrays, as long as the shortest; with `fill` (JSON text),
/// as the longest. Errors: InvalidInput.
Result<std::string> zip_lists(std::span<const std::string> lists,
                              const std::optional<std::string>& fill = {});
/// concat() of JSON arrays: one JSON array. Errors: InvalidInput.
Result<std::string> concat_lists(std::span<const std::string> lists);

}  // namespace etesian
