#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace etesian {

/// From `since` (seconds since 1970, UTC) on, the clocks of a zone are `offset_s` ahead of UTC.
struct ZonePeriod {
  std::int64_t since;
  std::int32_t offset_s;
  std::string abbreviation;
};

/// The periods of a compiled zone file (RFC 9636), oldest first; the first one begins at INT64_MIN.
/// The rule in the file's footer is written out up to the year 2400, because the explicit
/// transitions of today's files end in 2037 or earlier.
/// Errors: Corrupt.
Result<std::vector<ZonePeriod>> periods_from_tzif(std::string_view file);

}  // namespace etesian
