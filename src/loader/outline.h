#pragma once
#include <string>
#include <vector>

#include "loader/how.h"
#include "loader/section.h"
#include "model/dag.h"

namespace etesian {

/// A task as written, with the places that later checks point at.
struct OutlineTask {
  Task task;
  int group = -1;  ///< Position in Outline::groups; -1: none.
  const YamlNode* key = nullptr;
  const YamlNode* run = nullptr;
  const YamlNode* map = nullptr;
  const YamlNode* trigger_rule = nullptr;
  std::vector<const YamlNode*> after, setups;
  Mark pool_place;
};

/// A group: a task entry that has `tasks:` inside.
struct OutlineGroup {
  std::string id;
  int parent = -1;
  const YamlNode* key = nullptr;
  std::vector<const YamlNode*> after;
  std::vector<int> tasks;  ///< All members, nested ones included, in file order.
};

struct Outline {
  std::vector<OutlineTask> tasks;
  std::vector<OutlineGroup> groups;
};

/// Reads `tasks:`; ids, values and keys are checked, references are not yet. Points into `node`.
Outline read_tasks(const YamlNode& node, const How& how, Report& report);

/// Resolves `after` and `teardown` names into task ids: a name is looked for in the task's own
/// group, then outwards; a group stands for its last tasks, and its own `after` holds for its first
/// ones. Unknown names and cycles are reported. What cannot be resolved is left out.
void link_tasks(Outline& outline, Report& report);

}  // namespace etesian
