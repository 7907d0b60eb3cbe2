#include "airflow/requests.h"

#include "base/time_text.h"
#include "model/dag.h"

namespace etesian::airflow {
namespace {

constexpr int kCallbackTimeoutS = 300;  ///< What a parse may take five times over, and an e-mail.

json::value instant_json(const std::optional<Instant>& at) {
  return at ? json::value(to_iso_z(*at)) : json::value(nullptr);
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

/// Exactly the keys of the SDK's model, which is strict.
json::object run_json(const RunRow& run) {
  const auto start = run.interval ? std::optional(run.interval->start) : std::nullopt;
  const auto end = run.interval ? std::optional(run.interval->end) : std::nullopt;
  auto conf = parse_json(run.conf);
  return {{"dag_id", run.dag_id},
          {"run_id", run.run_id},
          {"logical_date", instant_json(run.logical_date)},
          {"data_interval_start", instant_json(start)},
          {"data_interval_end", instant_json(end)},
          {"run_after", to_iso_z(run.run_after)},
          {"start_date", instant_json(run.started_at)},
          {"end_date", instant_json(run.ended_at)},
          {"clear_number", run.clear_count},
          {"run_type", to_text(run.type)},
          {"state", to_text(run.state)},
          {"conf", conf ? std::move(*conf) : json::object()},
          {"triggering_user_name", text_or_null(run.triggered_by)},
          {"consumed_asset_events", json::array()},
          {"partition_key", nullptr},
          {"partition_date", nullptr},
          {"note", text_or_null(run.note)},
          {"team_name", nullptr}};
}

json::object dag_callback(const Effect::Callback& what) {
  json::value last = nullptr;
  if (what.instance)
    last = instance_json(*what.dag, what.run, what.instance->key, what.instance->try_number,
                         what.try_id);
  return {{"type", "DagCallbackRequest"},
          {"dag_id", what.dag->id()},
          {"run_id", what.run.run_id},
          {"is_failure_callback", what.is_failure},
          {"context_from_server", {{"dag_run", run_json(what.run)}, {"last_ti", std::move(last)}}}};
}

json::object task_callback(const Effect::Callback& what, const InstanceRow& instance) {
  return {
      {"type", "TaskCallbackRequest"},
      {"task_callback_type", what.is_failure ? "failed" : "up_for_retry"},
      {"ti", instance_json(*what.dag, what.run, instance.key, instance.try_number, what.try_id)},
      {"context_from_server",
       {{"dag_run", run_json(what.run)}, {"max_tries", instance.max_tries}}}};
}

}  // namespace

json::object instance_json(const Dag& dag, const RunRow& run, const InstanceKey& key,
                           int try_number, const Uuid& try_id) {
  return {{"id", to_text(try_id)},
          {"dag_version_id", to_text(dag_version_uuid(dag.id(), dag.version()))},
          {"task_id", dag.task(key.task).id},
          {"dag_id", dag.id()},
          {"run_id", run.run_id},
          {"try_number", try_number},
          {"map_index", key.map_index}};
}

json::object callback_request(const Effect::Callback& what) {
  const DagDefinition& dag = what.dag->definition();
  json::object request = what.of == Effect::Callback::Of::Task && what.instance
                             ? task_callback(what, *what.instance)
                             : dag_callback(what);
  const std::string bundle = dag.airflow ? dag.airflow->bundle : AirflowSource{}.bundle;
  request["filepath"] = dag.relative_file;
  request["bundle_name"] = bundle;
  request["bundle_version"] = nullptr;
  request["msg"] = what.reason;
  return {{"op", "callback"},
          {"bundle", bundle},
          {"bundle_path", dag.folder},
          {"file", dag.folder + "/" + dag.relative_file},
          {"request", std::move(request)},
          {"timeout_s", kCallbackTimeoutS}};
}

Result<json::object> trigger_request(const Effect::Watch& what) {
  const Error no_trigger{ErrorCode::InvalidInput,
                         "watch the trigger of '" + what.run.run_id + "': there is none"};
  const auto resume = parse_json(what.resume);
  if (!resume || !resume->is_object()) return no_trigger;
  const json::value* classpath = resume->get_object().if_contains("classpath");
  if (classpath == nullptr) return no_trigger;
  const json::value* kwargs = resume->get_object().if_contains("kwargs");
  json::value instance = nullptr;
  if (what.dag)
    instance = instance_json(*what.dag, what.run, what.key, what.try_number, what.try_id);
  return json::object{{"op", "trigger"},
                      {"id", to_text(what.try_id)},
                      {"classpath", *classpath},
                      {"kwargs", kwargs ? *kwargs : json::object()},
                      {"timeout_after", instant_json(what.deadline)},
                      {"ti", std::move(instance)}};
}

}  // namespace etesian::airflow
