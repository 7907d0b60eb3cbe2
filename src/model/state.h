#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace etesian {

/// Life of one task instance, under Airflow's names. Values are stored: append only, never
/// renumber.
enum class TaskState : std::uint8_t {
  None,  ///< Not scheduled yet; shown as null by the API.
  Scheduled,
  Queued,
  Running,
  Success,
  Failed,
  UpForRetry,
  UpForReschedule,
  Deferred,
  Restarting,  ///< Cleared while running: stop ordered, runs again after the drain.
  UpstreamFailed,
  Skipped,
  Removed,       ///< Its task or map index is no longer in the DAG.
  AwaitingInput  ///< Waits for a person's answer.
};
inline constexpr int kTaskStateCount = 14;

/// Between two launches of one try: nothing runs, and something outside wakes it.
constexpr bool is_resting(TaskState s) {
  return s == TaskState::UpForReschedule || s == TaskState::Deferred ||
         s == TaskState::AwaitingInput;
}

constexpr bool is_final(TaskState s) {
  return s == TaskState::Success || s == TaskState::Failed || s == TaskState::UpstreamFailed ||
         s == TaskState::Skipped || s == TaskState::Removed;
}
/// Holds pool slots and counts against limits.
constexpr bool holds_slots(TaskState s) {
  return s == TaskState::Queued || s == TaskState::Running || s == TaskState::Restarting;
}
/// The whole state machine: every write of a task instance's state is one of these moves.
/// Source: reliability rules, docs/reliability.md#states.
bool may_move(TaskState from, TaskState to);

/// "success", "up_for_retry", …; "none" for None.
std::string_view to_text(TaskState s);
std::optional<TaskState> task_state_from_text(std::string_view text);

/// Values are stored.
enum class RunState : std::uint8_t { Queued, Running, Success, Failed };
constexpr bool is_final(RunState s) { return s >= RunState::Success; }
std::string_view to_text(RunState s);
std::optional<RunState> run_state_from_text(std::string_view text);

/// Values are stored. Text and id prefixes are Airflow's DagRunType.
enum class RunType : std::uint8_t {
  Scheduled,
  Manual,
  Backfill,
  AssetTriggered,
  OperatorTriggered,
  AssetMaterialization
};
std::string_view to_text(RunType t);
std::optional<RunType> run_type_from_text(std::string_view text);

/// Airflow's trigger rules under Airflow's names.
enum class TriggerRule : std::uint8_t {
  AllSuccess,
  AllFailed,
  AllDone,
  AllDoneMinOneSuccess,
  AllDoneSetupSuccess,
  OneSuccess,
  OneFailed,
  OneDone,
  NoneFailed,
  NoneFailedMinOneSuccess,
  NoneSkipped,
  AllSkipped,
  Always
};
std::string_view to_text(TriggerRule r);
std::optional<TriggerRule> trigger_rule_from_text(std::string_view text);

enum class WeightRule : std::uint8_t { Downstream, Upstream, Absolute };
std::string_view to_text(WeightRule r);
std::optional<WeightRule> weight_rule_from_text(std::string_view text);

/// Why a try ended. Retry conditions name these. Values are stored.
enum class Cause : std::uint8_t {
  Exit,            ///< The command ended by itself; see the exit code.
  Signal,          ///< Killed by a signal that we did not send.
  Timeout,         ///< Its execution timeout; stopped by us.
  Killed,          ///< A user's kill, mark or clear; stopped by us.
  OutOfMemory,     ///< The kernel's OOM killer, told from a plain KILL by the cgroup.
  StartFailed,     ///< Command not found, not executable, no such folder, …
  TemplateFailed,  ///< A template could not be rendered; no process was started.
  OutputInvalid,   ///< Exit 0, but its output is not JSON or is over the limit.
  LostSupervisor,  ///< The agent died and the kernel could not give the exit status.
  Lost,            ///< Infrastructure: host rebooted or declared lost.
  QueueTimeout     ///< Not started in time; confirmed by the executor.
};
std::string_view to_text(Cause c);
std::optional<Cause> cause_from_text(std::string_view text);
/// Losses of the infrastructure are retried on their own count, not on the task's.
constexpr bool is_infrastructure(Cause c) {
  return c == Cause::LostSupervisor || c == Cause::Lost || c == Cause::QueueTimeout;
}

}  // namespace etesian
