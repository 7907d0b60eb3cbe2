#include "scheduler/trigger_rule.h"

#include <optional>

namespace etesian {
namespace {

using enum TaskState;

/// The state that upstreams force on the task although it never runs. Comes before "may run".
std::optional<TaskState> forced_state(TriggerRule rule, const UpstreamCounts& up, int map_index) {
  const bool is_done = up.done() >= up.total;
  const int broken = up.failed + up.upstream_failed;
  const int setups = up.setups;
  switch (rule) {
    case TriggerRule::AllSuccess:
      if (broken > 0) return UpstreamFailed;
      if (up.skipped > 0) return Skipped;
      if (up.removed > 0 && up.success > 0 && map_index >= up.success) return Removed;
      return std::nullopt;
    case TriggerRule::AllFailed:
      if (up.success > 0 || up.skipped > 0) return Skipped;
      return std::nullopt;
    case TriggerRule::AllDoneMinOneSuccess:
      if (up.skipped > 0) return Skipped;
      if (is_done && up.total > 0 && up.success == 0) return UpstreamFailed;
      return std::nullopt;
    case TriggerRule::AllDoneSetupSuccess:
      if (!is_done || setups == 0) return std::nullopt;
      if (up.skipped_setup >= setups) return Skipped;
      if (up.success_setup == 0) return UpstreamFailed;
      return std::nullopt;
    case TriggerRule::OneSuccess:
      if (is_done && up.done() == up.skipped) return Skipped;
      if (is_done && up.success == 0) return UpstreamFailed;
      return std::nullopt;
    case TriggerRule::OneFailed:
      if (is_done && broken == 0) return Skipped;
      return std::nullopt;
    case TriggerRule::OneDone:
      if (is_done && up.failed + up.success == 0) return Skipped;
      return std::nullopt;
    case TriggerRule::NoneFailed:
      if (broken > 0) return UpstreamFailed;
      return std::nullopt;
    case TriggerRule::NoneFailedMinOneSuccess:
      if (broken > 0) return UpstreamFailed;
      if (up.skipped == up.total) return Skipped;
      if (is_done && up.success == 0) return UpstreamFailed;
      return std::nullopt;
    case TriggerRule::NoneSkipped:
      if (up.skipped > 0) return Skipped;
      return std::nullopt;
    case TriggerRule::AllSkipped:
      if (up.success > 0 || broken > 0) return Skipped;
      return std::nullopt;
    case TriggerRule::AllDone:
    case TriggerRule::Always: return std::nullopt;
  }
  return std::nullopt;
}

bool may_run(TriggerRule rule, const UpstreamCounts& up) {
  const bool is_done = up.done() >= up.total;
  const int broken = up.failed + up.upstream_failed;
  switch (rule) {
    case TriggerRule::AllSuccess: return up.total - up.success - up.removed <= 0;
    case TriggerRule::AllFailed: return up.total - broken - up.removed <= 0;
    case TriggerRule::AllDone: return is_done;
    case TriggerRule::AllDoneMinOneSuccess: return is_done && up.skipped == 0 && up.success > 0;
    case TriggerRule::AllDoneSetupSuccess: return is_done;
    case TriggerRule::OneSuccess: return up.success > 0;
    case TriggerRule::OneFailed: return broken > 0;
    case TriggerRule::OneDone: return up.success + up.failed > 0;
    case TriggerRule::NoneFailed: return up.total - up.success - up.skipped - up.removed <= 0;
    case TriggerRule::NoneFailedMinOneSuccess:
      return up.total - up.success - up.skipped - up.removed <= 0 && up.success > 0;
    case TriggerRule::NoneSkipped: return is_done && up.skipped == 0;
    case TriggerRule::AllSkipped: return up.total - up.skipped <= 0;
    case TriggerRule::Always: return true;
  }
  return false;
}

}  // namespace

void UpstreamCounts::add(TaskState state, bool is_setup) {
  ++total;
  setups += is_setup;
  switch (state) {
    case Success: ++success; break;
    case Failed: ++failed; break;
    case UpstreamFailed: ++upstream_failed; break;
    case Skipped: ++skipped; break;
    case Removed: ++removed; break;
    default: break;
  }
  if (is_setup) success_setup += state == Success, skipped_setup += state == Skipped;
}

RuleDecision evaluate(TriggerRule rule, const UpstreamCounts& upstream, const SetupCounts& setups,
                      int map_index) {
  using enum RuleDecision::Kind;
  if (rule == TriggerRule::Always) return {Run, None};
  if (setups.total > 0) {
    if (setups.failed > 0) return {Set, UpstreamFailed};
    if (setups.skipped > 0) return {Set, Skipped};
    if (setups.done < setups.total) return {Wait, None};
  }
  if (upstream.total == 0) return {Run, None};
  if (const auto forced = forced_state(rule, upstream, map_index)) return {Set, *forced};
  return {may_run(rule, upstream) ? Run : Wait, None};
}

}  // namespace etesian
