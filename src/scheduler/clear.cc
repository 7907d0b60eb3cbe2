// Running again, and saying by hand how something ended.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "scheduler/stepper.h"

namespace etesian {

using enum TaskState;

void Stepper::requeue(Run& run, const std::string& reason) {
  if (!is_final(run.row.state)) return;
  RunRow row = run.row;
  const RunState from = row.state;
  row.state = RunState::Queued;
  row.queued_at = moment_.now;
  row.started_at.reset();
  row.ended_at.reset();
  row.clear_count += 1;
  emit(RunChanged{from, std::move(row), reason});
}

void Stepper::clear_instance(Run& run, const InstanceKey& key, const std::string& reason) {
  const InstanceRow& row = *s_.find(key);
  if (!row.open_try.is_nil()) return order_stop(row, {None, true, std::nullopt, reason});
  if (row.state == None || row.state == Removed) return;
  move(cleared(run, row), reason);
  if (run.outputs.contains({key.task, key.map_index})) emit(OutputsRemoved{key, {}});
}

void Stepper::on(const ClearInstances& e) {
  std::set<RunKey> runs;
  for (const InstanceKey& key : e.keys) {
    const Run* run = s_.find(key.run);
    if (!run || !s_.find(key)) return refuse(ErrorCode::NotFound, "clear: no such task instance");
    if (run->forced)
      return refuse(ErrorCode::Conflict,
                    fmt::format("clear: run '{}' is being stopped", run->row.run_id));
  }
  const std::string reason = fmt::format("cleared by {}", e.actor);
  for (const InstanceKey& key : e.keys) {
    const TaskState state = s_.find(key)->state;
    if (e.only_failed && state != Failed && state != UpstreamFailed) continue;
    runs.insert(key.run);
    audit(e.actor, "clear_task_instance", key);
    clear_instance(*s_.find(key.run), key, reason);
  }
  for (const RunKey run : runs) requeue(*s_.find(run), reason);
}

void Stepper::on(const MarkInstances& e) {
  for (const InstanceKey& key : e.keys) {
    const Run* run = s_.find(key.run);
    if (!run || !s_.find(key)) return refuse(ErrorCode::NotFound, "mark: no such task instance");
    if (run->forced)
      return refuse(ErrorCode::Conflict,
                    fmt::format("mark: run '{}' is being stopped", run->row.run_id));
  }
  const std::set<InstanceKey> marked(e.keys.begin(), e.keys.end());
  const std::string reason = fmt::format("marked {} by {}", to_text(e.to), e.actor);
  std::set<std::pair<RunKey, TaskIndex>> below;
  for (const InstanceKey& key : e.keys) {
    Run& run = *s_.find(key.run);
    const InstanceRow& row = *s_.find(key);
    if (row.state == e.to || row.state == Removed) continue;
    audit(e.actor, "mark_task_instance", key, fmt::format(R"({{"state":"{}"}})", to_text(e.to)));
    if (row.open_try.is_nil())
      set_state(row, e.to, reason);
    else
      order_stop(row, {e.to, true, std::nullopt, reason});
    requeue(run, reason);
    for (const TaskIndex d : run.dag->reach_down(key.task))
      if (d != key.task) below.insert({key.run, d});
  }
  // What failed below was judged on the old state: it is judged again, as in Airflow.
  for (const auto& [key, task] : below) {
    Run& run = *s_.find(key);
    for (std::size_t i = 0; i < run.nodes[task].items.size(); ++i) {
      const InstanceRow& row = run.nodes[task].items[i];
      const bool has_failed = row.state == Failed || row.state == UpstreamFailed;
      if (has_failed && !marked.contains(row.key)) clear_instance(run, row.key, reason);
    }
  }
}

void Stepper::on(const MarkRun& e) {
  Run* run = s_.find(e.run);
  if (!run) return refuse(ErrorCode::NotFound, fmt::format("mark run {}: not found", e.run));
  const std::string reason = fmt::format("run marked {} by {}", to_text(e.to), e.actor);
  if (run->forced)
    return refuse(ErrorCode::Conflict,
                  fmt::format("mark: run '{}' is being stopped", run->row.run_id));
  audit(e.actor, "mark_dag_run", run->row.dag_id, run->row.run_id, "", -1,
        fmt::format(R"({{"state":"{}"}})", to_text(e.to)));
  if (e.to == RunState::Queued || e.to == RunState::Running) {
    std::vector<InstanceKey> keys;
    for (const Node& node : run->nodes)
      for (const InstanceRow& item : node.items) keys.push_back(item.key);
    for (const InstanceKey& key : keys) clear_instance(*run, key, reason);
    return requeue(*run, reason);
  }
  if (e.to == RunState::Success)
    stop_run(*run, e.to, Success, Success, true, reason);
  else
    stop_run(*run, e.to, Failed, Skipped, true, reason);
}

}  // namespace etesian
