// Dynamic mapping: how many instances a task has.
#include <fmt/format.h>

#include <algorithm>

#include "scheduler/mapping.h"
#include "scheduler/stepper.h"

namespace etesian {

using enum TaskState;

namespace {

bool is_literal(const MapRule& rule) {
  return std::all_of(rule.arguments.begin(), rule.arguments.end(), [](const auto& argument) {
    return std::holds_alternative<std::string>(argument.source);
  });
}

}  // namespace

void Stepper::expand_literals(Run& run) {
  for (TaskIndex i = 0; i < run.nodes.size(); ++i) {
    const Task& task = run.dag->task(i);
    if (!task.map || !is_literal(*task.map)) continue;
    std::vector<std::string> values;
    for (const auto& argument : task.map->arguments)
      values.push_back(std::get<std::string>(argument.source));
    auto arguments =
        map_arguments(*task.map, values, static_cast<std::size_t>(s_.limits.map_length_max));
    // An empty or impossible map is settled when the task's turn comes, as Airflow does.
    if (!arguments || arguments->empty()) continue;
    const auto count = static_cast<std::int32_t>(arguments->size());
    emit(TaskExpanded{{run.row.key, i, -1}, count, std::move(*arguments)});
  }
}

bool Stepper::expand(Run& run, TaskIndex index) {
  Node& node = run.nodes[index];
  const Task& task = run.dag->task(index);
  const bool all_fresh = std::all_of(
      node.items.begin(), node.items.end(),
      [](const InstanceRow& item) { return item.state == None || item.state == Removed; });
  // Once a length is in use it stays; a task cleared as a whole is measured again.
  if (node.is_expanded() && (is_literal(*task.map) || !all_fresh)) return true;
  for (const TaskIndex source : run.plan->tasks[index].sources) {
    for (const InstanceRow& item : run.nodes[source].items) {
      if (item.state == Success || item.state == Removed) continue;
      if (!is_final(item.state)) return false;
      const TaskState to = item.state == Skipped ? Skipped : UpstreamFailed;
      for (std::size_t i = 0; i < node.items.size(); ++i)
        if (node.items[i].state == None)
          set_state(node.items[i], to,
                    fmt::format("'{}', which decides the number of instances, is {}",
                                run.dag->task(source).id, to_text(item.state)));
      return false;
    }
  }
  const auto fail_all = [&](const std::string& reason) {
    for (std::size_t i = 0; i < node.items.size(); ++i)
      if (node.items[i].state == None) set_state(node.items[i], Failed, reason);
    return false;
  };
  std::vector<std::string> values;
  for (const auto& argument : task.map->arguments) {
    if (const auto* literal = std::get_if<std::string>(&argument.source)) {
      values.push_back(*literal);
      continue;
    }
    if (!s_.evaluate_map) return fail_all("map: no template language is at hand");
    auto value =
        s_.evaluate_map(world_, run.row.key, task, std::get<TemplateText>(argument.source));
    if (!value) return fail_all(value.error().message);
    values.push_back(std::move(*value));
  }
  auto arguments =
      map_arguments(*task.map, values, static_cast<std::size_t>(s_.limits.map_length_max));
  if (!arguments) return fail_all(arguments.error().message);
  if (arguments->empty()) {
    for (std::size_t i = 0; i < node.items.size(); ++i)
      if (node.items[i].state == None) set_state(node.items[i], Skipped, "maps over nothing");
    return false;
  }
  if (node.is_expanded() && node.arguments == *arguments) return true;
  const auto count = static_cast<std::int32_t>(arguments->size());
  emit(TaskExpanded{{run.row.key, index, -1}, count, std::move(*arguments)});
  return true;
}

}  // namespace etesian
