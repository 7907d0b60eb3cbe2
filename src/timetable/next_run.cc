#include <algorithm>

#include "timetable/impl.h"

namespace etesian {
namespace {

namespace chrono = std::chrono;
using MaybeInstant = std::optional<Instant>;
using MaybeLast = std::optional<DataInterval>;

RunSlot slot(Instant start, Instant end) { return {end, start, {start, end}}; }
RunSlot exact(Instant t) { return slot(t, t); }

/// Runs of data intervals, each from one instant of the schedule to the next.
class IntervalRuns {
 public:
  IntervalRuns(const FireSource& fires, const IntervalSchedule* even)
      : fires_(fires), even_(even) {}

  std::optional<RunSlot> next(const MaybeLast& last, const RunLimits& limits) const {
    MaybeInstant earliest = limits.earliest;
    if (!limits.catchup) {
      earliest = skip_to_latest(earliest, limits.now);
      if (!earliest) return std::nullopt;
    } else if (earliest) {
      earliest = align_next(*earliest);
      if (!earliest) return std::nullopt;
    }
    MaybeInstant start = earliest;
    if (last) {
      const MaybeInstant aligned = align_prev(last->end);
      if (!aligned) return std::nullopt;
      start = earliest ? std::max(*aligned, *earliest) : *aligned;
      // A schedule that became coarser may lead back onto the run before.
      if (*start <= last->start) start = step(*start);
      if (!start || *start <= last->start) return std::nullopt;
    }
    if (!start || (limits.latest && *start > *limits.latest)) return std::nullopt;
    const MaybeInstant end = step(*start);
    if (!end) return std::nullopt;
    return slot(*start, *end);
  }

 private:
  // An even schedule has no grid of its own: any instant can begin an interval.
  MaybeInstant align_next(Instant t) const { return even_ ? t : fires_.align_next(t); }
  MaybeInstant align_prev(Instant t) const { return even_ ? t : fires_.align_prev(t); }
  MaybeInstant step(Instant t) const { return even_ ? t + even_->every : fires_.next(t); }

  /// Start of the newest interval that is complete at `now`, or `earliest` when that is later.
  MaybeInstant skip_to_latest(MaybeInstant earliest, Instant now) const {
    MaybeInstant start;
    if (even_) {
      const Duration since_epoch = now.time_since_epoch();
      const Duration into = (since_epoch % even_->every + even_->every) % even_->every;
      start = now - into - even_->every;
    } else {
      MaybeInstant begin = fires_.prev(now);
      MaybeInstant end = begin ? fires_.next(*begin) : std::nullopt;
      // At a change of the clock Airflow's stepping may come back before `now`.
      for (int i = 0; end && *end < now && i < 1000; ++i) begin = end, end = fires_.next(*end);
      if (!end) return std::nullopt;
      start = *end == now ? begin : fires_.prev(*begin);
    }
    if (!start || !earliest) return start;
    const MaybeInstant aligned = align_next(*earliest);
    return aligned ? MaybeInstant(std::max(*start, *aligned)) : std::nullopt;
  }

  const FireSource& fires_;
  const IntervalSchedule* even_;
};

/// Runs that start at the instants of the schedule; the data interval is a fixed length before.
class TriggerRuns {
 public:
  struct Options {
    const IntervalSchedule* even;
    Duration interval;
    std::optional<Duration> run_immediately;
  };
  TriggerRuns(const FireSource& fires, Options options) : fires_(fires), options_(options) {}

  std::optional<RunSlot> next(const MaybeLast& last, const RunLimits& limits) const {
    const MaybeInstant fire = limits.catchup ? next_of_all(last, limits) : newest(last, limits);
    if (!fire || (limits.latest && *limits.latest < *fire)) return std::nullopt;
    return slot(*fire - options_.interval, *fire);
  }

 private:
  MaybeInstant align_next(Instant t) const { return options_.even ? t : fires_.align_next(t); }
  MaybeInstant align_prev(Instant t) const { return options_.even ? t : fires_.align_prev(t); }
  MaybeInstant step(Instant t) const {
    return options_.even ? t + options_.even->every : fires_.next(t);
  }

  MaybeInstant next_of_all(const MaybeLast& last, const RunLimits& limits) const {
    if (last) return step(last->end);
    return limits.earliest ? align_next(*limits.earliest) : first_run(limits.now);
  }

  MaybeInstant newest(const MaybeLast& last, const RunLimits& limits) const {
    MaybeInstant fire = align_prev(limits.now);
    const auto raise = [&](MaybeInstant other) {
      fire = fire && other ? MaybeInstant(std::max(*fire, *other)) : std::nullopt;
    };
    if (last)
      raise(step(last->end));
    else if (!limits.earliest)
      raise(first_run(limits.now));
    if (limits.earliest) raise(align_next(*limits.earliest));
    return fire;
  }

  MaybeInstant first_run(Instant now) const {
    if (options_.even) return now;
    const MaybeInstant past = align_prev(now), future = align_next(now);
    if (!past || !future) return std::nullopt;
    // Airflow: a tenth of the time between two runs, at least five minutes.
    const Duration default_wait = std::max((*future - *past) / 10, Duration(chrono::minutes(5)));
    const Duration wait = options_.run_immediately.value_or(default_wait);
    return now - *past <= wait ? past : future;
  }

