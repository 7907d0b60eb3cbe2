#pragma once
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/json.h"
#include "model/dag.h"

namespace etesian::airflow_json {

/// Ids of all tasks of a DAG.
using TaskIds = std::set<std::string, std::less<>>;

/// How many instances {"type", "value"} of an expand() or expand_kwargs() makes. Throws Refused.
MapRule map_rule_from(const json::value& expand_input, const TaskIds& ids,
                      const std::string& where);

/// Where a task stands in the tree of task groups.
struct GroupPlace {
  std::string path;                    ///< "outer.inner"; empty at the top.
  std::shared_ptr<const MapRule> map;  ///< Of the mapped group that it is in; null: none.
};
/// The place of every task below the member "task_group" of a DAG. Throws Refused: a mapped group
/// in a mapped group.
std::unordered_map<std::string, GroupPlace> group_places(const json::object& task_group,
                                                         const TaskIds& ids);

}  // namespace etesian::airflow_json
