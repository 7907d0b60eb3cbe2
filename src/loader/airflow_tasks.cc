#include "loader/airflow_tasks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <unordered_map>

#include "loader/airflow_groups.h"
#include "loader/airflow_json.h"
#include "loader/airflow_lane.h"

namespace etesian::airflow_json {
namespace {

/// Whether Airflow's scheduler settles the task itself. Source: TaskInstance.is_task_schedulable.
bool is_empty(const Operator& op) {
  const json::value* empty = member(op.own(), "_is_empty");
  if (!empty || !airflow_json::flag(*empty, op.where("_is_empty"))) return false;
  const auto lists = [&](std::string_view name) {
    return !array(*op.find(name), op.where(name)).empty();
  };
  return !lists("outlets") && !lists("inlets") && !op.flag("has_on_execute_callback") &&
         !op.flag("has_on_success_callback") && !op.flag("start_from_trigger");
}

RetryRule retry_rule(const Operator& op) {
  RetryRule rule;
  rule.times = std::max(0, op.whole("retries"));
  rule.delay = *op.length("retry_delay");
  rule.max_delay = op.length("max_retry_delay");
  const json::value& backoff = *op.find("retry_exponential_backoff");
  double factor = backoff.is_bool() ? (backoff.get_bool() ? 2 : 0)
                                    : number(backoff, op.where("retry_exponential_backoff"));
  // 1 is a fixed delay by Airflow's rule (never cut by max_retry_delay), 0 would be a native rule.
  if (factor <= 0) factor = 1;
  rule.airflow_exponential_backoff = factor;
  return rule;
}

template <class Enum>
Enum named(const Operator& op, std::string_view field,
           std::optional<Enum> (*find)(std::string_view), const char* what_to_do) {
  const std::string name = op.text(field);
  const auto found = find(name);
  if (!found) refuse(fmt::format("{} is {}", op.where(field), name), what_to_do);
  return *found;
}

/// One machine runs the tasks of this engine; an executor of another kind is no silent substitute.
void check_executor(const Operator& op) {
  const std::string executor = op.text("executor");
  if (executor.empty() || executor == "LocalExecutor" || executor.ends_with(".LocalExecutor"))
    return;
  refuse(fmt::format("executor '{}' of task '{}'", executor, op.id()),
         "leave 'executor' out, or use LocalExecutor");
}

std::optional<MapRule> map_rule(const Operator& op, const GroupPlace& place, const TaskIds& ids) {
  if (!op.is_mapped()) return place.map ? std::optional(*place.map) : std::nullopt;
  if (place.map)
    refuse(fmt::format("task '{}' is mapped inside the mapped task group '{}'", op.id(),
                       place.map->group),
           "map one of them only, as in Airflow");
  const std::string where = fmt::format("task '{}'", op.id());
  const std::string attribute =
      airflow_json::text(required(op.own(), "_expand_input_attr", where), where);
  return map_rule_from(required(op.own(), attribute, where), ids, where);
}

Task task_from(const Operator& op, const GroupPlace& place, const TaskIds& ids) {
  check_executor(op);
  Task task;
  task.id = op.id();
  task.group = place.path;
  task.description = op.text("doc_md");
  task.run.kind = is_empty(op) ? Command::Kind::Empty : Command::Kind::Worker;
  task.trigger_rule =
      named(op, "trigger_rule", trigger_rule_from_text, "use a trigger rule of Airflow 3.3");
  task.is_setup = op.flag("is_setup");
  task.is_teardown = op.flag("is_teardown");
  task.on_failure_fail_run = task.is_teardown && op.flag("on_failure_fail_dagrun");
  task.map = map_rule(op, place, ids);
  task.retry = retry_rule(op);
  task.pool = op.text("pool");
  task.pool_slots = op.whole("pool_slots");
  task.priority = op.whole("priority_weight");
  task.weight_rule =
      named(op, "weight_rule", weight_rule_from_text, "use 'downstream', 'upstream' or 'absolute'");
  task.max_active = op.maybe_whole("max_active_tis_per_dag");
  task.max_active_per_run = op.maybe_whole("max_active_tis_per_dagrun");
  task.depends_on_past = op.flag("depends_on_past");
  // Airflow looks at it only where depends_on_past is set (PrevDagrunDep).
  task.wait_for_downstream = task.depends_on_past && op.flag("wait_for_downstream");
  task.ignore_first_depends_on_past = op.flag("ignore_first_depends_on_past");

  AirflowTask& airflow = task.airflow.emplace();
  airflow.operator_type = op.text("task_type");
  airflow.operator_name = op.text("_operator_name");
  if (airflow.operator_name.empty()) airflow.operator_name = airflow.operator_type;
  airflow.queue = op.text("queue");
  airflow.owner = op.text("owner");
  airflow.can_skip_downstream = op.flag("_can_skip_downstream");
  airflow.has_failure_callback = op.flag("has_on_failure_callback");
  airflow.has_retry_callback = op.flag("has_on_retry_callback");
  return task;
}

void link(const std::vector<Operator>& operators, std::vector<Task>& tasks) {
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < tasks.size(); ++i) index.emplace(tasks[i].id, i);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::string where = operators[i].where("downstream_task_ids");
    for (const json::value& id : array(*operators[i].find("downstream_task_ids"), where)) {
      const std::string down = text(id, where);
      const auto found = index.find(down);
      if (found == index.end())
        malformed(where, fmt::format("names '{}', which is not a task of this dag", down));
      tasks[found->second].after.push_back(tasks[i].id);
      // What a teardown takes down are the setups directly above it.
      if (tasks[i].is_setup && tasks[found->second].is_teardown)
        tasks[found->second].setups.push_back(tasks[i].id);
    }
  }
}

