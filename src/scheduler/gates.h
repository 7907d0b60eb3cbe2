#pragma once
#include <optional>
#include <string>
#include <vector>

#include "scheduler/world.h"

namespace etesian {

enum class GateKind {
  DagPaused,
  RunWaits,  ///< run_after, max_active_runs, backfill limits.
  RunFinished,
  Upstream,  ///< Trigger rule not met yet: which upstreams.
  DependsOnPast,
  WaitForDownstream,
  Needs,  ///< Which producer, which interval, how fresh.
  RetryAt,
  MappedLength,  ///< The upstream output that decides the number of instances is not there.
  Pool,          ///< Slots, position in line.
  TaskLimit,     ///< max_active of the task, of the map, of the DAG (max_active_tasks).
  Parallelism,
  Executor,  ///< No agent, or it has no room.
  Deferred,  ///< A trigger will wake it.
  Human      ///< A person must answer.
};
std::string_view to_text(GateKind kind);  ///< "depends_on_past", …

/// One closed gate: why a task instance may not start now, and what would open it.
struct Gate {
  GateKind kind;
  std::string subject;   ///< The thing in the way: an upstream's id, a pool's name, …
  std::string sentence;  ///< "waits for 'extract' (running since 03:00:12Z); needs success"
  std::optional<Instant> opens_at;  ///< When a clock opens it.
  std::string remedy;               ///< What would unblock it; may be empty.
};

/// All closed gates of an instance, in the order in which they are asked. Empty: it may start now,
/// or it has started or ended. The same predicate that `step` decides by: there is no second "why".
std::vector<Gate> gates(const World& world, const InstanceKey& key, const Moment& moment);
/// Closed gates of a run that is still queued.
std::vector<Gate> gates(const World& world, RunKey run, const Moment& moment);

}  // namespace etesian
