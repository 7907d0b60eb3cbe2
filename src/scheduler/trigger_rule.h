#pragma once
#include <array>
#include <cstdint>

#include "model/state.h"

namespace etesian {

/// Direct upstream instances by final state; what every trigger rule is arithmetic on.
struct UpstreamCounts {
  int total = 0;  ///< All direct upstream instances.
  int success = 0, failed = 0, upstream_failed = 0, skipped = 0, removed = 0;
  int setups = 0, success_setup = 0, skipped_setup = 0;  ///< Of those, the setups.
  /// Counts one upstream instance.
  void add(TaskState state, bool is_setup);
  int done() const { return success + failed + upstream_failed + skipped + removed; }
};

struct RuleDecision {
  enum class Kind { Run, Wait, Set } kind = Kind::Wait;
  TaskState state = TaskState::None;  ///< For Set: UpstreamFailed, Skipped or Removed.
  friend bool operator==(const RuleDecision&, const RuleDecision&) = default;
};

/// Setups further up than the direct upstreams in whose scope the task is. Their failure stops it
/// whatever its rule, except `always`.
struct SetupCounts {
  int total = 0, done = 0, failed = 0, skipped = 0;
};
/// Airflow 3's trigger rules (tests/golden/oracle/trigger_rules.jsonl, setup_rules.jsonl). A forced
/// state comes before "may run". Cost: O(1).
RuleDecision evaluate(TriggerRule rule, const UpstreamCounts& upstream, const SetupCounts& setups,
                      int map_index);

}  // namespace etesian
