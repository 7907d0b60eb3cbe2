#include "scheduler/plan.h"

#include <algorithm>

namespace etesian {
namespace {

bool contains(const std::vector<TaskIndex>& sorted, TaskIndex i) {
  return std::binary_search(sorted.begin(), sorted.end(), i);
}

/// Setups above `i` that are torn down below it, or never. Source: Airflow's
/// get_upstreams_only_setups, without the direct upstreams.
std::vector<TaskIndex> setups_in_scope(const Dag& dag, TaskIndex i,
                                       const std::vector<TaskIndex>& below) {
  std::vector<TaskIndex> found;
  const auto direct = dag.upstream(i);
  for (const TaskIndex above : dag.reach_up(i)) {
    if (above == i || !dag.task(above).is_setup) continue;
    if (std::binary_search(direct.begin(), direct.end(), above)) continue;
    bool has_teardown = false, ends_below = false;
    for (const TaskIndex d : dag.downstream(above)) {
      if (!dag.task(d).is_teardown) continue;
      has_teardown = true;
      ends_below = ends_below || contains(below, d);
    }
    if (!has_teardown || ends_below) found.push_back(above);
  }
  return found;
}

std::vector<TaskIndex> tasks_between(const Dag& dag, TaskIndex teardown) {
  std::vector<TaskIndex> found;
  const auto above = dag.reach_up(teardown);
  for (const TaskIndex setup : dag.upstream(teardown)) {
    if (!dag.task(setup).is_setup) continue;
    for (const TaskIndex i : dag.reach_down(setup))
      if (i != setup && i != teardown && contains(above, i)) found.push_back(i);
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

void add_sources(const Dag& dag, const LengthOf& length, std::vector<TaskIndex>& found) {
  if (length.kind == LengthOf::Kind::Output)
    if (const auto task = dag.find(length.task)) found.push_back(*task);
  for (const LengthOf& part : length.parts) add_sources(dag, part, found);
}

bool has_group_mates(const Dag& dag, TaskIndex i) {
  const auto& map = dag.task(i).map;
  if (!map || map->group.empty()) return false;
  const auto upstream = dag.upstream(i);
  return std::any_of(upstream.begin(), upstream.end(), [&](TaskIndex u) {
    const auto& its = dag.task(u).map;
    return its && its->group == map->group;
  });
}

/// Upstreams whose id stands in a template of the map; all direct ones when none does.
std::vector<TaskIndex> map_sources(const Dag& dag, TaskIndex i) {
  std::vector<TaskIndex> found;
  bool has_template = false;
  for (const auto& argument : dag.task(i).map->arguments) {
    if (const auto* length = std::get_if<LengthOf>(&argument.source)) {
      add_sources(dag, *length, found);
      continue;
    }
    const auto* text = std::get_if<TemplateText>(&argument.source);
    if (!text) continue;
    has_template = true;
    for (const TaskIndex u : dag.upstream(i))
      if (text->text.find(dag.task(u).id) != std::string::npos) found.push_back(u);
  }
  if (has_template && found.empty()) found.assign(dag.upstream(i).begin(), dag.upstream(i).end());
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

}  // namespace

std::shared_ptr<const Plan> Plan::of(const Dag& dag) {
  auto plan = std::make_shared<Plan>();
  const auto tasks = dag.tasks();
  plan->tasks.resize(tasks.size());
  const bool has_setups =
      std::any_of(tasks.begin(), tasks.end(), [](const Task& t) { return t.is_setup; });
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    auto& its = plan->tasks[i];
    const Task& task = tasks[i];
    if (has_setups) its.setups = setups_in_scope(dag, i, dag.reach_down(i));
    for (const TaskIndex s : its.setups) plan->tasks[s].scope.push_back(i);
    if (task.is_teardown) its.between = tasks_between(dag, i);
    for (const TaskIndex b : its.between) plan->tasks[b].teardowns.push_back(i);
    for (const TaskIndex u : dag.upstream(i))
      if (tasks[u].decides != Decides::Nothing ||
          (tasks[u].airflow && tasks[u].airflow->can_skip_downstream))
        its.deciders.push_back(u);
    if (task.map) its.sources = map_sources(dag, i);
    its.has_group_mates = has_group_mates(dag, i);
    if (!task.depends_on_past && !task.wait_for_downstream) continue;
    plan->has_past = true;
    its.past_of.push_back(i);
    if (task.wait_for_downstream)
      for (const TaskIndex d : dag.downstream(i)) plan->tasks[d].past_of.push_back(i);
  }
  return plan;
}

}  // namespace etesian
