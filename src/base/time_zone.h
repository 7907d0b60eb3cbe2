#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace etesian {

/// A wall-clock reading without a zone: what a calendar and a clock on the wall show.
using LocalTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;

/// A zone of the tz database. Cheap to copy; equal names share one table.
class TimeZone {
 public:
  /// What a wall-clock reading means in this zone.
  struct Meaning {
    enum class Kind { Unique, Gap, Fold } kind;
    std::chrono::seconds before;  ///< UTC offset before the transition (or the only one).
    std::chrono::seconds after;   ///< UTC offset after it; equal to `before` when Unique.
    Instant transition;           ///< When the offset changes; meaningless when Unique.
  };
  /// A stretch of constant offset that holds a given instant: [begin, end).
  struct Stretch {
    Instant begin, end;
    std::chrono::seconds offset;
    std::string abbreviation;
  };

  /// A zone of the system's database (/usr/share/zoneinfo, read at first use), "UTC" (built in) or
  /// a fixed offset like "+09:00".
  /// Errors: NotFound with a hint of a similar name ("Asia/Soul" -> "did you mean 'Asia/Seoul'?").
  static Result<TimeZone> find(std::string_view name);
  static TimeZone utc();

  const std::string& name() const;
  Stretch stretch_at(Instant t) const;
  std::chrono::seconds offset_at(Instant t) const;
  LocalTime local_at(Instant t) const;  ///< Truncated to whole seconds.
  Meaning meaning_of(LocalTime wall) const;
  /// ISO 8601 with this zone's offset: "2024-03-10T03:00:00-04:00".
  std::string to_iso_local(Instant t) const;

 private:
  struct Rules;
  explicit TimeZone(std::shared_ptr<const Rules> rules) : rules_(std::move(rules)) {}
  std::shared_ptr<const Rules> rules_;
};

/// Version of the tz database in use ("2025b"), stored beside computed runs.
std::string time_zone_database_version();

}  // namespace etesian
