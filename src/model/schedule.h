#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace etesian {

/// Half-open stretch of time whose data a run works on: [start, end).
struct DataInterval {
  Instant start, end;
  friend bool operator==(const DataInterval&, const DataInterval&) = default;
};

/// What happens to a wall time that the clock skips (docs/schedules.md#daylight-saving).
enum class DstGap { Skip, AtTransition, ShiftByGap };
/// What happens to a wall time that the clock shows twice.
enum class DstFold { First, Second, Both };
/// Which expressions fire every elapsed hour whatever the wall clock shows.
enum class DstHourly {
  AllHoursNamed,  ///< The hour field, expanded, holds all 24 hours.
  TextStar,       ///< The text of the minute or hour field starts with '*' (cron(8) of Debian).
  Never           ///< None: the two rules above apply to every expression.
};

/// Named policies are values of this struct; see `dst_policy_named` in timetable/dst.h.
struct DstPolicy {
  DstGap gap = DstGap::AtTransition;
  DstFold fold = DstFold::First;
  DstHourly hourly = DstHourly::AllHoursNamed;
  /// Step from the previous run as Airflow 3's timetables do; the other members then say nothing.
  bool airflow_stepping = false;
  friend bool operator==(const DstPolicy&, const DstPolicy&) = default;
};

/// How the data interval and logical date of a run follow from its fire times.
enum class IntervalRule {
  SincePrevious,  ///< [previous fire, this fire); logical date = start; run after end.
  Trigger         ///< [fire - trigger_interval, fire); logical date = start; run after end.
};

struct CronSchedule {
  std::vector<std::string> expressions;  ///< One or more; a run at each instant that any names.
  std::string timezone = "UTC";
  DstPolicy dst;
  IntervalRule interval = IntervalRule::SincePrevious;
  Duration trigger_interval{0};
  /// For IntervalRule::Trigger without a start and without an earlier run, whether the fire time
  /// before the clock counts: nullopt = if it is at most a tenth of the time between two fires ago,
  /// but always within five minutes (Airflow's False and None); a length = if it is at most that
  /// long ago; Duration::max() = always (Airflow's True).
  std::optional<Duration> run_immediately = Duration::max();
  friend bool operator==(const CronSchedule&, const CronSchedule&) = default;
};

/// Every `every` of elapsed time, counted from the DAG's start.
struct IntervalSchedule {
  Duration every{};
  IntervalRule interval = IntervalRule::SincePrevious;
  Duration trigger_interval{0};  ///< For IntervalRule::Trigger.
  friend bool operator==(const IntervalSchedule&, const IntervalSchedule&) = default;
};

/// Exactly these instants (sorted, unique), each with an empty data interval.
struct DatesSchedule {
  std::vector<Instant> dates;
  bool restrict_to_dates = true;  ///< A manual run takes the latest date not after it.
  friend bool operator==(const DatesSchedule&, const DatesSchedule&) = default;
};

struct OnceSchedule {
  friend bool operator==(const OnceSchedule&, const OnceSchedule&) = default;
};
/// A new run as soon as the one before ended (Airflow's @continuous).
struct ContinuousSchedule {
  friend bool operator==(const ContinuousSchedule&, const ContinuousSchedule&) = default;
};
/// Manual, API and backfill-less runs only.
struct ManualSchedule {
  friend bool operator==(const ManualSchedule&, const ManualSchedule&) = default;
};

/// Days on which a fire time is dropped or moved to the next day that is not in the list (same
/// wall time). Dates are "YYYY-MM-DD" in the schedule's zone; weekends may be included. Only cron
/// schedules heed it.
struct HolidayRule {
  enum class Action { Exclude, ShiftForward, ShiftBackward } action = Action::Exclude;
  std::vector<std::string> days;  ///< Sorted, unique.
  bool weekends = false;          ///< Saturdays and Sundays count as holidays too.
  friend bool operator==(const HolidayRule&, const HolidayRule&) = default;
};

/// When a DAG runs. A pure value: timetable/timetable.h gives it meaning.
struct Schedule {
  std::variant<ManualSchedule, CronSchedule, IntervalSchedule, DatesSchedule, OnceSchedule,
               ContinuousSchedule>
      kind;
  std::optional<Instant> start;  ///< Inclusive.
  /// Inclusive, compared with the start of the data interval (IntervalRule::Trigger: its end).
  std::optional<Instant> end;
  bool catchup = false;
  std::optional<HolidayRule> holidays;
  friend bool operator==(const Schedule&, const Schedule&) = default;
};

}  // namespace etesian
