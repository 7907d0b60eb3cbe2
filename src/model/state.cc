#include "model/state.h"

#include <array>
#include <cstddef>
#include <initializer_list>

namespace etesian {
namespace {

template <class Enum, std::size_t N>
std::optional<Enum> value_named(const std::array<std::string_view, N>& names,
                                std::string_view text) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == text) return static_cast<Enum>(i);
  return std::nullopt;
}

// Each table is in the order of its enumeration.
constexpr std::array<std::string_view, kTaskStateCount> kTaskStates = {
    "none",         "scheduled",         "queued",   "running",    "success",         "failed",
    "up_for_retry", "up_for_reschedule", "deferred", "restarting", "upstream_failed", "skipped",
    "removed",      "awaiting_input"};
constexpr std::array<std::string_view, 4> kRunStates = {"queued", "running", "success", "failed"};
constexpr std::array<std::string_view, 6> kRunTypes = {
    "scheduled",          "manual",
    "backfill",           "asset_triggered",
    "operator_triggered", "asset_materialization"};
constexpr std::array<std::string_view, 13> kTriggerRules = {"all_success",
                                                            "all_failed",
                                                            "all_done",
                                                            "all_done_min_one_success",
                                                            "all_done_setup_success",
                                                            "one_success",
                                                            "one_failed",
                                                            "one_done",
                                                            "none_failed",
                                                            "none_failed_min_one_success",
                                                            "none_skipped",
                                                            "all_skipped",
                                                            "always"};
constexpr std::array<std::string_view, 3> kWeightRules = {"downstream", "upstream", "absolute"};
constexpr std::array<std::string_view, 11> kCauses = {
    "exit",         "signal",          "timeout",        "killed",          "out_of_memory",
    "start_failed", "template_failed", "output_invalid", "lost_supervisor", "lost",
    "queue_timeout"};

constexpr std::uint16_t bit(TaskState s) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(s));
}
constexpr std::uint16_t set_of(std::initializer_list<TaskState> states) {
  std::uint16_t bits = 0;
  for (const TaskState s : states) bits = static_cast<std::uint16_t>(bits | bit(s));
  return bits;
}

using enum TaskState;
/// What a user may do to an instance whose try is not running: mark it, clear it, lose its task.
constexpr std::uint16_t kByUser = set_of({None, Success, Failed, Skipped, Removed});

constexpr std::array<std::uint16_t, kTaskStateCount> make_moves() {
  std::array<std::uint16_t, kTaskStateCount> moves{};
  const auto from = [&moves](TaskState s) -> std::uint16_t& {
    return moves[static_cast<std::size_t>(s)];
  };
  from(None) = set_of({Scheduled, UpstreamFailed, Success, Failed, Skipped, Removed});
  from(Scheduled) = set_of({Queued, UpstreamFailed}) | kByUser;
  // The report "running" may be lost, so that an end may be the first thing heard of a launch.
  from(Queued) = set_of({Queued, Scheduled, Running, UpForRetry, UpForReschedule, Deferred,
                         AwaitingInput, Restarting, UpstreamFailed}) |
                 kByUser;
  from(Running) = set_of({Running, Success, Failed, UpForRetry, UpForReschedule, Deferred,
                          AwaitingInput, Skipped, Restarting, Removed, UpstreamFailed});
  from(Restarting) = set_of({UpForRetry}) | kByUser;
  from(UpForRetry) = set_of({Scheduled, UpstreamFailed}) | kByUser;
  from(UpForReschedule) = set_of({Scheduled, UpForRetry, UpstreamFailed}) | kByUser;
  from(Deferred) = set_of({Scheduled, UpForRetry, UpstreamFailed}) | kByUser;
  from(AwaitingInput) = set_of({Scheduled, UpForRetry, UpstreamFailed}) | kByUser;
  for (const TaskState ended : {Success, Failed, UpstreamFailed, Skipped, Removed})
    from(ended) = static_cast<std::uint16_t>(kByUser & ~bit(ended));
  return moves;
}

}  // namespace

bool may_move(TaskState from, TaskState to) {
  static constexpr auto kMoves = make_moves();
  return kMoves[static_cast<std::size_t>(from)] & bit(to);
}

std::string_view to_text(TaskState s) { return kTaskStates[static_cast<std::size_t>(s)]; }
std::optional<TaskState> task_state_from_text(std::string_view text) {
  return value_named<TaskState>(kTaskStates, text);
}

std::string_view to_text(RunState s) { return kRunStates[static_cast<std::size_t>(s)]; }
std::optional<RunState> run_state_from_text(std::string_view text) {
  return value_named<RunState>(kRunStates, text);
}

std::string_view to_text(RunType t) { return kRunTypes[static_cast<std::size_t>(t)]; }
std::optional<RunType> run_type_from_text(std::string_view text) {
  return value_named<RunType>(kRunTypes, text);
}

std::string_view to_text(TriggerRule r) { return kTriggerRules[static_cast<std::size_t>(r)]; }
std::optional<TriggerRule> trigger_rule_from_text(std::string_view text) {
  return value_named<TriggerRule>(kTriggerRules, text);
}

std::string_view to_text(WeightRule r) { return kWeightRules[static_cast<std::size_t>(r)]; }
std::optional<WeightRule> weight_rule_from_text(std::string_view text) {
  return value_named<WeightRule>(kWeightRules, text);
}

std::string_view to_text(Cause c) { return kCauses[static_cast<std::size_t>(c)]; }
std::optional<Cause> cause_from_text(std::string_view text) {
  return value_named<Cause>(kCauses, text);
}

}  // namespace etesian
