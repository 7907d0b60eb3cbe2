#include "api/json_run.h"

#include "api/json_common.h"
#include "api/json_dag.h"

namespace etesian::api {
namespace {

/// Airflow's DagRunTriggeredByType.
std::string_view trigger_of(RunType type) {
  switch (type) {
    case RunType::Scheduled: return "timetable";
    case RunType::Manual: return "rest_api";
    case RunType::Backfill: return "backfill";
    case RunType::OperatorTriggered: return "operator";
    case RunType::AssetTriggered: return "asset";
    case RunType::AssetMaterialization: return "asset";
  }
  return "timetable";
}

json::value state_json(TaskState state) {
  return state == TaskState::None ? json::value(nullptr) : json::value(to_text(state));
}

json::value version_json(const DagVersion* version) {
  return version != nullptr ? json::value(dag_version_json(*version)) : json::value(nullptr);
}

/// What the definition says of the task; the same for an instance and for each of its tries.
void add_definition(json::object& out, const std::string& task_id, const DagVersion* version) {
  const Dag* dag = version != nullptr ? version->dag.get() : nullptr;
  const auto index = dag != nullptr ? dag->find(task_id) : std::nullopt;
  const Task* task = index ? &dag->task(*index) : nullptr;
  out["pool"] = task != nullptr ? task->pool : "default_pool";
  out["pool_slots"] = task != nullptr ? task->pool_slots : 1;
  out["queue"] = "default";
  out["priority_weight"] = task != nullptr ? json::value(dag->priority_weight(*index)) : nullptr;
  out["operator"] = task != nullptr ? json::value(operator_of(*task)) : nullptr;
  out["operator_name"] = out["operator"];
  out["executor"] = task != nullptr ? json::value(task->executor) : nullptr;
  out["executor_config"] = "{}";
  out["dag_version"] = version_json(version);
}

void add_ids(json::object& out, const InstanceSummary& instance) {
  out["task_id"] = instance.task_id;
  out["dag_id"] = instance.dag_id;
  out["dag_run_id"] = instance.run_id;
  out["map_index"] = instance.row.key.map_index;
  out["max_tries"] = instance.row.max_tries;
  out["task_display_name"] = instance.task_id;
  out["dag_display_name"] = instance.dag_id;
  out["unixname"] = nullptr;
}

json::value pid_json(int pid) { return pid > 0 ? json::value(pid) : json::value(nullptr); }

std::string id_of(const InstanceSummary& instance) {
  if (instance.last_try) return to_text(instance.last_try->id);
  return uuid_of(instance.dag_id + "\n" + instance.run_id + "\n" + instance.task_id + "\n" +
                 std::to_string(instance.row.key.map_index));
}

json::value value_or_null(bool is_there, std::int64_t value) {
  return is_there ? json::value(value) : json::value(nullptr);
}

}  // namespace

json::object run_json(const RunRow& run, const DagVersion* version) {
  json::array versions;
  if (version != nullptr) versions.push_back(dag_version_json(*version));
  const bool is_by_user = run.type == RunType::Manual || run.type == RunType::Backfill;
  return {{"dag_run_id", run.run_id},
          {"dag_id", run.dag_id},
          {"logical_date", instant_json(run.logical_date)},
          {"queued_at", instant_json(run.queued_at)},
          {"start_date", instant_json(run.started_at)},
          {"end_date", instant_json(run.ended_at)},
          {"duration", seconds_between(run.started_at, run.ended_at)},
          {"data_interval_start", run.interval ? instant_json(run.interval->start) : nullptr},
          {"data_interval_end", run.interval ? instant_json(run.interval->end) : nullptr},
          {"run_after", instant_json(run.run_after)},
          {"last_scheduling_decision", nullptr},
          {"run_type", to_text(run.type)},
          {"state", to_text(run.state)},
          {"triggered_by", trigger_of(run.type)},
          {"triggering_user_name", is_by_user ? text_or_null(run.triggered_by) : nullptr},
          {"conf", json_or_text(run.conf)},
          {"note", text_or_null(run.note)},
          {"dag_versions", std::move(versions)},
          {"bundle_version", run.dag_version},
          {"dag_display_name", run.dag_id},
          {"partition_key", nullptr},
          {"partition_date", nullptr}};
}

json::object instance_json(const InstanceSummary& instance, const DagVersion* version) {
  const InstanceRow& row = instance.row;
  json::object out;
  out["id"] = id_of(instance);
  add_ids(out, instance);
  out["logical_date"] = instant_json(instance.logical_date);
  out["run_after"] = instant_json(instance.run_after);
  out["start_date"] = instant_json(row.started_at);
  out["end_date"] = instant_json(row.ended_at);
  out["duration"] = seconds_between(row.started_at, row.ended_at);
  out["state"] = state_json(row.state);
  out["try_number"] = row.try_number;
  out["hostname"] = instance.last_try ? json::value(instance.last_try->host) : json::value("");
  out["queued_when"] = instant_json(row.queued_at);
  out["scheduled_when"] = instant_json(row.scheduled_at);
  out["pid"] = pid_json(instance.last_try ? instance.last_try->pid : 0);
  out["note"] = text_or_null(row.note);
  out["rendered_map_index"] = text_or_null(row.rendered_map_index);
  out["rendered_fields"] =
      instance.map_arguments.empty() ? json::object{} : json_or_text(instance.map_arguments);
  out["trigger"] = nullptr;
  out["triggerer_job"] = nullptr;
  add_definition(out, instance.task_id, version);
  return out;
}

json::object try_json(const TryRow& row, const InstanceSummary& instance,
                      const DagVersion* version) {
  json::object out;
  add_ids(out, instance);
  const auto end = row.outcome ? std::optional(row.outcome->ended_at) : std::nullopt;
  out["start_date"] = instant_json(row.started_at);
  out["end_date"] = instant_json(end);
  out["duration"] = seconds_between(row.started_at, end);
  out["state"] = state_json(row.outcome ? row.final_state : instance.row.state);
  out["try_number"] = row.number;
  out["hostname"] = row.host;
  out["queued_when"] = instant_json(row.queued_at);
  out["scheduled_when"] = nullptr;
  out["pid"] = pid_json(row.pid);
  add_definition(out, instance.task_id, version);
  return out;
}

json::object output_json(const OutputRow& row, const RunRow& run) {
  return {{"key", row.name},
          {"timestamp", instant_json(row.at)},
          {"logical_date", instant_json(run.logical_date)},
          {"map_index", row.key.map_index},
          {"task_id", row.task_id},
          {"dag_id", row.dag_id},
          {"run_id", row.run_id},
          {"dag_display_name", row.dag_id},
          {"task_display_name", row.task_id},
          {"run_after", instant_json(run.run_after)}};
}

json::object backfill_json(const BackfillRow& row) {
  constexpr std::string_view behaviors[] = {"none", "failed", "completed"};
  return {{"id", row.key},
          {"dag_id", row.dag_id},
          {"from_date", instant_json(row.from)},
          {"to_date", instant_json(row.to)},
          {"dag_run_conf", json_or_text(row.conf)},
          {"is_paused", row.is_paused},
          {"reprocess_behavior", behaviors[static_cast<std::size_t>(row.reprocess)]},
          {"max_active_runs", row.max_active_runs},
          {"created_at", instant_json(row.created_at)},
          {"completed_at", instant_json(row.completed_at)},
          {"updated_at", instant_json(row.completed_at.value_or(row.created_at))},
          {"dag_display_name", row.dag_id}};
}

json::object audit_json(const AuditRow& audit) {
  const Audited& row = audit.row;
  const bool has_index = !row.task_id.empty() && row.map_index >= 0;
  return {{"event_log_id", audit.id},
          {"when", instant_json(row.at)},
          {"dag_id", text_or_null(row.dag_id)},
          {"task_id", text_or_null(row.task_id)},
          {"run_id", text_or_null(row.run_id)},
          {"map_index", value_or_null(has_index, row.map_index)},
          {"try_number", nullptr},
          {"event", row.event},
          {"logical_date", nullptr},
          {"owner", text_or_null(row.actor)},
          {"extra", text_or_null(row.details)},
          {"dag_display_name", text_or_null(row.dag_id)},
          {"task_display_name", text_or_null(row.task_id)}};
}

json::object change_json(const ChangeRecord& change) {
  return {{"sequence", change.sequence},
          {"at", instant_json(change.at)},
          {"kind", change.kind},
          {"dag_id", text_or_null(change.dag_id)},
          {"dag_run_id", text_or_null(change.run_id)},
          {"task_id", text_or_null(change.task_id)},
          {"map_index", value_or_null(!change.task_id.empty(), change.map_index)},
          {"from", text_or_null(change.from)},
          {"to", text_or_null(change.to)},
          {"try_number", value_or_null(change.try_number > 0, change.try_number)},
          {"reason", text_or_null(change.reason)}};
}

}  // namespace etesian::api
