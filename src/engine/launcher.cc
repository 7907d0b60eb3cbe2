#include "engine/launcher.h"

#include "base/check.h"
#include "loader/airflow.h"
#include "loader/params.h"

namespace etesian {
namespace {
/// Output of a task in a run: of one instance, or of all instances of a mapped task as a JSON
/// array.
std::optional<std::string> output_of(const World& world, const Dag& dag, RunKey run,
                                     const std::string& task_id, const std::string& name,
                                     int map_index) {
  const auto task = dag.find(task_id);
  if (!task) return std::nullopt;
  const auto single = [&](int index) -> const std::string* {
    return world.output({run, *task, index}, name);
  };
  if (!dag.task(*task).map || map_index >= 0) {
    const std::string* text = single(dag.task(*task).map ? map_index : -1);
    return text ? std::optional(*text) : std::nullopt;
  }
  std::string array = "[";
  for (int index = 0;; ++index) {
    if (!world.instance({run, *task, index})) break;
    const std::string* text = single(index);
    if (!text) continue;
    if (array.size() > 1) array += ',';
    array += *text;
  }
  return array + "]";
}
}  // namespace

void Launcher::note_success(const RunRow& run) {
  if (!run.interval || run.state != RunState::Success) return;
  const auto [found, is_new] = last_success_.try_emplace(run.dag_id, *run.interval);
  if (!is_new && found->second.start < run.interval->start) found->second = *run.interval;
}

const std::string& Launcher::default_params(const Dag& dag) const {
  constexpr std::size_t kVersionsKept = 4096;
  if (defaults_.size() > kVersionsKept) defaults_.clear();
  const auto [found, is_new] = defaults_.try_emplace(dag.version());
  if (is_new) {
    const std::string& schema = dag.definition().params_schema;
    auto defaults = dag.definition().airflow ? Result<std::string>(airflow_params(schema, "{}"))
                                             : validate_params(schema, "{}");
    found->second = defaults ? *defaults : "{}";
  }
  return found->second;
}

std::string Launcher::params_of(const Dag& dag, const std::string& conf) const {
  if (conf == "{}") return default_params(dag);
  // A run of our own DAGs keeps all of its params; the conf of an Airflow run is what was given.
  return dag.definition().airflow ? airflow_params(dag.definition().params_schema, conf) : conf;
}

LaunchFacts Launcher::facts_of(const World& world, const InstanceKey& key, const Dag& dag) const {
  const RunRow* run = world.run(key.run);
  ETESIAN_CHECK(run != nullptr);
  LaunchFacts facts;
  facts.dag = &dag;
  facts.task = key.task;
  facts.run = *run;
  facts.run.conf = params_of(dag, run->conf);
  facts.map_arguments = world.map_arguments(key);
  const auto previous = last_success_.find(run->dag_id);
  if (previous != last_success_.end() && run->interval &&
      previous->second.start < run->interval->start)
    facts.previous_success = previous->second;
  facts.output = [&world, &dag, run = key.run](const std::string& task_id, const std::string& name,
                                               int map_index) {
    return output_of(world, dag, run, task_id, name, map_index);
  };
  facts.variable = [this](const std::string& name) { return settings_.variable(name); };
  facts.connection = [this](const std::string& id) { return settings_.connection(id); };
  return facts;
}

Result<wire::StartTry> Launcher::launch(const World& world, const Effect::Start& start) const {
  const auto dag = world.dag_of(start.key.run);
  const TryRow* open = world.open_try(start.try_id);
  const auto instance = world.instance(start.key);
  ETESIAN_CHECK(dag && open && instance);
  LaunchFacts facts = facts_of(world, start.key, *dag);
  facts.instance = *instance;
  facts.try_id = start.try_id;
  facts.launch = start.launch;
  facts.session = open->session;
  if (dag->task(start.key.task).run.kind != Command::Kind::Worker) return build_launch(facts);
  if (worker_place_ && open->worker == kNativeLane)
    return build_native_launch(facts, worker_place_->environment);
  if (!worker_place_)
    return Error{ErrorCode::Unavailable, "launch: no Python environment with Airflow is at hand"};
  return build_worker_launch(facts, *worker_place_);
}

std::string Launcher::native_fields(const World& world, const TryRow& starts) const {
  const auto dag = world.dag_of(starts.instance.run);
  const auto instance = world.instance(starts.instance);
  ETESIAN_CHECK(dag && instance);
  LaunchFacts facts = facts_of(world, starts.instance, *dag);
  facts.instance = *instance;
  auto fields = etesian::native_fields(facts);
  return fields ? std::move(*fields) : std::string();
}

Result<std::string> Launcher::map_source(const World& world, RunKey run, const Task& task,
                                         const TemplateText& source) const {
  const auto dag = world.dag_of(run);
  ETESIAN_CHECK(dag != nullptr);
  const auto index = dag->find(task.id);
  ETESIAN_CHECK(index.has_value());
  return evaluate_map_source(facts_of(world, {run, *index, -1}, *dag), source);
}

}  // namespace etesian
