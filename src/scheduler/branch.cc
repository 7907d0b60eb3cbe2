#include "scheduler/branch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace etesian {
namespace {

/// The tasks that `name` means, seen from `group`; empty when there are none.
std::vector<TaskIndex> tasks_named(const Dag& dag, const std::string& group,
                                   const std::string& name) {
  const auto exactly = [&dag](const std::string& id) -> std::vector<TaskIndex> {
    if (const auto task = dag.find(id)) return {*task};
    return dag.group_members(id);
  };
  auto found = exactly(name);
  for (std::string outer = group; found.empty() && !outer.empty();) {
    found = exactly(outer + "." + name);
    const auto dot = outer.rfind('.');
    outer.resize(dot == std::string::npos ? 0 : dot);
  }
  return found;
}

Result<std::vector<std::string>> names_in(const Task& task, const std::string* output_json) {
  std::vector<std::string> names;
  if (!output_json) return names;
  const auto value = parse_json(*output_json);
  const auto wrong = [&] {
    return Error{
        ErrorCode::InvalidInput,
        fmt::format("branch '{}': its output is not a task id or a list of task ids", task.id)};
  };
  if (!value) return wrong();
  if (value->is_null()) return names;
  if (value->is_string()) return std::vector<std::string>{std::string(value->get_string())};
  if (!value->is_array()) return wrong();
  for (const auto& item : value->get_array()) {
    if (!item.is_string()) return wrong();
    names.emplace_back(item.get_string());
  }
  return names;
}

}  // namespace

bool is_falsy(const std::string* output_json) {
  if (!output_json) return false;
  const auto value = parse_json(*output_json);
  if (!value) return false;
  switch (value->kind()) {
    case json::kind::null: return true;
    case json::kind::bool_: return !value->get_bool();
    case json::kind::int64: return value->get_int64() == 0;
    case json::kind::uint64: return value->get_uint64() == 0;
    case json::kind::double_: return value->get_double() == 0;
    case json::kind::string: return value->get_string().empty();
    case json::kind::array: return value->get_array().empty();
    case json::kind::object: return value->get_object().empty();
  }
  return false;
}

Result<std::vector<TaskIndex>> skipped_by(const Dag& dag, TaskIndex decider,
                                          const std::string* output_json) {
  std::vector<TaskIndex> skipped;
  const Task& task = dag.task(decider);
  if (task.decides == Decides::ShortCircuit) {
    if (!is_falsy(output_json)) return skipped;
    for (const TaskIndex below : dag.reach_down(decider))
      if (below != decider && !dag.task(below).is_teardown) skipped.push_back(below);
    return skipped;
  }
  auto names = names_in(task, output_json);
  if (!names) return names.error();
  std::vector<bool> follows(dag.tasks().size());
  for (const std::string& name : *names) {
    const auto chosen = tasks_named(dag, task.group, name);
    if (chosen.empty())
      return Error{ErrorCode::InvalidInput,
                   fmt::format("branch '{}': its output names '{}', which is no task or group of "
                               "this DAG",
                               task.id, name)};
    for (const TaskIndex c : chosen)
      for (const TaskIndex below : dag.reach_down(c)) follows[below] = true;
  }
  for (const TaskIndex d : dag.downstream(decider))
    if (!follows[d]) skipped.push_back(d);
  return skipped;
}

}  // namespace etesian