/// Owners that tasks name themselves: those of mapped tasks stand elsewhere, and Airflow does not
/// look there. Source: LazyDeserializedDAG.owner; sorted, because its order is that of a set.
std::string owners(const std::vector<Operator>& operators, const json::object* client_defaults) {
  std::set<std::string> names;
  for (const Operator& op : operators)
    if (const json::value* owner = member(op.own(), "owner"))
      if (std::string name = text(*owner, op.where("owner")); !name.empty())
        names.insert(std::move(name));
  if (!names.empty()) return fmt::format("{}", fmt::join(names, ", "));
  const json::value* preset = client_defaults ? member(*client_defaults, "owner") : nullptr;
  return text(preset ? *preset : operator_defaults().at("owner"), "'owner'");
}

/// The first start and the last end of the DAG and its tasks bound its runs, and each task has its
/// own bounds below that. Source: SerializedDAG._time_restriction, DagRun.verify_integrity.
void read_dates(const json::object& dag, const std::vector<Operator>& operators,
                AirflowTasks& result) {
  const auto of_dag = [&](std::string_view name) {
    const json::value* date = member(dag, name);
    return date ? std::optional(instant(*date, name)) : std::nullopt;
  };
  const auto dag_start = of_dag("start_date"), dag_end = of_dag("end_date");
  std::set<std::optional<Instant>> starts, ends;  // of the tasks, the DAG's where they have none
  for (const Operator& op : operators) {
    const auto of_task = [&](std::string_view name, std::optional<Instant> otherwise) {
      const json::value* date = member(op.own(), name);
      return date ? std::optional(instant(*date, op.where(name))) : otherwise;
    };
    starts.insert(of_task("start_date", dag_start));
    ends.insert(of_task("end_date", dag_end));
  }
  if (starts.size() > 1 || ends.size() > 1)
    refuse("tasks with different start or end dates",
           "give the dates to the dag, and let tasks of other periods be a dag of their own");
  result.start = starts.empty() ? dag_start : *starts.begin();
  if (result.start && dag_start) result.start = std::min(*result.start, *dag_start);
  result.end = ends.empty() ? dag_end : *ends.begin();
  if (result.end && dag_end) result.end = std::max(*result.end, *dag_end);
  if ((!starts.empty() && *starts.begin() != result.start) ||
      (!ends.empty() && *ends.begin() != result.end))
    refuse("tasks that start later or end earlier than their dag", "give the dates to the dag");
}

}  // namespace

AirflowTasks tasks_from(const json::object& dag, const json::object* client_defaults,
                        const json::object* lanes) {
  std::vector<Operator> operators;
  TaskIds ids;
  const json::array& list = array(required(dag, "tasks", "the dag"), "'tasks'");
  operators.reserve(list.size());
  for (const json::value& entry : list) {
    const auto wrapped = unwrap(entry);
    if (!wrapped || wrapped->type != "operator") malformed("a task", "is not an operator");
    operators.emplace_back(object(wrapped->value, "a task"), client_defaults);
    if (!ids.insert(operators.back().id()).second)
      malformed(fmt::format("task '{}'", operators.back().id()), "is defined twice");
  }
  std::unordered_map<std::string, GroupPlace> places;
  if (const json::value* group = member(dag, "task_group"))
    places = group_places(object(*group, "'task_group'"), ids);

  AirflowTasks result;
  result.tasks.reserve(operators.size());
  for (const Operator& op : operators) {
    Task& task = result.tasks.emplace_back(task_from(op, places[op.id()], ids));
    task.inlets = asset_uses_from(*op.find("inlets"), result.assets);
    task.outlets = asset_uses_from(*op.find("outlets"), result.assets);
  }
  if (lanes)
    for (Task& task : result.tasks)
      if (const json::value* lane = member(*lanes, task.id))
        take_lane(object(*lane, fmt::format("the lane of task '{}'", task.id)), dag, task);
  link(operators, result.tasks);
  read_dates(dag, operators, result);
  result.owner = owners(operators, client_defaults);
  return result;
}

}  // namespace etesian::airflow_json
