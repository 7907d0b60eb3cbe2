#pragma once
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace etesian::task_api {

/// A timedelta as Pydantic writes it: ISO 8601 ("P7D", "PT1H30M", "-P1DT0.5S", "P1Y" = 365 days,
/// "P1M" = 30 days, "P2W"), or a number of seconds. nullopt: neither, or beyond 10,000 years.
std::optional<Duration> duration_from_iso(std::string_view text);
/// A duration of this many seconds; nullopt beyond 10,000 years.
std::optional<Duration> duration_from_seconds(double seconds);

}  // namespace etesian::task_api
