#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/time_zone.h"
#include "model/schedule.h"
#include "timetable/cron.h"

namespace etesian {

/// An endless sequence of instants that can be entered anywhere. Immutable, thread-safe, bounded.
class FireSource {
 public:
  virtual ~FireSource() = default;
  virtual std::optional<Instant> next(Instant after) const = 0;   ///< Strictly after.
  virtual std::optional<Instant> prev(Instant before) const = 0;  ///< Strictly before.
  /// `t` when it is one of the instants, else the next one; as Airflow finds out.
  std::optional<Instant> align_next(Instant t) const;
  /// `t` when it is one of the instants, else the one before; as Airflow finds out.
  std::optional<Instant> align_prev(Instant t) const;
};

/// A cron expression in a zone under a policy other than Airflow's stepping: searches in local
/// time within each stretch of constant offset, so that the set of instants does not depend on
/// where one steps from.
class ZonedCron final : public FireSource {
 public:
  ZonedCron(Cron cron, TimeZone zone, DstPolicy policy);
  std::optional<Instant> next(Instant after) const override;
  std::optional<Instant> prev(Instant before) const override;

 private:
  struct Window;
  Window window_at(Instant t) const;
  std::optional<Instant> gap_run_after(const Window& w, Instant after) const;
  std::optional<Instant> gap_run_before(const Window& w, Instant before) const;
  Instant rounded_up(Instant t) const;
  Instant rounded_down(Instant t) const;
  LocalTime floored(LocalTime wall) const;
  Instant at(LocalTime wall, std::chrono::seconds offset) const;

  Cron cron_;
  TimeZone zone_;
  DstPolicy policy_;
  bool is_real_time_;  ///< Every matching minute, as the wall clock shows it.
  Duration resolution_;
};

/// A cron expression stepped as Airflow 3.3.2 does: the result depends on the instant it steps
/// from (docs/schedules.md, policy `airflow`).
class AirflowCron final : public FireSource {
 public:
  AirflowCron(Cron cron, TimeZone zone) : cron_(std::move(cron)), zone_(std::move(zone)) {}
  std::optional<Instant> next(Instant after) const override;
  std::optional<Instant> prev(Instant before) const override;

 private:
  Instant read_in_zone(LocalTime wall) const;

  Cron cron_;
  TimeZone zone_;
};

/// Every instant that any of its members has.
class MergedFires final : public FireSource {
 public:
  using Members = std::vector<std::shared_ptr<const FireSource>>;
  explicit MergedFires(Members members) : members_(std::move(members)) {}
  std::optional<Instant> next(Instant after) const override;
  std::optional<Instant> prev(Instant before) const override;

 private:
  Members members_;
};

/// anchor + k * every, for all whole k.
class EvenFires final : public FireSource {
 public:
  EvenFires(Instant anchor, Duration every) : anchor_(anchor), every_(every) {}
  std::optional<Instant> next(Instant after) const override;
  std::optional<Instant> prev(Instant before) const override;

 private:
  Instant anchor_;
  Duration every_;
};

/// The instant that a wall time stands for under a policy; a gap that the policy skips is read as
/// its end.
Instant instant_of_wall(LocalTime wall, const TimeZone& zone, const DstPolicy& policy);

}  // namespace etesian
