#include "store/past_needs.h"

namespace etesian {

PastNeeds past_needs(std::span<const StoredState::DagState> dags) {
  PastNeeds result;
  const auto add = [&result](const std::vector<Need>& needs) {
    for (const Need& need : needs) result.producers.emplace(need.dag, need.task);
  };
  for (const StoredState::DagState& state : dags) {
    if (!state.dag) continue;
    add(state.dag->definition().needs);
    for (const Task& task : state.dag->tasks()) {
      add(task.needs);
      if (task.depends_on_past) result.producers.emplace(state.dag_id, task.id);
      if (task.depends_on_past || task.wait_for_downstream) result.last_runs.insert(state.dag_id);
    }
  }
  return result;
}

}  // namespace etesian
