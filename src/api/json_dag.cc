#include "api/json_dag.h"

#include "api/json_common.h"
#include "base/bytes.h"

namespace etesian::api {
namespace {

/// Null is Airflow's word for all of them.
json::value allowed_run_types(const AirflowFacts* airflow) {
  if (airflow != nullptr) return nullptr;
  return json::array{"scheduled", "manual", "backfill", "operator_triggered"};
}

bool is_periodic(const DagVersion* version) {
  if (version == nullptr || version->dag == nullptr) return false;
  if (version->airflow) return version->airflow->is_periodic;
  return !std::holds_alternative<ManualSchedule>(version->dag->definition().schedule.kind);
}

bool limits_tasks(const Dag* dag) {
  if (dag == nullptr) return false;
  for (const auto& task : dag->tasks()) {
    if (task.max_active || task.max_active_per_run) return true;
  }
  return false;
}

json::array tags_json(const DagSummary& summary, const std::string& display_name) {
  json::array tags;
  for (const auto& tag : summary.tags) {
    tags.push_back(json::object{
        {"name", tag}, {"dag_id", summary.dag_id}, {"dag_display_name", display_name}});
  }
  return tags;
}

/// "me, you": one name each.
json::array owners_json(std::string_view owners) {
  json::array names;
  while (!owners.empty()) {
    const auto end = std::min(owners.find(','), owners.size());
    std::string_view name = owners.substr(0, end);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) names.push_back(json::string(name));
    owners.remove_prefix(std::min(end + 1, owners.size()));
  }
  return names;
}

json::value summary_of(const DagSummary& row, const AirflowFacts* airflow) {
  const bool is_none = airflow != nullptr && row.schedule_text == "None";
  return is_none ? json::value(nullptr) : text_or_null(row.schedule_text);
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
  // Airflow's local bundles have no versions.
  return {{"id", version.uuid},
          {"version_number", version.number},
          {"dag_id", version.dag_id},
          {"bundle_name", version.bundle()},
          {"bundle_version", version.airflow ? json::value(nullptr) : json::value(version.version)},
          {"created_at", instant_json(version.created_at)},
          {"dag_display_name", version.display_name()},
          {"bundle_url", nullptr}};
}

std::string file_token(const DagVersion& version, const DagSummary& summary) {
  return sha256_hex(version.bundle() + "\n" + summary.relative_file);
}

json::object dag_json(const DagFacts& facts) {
  const DagSummary& row = facts.summary;
  const DagVersion& version = *facts.version;
  const Dag* dag = version.dag.get();
  const AirflowFacts* airflow = version.airflow.get();
  json::object out{
      {"dag_id", row.dag_id},
      {"dag_display_name", version.display_name()},
      {"is_paused", row.is_paused},
      {"is_stale", row.is_removed},
      {"last_parsed_time", instant_json(row.last_changed)},
      {"last_parse_duration", nullptr},
      {"last_expired", nullptr},
      {"bundle_name", version.bundle()},
      {"bundle_version", airflow != nullptr ? json::value(nullptr) : json::value(row.version)},
      {"relative_fileloc", text_or_null(row.relative_file)},
      {"fileloc", airflow != nullptr ? airflow->file : row.relative_file},
      {"description", text_or_null(row.description)},
      {"timetable_summary", summary_of(row, airflow)},
      {"timetable_description", timetable_description(dag)},
      {"timetable_partitioned", false},
      {"timetable_periodic", is_periodic(&version)},
      {"tags", tags_json(row, version.display_name())},
      {"max_active_tasks", dag != nullptr ? dag->definition().max_active_tasks : 16},
      {"max_active_runs", dag != nullptr ? dag->definition().max_active_runs : 16},
      {"max_consecutive_failed_dag_runs", 0},
      {"has_task_concurrency_limits", limits_tasks(dag)},
      {"has_import_errors", facts.has_import_errors},
      {"allowed_run_types", allowed_run_types(airflow)},
      {"owners", owners_json(row.owner)},
      {"is_backfillable", is_periodic(&version)},
      {"file_token", file_token(version, row)}};
  add_next_run(out, facts.next_run);
  return out;
}

namespace {

/// What only an Airflow DAG says.
void add_airflow_details(json::object& out, const AirflowFacts& airflow) {
  out["asset_expression"] = airflow.asset_expression;
  out["doc_md"] = airflow.doc_md;
  out["start_date"] = instant_json(airflow.start);
  out["end_date"] = instant_json(airflow.end);
  out["is_paused_upon_creation"] = airflow.is_paused_upon_creation;
  out["params"] = airflow.params;
  out["render_template_as_native_obj"] = airflow.is_native;
  out["template_search_path"] = airflow.template_search_path;
  out["timezone"] = airflow.timezone;
  out["default_args"] = airflow.default_args;
  out["rerun_with_latest_version"] = airflow.rerun_with_latest_version;
  out["owner_links"] = airflow.owner_links;
}

}  // namespace

json::object dag_details_json(const DagFacts& facts) {
  json::object out = dag_json(facts);
  const Dag* dag = facts.version->dag.get();
  static const DagDefinition unknown;
  const DagDefinition& definition = dag != nullptr ? dag->definition() : unknown;
  out["catchup"] = definition.schedule.catchup;
  out["dag_run_timeout"] = definition.run_timeout
                               ? json::value(json::string(iso_length(*definition.run_timeout)))
                               : json::value(nullptr);
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
  out["rerun_with_latest_version"] = nullptr;
  out["owner_links"] = nullptr;
  out["is_favorite"] = false;
  out["concurrency"] = definition.max_active_tasks;
  out["latest_dag_version"] = dag_version_json(*facts.version);
  out["active_runs_count"] = facts.active_runs;
  if (facts.version->airflow) add_airflow_details(out, *facts.version->airflow);
  return out;
}

json::object task_json(const DagVersion& version, TaskIndex index) {
  const Dag& dag = *version.dag;
  const Task& task = dag.task(index);
  json::array downstream;
  for (const TaskIndex next : dag.downstream(index)) {
    downstream.push_back(json::string(dag.task(next).id));
  }
  const auto length_or_null = [](const std::optional<Duration>& length) {
    return length ? json::value(time_delta_json(*length)) : json::value(nullptr);
  };
  // A factor of 1 is how a fixed delay is kept: Airflow shows it as 0.
  const double factor = task.airflow ? task.retry.airflow_exponential_backoff : task.retry.backoff;
  const double backoff = factor == 1.0 ? 0.0 : factor;
  json::object out{
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
      {"execution_timeout", length_or_null(task.timeout)},
      {"retry_delay", time_delta_json(task.retry.delay)},
      {"retry_exponential_backoff", backoff},
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
      {"is_mapped", task.map && task.map->group.empty()},
      {"extra_links", json::array{}}};  // Airflow 3.3 leaves it empty whatever the operator has.
  if (!task.airflow || !version.airflow) return out;
  const AirflowTaskFacts& facts = version.airflow->tasks[index];
  out["task_display_name"] = facts.display_name;
  out["owner"] = facts.owner;
  out["start_date"] = instant_json(facts.start);
  out["end_date"] = instant_json(facts.end);
  out["queue"] = task.airflow->queue;
  out["execution_timeout"] = length_or_null(facts.execution_timeout);
  out["ui_color"] = facts.ui_color;
  out["ui_fgcolor"] = facts.ui_fgcolor;
  out["template_fields"] = facts.template_fields;
  out["doc_md"] = text_or_null(facts.doc_md);
  out["operator_name"] = task.airflow->operator_name;
  out["params"] = facts.params;
  out["class_ref"] = json::object{{"module_path", text_or_null(facts.module)},
                                  {"class_name", task.airflow->operator_type}};
  return out;
}

}  // namespace etesian::api
