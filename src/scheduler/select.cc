#include "scheduler/select.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace etesian {
namespace {

/// Source: Airflow's partial_subset with get_upstreams_only_setups_and_teardowns.
void add_setups(const Dag& dag, TaskIndex task, std::set<TaskIndex>& wanted) {
  const auto below = dag.reach_down(task);
  const auto is_teardown = [&dag](TaskIndex t) { return dag.task(t).is_teardown; };
  for (const TaskIndex above : dag.reach_up(task)) {
    if (!dag.task(above).is_setup) continue;
    const auto followers = dag.downstream(above);
    const bool has_teardown = std::any_of(followers.begin(), followers.end(), is_teardown);
    const bool is_in_scope = std::any_of(followers.begin(), followers.end(), [&](TaskIndex t) {
      return is_teardown(t) && std::binary_search(below.begin(), below.end(), t);
    });
    if (has_teardown && !is_in_scope) continue;
    wanted.insert(above);
    std::copy_if(followers.begin(), followers.end(), std::inserter(wanted, wanted.end()),
                 is_teardown);
  }
}

}  // namespace

Result<std::vector<InstanceKey>> select_instances(const Dag& dag,
                                                  const std::vector<InstanceRow>& instances,
                                                  const Selection& selection) {
  std::set<TaskIndex> named, wanted;
  for (const std::string& id : selection.task_ids) {
    if (const auto task = dag.find(id)) {
      named.insert(*task);
      continue;
    }
    const auto members = dag.group_members(id);
    if (members.empty())
      return Error{ErrorCode::NotFound,
                   fmt::format("select '{}': no such task or group in '{}'", id, dag.id())};
    named.insert(members.begin(), members.end());
  }
  wanted = named;
  for (const TaskIndex task : named) {
    if (selection.upstream)
      for (const TaskIndex above : dag.reach_up(task)) wanted.insert(above);
    if (selection.downstream)
      for (const TaskIndex below : dag.reach_down(task)) wanted.insert(below);
  }
  if (selection.with_setups)
    for (const TaskIndex task : std::set<TaskIndex>(wanted)) add_setups(dag, task, wanted);
  const auto& indexes = selection.map_indexes;
  std::vector<InstanceKey> keys;
  for (const InstanceRow& row : instances) {
    if (!selection.task_ids.empty() && !wanted.contains(row.key.task)) continue;
    // Map indexes choose among the named tasks; what hangs above or below comes whole.
    if (!indexes.empty() && (named.empty() || named.contains(row.key.task)) &&
        std::find(indexes.begin(), indexes.end(), row.key.map_index) == indexes.end())
      continue;
    if (selection.only_failed && row.state != TaskState::Failed &&
        row.state != TaskState::UpstreamFailed)
      continue;
    if (selection.only_running && row.state != TaskState::Running) continue;
    keys.push_back(row.key);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace etesian
