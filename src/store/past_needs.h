#pragma once
#include <set>
#include <span>
#include <string>
#include <utility>

#include "model/stored_state.h"

namespace etesian {

/// What of finished runs a world must know, by the current DAGs.
struct PastNeeds {
  /// (dag, task) whose successes count; an empty task stands for the run. The newest
  /// `kSuccessesMax` of each are kept.
  std::set<std::pair<std::string, std::string>> producers;
  /// DAGs whose last finished run matters: depends_on_past, wait_for_downstream.
  std::set<std::string> last_runs;
  static constexpr int kSuccessesMax = 10'000;
};
PastNeeds past_needs(std::span<const StoredState::DagState> dags);

}  // namespace etesian
