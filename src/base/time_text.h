#pragma once
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace etesian {

/// "2024-08-15T05:01:43+00:00", with ".ffffff" only when there are microseconds: the form of
/// Python's datetime.isoformat(), which Airflow puts into run ids.
std::string to_iso(Instant t);
/// As `to_iso`, with "Z" in place of "+00:00": the form of Airflow's REST answers.
std::string to_iso_z(Instant t);
/// RFC 3339 / ISO 8601 date or date-time: "2013-01-01", "2024-03-09T00:00Z", "…:30.25+09:00".
/// Seconds may be left out; 'T' may be a blank. Without an offset the text is UTC.
/// Errors: InvalidInput, naming what is wrong.
Result<Instant> instant_from_text(std::string_view text);

/// "30s", "10m", "6h", "1d", "2w", "250ms", "40us", sums such as "1h30m", or a bare number of
/// seconds. Errors: InvalidInput (unknown unit, negative, overflow past 100 years).
Result<Duration> duration_from_text(std::string_view text);
/// The shortest text with units that `duration_from_text` reads back to the same value.
std::string to_text(Duration d);

}  // namespace etesian
