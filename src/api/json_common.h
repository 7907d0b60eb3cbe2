#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace etesian::api {

json::value instant_json(Instant at);                        ///< "2024-08-15T05:01:43Z"
json::value instant_json(const std::optional<Instant>& at);  ///< … or null.
json::value text_or_null(std::string_view text);             ///< Null when empty.
/// Seconds from start to end; null while one of them is missing.
json::value seconds_between(const std::optional<Instant>& start, const std::optional<Instant>& end);
/// {"__type": "TimeDelta", "days", "seconds", "microseconds"}, as Airflow prints lengths.
json::value time_delta_json(Duration length);
/// ISO 8601 as pydantic prints a timedelta: "P1DT2H0.5S", "PT0S".
std::string iso_length(Duration length);
/// `text` parsed; the text itself where it is not JSON.
json::value json_or_text(std::string_view text);

}  // namespace etesian::api
