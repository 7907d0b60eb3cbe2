#pragma once
// One event being settled. For the files of this module only.
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "scheduler/decide.h"
#include "scheduler/predicates.h"
#include "scheduler/state.h"

namespace etesian {

/// The launch that a resting instance rested in (InstanceRow::resume); nil: it does not rest.
Uuid resting_try(const InstanceRow& row);

class Stepper {
 public:
  Stepper(World& world, const Moment& moment)
      : world_(world), s_(world.state()), moment_(moment), random_(moment.entropy) {}
  Decision settle(const Event& event);

 private:
  // ---- what happened outside (launches.cc, runs.cc) ----
  void on(const DagLoaded& e);
  void on(const DagGone& e);
  void on(const TimeReached& e);
  void on(const ExecutorUp& e);
  void on(const ExecutorDown& e);
  void on(const LaunchStarted& e);
  void on(const LaunchEnded& e);
  void on(const LaunchNotStarted& e);
  void on(const LaunchAlive& e);
  // ---- what a user asked for (commands.cc, clear.cc, backfill.cc) ----
  void on(const TriggerRun& e);
  void on(const RemoveRun& e);
  void on(const SetPaused& e);
  void on(const MarkRun& e);
  void on(const MarkInstances& e);
  void on(const KillInstance& e);
  void on(const ClearInstances& e);
  void on(const SetNote& e);
  void on(const CreateAssetEvent& e);
  void on(const ClearAssetQueue& e);
  void on(const CreateBackfill& e);
  void on(const SetBackfill& e);
  void on(const SetPool& e);
  void on(const RemovePool& e);
  void on(const SetVariable& e);
  void on(const RemoveVariable& e);
  void on(const SetConnection& e);
  void on(const RemoveConnection& e);
  // ---- what the workers of Airflow tasks say (workers.cc) ----
  void on(const WorkerStarted& e);
  void on(const WorkerReported& e);
  void on(const WorkerRendered& e);
  void on(const OutputPushed& e);
  void on(const OutputDropped& e);
  void on(const SetState& e);
  void on(const DropState& e);
  void on(const SkipInstances& e);
  void on(const SetRenderedMapIndex& e);
  void on(const ResumeInstance& e);
  void on(const EndInstance& e);
  // ---- tasks that ask a person (human.cc) ----
  void on(const AskHuman& e);
  void on(const AnswerHuman& e);
  const HumanInput* question_of(const InstanceRow& row) const;
  void await_input(const InstanceKey& key);
  void end_wait_for_input(const InstanceRow& row);
  /// The process of an SDK worker has ended: what it reported becomes true.
  void finish_worker(const OpenTry& open, Outcome outcome, InstanceRow row);
  void rest(const OpenTry& open, Outcome outcome, InstanceRow row, const WorkerReport& report);
  void watch(const InstanceRow& row);
  void watch_all();
  void wake(const InstanceKey& key);
  void resume(const InstanceRow& row, std::string next_kwargs, bool failed, std::string reason);
  /// Goes on in the method that it named, with `event` (JSON) among its arguments.
  void resume_with_event(const InstanceRow& row, const std::string& event, std::string reason);

  void emit(Change change);
  void refuse(ErrorCode code, std::string message);
  void audit(const std::string& actor, const std::string& event, const std::string& dag_id,
             const std::string& run_id = {}, const std::string& task_id = {}, int map_index = -1,
             const std::string& details = "{}");
  void audit(const std::string& actor, const std::string& event, const InstanceKey& key,
             const std::string& details = "{}");

  // ---- assets (assets.cc) ----
  /// What a definition names becomes known before the definition does.
  void register_assets(const DagDefinition& definition);
  /// Each asset that a changed definition (null: none) names, or that rivals one of these, is
  /// active again or no longer.
  void update_active(const DagDefinition* before, const DagDefinition* after);
  void update_active(const AssetRow& changed);
  void start_waiting_for_assets(const std::string& dag_id);
  /// The events that a successful task reports (WorkerReport::outlets).
  void emit_asset_events(const InstanceKey& key, const std::string& outlets);
  struct AssetNews;
  AssetEventKey add_asset_event(AssetKey asset, AssetNews news);
  AssetKey add_asset(Asset asset);
  void make_asset_run(DagEntry& entry);

