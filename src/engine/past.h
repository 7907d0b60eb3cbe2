#pragma once
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/event.h"
#include "store/store.h"

namespace etesian {

// What must be asked of the store, which remembers, before the world, which holds unfinished work
// only, can decide. Functions of a Store run on the store's thread.

/// A producer whose past successes the world must know: (dag, task), the task empty for the run.
using Producer = std::pair<std::string, std::string>;
std::set<Producer> producers_of(const Dag& dag);

/// The runs that an event about existing ones needs in the world, each once.
std::vector<RunKey> runs_needed(const Event& event);

/// The finished run before this one by logical date, where its DAG looks back at one.
std::optional<StoredState::ActiveRun> run_before(Store& store, const StoredState::ActiveRun& run,
                                                 const Store::DagBuilder& build);

/// Refuses what the store knows to exist: a run with this id or this logical date that has ended.
std::optional<Error> check_is_new(Store& store, const TriggerRun& trigger);

/// Runs of the range that have ended: returns those to be run again, and notes in
/// `backfill.existing` the dates that are left alone.
Result<std::vector<RunKey>> sort_existing(Store& store, CreateBackfill& backfill);

}  // namespace etesian
