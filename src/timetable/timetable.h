#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/schedule.h"

namespace etesian {

/// "first" (default of native DAGs), "second", "skip", "both", "debian", "airflow".
/// Errors: InvalidInput, listing the names.
Result<DstPolicy> dst_policy_named(std::string_view name);

/// One run that a schedule asks for.
struct RunSlot {
  Instant run_after;  ///< Not started before.
  Instant logical_date;
  DataInterval interval;
  friend bool operator==(const RunSlot&, const RunSlot&) = default;
};

/// How a fire time came about, for people (preview, `when`).
struct FireTime {
  Instant at;
  enum class Note { None, FirstPass, SecondPass, MovedByDst, MovedByHoliday } note = Note::None;
};

/// A compiled Schedule. Immutable; cheap to copy; may be shared between threads.
class Timetable {
 public:
  /// Errors: InvalidInput: unknown zone, malformed expression (with the field and its position),
  /// an expression that never fires, an interval that is not positive, a holiday that is no date.
  /// Under the policy `airflow` exactly the expressions that Airflow accepts are valid, also those
  /// that never fire; the other policies accept some more (docs/schedules.md).
  static Result<Timetable> compile(const Schedule& schedule);

  /// The run after `last` (the data interval of the newest scheduled run; nullopt: none yet),
  /// by the rules of Airflow's next_dagrun_info: without catch-up nothing older than the latest
  /// complete interval at `now` is made. nullopt: the schedule has ended, never fires or is manual.
  /// Pure and bounded. Source: Airflow 3.3.2 timetables, vectors/timetables.jsonl.
  std::optional<RunSlot> next_run(const std::optional<RunSlot>& last, Instant now) const;

  /// What a backfill of [from, to] creates, oldest first, at most `count_max`: runs whose fire time
  /// (IntervalRule::SincePrevious: whose logical date) lies in it. As in Airflow, the schedule's
  /// own start, end and catch-up do not matter. Continuous and manual schedules have none.
  std::vector<RunSlot> runs_between(Instant from, Instant to, std::size_t count_max) const;

  /// Fire times strictly after `after` that make runs between the schedule's start and end, in
  /// order, at most `count`. Manual and continuous schedules have none.
  std::vector<FireTime> fire_times(Instant after, std::size_t count) const;

  /// Interval of a manual run: the last complete one at `run_after` (empty at `run_after` where the
  /// schedule has none). Differs from Airflow at DST changes on purpose (docs/schedules.md).
  DataInterval manual_interval(Instant run_after) const;

  bool is_manual() const;
  bool is_continuous() const;
  /// A sentence for people: "At 03:00 on Monday, America/New_York".
  std::string description() const;

  struct Impl;  ///< Of timetable/impl.h.

 private:
  explicit Timetable(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace etesian
