#include "timetable/holidays.h"

#include <algorithm>

#include "base/time_text.h"

namespace etesian {
namespace {

namespace chrono = std::chrono;
using chrono::days;

/// Longest search for a working day or a run: more consecutive holidays are no calendar.
constexpr int kDaysMax = 3 * 366;

}  // namespace

Result<HolidayCalendar> HolidayCalendar::compile(const HolidayRule& rule) {
  HolidayCalendar calendar;
  calendar.weekends_ = rule.weekends;
  for (const std::string& text : rule.days) {
    const auto instant = text.size() == 10 ? instant_from_text(text) : Error{};
    if (!instant)
      return Error{ErrorCode::InvalidInput,
                   "read holiday '" + text + "': it is no date; write it like 2024-12-25"};
    calendar.days_.insert(chrono::floor<days>(*instant));
  }
  return calendar;
}

bool HolidayCalendar::is_holiday(chrono::sys_days day) const {
  if (weekends_) {
    const unsigned weekday = chrono::weekday(day).c_encoding();
    if (weekday == 0 || weekday == 6) return true;
  }
  return days_.count(day) != 0;
}

HolidayFires::HolidayFires(std::shared_ptr<const FireSource> fires, HolidayCalendar calendar,
                           HolidayRule::Action action, TimeZone zone, DstPolicy policy)
    : fires_(std::move(fires)),
      calendar_(std::move(calendar)),
      action_(action),
      zone_(std::move(zone)),
      policy_(policy) {}

HolidayFires::Day HolidayFires::day_of(Instant t) const {
  return Day(chrono::floor<days>(zone_.local_at(t)));
}

Instant HolidayFires::midnight(Day day) const {
  return instant_of_wall(LocalTime(day), zone_, DstPolicy{});
}

std::optional<Instant> HolidayFires::next_kept(Instant after) const {
  std::optional<Instant> fire = fires_->next(after);
  for (int i = 0; fire && i < kDaysMax; ++i) {
    Day day = day_of(*fire);
    if (!calendar_.is_holiday(day)) return fire;
    for (int n = 0; n < kDaysMax && calendar_.is_holiday(day); ++n) day += days(1);
    fire = fires_->next(std::max(*fire, midnight(day) - Duration(1)));
  }
  return std::nullopt;
}

std::optional<Instant> HolidayFires::prev_kept(Instant before) const {
  std::optional<Instant> fire = fires_->prev(before);
  for (int i = 0; fire && i < kDaysMax; ++i) {
    Day day = day_of(*fire);
    if (!calendar_.is_holiday(day)) return fire;
    for (int n = 0; n < kDaysMax && calendar_.is_holiday(day - days(1)); ++n) day -= days(1);
    fire = fires_->prev(std::min(*fire, midnight(day)));
  }
  return std::nullopt;
}

/// Instants on the working day `target` that come from the holidays beside it; sorted.
std::vector<Instant> HolidayFires::moved_to(Day target) const {
  std::vector<Instant> moved;
  const days step(action_ == HolidayRule::Action::ShiftForward ? -1 : 1);
  if (calendar_.is_holiday(target)) return moved;
  for (Day day = target + step; calendar_.is_holiday(day) && moved.size() < 100'000; day += step) {
    if (chrono::abs(day - target) > days(kDaysMax)) break;
    // The day's bounds are those of its wall time: a fold at midnight must not let a fire escape.
    const Instant end = midnight(day + days(1)) + chrono::hours(4);
    for (auto fire = fires_->next(midnight(day) - chrono::hours(4)); fire && *fire < end;
         fire = fires_->next(*fire)) {
      if (day_of(*fire) != day) continue;
      const auto time = zone_.local_at(*fire) - LocalTime(day);
      moved.push_back(instant_of_wall(LocalTime(target) + time, zone_, policy_));
    }
  }
  std::sort(moved.begin(), moved.end());
  return moved;
}

std::optional<Instant> HolidayFires::next(Instant after) const {
  const auto kept = next_kept(after);
  if (action_ == HolidayRule::Action::Exclude) return kept;
  Day day = day_of(after);
  const Day last = kept ? day_of(*kept) : day + days(kDaysMax);
  for (; day <= last; day += days(1)) {
    const auto moved = moved_to(day);
    const auto it = std::upper_bound(moved.begin(), moved.end(), after);
    if (it != moved.end()) return kept ? std::min(*kept, *it) : *it;
  }
  return kept;
}

std::optional<Instant> HolidayFires::prev(Instant before) const {
  const auto kept = prev_kept(before);
  if (action_ == HolidayRule::Action::Exclude) return kept;
  Day day = day_of(before);
  const Day first = kept ? day_of(*kept) : day - days(kDaysMax);
  for (; day >= first; day -= days(1)) {
    const auto moved = moved_to(day);
    const auto it = std::lower_bound(moved.begin(), moved.end(), before);
    if (it != moved.begin()) return kept ? std::max(*kept, *std::prev(it)) : *std::prev(it);
  }
  return kept;
}

bool HolidayFires::is_moved(Instant fire) const { return next_kept(fire - Duration(1)) != fire; }

}  // namespace etesian
