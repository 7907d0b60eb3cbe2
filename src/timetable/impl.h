#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "timetable/fires.h"
#include "timetable/holidays.h"
#include "timetable/timetable.h"

namespace etesian {

/// What a Schedule compiles to.
struct Timetable::Impl {
  Schedule schedule;
  TimeZone zone = TimeZone::utc();
  std::vector<Cron> crons;                  ///< As in CronSchedule::expressions.
  MergedFires::Members each;                ///< The instants of each expression.
  std::shared_ptr<const FireSource> fires;  ///< Of all; null when there are none.
  std::vector<std::shared_ptr<const HolidayFires>> holidays;

  const CronSchedule* cron() const { return std::get_if<CronSchedule>(&schedule.kind); }
  const IntervalSchedule* even() const { return std::get_if<IntervalSchedule>(&schedule.kind); }
};

/// What a run may be (Airflow's TimeRestriction), and the clock.
struct RunLimits {
  std::optional<Instant> earliest, latest;
  bool catchup;
  Instant now;
};

/// The run after the one with the data interval `last`. Source: next_dagrun_info of Airflow 3.3.2.
std::optional<RunSlot> next_slot(const Timetable::Impl& impl,
                                 const std::optional<DataInterval>& last, const RunLimits& limits);
/// Data interval of a manual run.
DataInterval manual_slot(const Timetable::Impl& impl, Instant run_after);

}  // namespace etesian
