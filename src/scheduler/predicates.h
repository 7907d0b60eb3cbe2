#pragma once
// The predicates behind every "may it?": asked by `step` without an explanation, by `gates` with
// one.
#include <vector>

#include "scheduler/gates.h"
#include "scheduler/state.h"

namespace etesian {

using Why = std::vector<Gate>*;  ///< Where to explain; null: only answer.

/// What the trigger rule, the choices of branches and the setups say about an instance.
RuleDecision judge(const World::State& state, const Run& run, TaskIndex task, int map_index);

/// depends_on_past and wait_for_downstream.
bool past_allows(const World::State& state, const Run& run, TaskIndex task, Why why);

/// Whether another DAG's work covers what is needed.
bool need_is_met(const World::State& state, const Run& run, const Need& need, Instant now, Why why);
bool needs_are_met(const World::State& state, const Run& run, const std::vector<Need>& needs,
                   Instant now, Why why);

/// The first closed gate between `scheduled` and `queued`; with `why`, all of them are explained.
enum class SlotGate {
  Open,
  Parallelism,
  Executor,
  RunActive,
  TaskLimit,
  RunLimit,
  TooBig,
  PoolFull
};
SlotGate slot_gate(const World::State& state, const Run& run, TaskIndex task, Why why);

/// The first closed gate of a queued run.
enum class RunGate { Open, NotQueued, Paused, BackfillPaused, RunAfter, Capacity, Needs };
RunGate run_gate(const World::State& state, const Run& run, Instant now, Why why);

}  // namespace etesian
