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
    const auto* length = std::get_if<LengthOf>(&argument.source);
    return length ? length->kind == LengthOf::Kind::Literal
                  : std::holds_alternative<std::string>(argument.source);
  });
}

/// Of a map whose values only the worker sees.
bool is_counted(const MapRule& rule) {
  return !rule.arguments.empty() && std::holds_alternative<LengthOf>(rule.arguments.front().source);
}

std::optional<int> pushed_length(const Run& run, const LengthOf& output) {
  const auto task = run.dag->find(output.task);
  if (!task) return std::nullopt;
  const auto known = [&](int map_index) -> const KnownOutput* {
    const auto found = run.outputs.find({*task, map_index});
    if (found == run.outputs.end()) return nullptr;
    for (const KnownOutput& its : found->second)
      if (its.name == output.key) return &its;
    return nullptr;
  };
  if (!run.dag->task(*task).map) {
    const KnownOutput* its = known(-1);
    return its ? its->length : std::nullopt;
  }
  int count = 0;
  for (const InstanceRow& item : run.nodes[*task].items)
    count += known(item.key.map_index) != nullptr;
  return count;
}

/// nullopt: some task pushed nothing that has a length.
std::optional<int> length_of(const Run& run, const LengthOf& length) {
  using Kind = LengthOf::Kind;
  if (length.kind == Kind::Literal) return length.literal;
  if (length.kind == Kind::Output) return pushed_length(run, length);
  std::optional<int> result;
  for (const LengthOf& part : length.parts) {
    const auto its = length_of(run, part);
    if (!its) return std::nullopt;
    if (!result)
      result = its;
    else if (length.kind == Kind::Concat)
      *result += *its;
    else
      result = length.kind == Kind::Zip ? std::min(*result, *its) : std::max(*result, *its);
  }
  return result;
}

/// Instances without arguments of their own: the worker finds them. Errors: NotFound (a length is
/// unknown), TooLarge.
Result<std::vector<std::string>> counted_instances(const Run& run, const MapRule& rule,
                                                   std::size_t count_max) {
  std::size_t count = 1;
  for (const auto& argument : rule.arguments) {
    const auto length = length_of(run, std::get<LengthOf>(argument.source));
    if (!length)
      return Error{
          ErrorCode::NotFound,
          fmt::format("map: '{}' has no length: an upstream pushed nothing", argument.name)};
    count *= static_cast<std::size_t>(*length);
    if (count > count_max)
      return Error{ErrorCode::TooLarge,
                   fmt::format("map: more instances than the most allowed ({})", count_max)};
  }
  return std::vector<std::string>(count, "{}");
}

}  // namespace

void Stepper::expand_literals(Run& run) {
  for (TaskIndex i = 0; i < run.nodes.size(); ++i) {
    const Task& task = run.dag->task(i);
    if (!task.map || !is_literal(*task.map)) continue;
    auto arguments = arguments_of(run, task);
    // An empty or impossible map is settled when the task's turn comes, as Airflow does.
    if (!arguments || arguments->empty()) continue;
    const auto count = static_cast<std::int32_t>(arguments->size());
    emit(TaskExpanded{{run.row.key, i, -1}, count, std::move(*arguments)});
  }
}

Result<std::vector<std::string>> Stepper::arguments_of(const Run& run, const Task& task) {
  const auto count_max = static_cast<std::size_t>(s_.limits.map_length_max);
  if (is_counted(*task.map)) return counted_instances(run, *task.map, count_max);
  std::vector<std::string> values;
  for (const auto& argument : task.map->arguments) {
    if (const auto* literal = std::get_if<std::string>(&argument.source)) {
      values.push_back(*literal);
      continue;
    }
    if (!s_.evaluate_map)
      return Error{ErrorCode::InvalidInput, "map: no template language is at hand"};
    auto value =
        s_.evaluate_map(world_, run.row.key, task, std::get<TemplateText>(argument.source));
    if (!value) return value.error();
    values.push_back(std::move(*value));
  }
  return map_arguments(*task.map, values, count_max);
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
  const auto settle_all = [&](TaskState to, const std::string& reason) {
    for (std::size_t i = 0; i < node.items.size(); ++i)
      if (node.items[i].state == None) set_state(node.items[i], to, reason);
    return false;
  };
  auto arguments = arguments_of(run, task);
  if (!arguments)
    return settle_all(arguments.error().code == ErrorCode::NotFound ? UpstreamFailed : Failed,
                      arguments.error().message);
  if (arguments->empty()) return settle_all(Skipped, "maps over nothing");
  const auto present = std::count_if(node.items.begin(), node.items.end(),
                                     [](const InstanceRow& item) { return item.state != Removed; });
  if (node.is_expanded() && present == std::ssize(*arguments) && node.arguments == *arguments)
    return true;
  const auto count = static_cast<std::int32_t>(arguments->size());
  emit(TaskExpanded{{run.row.key, index, -1}, count, std::move(*arguments)});
  return true;
}

}  // namespace etesian
