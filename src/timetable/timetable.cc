#include "timetable/timetable.h"

#include <algorithm>

#include "base/time_text.h"
#include "timetable/impl.h"

namespace etesian {
namespace {

Error invalid(std::string message) { return {ErrorCode::InvalidInput, std::move(message)}; }

Error as_input_error(const Error& error) { return invalid(error.message); }

}  // namespace

/// Compiles one alternative of Schedule::kind into an Impl.
struct TimetableCompiler {
  Timetable::Impl& impl;

  Result<Done> operator()(const CronSchedule& schedule) const {
    auto zone = TimeZone::find(schedule.timezone);
    if (!zone) return as_input_error(zone.error());
    impl.zone = *zone;
    if (schedule.expressions.empty()) return invalid("read schedule: there is no cron expression");
    std::optional<HolidayCalendar> calendar;
    if (const auto& rule = impl.schedule.holidays) {
      auto compiled = HolidayCalendar::compile(*rule);
      if (!compiled) return compiled.error();
      calendar = *compiled;
    }
    const bool is_airflow = schedule.dst.airflow_stepping;
    for (const std::string& expression : schedule.expressions) {
      auto cron = Cron::parse(expression, is_airflow ? CronDialect::Airflow : CronDialect::Native);
      if (!cron) return cron.error();
      impl.crons.push_back(*cron);
      if (!cron->can_fire()) {
        if (is_airflow) continue;
        return invalid("read cron expression '" + expression +
                       "': it never fires; no day of any year matches");
      }
      impl.each.push_back(source(*cron, schedule.dst, calendar));
    }
    if (impl.each.size() == 1) impl.fires = impl.each.front();
    if (impl.each.size() > 1) impl.fires = std::make_shared<MergedFires>(impl.each);
    return Done{};
  }

  Result<Done> operator()(const IntervalSchedule& schedule) const {
    if (schedule.every <= Duration(0))
      return invalid("read schedule: the interval must be positive, not " +
                     to_text(schedule.every));
    impl.fires =
        std::make_shared<EvenFires>(impl.schedule.start.value_or(Instant{}), schedule.every);
    return Done{};
  }

  Result<Done> operator()(const DatesSchedule&) const { return Done{}; }
  Result<Done> operator()(const OnceSchedule&) const { return Done{}; }
  Result<Done> operator()(const ContinuousSchedule&) const { return Done{}; }
  Result<Done> operator()(const ManualSchedule&) const { return Done{}; }

 private:
  std::shared_ptr<const FireSource> source(const Cron& cron, const DstPolicy& policy,
                                           const std::optional<HolidayCalendar>& calendar) const {
    std::shared_ptr<const FireSource> fires;
    if (policy.airflow_stepping)
      fires = std::make_shared<AirflowCron>(cron, impl.zone);
    else
      fires = std::make_shared<ZonedCron>(cron, impl.zone, policy);
    if (!calendar) return fires;
    auto kept = std::make_shared<HolidayFires>(fires, *calendar, impl.schedule.holidays->action,
                                               impl.zone, policy);
    impl.holidays.push_back(kept);
    return kept;
  }
};

namespace {

/// Why the wall clock shows what it shows at a fire time.
FireTime annotated(const Timetable::Impl& impl, Instant at) {
  using Note = FireTime::Note;
  if (impl.cron() == nullptr) return {at, Note::None};
  const bool is_kept = impl.holidays.empty() ||
                       std::any_of(impl.holidays.begin(), impl.holidays.end(), [&](const auto& h) {
                         return h->next(at - Duration(1)) == at && !h->is_moved(at);
                       });
  if (!is_kept) return {at, Note::MovedByHoliday};
  const LocalTime wall = impl.zone.local_at(at);
  const auto meaning = impl.zone.meaning_of(wall);
  const bool matches = std::any_of(impl.crons.begin(), impl.crons.end(), [&](const Cron& cron) {
    const bool has_seconds = cron.resolution() == std::chrono::seconds(1);
    return cron.matches(has_seconds ? wall : std::chrono::floor<std::chrono::minutes>(wall));
  });
  if (!matches) return {at, Note::MovedByDst};
  if (meaning.kind != TimeZone::Meaning::Kind::Fold) return {at, Note::None};
  return {at, at < meaning.transition ? Note::FirstPass : Note::SecondPass};
}

bool is_in_limits(const Timetable::Impl& impl, Instant fire) {
  const Schedule& schedule = impl.schedule;
  if (!schedule.start && !schedule.end) return true;
  const CronSchedule* cron = impl.cron();
  const IntervalRule rule = cron != nullptr ? cron->interval : impl.even()->interval;
  Instant date = fire;
  if (rule == IntervalRule::SincePrevious) {
    const auto start = impl.fires->prev(fire);
    if (!start) return false;
    date = *start;
  }
  return (!schedule.start || date >= *schedule.start) && (!schedule.end || date <= *schedule.end);
}

}  // namespace

Result<Timetable> Timetable::compile(const Schedule& schedule) {
  auto impl = std::make_shared<Impl>();
  impl->schedule = schedule;
  const auto compiled = std::visit(TimetableCompiler{*impl}, schedule.kind);
  if (!compiled) return compiled.error();
  return Timetable(std::move(impl));
}

std::optional<RunSlot> Timetable::next_run(const std::optional<RunSlot>& last, Instant now) const {
  const Schedule& schedule = impl_->schedule;
  return next_slot(*impl_, last ? std::optional(last->interval) : std::nullopt,
                   {schedule.start, schedule.end, schedule.catchup, now});
}

std::vector<RunSlot> Timetable::runs_between(Instant from, Instant to,
                                             std::size_t count_max) const {
  std::vector<RunSlot> runs;
  if (is_continuous()) return runs;
  std::optional<DataInterval> last;
  while (runs.size() < count_max) {
    const auto run = next_slot(*impl_, last, {from, to, true, from});
    if (!run) break;
    runs.push_back(*run);
    last = run->interval;
  }
  return runs;
}

std::vector<FireTime> Timetable::fire_times(Instant after, std::size_t count) const {
  const Schedule& schedule = impl_->schedule;
  std::vector<FireTime> times;
  if (const auto* dates = std::get_if<DatesSchedule>(&schedule.kind)) {
    for (const Instant date : dates->dates) {
      const bool is_allowed = date > after && (!schedule.start || date >= *schedule.start) &&
                              (!schedule.end || date <= *schedule.end);
      if (is_allowed && times.size() < count) times.push_back({date, FireTime::Note::None});
    }
    return times;
  }
  if (std::holds_alternative<OnceSchedule>(schedule.kind)) {
    if (schedule.start && *schedule.start > after && count > 0)
      times.push_back({*schedule.start, FireTime::Note::None});
    return times;
  }
  if (!impl_->fires) return times;
  if (schedule.start) after = std::max(after, *schedule.start - Duration(1));
  while (times.size() < count) {
    const auto fire = impl_->fires->next(after);
    if (!fire) break;
    after = *fire;
    if (is_in_limits(*impl_, *fire))
      times.push_back(annotated(*impl_, *fire));
    else if (schedule.end && *fire > *schedule.end)
      break;
  }
  return times;
}

DataInterval Timetable::manual_interval(Instant run_after) const {
  return manual_slot(*impl_, run_after);
}

bool Timetable::is_manual() const {
  return std::holds_alternative<ManualSchedule>(impl_->schedule.kind);
}

bool Timetable::is_continuous() const {
  return std::holds_alternative<ContinuousSchedule>(impl_->schedule.kind);
}

}  // namespace etesian
