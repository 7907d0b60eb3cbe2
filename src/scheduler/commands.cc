// What users ask for: runs, settings, stops.
#include <fmt/format.h>

#include <algorithm>

#include "scheduler/stepper.h"

namespace etesian {
namespace {

using enum TaskState;

std::string unknown_run(RunKey run) { return fmt::format("run {}: not found", run); }

}  // namespace

void Stepper::on(const TriggerRun& e) {
  const auto dag = world_.dag(e.dag_id);
  if (!dag) return refuse(ErrorCode::NotFound, fmt::format("trigger '{}': no such DAG", e.dag_id));
  RunRow row;
  row.type = e.type;
  row.conf = e.conf;
  row.note = e.note;
  row.triggered_by = e.actor;
  row.logical_date = e.logical_date;
  row.run_after = e.run_after.value_or(moment_.now);
  row.interval = e.interval;
  DagEntry& entry = s_.entry(e.dag_id);
  if (!row.interval && row.logical_date && entry.timetable)
    row.interval = entry.timetable->manual_interval(*row.logical_date);
  row.run_id =
      e.run_id ? *e.run_id
               : make_run_id(row.type == RunType::OperatorTriggered ? RunType::Manual : row.type,
                             row.run_after, row.logical_date, random_);
  if (auto valid = check_run_id(row.run_id); !valid)
    return refuse(valid.error().code, valid.error().message);
  const RunType inferred = run_type_of_id(row.run_id);
  if (inferred != RunType::Manual && inferred != row.type)
    return refuse(ErrorCode::InvalidInput,
                  fmt::format("trigger '{}': A {} DAG run cannot use ID '{}' since it is reserved "
                              "for {} runs",
                              e.dag_id, to_text(row.type), row.run_id, to_text(inferred)));
  if (s_.run_ids.contains({e.dag_id, row.run_id}))
    return refuse(ErrorCode::Conflict,
                  fmt::format("trigger '{}': run '{}' exists already", e.dag_id, row.run_id));
  if (row.logical_date)
    for (const RunKey key : entry.runs)
      if (const RunRow& other = s_.find(key)->row; other.logical_date == row.logical_date)
        return refuse(ErrorCode::Conflict,
                      fmt::format("trigger '{}': run '{}' has this logical date already", e.dag_id,
                                  other.run_id));
  const std::string run_id = row.run_id;
  decision_.run = create_run(std::move(row), dag).row.key;
  if (!e.actor.empty()) audit(e.actor, "trigger_dag_run", e.dag_id, run_id);
}

void Stepper::on(const RemoveRun& e) {
  Run* run = s_.find(e.run);
  if (!run) return refuse(ErrorCode::NotFound, unknown_run(e.run));
  for (const Node& node : run->nodes)
    for (const InstanceRow& item : node.items)
      if (!item.open_try.is_nil())
        return refuse(
            ErrorCode::Conflict,
            fmt::format("remove run '{}': '{}' is {}; mark the run failed first", run->row.run_id,
                        run->dag->task(item.key.task).id, to_text(item.state)));
  for (const Node& node : run->nodes)
    for (const InstanceRow& item : node.items)
      if (item.state == Deferred)
        decision_.effects.push_back({kTriggerHost, Effect::Unwatch{resting_try(item)}});
  audit(e.actor, "delete_dag_run", run->row.dag_id, run->row.run_id);
  emit(RunRemoved{e.run});
}

void Stepper::on(const SetPaused& e) {
  if (!world_.dag(e.dag_id))
    return refuse(ErrorCode::NotFound, fmt::format("pause '{}': no such DAG", e.dag_id));
  if (world_.is_paused(e.dag_id) != e.is_paused) emit(DagPaused{e.dag_id, e.is_paused});
  audit(e.actor, e.is_paused ? "pause_dag" : "unpause_dag", e.dag_id);
}

void Stepper::on(const KillInstance& e) {
  const InstanceRow* row = std::as_const(s_).find(e.key);
  if (!row) return refuse(ErrorCode::NotFound, "kill: no such task instance in an active run");
  if (row->open_try.is_nil())
    return refuse(ErrorCode::Conflict,
                  fmt::format("kill '{}': it is {}, not running",
                              s_.find(e.key.run)->dag->task(e.key.task).id, to_text(row->state)));
  audit(e.actor, "kill_task_instance", e.key);
  order_stop(*row, {e.may_retry ? UpForRetry : Failed, false, std::nullopt,
                    fmt::format("killed by {}", e.actor)});
}

void Stepper::on(const SetNote& e) {
  Run* run = s_.find(e.run);
  if (!run) return refuse(ErrorCode::NotFound, unknown_run(e.run));
  if (!e.instance) {
    RunRow row = run->row;
    row.note = e.note;
    const RunState from = row.state;
    emit(RunChanged{from, std::move(row), "note"});
    return audit(e.actor, "set_note", run->row.dag_id, run->row.run_id);
  }
  const InstanceRow* found = std::as_const(s_).find(*e.instance);
  if (!found) return refuse(ErrorCode::NotFound, "set note: no such task instance");
  InstanceRow row = *found;
  row.note = e.note;
  move(std::move(row), "note");
  audit(e.actor, "set_note", *e.instance);
}

void Stepper::on(const SetPool& e) {
  if (auto valid = check_id("pool", e.row.name); !valid)
    return refuse(valid.error().code, valid.error().message);
  emit(PoolChanged{e.row});
  audit(e.actor, "set_pool", "");
}
void Stepper::on(const RemovePool& e) {
  if (e.name == "default_pool")
    return refuse(ErrorCode::Conflict, "remove pool 'default_pool': it always exists");
  const auto found = s_.pools.find(e.name);
  if (found == s_.pools.end() || !found->second.exists)
    return refuse(ErrorCode::NotFound, fmt::format("remove pool '{}': no such pool", e.name));
  emit(PoolRemoved{e.name});
  audit(e.actor, "remove_pool", "");
}
void Stepper::on(const SetVariable& e) {
  emit(VariableChanged{e.row});
  audit(e.actor, "set_variable", "");
}
void Stepper::on(const RemoveVariable& e) {
  emit(VariableRemoved{e.key});
  audit(e.actor, "remove_variable", "");
}
void Stepper::on(const SetConnection& e) {
  emit(ConnectionChanged{e.row});
  audit(e.actor, "set_connection", "");
}
void Stepper::on(const RemoveConnection& e) {
  emit(ConnectionRemoved{e.id});
  audit(e.actor, "remove_connection", "");
}

}  // namespace etesian
