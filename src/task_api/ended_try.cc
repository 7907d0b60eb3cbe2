#include "task_api/ended_try.h"

#include <algorithm>

namespace etesian::task_api {

bool EndedTry::has_state(TaskState state) const {
  return row.final_state == state || reported_state(row) == state;
}

Result<std::optional<EndedTry>> find_ended(Store& store, const Call& call) {
  const InstanceKey key = call.instance();
  const auto tries = store.tries(key);
  if (!tries) return tries.error();
  const auto found = std::find_if(tries->begin(), tries->end(),
                                  [&](const TryRow& row) { return row.id == call.token().try_id; });
  if (found == tries->end()) return std::optional<EndedTry>();
  const auto rows = store.instances_of(key.run);
  if (!rows) return rows.error();
  const auto instance = std::find_if(rows->begin(), rows->end(),
                                     [&](const InstanceRow& row) { return row.key == key; });
  const bool is_current = std::next(found) == tries->end() && instance != rows->end() &&
                          instance->state == found->final_state &&
                          found->final_state != TaskState::UpForRetry;
  return std::optional(EndedTry{*found, !is_current});
}

TaskState state_of(const StopOrder& stop) {
  return stop.then == TaskState::None ? TaskState::Restarting : stop.then;
}

TaskState reported_state(const TryRow& row) {
  if (row.report.empty()) return TaskState::None;
  const auto report = report_from_json(row.report);
  return report ? report->state : TaskState::None;
}

http::Response moved_to_history() {
  return refused(410, "not_found",
                 "Task Instance not found, it may have been moved to the Task Instance History "
                 "table");
}

}  // namespace etesian::task_api
