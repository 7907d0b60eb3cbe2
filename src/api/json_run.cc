#include "api/json_run.h"

#include <charconv>

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
    case RunType::AssetMaterialization: return "rest_api";
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
  const TaskIndex at = index.value_or(0);
  const Task* task = index ? &dag->task(at) : nullptr;
  out["pool"] = task != nullptr ? task->pool : "default_pool";
  out["pool_slots"] = task != nullptr ? task->pool_slots : 1;
  out["queue"] = "default";
  out["priority_weight"] = task != nullptr ? json::value(dag->priority_weight(at)) : nullptr;
  out["operator"] = task != nullptr ? json::value(operator_of(*task)) : nullptr;
  out["operator_name"] = out["operator"];
  out["executor"] = task != nullptr ? json::value(task->executor) : nullptr;
  out["executor_config"] = "{}";
  out["dag_version"] = version_json(version);
  if (version != nullptr) out["dag_display_name"] = version->display_name();
  if (task == nullptr || !task->airflow || !version->airflow) return;
  const AirflowTaskFacts& facts = version->airflow->tasks[at];
  out["task_display_name"] = facts.display_name;
  out["queue"] = task->airflow->queue;
  out["operator_name"] = task->airflow->operator_name;
  out["executor"] = facts.executor ? json::value(*facts.executor) : json::value(nullptr);
  out["executor_config"] = facts.executor_config;
}

/// Where a try ran: "host user pid" of an SDK worker, or what the agent said.
void add_place(json::object& out, std::string_view worker, std::string_view host, int pid) {
  out["hostname"] = host;
  out["unixname"] = nullptr;
  out["pid"] = pid > 0 ? json::value(pid) : json::value(nullptr);
  const auto first = worker.find(' '), last = worker.rfind(' ');
  if (first == last) return;
  out["hostname"] = worker.substr(0, first);
  out["unixname"] = worker.substr(first + 1, last - first - 1);
  int number = 0;
  std::from_chars(worker.data() + last + 1, worker.data() + worker.size(), number);
  if (number > 0) out["pid"] = number;
}

/// The executor that Airflow names is the one that its worker was started by.
void add_lane(json::object& out, const TryRow& last) {
  if (last.worker == kNativeLane) out["executor"] = "native lane";
}

/// What a deferred instance waits for. Its arguments may hold secrets: Airflow shows none either.
json::value trigger_json(const InstanceRow& row, const std::optional<TryRow>& last_try) {
  if (row.state != TaskState::Deferred || row.resume.empty()) return nullptr;
  const auto parsed = parse_json(row.resume);
  const auto* resume = parsed ? parsed->if_object() : nullptr;
  const auto* classpath = resume != nullptr ? resume->if_contains("classpath") : nullptr;
  if (classpath == nullptr || !classpath->is_string()) return nullptr;
  // Airflow counts triggers; here one belongs to a try, whose id stands for it.
  std::uint32_t id = 0;
  std::optional<Instant> since = row.started_at;
  if (last_try) {
    const std::string text = to_text(last_try->id);
    std::from_chars(text.data(), text.data() + 7, id, 16);
    if (last_try->outcome) since = last_try->outcome->ended_at;
  }
  const auto* queue = resume->if_contains("queue");
  return json::object{{"id", id},
                      {"classpath", *classpath},
                      {"kwargs", "{}"},
                      {"created_date", instant_json(since.value_or(Instant{}))},
                      {"queue", queue != nullptr ? *queue : json::value(nullptr)},
                      {"triggerer_id", nullptr}};
}

json::value rendered_map_index(const InstanceRow& row, const DagVersion* version) {
  const bool is_plain = version == nullptr || !version->airflow || row.key.map_index < 0;
  if (!row.rendered_map_index.empty() || is_plain) return text_or_null(row.rendered_map_index);
  return json::string(std::to_string(row.key.map_index));
}

json::value rendered_fields(const InstanceSummary& instance) {
  if (instance.last_try && !instance.last_try->rendered.empty()) {
    return json_or_text(instance.last_try->rendered);
  }
  return instance.map_arguments.empty() ? json::object{} : json_or_text(instance.map_arguments);
}

void add_ids(json::object& out, const InstanceSummary& instance) {
  out["task_id"] = instance.task_id;
  out["dag_id"] = instance.dag_id;
  out["dag_run_id"] = instance.run_id;
  out["map_index"] = instance.row.key.map_index;
  out["max_tries"] = instance.row.max_tries;
  out["task_display_name"] = instance.task_id;
  out["dag_display_name"] = instance.dag_id;
}

