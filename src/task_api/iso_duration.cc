#include "task_api/iso_duration.h"

#include <charconv>
#include <cmath>

namespace etesian::task_api {
namespace {

constexpr double kDay = 86400;
constexpr double kSecondsMax = 10'000 * 366 * kDay;

/// Takes a decimal number off the front.
std::optional<double> take_number(std::string_view& text) {
  const std::size_t size = std::min(text.find_first_not_of("0123456789."), text.size());
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + size, value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + size) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

/// Seconds of one unit; source: speedate, which Pydantic reads and writes them with.
std::optional<double> unit(char letter, bool in_time) {
  switch (letter) {
    case 'Y': return in_time ? std::nullopt : std::optional(365 * kDay);
    case 'M': return in_time ? 60 : 30 * kDay;
    case 'W': return in_time ? std::nullopt : std::optional(7 * kDay);
    case 'D': return in_time ? std::nullopt : std::optional(kDay);
    case 'H': return in_time ? std::optional(3600.0) : std::nullopt;
    case 'S': return in_time ? std::optional(1.0) : std::nullopt;
    default: return std::nullopt;
  }
}

std::optional<double> seconds_of_parts(std::string_view text) {
  double seconds = 0;
  bool in_time = false, has_part = false;
  while (!text.empty()) {
    if (text.front() == 'T' && !in_time) {
      in_time = true;
      has_part = false;
      text.remove_prefix(1);
      continue;
    }
    const auto number = take_number(text);
    if (!number || text.empty()) return std::nullopt;
    const auto each = unit(text.front(), in_time);
    if (!each) return std::nullopt;
    text.remove_prefix(1);
    seconds += *number * *each;
    has_part = true;
  }
  return has_part ? std::optional(seconds) : std::nullopt;
}

}  // namespace

std::optional<Duration> duration_from_seconds(double seconds) {
  if (!std::isfinite(seconds) || std::abs(seconds) > kSecondsMax) return std::nullopt;
  return Duration(std::llround(seconds * 1e6));
}

std::optional<Duration> duration_from_iso(std::string_view text) {
  const bool is_negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  std::optional<double> seconds;
  if (!text.empty() && text.front() == 'P') {
    seconds = seconds_of_parts(text.substr(1));
  } else if (auto number = take_number(text); number && text.empty()) {
    seconds = number;
  }
  if (!seconds) return std::nullopt;
  return duration_from_seconds(is_negative ? -*seconds : *seconds);
}

}  // namespace etesian::task_api
