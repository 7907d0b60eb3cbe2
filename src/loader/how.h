#pragma once
#include <optional>

#include "loader/section.h"
#include "model/dag.h"

namespace etesian {

/// Which `how:` is read: only project and DAG may say `max_active_tasks`.
enum class HowLevel { Project, Dag, Group, Task };

/// What `how:` gives to the tasks below it, and its own few settings.
struct How {
  Task task;  ///< Prototype: only the members that `how:` can set mean anything.
  int max_active_tasks = 16;
  /// Where `pool` was written, for the check against the project's pools; task-level place wins.
  Mark pool_place;
};

/// Reads `how:` over the values it inherits: each level overrides the one above it key by key.
How read_how(const YamlNode& node, How inherited, HowLevel level, Report& report);
/// Reads `retry:` over the inherited rule.
RetryRule read_retry(const YamlNode& node, RetryRule inherited, Report& report);
/// The keys of `how:`, for hints at keys written one level too high.
const Homes& how_keys();

}  // namespace etesian
