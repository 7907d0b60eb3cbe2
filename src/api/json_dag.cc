#include "api/json_dag.h"

#include "api/json_common.h"
#include "base/bytes.h"

namespace etesian::api {
namespace {

json::array allowed_run_types() {
  return {"scheduled", "manual", "backfill", "operator_triggered"};
}

bool is_manual(const Dag* dag) {
  return dag == nullptr || std::holds_alternative<ManualSchedule>(dag->definition().schedule.kind);
}

bool limits_tasks(const Dag* dag) {
  if (dag == nullptr) return false;
  for (const auto& task : dag->tasks()) {
    if (task.max_active || task.max_active_per_run) return true;
  }
  return false;
}

json::array tags_json(const DagSummary& summary) {
  json::array tags;
  for (const auto& tag : summary.tags) {
    tags.push_back(json::object{
        {"name", tag}, {"dag_id", summary.dag_id}, {"dag_display_name", summary.dag_id}});
  }
  return tags;
}

void add_next_run(json::object& out, const std::optional<RunSlot>& slot) {
  out["next_dagrun_logical_date"] = slot ? instant_json(slot->logical_date) : nullptr;
  out["next_dagrun_data_interval_start"] = slot ? instant_json(slot->interval.start) : nullptr;
  out["next_dagrun_data_interval_end"] = slot ? instant_json(slot->interval.end) : nullptr;
  out["next_dagrun_run_after"] = slot ? instant_json(slot->run_after) : nullptr;
}

json::value timetable_description(const Dag* dag) {
  if (dag == nullptr) return nullptr;
  const auto timetable = Timetable::compile(dag->definition().schedule);
  return timetable ? json::value(timetable->description()) : json::value(nullptr);
}

}  // namespace

std::string_view operator_of(const Task& task) {
  if (task.airflow) return task.airflow->operator_type;
  switch (task.run.kind) {
    case Command::Kind::Empty: return "Empty";
    case Command::Kind::Argv: return "Command";
    case Command::Kind::Shell: return "Shell";
    case Command::Kind::Worker: return "Worker";
  }
  return "Empty";
}

json::object dag_version_json(const DagVersion& version) {
  return {{"id", version.uuid},
          {"version_number", version.number},
          {"dag_id", version.dag_id},
          {"bundle_name", "project"},
          {"bundle_version", version.version},
          {"created_at", instant_json(version.created_at)},
          {"dag_display_name", version.dag_id},
          {"bundle_url", nullptr}};
}

json::object dag_json(const DagFacts& facts) {
  const DagSummary& row = facts.summary;
  const Dag* dag = facts.version ? facts.version->dag.get() : nullptr;
  json::object out{
      {"dag_id", row.dag_id},
      {"dag_display_name", row.dag_id},
      {"is_paused", row.is_paused},
      {"is_stale", row.is_removed},
      {"last_parsed_time", instant_json(row.last_changed)},
      {"last_parse_duration", nullptr},
      {"last_expired", nullptr},
      {"bundle_name", "project"},
      {"bundle_version", row.version},
      {"relative_fileloc", text_or_null(row.relative_file)},
      {"fileloc", row.relative_file},
      {"description", text_or_null(row.description)},
      {"timetable_summary", text_or_null(row.schedule_text)},
      {"timetable_description", timetable_description(dag)},
      {"timetable_partitioned", false},
      {"timetable_periodic", !is_manual(dag)},
      {"tags", tags_json(row)},
      {"max_active_tasks", dag != nullptr ? dag->definition().max_active_tasks : 16},
      {"max_active_runs", dag != nullptr ? dag->definition().max_active_runs : 16},
      {"max_consecutive_failed_dag_runs", 0},
      {"has_task_concurrency_limits", limits_tasks(dag)},
      {"has_import_errors", facts.has_import_errors},
      {"allowed_run_types", allowed_run_types()},
      {"owners", row.owner.empty() ? json::array{} : json::array{json::string(row.owner)}},
      {"is_backfillable", !is_manual(dag)},
      {"file_token", sha256_hex(row.relative_file)}};
  add_next_run(out, facts.next_run);
  return out;
}

json::object dag_details_json(const DagFacts& facts) {
  json::object out = dag_json(facts);
  const Dag* dag = facts.version ? facts.version->dag.get() : nullptr;
  static const DagDefinition unknown;
  const DagDefinition& definition = dag != nullptr ? dag->definition() : unknown;
  out["catchup"] = definition.schedule.catchup;
  out["dag_run_timeout"] =
      definition.run_timeout ? time_delta_json(*definition.run_timeout) : json::value(nullptr);
  out["asset_expression"] = nullptr;
  out["doc_md"] = nullptr;
  out["start_date"] = instant_json(definition.schedule.start);
  out["end_date"] = instant_json(definition.schedule.end);
  out["is_paused_upon_creation"] = definition.paused_on_creation;
  out["params"] = json_or_text(definition.params_schema);
  out["render_template_as_native_obj"] = false;
  out["template_search_path"] = nullptr;
  const auto* cron = std::get_if<CronSchedule>(&definition.schedule.kind);
  out["timezone"] = cron != nullptr ? cron->timezone : "UTC";
  out["last_parsed"] = instant_json(facts.summary.last_changed);
  out["default_args"] = nullptr;
  out["concurrency"] = definition.max_active_tasks;
  out["latest_dag_version"] =
      facts.version ? json::value(dag_version_json(*facts.version)) : json::value(nullptr);
  out["active_runs_count"] = facts.active_runs;
  return out;
}

json::object task_json(const Dag& dag, TaskIndex index) {
  const Task& task = dag.task(index);
  json::array downstream;
  for (const TaskIndex next : dag.downstream(index)) {
    downstream.push_back(json::string(dag.task(next).id));
  }
  return {
      {"task_id", task.id},
      {"task_display_name", task.id},
      {"owner", dag.definition().owner},
      {"start_date", instant_json(dag.definition().schedule.start)},
      {"end_date", instant_json(dag.definition().schedule.end)},
      {"trigger_rule", to_text(task.trigger_rule)},
      {"depends_on_past", task.depends_on_past},
      {"wait_for_downstream", task.wait_for_downstream},
      {"retries", static_cast<double>(task.retry.times)},
      {"queue", "default"},
      {"pool", task.pool},
      {"pool_slots", static_cast<double>(task.pool_slots)},
      {"execution_timeout", task.timeout ? time_delta_json(*task.timeout) : json::value(nullptr)},
      {"retry_delay", time_delta_json(task.retry.delay)},
      {"retry_exponential_backoff", task.retry.backoff == 1.0 ? 0.0 : task.retry.backoff},
      {"priority_weight", static_cast<double>(task.priority)},
      {"weight_rule", to_text(task.weight_rule)},
      {"ui_color", "#fff"},
      {"ui_fgcolor", "#000"},
      {"template_fields", json::array{"run", "environment"}},
      {"downstream_task_ids", std::move(downstream)},
      {"doc_md", text_or_null(task.description)},
      {"operator_name", operator_of(task)},
      {"params", json::object{}},
      {"class_ref", json::object{{"module_path", "etesian"}, {"class_name", operator_of(task)}}},
      {"is_mapped", task.map.has_value()},
      {"extra_links", json::array{}}};
}

}  // namespace etesian::api
