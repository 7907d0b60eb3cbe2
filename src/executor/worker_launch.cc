#include "executor/worker_launch.h"

#include <algorithm>

#include "base/json.h"
#include "executor/launch_basics.h"
#include "wire/worker_token.h"

namespace etesian {
namespace {

using namespace std::chrono_literals;

std::string token_of(const LaunchFacts& facts, const WorkerPlace& place) {
  wire::WorkerToken token;
  token.run = facts.run.key;
  token.task = facts.task;
  token.map_index = facts.instance.key.map_index;
  token.try_id = facts.try_id;
  token.launch = facts.launch;
  return wire::make_worker_token(token, place.token_key);
}

void put(std::vector<std::pair<std::string, std::string>>& environment, const std::string& name,
         std::string value) {
  std::erase_if(environment, [&](const auto& entry) { return entry.first == name; });
  environment.emplace_back(name, std::move(value));
}

std::string workload_with(const LaunchFacts& facts, const std::string& token) {
  const Dag& dag = *facts.dag;
  const Task& task = dag.task(facts.task);
  const json::object instance{
      {"id", to_text(facts.try_id)},
      {"task_id", task.id},
      {"dag_id", dag.id()},
      {"run_id", facts.run.run_id},
      {"try_number", facts.instance.try_number},
      {"dag_version_id", to_text(dag_version_uuid(dag.id(), dag.version()))},
      {"map_index", facts.instance.key.map_index},
      {"hostname", ""},
      {"context_carrier", nullptr},
      {"queue", task.airflow ? task.airflow->queue : AirflowTask{}.queue},
      {"pool_slots", task.pool_slots},
      {"priority_weight", dag.priority_weight(facts.task)}};
  const auto& source = dag.definition().airflow;
  return json::serialize(json::object{
      {"token", token},
      {"dag_rel_path", dag.definition().relative_file},
      {"bundle_info", json::object{{"name", source ? source->bundle : AirflowSource{}.bundle},
                                   {"version", nullptr}}},
      {"log_path", nullptr},
      {"ti", instance},
      {"sentry_integration", ""},
      {"type", "ExecuteTask"}});
}

}  // namespace

std::string workload_json(const LaunchFacts& facts, const WorkerPlace& place) {
  return workload_with(facts, token_of(facts, place));
}

wire::StartTry build_worker_launch(const LaunchFacts& facts, const WorkerPlace& place) {
  const std::string token = token_of(facts, place);
  std::string workload = workload_with(facts, token);
  wire::StartTry launch = launch_without_command(facts);
  // The worker asks for them itself, and one variable holds 128 KiB at most (MAX_ARG_STRLEN).
  std::erase_if(launch.environment, [](const auto& entry) {
    return entry.first == "ETESIAN_PARAMS" || entry.first == "ETESIAN_MAP_ARGUMENTS";
  });
  for (const auto& [name, value] : place.environment) put(launch.environment, name, value);
  put(launch.environment, "AIRFLOW__CORE__EXECUTION_API_SERVER_URL", place.server_url);
  if (place.has_prefork) {
    launch.argv = {place.program, "airflow-task"};
    put(launch.environment, "ETESIAN_AIRFLOW_SOCKET", place.socket);
    put(launch.environment, "ETESIAN_WORKLOAD", std::move(workload));
  } else {
    launch.argv = {place.python, "-m", "airflow.sdk.execution_time.execute_workload",
                   "--json-string", std::move(workload)};
  }
  launch.timeout = Duration{0};  // The worker keeps execution_timeout itself.
  launch.kill_grace = 10s;
  launch.secrets.push_back(token);
  return launch;
}

}  // namespace etesian
