#pragma once
#include <chrono>
#include <memory>
#include <set>

#include "base/result.h"
#include "timetable/fires.h"

namespace etesian {

/// The days of a HolidayRule.
class HolidayCalendar {
 public:
  /// Errors: InvalidInput, naming the day that is no date; a calendar without any working day.
  static Result<HolidayCalendar> compile(const HolidayRule& rule);
  bool is_holiday(std::chrono::sys_days day) const;

 private:
  std::set<std::chrono::sys_days> days_;
  bool weekends_ = false;
};

/// A source without the instants that fall on holidays, or with them moved to the next (previous)
/// day that is none, at the same wall time. Instants that come to coincide are one.
class HolidayFires final : public FireSource {
 public:
  HolidayFires(std::shared_ptr<const FireSource> fires, HolidayCalendar calendar,
               HolidayRule::Action action, TimeZone zone, DstPolicy policy);
  std::optional<Instant> next(Instant after) const override;
  std::optional<Instant> prev(Instant before) const override;
  /// Whether a fire time of this source is there only because it was moved.
  bool is_moved(Instant fire) const;

 private:
  using Day = std::chrono::sys_days;
  Day day_of(Instant t) const;
  Instant midnight(Day day) const;
  std::optional<Instant> next_kept(Instant after) const;
  std::optional<Instant> prev_kept(Instant before) const;
  std::vector<Instant> moved_to(Day target) const;

  std::shared_ptr<const FireSource> fires_;
  HolidayCalendar calendar_;
  HolidayRule::Action action_;
  TimeZone zone_;
  DstPolicy policy_;
};

}  // namespace etesian