  // ---- consequences (stepper.cc) ----
  void settle_agenda();
  void retire_runs();
  void examine(const InstanceKey& key);
  void examine_item(Run& run, const InstanceKey& key, const RuleDecision& decision);
  void examine_member(Run& run, const InstanceKey& key);
  void schedule(Run& run, const InstanceRow& row);
  void skip_or_fail(Run& run, const InstanceKey& key, TaskState state);
  bool is_ready(Run& run, TaskIndex task);
  void fill_slots();
  bool is_native(const Run& run, TaskIndex task) const;
  void start(Run& run, TaskIndex task);
  void move(InstanceRow row, std::string reason);
  void set_state(const InstanceRow& row, TaskState to, std::string reason);

  // ---- mapping (expand.cc) ----
  /// False: the task is not (yet) expanded; it waits, was skipped or failed.
  bool expand(Run& run, TaskIndex task);
  void expand_literals(Run& run);
  /// One JSON object for each instance. Errors: NotFound (the number is not known), InvalidInput,
  /// TooLarge.
  Result<std::vector<std::string>> arguments_of(const Run& run, const Task& task);

  bool has_place(const StatePlace& place) const;

  // ---- tries (launches.cc) ----
  void effect(const TryRow& row, decltype(Effect::what) what);
  void offer(const TryRow& row);
  void send_stop(const TryRow& row);
  void inquire(OpenTry& open);
  void mark_started(const OpenTry& open, std::optional<int> pid, std::string host, Instant at,
                    LogPlace log);
  void finish(const OpenTry& open, Outcome outcome);
  void close(const OpenTry& open, Outcome outcome, InstanceRow row, std::string reason);
  void succeed(const OpenTry& open, Outcome outcome, InstanceRow row);
  void lose(const OpenTry& open, Outcome outcome, InstanceRow row);
  void fail(const OpenTry& open, Outcome outcome, InstanceRow row);
  void offer_again(const OpenTry& open, std::string message);
  void apply_choice(Run& run, const InstanceKey& decider);
  /// Orders the end of an open try. The instance moves after the drain.
  void order_stop(const InstanceRow& row, StopOrder order);
  /// The agent told us: the launch will never start. What the stop order wanted becomes true.
  void drained_before_start(const OpenTry& open);
  InstanceRow cleared(const Run& run, InstanceRow row) const;

  // ---- runs (runs.cc) ----
  void examine_run(RunKey key);
  void examine_dag(const std::string& dag_id);
  void make_scheduled_runs(DagEntry& entry);
  void move_cursor(DagEntry& entry, const CursorMoved& cursor);
  void cancel_oldest(DagEntry& entry, int most);
  void start_runs(DagEntry& entry);
  bool try_start(Run& run);
  void end_run(Run& run, RunState state, const std::string& reason);
  /// Stops or settles all that is unfinished; the run ends in `state` after the drain.
  void stop_run(Run& run, RunState state, TaskState running, TaskState waiting, bool by_user,
                const std::string& reason);
  void call_back(const Run& run, RunState state, const char* reason);
  /// A worker died without a word, or a trigger ended the task: its own callbacks did not run.
  void call_back(const Run& run, const InstanceKey& key, const Uuid& try_id,
                 const std::string& reason);
  bool is_deadlocked(const Run& run) const;
  void stop_others_after(const InstanceRow& failed);
  Run& create_run(RunRow row, const std::shared_ptr<const Dag>& dag);
  void requeue(Run& run, const std::string& reason);
  void clear_instance(Run& run, const InstanceKey& key, const std::string& reason);
  void finish_backfills(const std::string& dag_id);

  World& world_;
  World::State& s_;
  Moment moment_;
  SeededRandom random_;
  Decision decision_;
  std::map<std::string, int> made_;  ///< Scheduled runs of this step, by DAG.
};

}  // namespace etesian
