#include "scheduler/select.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace etesian {

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