std::string id_of(const InstanceSummary& instance) {
  if (instance.last_try) return to_text(instance.last_try->id);
  return to_text(uuid8_of(instance.dag_id + "\n" + instance.run_id + "\n" + instance.task_id +
                          "\n" + std::to_string(instance.row.key.map_index)));
}

std::string task_display_name(const DagVersion* version, const std::string& task_id) {
  const auto index =
      version != nullptr && version->airflow ? version->dag->find(task_id) : std::nullopt;
  return index ? version->airflow->tasks[*index].display_name : task_id;
}

json::value value_or_null(bool is_there, std::int64_t value) {
  return is_there ? json::value(value) : json::value(nullptr);
}

}  // namespace

json::object run_json(const RunRow& run, const DagVersion* version) {
  json::array versions;
  if (version != nullptr) versions.push_back(dag_version_json(*version));
  const bool is_by_user = run.type == RunType::Manual || run.type == RunType::Backfill ||
                          run.type == RunType::AssetMaterialization;
  const bool is_airflow = version != nullptr && version->airflow;
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
          {"bundle_version", is_airflow ? json::value(nullptr) : json::value(run.dag_version)},
          {"dag_display_name", version != nullptr ? version->display_name() : run.dag_id},
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
  static const TryRow none;
  const TryRow& last = instance.last_try ? *instance.last_try : none;
  add_place(out, last.worker, last.host, last.pid);
  out["queued_when"] = instant_json(row.queued_at);
  out["scheduled_when"] = instant_json(row.scheduled_at);
  out["note"] = text_or_null(row.note);
  out["rendered_map_index"] = rendered_map_index(row, version);
  out["rendered_fields"] = rendered_fields(instance);
  out["trigger"] = trigger_json(row, instance.last_try);
  out["triggerer_job"] = nullptr;
  add_definition(out, instance.task_id, version);
  add_lane(out, last);
  return out;
}

std::vector<TrySpan> try_spans(const InstanceRow& instance, std::vector<TryRow> rows) {
  std::vector<TrySpan> spans;
  for (auto& row : rows) {
    if (spans.empty() || spans.back().number != row.number) {
      spans.push_back({row.number, row.started_at, row.queued_at, {}, {}, {}});
    }
    TrySpan& span = spans.back();
    if (!span.started_at) span.started_at = row.started_at;
    const bool is_over = row.outcome && !is_resting(row.final_state);
    span.ended_at = is_over ? std::optional(row.outcome->ended_at) : std::nullopt;
    // What ended and is tried again has failed; a user's mark stands above how it ended.
    span.state = !is_over                    ? instance.state
                 : is_final(row.final_state) ? row.final_state
                                             : TaskState::Failed;
    if (row.number == instance.try_number && is_final(instance.state)) span.state = instance.state;
    span.last = std::move(row);
  }
  if (spans.empty() || spans.back().number < instance.try_number) {
    spans.push_back({instance.try_number,
                     instance.started_at,
                     instance.queued_at,
                     instance.ended_at,
                     instance.state,
                     {}});
  }
  return spans;
}

json::object try_json(const TrySpan& span, const InstanceSummary& instance,
                      const DagVersion* version) {
  json::object out;
  add_ids(out, instance);
  out["start_date"] = instant_json(span.started_at);
  out["end_date"] = instant_json(span.ended_at);
  out["duration"] = seconds_between(span.started_at, span.ended_at);
  out["state"] = state_json(span.state);
  out["try_number"] = span.number;
  add_place(out, span.last.worker, span.last.host, span.last.pid);
  out["queued_when"] = instant_json(span.queued_at);
  out["scheduled_when"] = nullptr;
  add_definition(out, instance.task_id, version);
  add_lane(out, span.last);
  return out;
}

json::object output_json(const OutputRow& row, const RunRow& run, const DagVersion* version) {
  return {{"key", row.name},
          {"timestamp", instant_json(row.at)},
          {"logical_date", instant_json(run.logical_date)},
          {"map_index", row.key.map_index},
          {"task_id", row.task_id},
          {"dag_id", row.dag_id},
          {"run_id", row.run_id},
          {"dag_display_name", version != nullptr ? version->display_name() : row.dag_id},
          {"task_display_name", task_display_name(version, row.task_id)},
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
