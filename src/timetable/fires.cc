#include "timetable/fires.h"

#include <algorithm>

namespace etesian {
namespace {

namespace chrono = std::chrono;
using chrono::seconds;

/// A larger shift is a change of zone, not daylight saving (cron(8) draws the same line).
constexpr seconds kShiftMax = chrono::minutes(180);
constexpr chrono::years kSearchMax(51);

/// The calendar is searched within these years only, so that its arithmetic cannot overflow.
bool is_in_calendar(Instant t) {
  constexpr Instant kBegin = chrono::sys_days(chrono::year(1) / 1 / 1);
  constexpr Instant kEnd = chrono::sys_days(chrono::year(9900) / 1 / 1);
  return t >= kBegin && t < kEnd;
}

LocalTime wall_of(Instant t, seconds offset) {
  return LocalTime(chrono::floor<seconds>(t).time_since_epoch() + offset);
}

std::optional<Instant> earlier_of(std::optional<Instant> a, std::optional<Instant> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

std::optional<Instant> later_of(std::optional<Instant> a, std::optional<Instant> b) {
  if (!a || !b) return a ? a : b;
  return std::max(*a, *b);
}

}  // namespace

std::optional<Instant> FireSource::align_next(Instant t) const {
  const auto after = next(t);
  if (!after) return std::nullopt;
  return prev(*after) == t ? t : after;
}

std::optional<Instant> FireSource::align_prev(Instant t) const {
  const auto before = prev(t);
  if (!before) return std::nullopt;
  return next(*before) == t ? t : before;
}

/// A stretch of constant offset with what surrounds it, clipped by the fold rule to [lo, hi).
struct ZonedCron::Window {
  Instant begin, end;
  seconds offset;
  seconds before;  ///< Offset of the stretch before; equal to `offset` for the first one.
  Instant lo, hi;
  bool has_gap_run;  ///< The gap at `begin` may have runs.
};

ZonedCron::ZonedCron(Cron cron, TimeZone zone, DstPolicy policy)
    : cron_(std::move(cron)),
      zone_(std::move(zone)),
      policy_(policy),
      resolution_(cron_.resolution()) {
  switch (policy_.hourly) {
    case DstHourly::AllHoursNamed: is_real_time_ = cron_.names_all_hours(); break;
    case DstHourly::TextStar: is_real_time_ = cron_.starts_with_star(); break;
    case DstHourly::Never: is_real_time_ = false; break;
  }
}

Instant ZonedCron::rounded_up(Instant t) const {
  return t + (resolution_ - t.time_since_epoch() % resolution_) % resolution_;
}

Instant ZonedCron::rounded_down(Instant t) const {
  const Instant up = rounded_up(t);
  return up == t ? t : up - resolution_;
}

LocalTime ZonedCron::floored(LocalTime wall) const {
  return cron_.resolution() == seconds(1) ? wall : chrono::floor<chrono::minutes>(wall);
}

/// Old offsets have seconds; a run still starts on a whole minute of UTC.
Instant ZonedCron::at(LocalTime wall, seconds offset) const {
  return rounded_up(Instant(wall - offset));
}

ZonedCron::Window ZonedCron::window_at(Instant t) const {
  const TimeZone::Stretch stretch = zone_.stretch_at(t);
  Window w{stretch.begin, stretch.end, stretch.offset, stretch.offset,
           stretch.begin, stretch.end, false};
  seconds after = stretch.offset;
  if (w.begin != Instant::min()) w.before = zone_.offset_at(w.begin - Duration(1));
  if (w.end != Instant::max()) after = zone_.offset_at(w.end);
  const seconds shift_at_begin = w.offset - w.before, shift_at_end = after - w.offset;
  if (is_real_time_) return w;
  w.has_gap_run =
      shift_at_begin > seconds(0) && shift_at_begin <= kShiftMax && policy_.gap != DstGap::Skip;
  if (policy_.fold == DstFold::First && shift_at_begin < seconds(0) && -shift_at_begin <= kShiftMax)
    w.lo -= shift_at_begin;
  if (policy_.fold == DstFold::Second && shift_at_end < seconds(0) && -shift_at_end <= kShiftMax)
    w.hi += shift_at_end;
  return w;
}

std::optional<Instant> ZonedCron::gap_run_after(const Window& w, Instant after) const {
  if (!w.has_gap_run) return std::nullopt;
  const LocalTime gap_begin = wall_of(w.begin, w.before), gap_end = wall_of(w.begin, w.offset);
  if (policy_.gap == DstGap::AtTransition) {
    const auto missing = cron_.next(gap_begin - seconds(1));
    const Instant run = rounded_up(w.begin);
    if (!missing || *missing >= gap_end || run <= after) return std::nullopt;
    return run;
  }
  const LocalTime from = std::max(gap_begin - seconds(1), wall_of(after, w.before));
  const auto missing = cron_.next(from);
  if (!missing || *missing >= gap_end) return std::nullopt;
  return at(*missing, w.before);
}

std::optional<Instant> ZonedCron::gap_run_before(const Window& w, Instant before) const {
  if (!w.has_gap_run) return std::nullopt;
  const LocalTime gap_begin = wall_of(w.begin, w.before), gap_end = wall_of(w.begin, w.offset);
  if (policy_.gap == DstGap::AtTransition) {
    const auto run = gap_run_after(w, Instant::min());
    return run && *run < before ? run : std::nullopt;
  }
  const LocalTime to =
      std::min(gap_end, LocalTime(chrono::ceil<seconds>(before).time_since_epoch() + w.before));
  const auto missing = cron_.prev(to);
  if (!missing || *missing < gap_begin) return std::nullopt;
  return at(*missing, w.before);
}

std::optional<Instant> ZonedCron::next(Instant after) const {
  if (!is_in_calendar(after)) return std::nullopt;
  const Instant first = rounded_down(after) + resolution_;
  const Instant give_up = after + kSearchMax;
  LocalTime from = LocalTime::min();  // where the search that gave `found` began
  std::optional<LocalTime> found;
  for (Window w = window_at(after); w.begin < give_up; w = window_at(w.end)) {
    std::optional<Instant> best = gap_run_after(w, after);
    const Instant start = rounded_up(std::max(first, w.lo));
    const LocalTime wall = floored(wall_of(start, w.offset));
    if (!found || from > wall || *found < wall) {
      from = wall;
      found = cron_.next(wall - seconds(1));
      if (!found) return best;
    }
    if (const Instant t = at(*found, w.offset); t < w.hi) best = earlier_of(best, t);
    if (best || w.end == Instant::max()) return best;
  }
  return std::nullopt;
}

std::optional<Instant> ZonedCron::prev(Instant before) const {
  if (!is_in_calendar(before)) return std::nullopt;
  const Instant give_up = before - kSearchMax;
  for (Window w = window_at(before - Duration(1)); w.end > give_up;
       w = window_at(w.begin - Duration(1))) {
    std::optional<Instant> best = gap_run_before(w, before);
    const Instant last = rounded_up(std::min(before, w.hi)) - resolution_;
    const auto found = cron_.prev(wall_of(last, w.offset) + seconds(1));
    if (!found) return best;
    if (const Instant t = at(*found, w.offset); t >= w.lo && t < w.hi && t < before)
      best = later_of(best, t);
    if (best || w.begin == Instant::min()) return best;
  }
  return std::nullopt;
}

Instant AirflowCron::read_in_zone(LocalTime wall) const {
  const auto meaning = zone_.meaning_of(wall);
  const bool is_missing = meaning.kind == TimeZone::Meaning::Kind::Gap;
  return Instant(wall - (is_missing ? meaning.before : meaning.after));
}

std::optional<Instant> AirflowCron::next(Instant after) const {
  if (!is_in_calendar(after)) return std::nullopt;
  const seconds offset = zone_.offset_at(after);
  const auto scheduled = cron_.next(wall_of(after, offset));
  if (!scheduled) return std::nullopt;
  return cron_.is_hour_star() ? Instant(*scheduled - offset) : read_in_zone(*scheduled);
}

std::optional<Instant> AirflowCron::prev(Instant before) const {
  if (!is_in_calendar(before)) return std::nullopt;
  const seconds offset = zone_.offset_at(before);
  const auto scheduled =
      cron_.prev(LocalTime(chrono::ceil<seconds>(before).time_since_epoch() + offset));
  if (!scheduled) return std::nullopt;
  return cron_.is_hour_star() ? Instant(*scheduled - offset) : read_in_zone(*scheduled);
}

std::optional<Instant> MergedFires::next(Instant after) const {
  std::optional<Instant> best;
  for (const auto& member : members_) best = earlier_of(best, member->next(after));
  return best;
}

std::optional<Instant> MergedFires::prev(Instant before) const {
  std::optional<Instant> best;
  for (const auto& member : members_) best = later_of(best, member->prev(before));
  return best;
}

std::optional<Instant> EvenFires::next(Instant after) const {
  if (!is_in_calendar(after)) return std::nullopt;
  const Duration into = ((after - anchor_) % every_ + every_) % every_;
  return after - into + every_;
}

std::optional<Instant> EvenFires::prev(Instant before) const {
  if (!is_in_calendar(before)) return std::nullopt;
  return *next(before - Duration(1)) - every_;
}

Instant instant_of_wall(LocalTime wall, const TimeZone& zone, const DstPolicy& policy) {
  const auto meaning = zone.meaning_of(wall);
  switch (meaning.kind) {
    case TimeZone::Meaning::Kind::Unique: break;
    case TimeZone::Meaning::Kind::Fold:
      if (policy.airflow_stepping || policy.fold == DstFold::Second)
        return Instant(wall - meaning.after);
      break;
    case TimeZone::Meaning::Kind::Gap:
      if (policy.airflow_stepping || policy.gap == DstGap::ShiftByGap) break;
      return meaning.transition;
  }
  return Instant(wall - meaning.before);
}

}  // namespace etesian