  const FireSource& fires_;
  Options options_;
};

/// The run to prefer among those of several expressions: without catch-up the newest that is due,
/// else the earliest; with catch-up the earliest.
std::optional<RunSlot> preferred(const std::vector<RunSlot>& slots, const RunLimits& limits) {
  const auto is_before = [&](const RunSlot& a, const RunSlot& b) {
    if (limits.catchup) return a.logical_date < b.logical_date;
    const bool is_a_due = a.logical_date <= limits.now, is_b_due = b.logical_date <= limits.now;
    if (is_a_due && is_b_due) return a.logical_date > b.logical_date;
    return is_a_due != is_b_due ? is_a_due : a.logical_date < b.logical_date;
  };
  const auto best = std::min_element(slots.begin(), slots.end(), is_before);
  return best == slots.end() ? std::nullopt : std::optional(*best);
}

struct NextSlot {
  const Timetable::Impl& impl;
  const MaybeLast& last;
  const RunLimits& limits;

  std::optional<RunSlot> operator()(const ManualSchedule&) const { return std::nullopt; }

  std::optional<RunSlot> operator()(const CronSchedule& cron) const {
    if (!impl.fires) return std::nullopt;
    if (cron.interval == IntervalRule::SincePrevious)
      return IntervalRuns(*impl.fires, nullptr).next(last, limits);
    std::vector<RunSlot> slots;
    for (const auto& fires : impl.each) {
      const TriggerRuns runs(*fires, {nullptr, cron.trigger_interval, cron.run_immediately});
      if (const auto slot = runs.next(last, limits)) slots.push_back(*slot);
    }
    return preferred(slots, limits);
  }

  std::optional<RunSlot> operator()(const IntervalSchedule& even) const {
    if (even.interval == IntervalRule::SincePrevious)
      return IntervalRuns(*impl.fires, &even).next(last, limits);
    return TriggerRuns(*impl.fires, {&even, even.trigger_interval, std::nullopt})
        .next(last, limits);
  }

  std::optional<RunSlot> operator()(const DatesSchedule& schedule) const {
    MaybeInstant earliest = limits.earliest;
    if (!limits.catchup && (!earliest || limits.now > *earliest)) earliest = limits.now;
    for (const Instant date : schedule.dates) {
      if ((earliest && date < *earliest) || (last && date <= last->end)) continue;
      if (limits.latest && date > *limits.latest) return std::nullopt;
      return exact(date);
    }
    return std::nullopt;
  }

  std::optional<RunSlot> operator()(const OnceSchedule&) const {
    const Instant t = limits.earliest.value_or(limits.now);
    if (last || (limits.latest && t > *limits.latest)) return std::nullopt;
    return exact(t);
  }

  std::optional<RunSlot> operator()(const ContinuousSchedule&) const {
    Instant start = limits.earliest.value_or(limits.now);
    Instant end = std::max(start, limits.now);
    if (last && last->end > limits.now) {
      end = start + (last->end - last->start);
    } else if (last) {
      start = last->end;
      end = limits.now;
    }
    if (limits.latest && end > *limits.latest) return std::nullopt;
    return slot(start, end);
  }
};

/// The newest complete interval at `t`, found by stepping forward from well before it.
DataInterval stepped_interval(const FireSource& fires, Instant t) {
  constexpr chrono::hours kPastAnyChange(26);
  constexpr int kStepsMax = 200'000;
  Instant from = t - kPastAnyChange;
  for (int i = 0; i < 3; ++i) {
    const MaybeInstant before = fires.prev(from);
    if (!before) return {t, t};
    from = std::min(*before, from - chrono::seconds(1));
  }
  MaybeInstant start = fires.next(from), end = start ? fires.next(*start) : std::nullopt;
  for (int i = 0; i < kStepsMax && end; ++i) {
    const MaybeInstant following = fires.next(*end);
    if (!following || *following > t) break;
    start = end;
    end = following;
  }
  return end && *end <= t ? DataInterval{*start, *end} : DataInterval{t, t};
}

}  // namespace

std::optional<RunSlot> next_slot(const Timetable::Impl& impl, const MaybeLast& last,
                                 const RunLimits& limits) {
  return std::visit(NextSlot{impl, last, limits}, impl.schedule.kind);
}

DataInterval manual_slot(const Timetable::Impl& impl, Instant run_after) {
  if (const CronSchedule* cron = impl.cron()) {
    if (cron->interval == IntervalRule::Trigger)
      return {run_after - cron->trigger_interval, run_after};
    if (!impl.fires) return {run_after, run_after};
    const MaybeInstant end = impl.fires->align_prev(run_after);
    const MaybeInstant start = end ? impl.fires->prev(*end) : std::nullopt;
    if (!start) return {run_after, run_after};
    if (*start < *end && *end <= run_after) return {*start, *end};
    return stepped_interval(*impl.fires, run_after);
  }
  if (const IntervalSchedule* even = impl.even()) {
    const bool is_trigger = even->interval == IntervalRule::Trigger;
    return {run_after - (is_trigger ? even->trigger_interval : even->every), run_after};
  }
  if (const auto* schedule = std::get_if<DatesSchedule>(&impl.schedule.kind)) {
    if (!schedule->restrict_to_dates || schedule->dates.empty()) return {run_after, run_after};
    const auto later = std::upper_bound(schedule->dates.begin(), schedule->dates.end(), run_after);
    const Instant date = later == schedule->dates.begin() ? *later : *std::prev(later);
    return {date, date};
  }
  return {run_after, run_after};
}

}  // namespace etesian
