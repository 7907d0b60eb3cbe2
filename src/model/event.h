#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/change.h"
#include "model/launch.h"

namespace etesian {

/// The instant of a decision. All that is not a function of the world comes in here.
struct Moment {
  Instant now{};  ///< Wall clock: schedules, retries, records.
  Duration uptime{
      0};  ///< Monotonic: queue time-outs, suspicion, anything a clock jump must not move.
  std::uint64_t entropy = 0;  ///< Seed of the ids made by this decision.
};

// ---- what happened outside ----

struct DagLoaded {
  std::shared_ptr<const Dag> dag;
};
struct DagGone {
  std::string dag_id;
};
/// Some timer of the world is due (World::next_timer).
struct TimeReached {};

// ---- what a user asked for; each is answered with a Decision ----

struct TriggerRun {
  std::string dag_id;
  std::optional<std::string> run_id;
  std::optional<Instant> logical_date, run_after;
  std::optional<DataInterval> interval;
  std::string conf = "{}";  ///< Validated against the DAG's params by the caller.
  std::string note, actor;
  RunType type = RunType::Manual;
};
struct RemoveRun {
  RunKey run = 0;
  std::string actor;
};
struct SetPaused {
  std::string dag_id, actor;
  bool is_paused = false;
};
/// Mark a whole run: running and waiting instances are stopped (drained) and marked.
struct MarkRun {
  RunKey run = 0;
  RunState to = RunState::Failed;  ///< Success, Failed, or Queued (= clear everything).
  std::string actor;
};
struct MarkInstances {
  std::vector<InstanceKey> keys;
  TaskState to = TaskState::Success;  ///< Success, Failed or Skipped.
  std::string actor;
};
/// Stops a running try for good: it ends Failed with cause Killed, or is retried when `may_retry`.
struct KillInstance {
  InstanceKey key;
  bool may_retry = false;
  std::string actor;
};
/// Runs finished instances again (their run becomes queued again); a running one is stopped first.
struct ClearInstances {
  std::vector<InstanceKey> keys;  ///< Exactly these; selection happens in scheduler/select.h.
  bool only_failed = false;
  std::string actor;
};
struct SetNote {
  RunKey run = 0;
  std::optional<InstanceKey> instance;  ///< Absent: the run's own note.
  std::string note, actor;
};
struct CreateBackfill {
  BackfillRow row;  ///< Without key.
  /// Logical dates in the range whose runs have ended and are left alone by `row.reprocess`. Runs
  /// that are to be reprocessed are put back into the world (World::revive) before the event.
  std::vector<Instant> existing;
};
struct SetBackfill {
  BackfillKey key = 0;
  enum class To { Pause, Resume, Cancel } to = To::Pause;
  std::string actor;
};
/// Settings are facts already; they only pass through.
struct SetPool {
  PoolRow row;
  std::string actor;
};
struct RemovePool {
  std::string name, actor;
};
struct SetVariable {
  VariableRow row;
  std::string actor;
};
struct RemoveVariable {
  std::string key, actor;
};
struct SetConnection {
  ConnectionRow row;
  std::string actor;
};
struct RemoveConnection {
  std::string id, actor;
};

/// A person's answer to the question of an instance's present try. Refused with NotFound (nothing
/// is asked), Conflict (answered already), Denied (`by` is not one of those assigned), InvalidInput
/// (an unknown option, too many of them, reserved keys). An instance that waits for it goes on.
struct AnswerHuman {
  InstanceKey key;
  std::vector<std::string> chosen;
  std::string params_input = "{}";  ///< JSON object.
  /// Absent: the task's own answer through the Execution API; the instance then goes on by itself.
  std::optional<HumanInput::Person> by;
};

/// Somebody says that something happened to an asset.
struct CreateAssetEvent {
  AssetKey asset = 0;
  std::string extra = "{}";  ///< JSON object.
  std::optional<std::string> partition_key;
  std::string actor;
};
/// Takes events out of the queues of DAGs that wait for more. NotFound where none fits.
struct ClearAssetQueue {
  std::optional<std::string> dag_id;
  std::optional<AssetKey> asset;
  std::optional<Instant> before;  ///< Only those queued before.
  std::string actor;
};

// ---- what an SDK worker says through the Execution API; each is answered with a Decision ----

/// PATCH …/run: the worker is about to start the user's code. Refused with Conflict unless the try
/// is open, not to be stopped, and nobody else's; repeated by the same worker it changes nothing.
struct WorkerStarted {
  Uuid try_id;
  std::string worker;  ///< "host user pid"
  Instant at{};
};
/// PATCH …/state. Refused with Conflict unless the try is open and started; the same again is a
/// no-op.
struct WorkerReported {
  Uuid try_id;
  WorkerReport report;
  std::optional<std::string> rendered_map_index;
};
/// PUT …/rtif: the rendered template fields, a JSON object.
struct WorkerRendered {
  Uuid try_id;
  std::string fields;
};
/// An XCom of an instance, whatever state it is in; its run may be over.
struct OutputPushed {
  InstanceKey key;
  std::string name, json;
  std::optional<int> length;
};
struct OutputDropped {
  InstanceKey key;
  std::string name;
};
/// What a task of Airflow keeps in the state store of its instance, or of an asset.
struct SetState {
  StatePlace place;
  std::string key, json;
  std::optional<Instant> expires_at;
};
struct DropState {
  StatePlace place;
  std::string key;  ///< Empty: all.
};
/// POST hitlDetails: a task asks a person. Asked again by the same launch it changes nothing; by a
/// later launch of the try, an answer to the earlier one is dropped.
struct AskHuman {
  Uuid try_id;
  HumanInput question;  ///< Without instance, numbers, instant and answer.
};
/// PATCH …/skip-downstream: those that are not running or ended become skipped.
struct SkipInstances {
  std::vector<InstanceKey> keys;  ///< An unknown one is left out.
};
struct SetRenderedMapIndex {
  InstanceKey key;
  std::string text;
};

/// What a deferred instance waited for happened, or a person answered. `try_id` names the launch
/// that rested; for any other the event changes nothing.
struct ResumeInstance {
  InstanceKey key;
  Uuid try_id;
  std::string next_kwargs;  ///< JSON object for the method that goes on.
  bool failed = false;      ///< It goes on in `__fail__`, which raises.
};
/// A trigger ended the instance itself (TaskSuccessEvent and its kind).
struct EndInstance {
  InstanceKey key;
  Uuid try_id;
  TaskState to = TaskState::Success;                         ///< Success, Failed or Skipped.
  std::vector<std::pair<std::string, std::string>> outputs;  ///< Name, JSON; none before a retry.
};

using Event = std::variant<DagLoaded, DagGone, TimeReached, ExecutorUp, ExecutorDown, LaunchStarted,
                           LaunchEnded, LaunchNotStarted, LaunchAlive, TriggerRun, RemoveRun,
                           SetPaused, MarkRun, MarkInstances, KillInstance, ClearInstances, SetNote,
                           CreateBackfill, SetBackfill, SetPool, RemovePool, SetVariable,
                           RemoveVariable, SetConnection, RemoveConnection, WorkerStarted,
                           WorkerReported, WorkerRendered, OutputPushed, OutputDropped, SetState,
                           DropState, SkipInstances, SetRenderedMapIndex, ResumeInstance,
                           EndInstance, AskHuman, AnswerHuman, CreateAssetEvent, ClearAssetQueue>;

}  // namespace etesian
