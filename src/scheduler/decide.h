#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "scheduler/world.h"

namespace etesian {

/// Name under which the host of deferred tasks' triggers announces itself (ExecutorUp). It starts
/// no launches.
inline constexpr const char* kTriggerHost = "triggers";

/// What must be told to the outside once the changes are durable.
struct Effect {
  struct Start {
    InstanceKey key;
    Uuid try_id;
    int launch = 1;
  };
  struct Stop {
    LaunchId id;
    Duration grace{};
    std::string reason;
  };
  struct Revoke {
    LaunchId id;
  };
  struct Inquire {
    LaunchId id;
  };
  struct Acknowledge {
    LaunchId id;
  };
  /// A try rests: what it waits for is to be watched (`executor` is kTriggerHost). Repeating is
  /// safe.
  struct Watch {
    InstanceKey key;
    Uuid try_id;
    std::string resume;  ///< InstanceRow::resume.
    std::optional<Instant> deadline;
    std::shared_ptr<const Dag> dag;
    RunRow run;
    int try_number = 0;
  };
  struct Unwatch {
    Uuid try_id;
  };
  /// Code of an Airflow DAG file is to be called: its run has ended, or one of its workers died
  /// without a word. Told once; a crash of the server in between loses it.
  struct Callback {
    std::shared_ptr<const Dag> dag;
    RunRow run;  ///< As it is now.
    enum class Of { Dag, Task } of = Of::Dag;
    std::optional<InstanceRow> instance;  ///< Of::Dag: the one that ended last, if any.
    Uuid try_id;                          ///< Of::Task: of the instance's last try.
    bool is_failure = false;              ///< Of::Task: false means "will be retried".
    std::string reason;  ///< Airflow's word: "success", "task_failure", "timed_out", ….
  };
  std::string executor;
  std::variant<Start, Stop, Revoke, Inquire, Acknowledge, Watch, Unwatch, Callback> what;
};

/// Everything that one event leads to.
struct Decision {
  std::vector<Change> changes;    ///< In the order to commit them; already applied to the world.
  std::vector<Effect> effects;    ///< To release after the changes are durable, in this order.
  std::optional<Error> refused;   ///< A user's command that cannot be done; then nothing changed.
  RunKey run = 0;                 ///< Created or found by TriggerRun.
  BackfillKey backfill = 0;       ///< Created by CreateBackfill.
  AssetEventKey asset_event = 0;  ///< Made by CreateAssetEvent.
};

/// Settles one event completely: what follows from it, and what follows from that (an exit makes
/// followers ready, which take slots, …), until nothing more can happen at this moment.
///
/// Each single decision inside is a pure function of (world, event, moment); `World::apply` makes
/// it true before the next is taken. Equal worlds, events and moments give equal decisions. Events
/// that are repeated, late or about an older try or launch change nothing (the fence). Cost:
/// proportional to what changes.
Decision step(World& world, const Event& event, const Moment& moment);

}  // namespace etesian
