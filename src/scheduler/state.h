#pragma once
// The inside of the world, for the files of this module only.
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "scheduler/plan.h"
#include "scheduler/trigger_rule.h"
#include "scheduler/world.h"

namespace etesian {

inline constexpr std::int32_t kWholeTask =
    -2;  ///< "All instances", where a map index is asked for.

/// Order in which waiting tasks take slots: heavier first, then the older run, then task order.
struct LineKey {
  int weight = 0;
  Instant run_after{};
  RunKey run = 0;
  TaskIndex task = 0;
  friend bool operator<(const LineKey& a, const LineKey& b) {
    return std::tie(b.weight, a.run_after, a.run, a.task) <
           std::tie(a.weight, b.run_after, b.run, b.task);
  }
};

struct PoolState {
  PoolRow row;
  bool exists = false;                         ///< False: a task names it, nobody made it.
  int queued = 0, running = 0, scheduled = 0;  ///< Slots; the last one waits for them.
  int deferred = 0;                            ///< Slots that deferred tasks would take.
  bool is_unlimited() const { return row.slots < 0; }
  int used() const { return queued + running + (row.include_deferred ? deferred : 0); }
  std::vector<std::pair<RunKey, TaskIndex>> too_big;  ///< Need more slots than there are at all.
};

/// What is known of an executor now; nothing of it is stored.
struct ExecutorState {
  bool is_up = false;
  std::string session, host, down_reason;
  std::uint32_t slots = 0;  ///< 0: no limit.
  int open = 0;             ///< Open tries assigned to it.
  bool has_room() const { return is_up && (slots == 0 || open < static_cast<int>(slots)); }
};

/// Waiting line of one pool on one executor. Holds only the head of each run's part, so that a run
/// that has reached its own limit leaves (and comes back) in O(log n).
struct Line {
  std::string pool_name, executor_name;
  PoolState* pool = nullptr;
  ExecutorState* executor = nullptr;
  std::set<LineKey> heads;
};

/// `Task::max_active`: open instances of one task over all runs.
struct TaskLimit {
  int active = 0;
  std::vector<std::pair<RunKey, TaskIndex>> parked;  ///< To be put back in line when one ends.
};

/// Where a task that has scheduled instances waits. Exactly one place, so that nothing is
/// forgotten.
enum class Place : std::uint8_t { Nowhere, Line, TaskLimit, RunLimit, TooBig };

/// One task of one active run: what its instances share.
struct Node {
  std::vector<InstanceRow> items;      ///< One with map index -1, or 0..n-1 when expanded.
  std::vector<std::string> arguments;  ///< JSON objects, one for each item when expanded.
  UpstreamCounts up;
  SetupCounts setups;
  int unfinished = 1;
  int active = 0;                    ///< Items that hold slots.
  std::set<std::int32_t> scheduled;  ///< Map indexes that wait for slots.
  Place place = Place::Nowhere;
  bool is_noted = false;  ///< In the agenda as a whole.
  TaskLimit* limit = nullptr;
  std::uint32_t line = 0;
  bool is_expanded() const { return items.empty() || items.front().key.map_index >= 0; }
};

struct DagEntry;

/// An output of an active run. Of an Airflow task, whose outputs other tasks read through the
/// Execution API, a long text is not kept here: only its length decides anything.
struct KnownOutput {
  std::string name, json;
  std::optional<int> length;
};

/// An active run.
struct Run {
  RunRow row;
  std::shared_ptr<const Dag> dag;
  std::shared_ptr<const Plan> plan;
  DagEntry* entry = nullptr;
  std::vector<Node> nodes;
  std::array<int, kTaskStateCount> states{};  ///< Instances by state.
  int unfinished = 0, active = 0;
  /// This run's part of each line: (minus weight, task).
  std::vector<std::pair<std::uint32_t, std::set<std::pair<int, TaskIndex>>>> waiting;
  bool is_withdrawn = true;  ///< Its heads are not in the lines: paused, not running, or full.
  std::map<std::pair<TaskIndex, std::int32_t>, std::vector<KnownOutput>> outputs;
  /// What its tasks ask a person: of each instance the question of the last try that asked one.
  std::map<std::pair<TaskIndex, std::int32_t>, HumanInput> questions;
  std::optional<RunState> forced;  ///< From a stop order: how it ends after the drain.
  bool is_noted = false;
};

struct DagEntry {
  std::string id;
  std::shared_ptr<const Dag> dag;  ///< Null: gone, or known by its runs only.
  bool is_paused = false, is_removed = false;
  std::optional<Timetable> timetable;
  std::optional<CursorMoved> cursor;
  std::set<Instant> dates_ahead;
  std::optional<RunSlot> next;
  std::set<RunKey> runs;                        ///< Active ones, in order of creation.
  std::set<std::pair<Instant, RunKey>> queued;  ///< Without backfills; by run_after.
  int unfinished = 0, running = 0;              ///< Without backfills.
  std::map<std::string, TaskLimit> limits;
  std::map<AssetKey, AssetQueueRow> asset_queue;  ///< Assets that had an event since its last run.
  std::optional<AssetEventKey> asset_cursor;      ///< Later events are for its next run.
  /// Finished runs, by logical date, that depends_on_past looks at: the newest, and the one just
  /// before each active run.
  std::map<Instant, StoredState::ActiveRun> last_runs;
};

struct BackfillEntry {
  BackfillRow row;
  std::set<RunKey> queued, unfinished;
  int running = 0;
};

struct OpenTry {
  TryRow row;
  Duration ask_at{0};         ///< Uptime of the next inquiry or offer; 0: none.
  int asked = 0;              ///< Inquiries without an answer, for the back-off.
  bool is_offer_due = false;  ///< At `ask_at` it is offered, not inquired.
};

/// The assets that are known, and who waits for them.
struct AssetRegistry {
  using Id = std::pair<std::string, std::string>;  ///< Name, URI.
  struct Alias {
    AssetAliasRow row;
    std::set<AssetKey> assets;  ///< That it leads to.
  };
  std::map<AssetKey, AssetRow> rows;
  std::map<Id, AssetKey> keys;
  std::map<std::string, std::set<AssetKey>> by_name, by_uri;
  std::map<std::string, Alias> aliases;
  std::map<AssetAliasKey, std::string> alias_names;
  std::map<AssetKey, int> bound;  ///< How many aliases lead to it.
  std::map<Id, int> mentions;     ///< How often current DAGs name it.
  /// DAGs by what stands in the condition of their schedule.
  std::map<AssetUse, std::set<std::string>> waiting;
  AssetKey next_key = 1;
  AssetAliasKey next_alias_key = 1;
  AssetEventKey next_event_key = 1;

  const AssetRow* find(const Id& id) const;
  const AssetRow* active_named(const std::string& name) const;
  const AssetRow* active_at(const std::string& uri) const;
  /// Name it somewhere: some schedule, inlet, outlet or alias does.
  bool is_referenced(const AssetRow& row) const;
  /// The assets that stand for `use`: more than one only for an alias.
  std::vector<AssetKey> assets_of(const AssetUse& use) const;

  void set(AssetRow row);
  void set_alias(AssetAliasRow row);
  void bind(AssetAliasKey alias, AssetKey asset);
  /// Counts what the definition names `by` times more.
  void count(const DagDefinition& definition, int by);
};

/// What may have become possible; emptied before a step ends.
struct Agenda {
  std::deque<InstanceKey> nodes;  ///< map_index kWholeTask: all instances.
  std::deque<RunKey> runs;
  std::set<std::string> dags;
};

struct World::State {
  Limits limits;
  MapEvaluator evaluate_map;
  FieldRenderer render_fields;
  std::map<std::string, DagEntry> dags;
  std::map<RunKey, std::unique_ptr<Run>> runs;
  std::map<std::pair<std::string, std::string>, RunKey> run_ids;
  std::unordered_map<Uuid, OpenTry> tries;
  std::map<std::string, PoolState> pools;
  std::map<std::string, ExecutorState> executors;
  std::map<std::pair<std::string, std::string>, std::uint32_t> line_of;
  std::deque<Line> lines;
  std::map<BackfillKey, BackfillEntry> backfills;
  /// Successes of tasks ("" = the run) that some DAG needs, by data interval.
  std::map<std::pair<std::string, std::string>, std::vector<PastSuccess>> past;
  std::map<std::pair<std::string, std::string>, int> producers;  ///< Named in how many needs.
  std::map<std::string, std::set<std::pair<RunKey, TaskIndex>>> consumers;  ///< Waiting for a DAG.
  AssetRegistry assets;
  std::map<const Dag*, std::weak_ptr<const Plan>> plans;
  RunKey next_run_key = 1;
  BackfillKey next_backfill_key = 1;

  std::set<std::pair<Instant, InstanceKey>> sleepers;    ///< By wake_at: to be retried, resting.
  std::set<std::pair<Instant, RunKey>> run_timers;       ///< run_after and run time-outs.
  std::set<std::pair<Instant, std::string>> dag_timers;  ///< Next scheduled run.
  std::set<std::pair<Duration, Uuid>> try_timers;        ///< By uptime.
  Agenda agenda;
  std::vector<RunKey> ended;  ///< Final since this step began; they leave at its end.

  // ---- finding ----
  Run* find(RunKey key);
  const Run* find(RunKey key) const;
  InstanceRow* find(const InstanceKey& key);
  const InstanceRow* find(const InstanceKey& key) const;
  DagEntry& entry(const std::string& dag_id);
  PoolState& pool(const std::string& name);
  std::uint32_t line(const std::string& pool, const std::string& executor);
  std::shared_ptr<const Plan> plan(const std::shared_ptr<const Dag>& dag);

  // ---- agenda ----
  void note(Run& run, TaskIndex task);
  void note(const InstanceKey& key) { agenda.nodes.push_back(key); }
  void note_run(Run& run);
  void note_all(Run& run);
  void note_next(const Run& run, TaskIndex task);
  void note_consumers(const std::string& dag_id);
  void forget_agenda();

  // ---- facts made true (apply*.cc) ----
  void set_dag(const std::string& id, std::shared_ptr<const Dag> dag);
  void add_run(RunRow row, std::shared_ptr<const Dag> dag);
  void set_run(RunRow row);
  void drop_run(RunKey key);
  void prune_last_runs(DagEntry& entry) const;
  void retire(Run& run);  ///< A finished run leaves; what depends_on_past needs of it stays.
  StoredState::ActiveRun rows_of(const Run& run) const;
  void put_run(StoredState::ActiveRun rows);  ///< A run with everything in it, as stored.
  void expand(const InstanceKey& key, std::int32_t count, std::vector<std::string> arguments);
  void set_instance(Run& run, InstanceRow row);
  void set_output(Run& run, const OutputStored& output);
  void drop_output(Run& run, const OutputsRemoved& output);
  void set_question(Run& run, HumanInput asked);
  void open_try(TryRow row, const Moment& moment);
  void set_try(TryRow row, const Moment& moment);
  void set_pool(PoolRow row);
  void set_backfill(BackfillRow row);
  void count_run(const Run& run, int by);
  void count_upstream(Run& run, TaskIndex task, TaskState state, int by);
  void enter(Run& run, Node& node, const InstanceRow& row);
  void leave(Run& run, Node& node, const InstanceRow& row);
  void remember_success(const Run& run, TaskIndex task);
  void remember_success(const Run& run);
  void forget_successes(const Run& run);
  void learn(PastSuccess fact);
  void set_ask_at(OpenTry& open, Duration at);

  // ---- waiting lines (lines.cc) ----
  void join_line(Run& run, TaskIndex task);
  void leave_line(Run& run, TaskIndex task);
  void park(Run& run, TaskIndex task, Place place);
  void put_back(std::vector<std::pair<RunKey, TaskIndex>>& parked);
  void update_withdrawal(Run& run);
  LineKey head_of(const Run& run, const std::set<std::pair<int, TaskIndex>>& part) const;
};

/// The run before `run` by logical date, as depends_on_past means it: active, or the last finished.
struct PreviousRun {
  const Run* active = nullptr;
  const StoredState::ActiveRun* finished = nullptr;
};
PreviousRun previous_run(const World::State& state, const Run& run);
/// The active run whose previous run is `run`, or null.
const Run* next_run_after(const World::State& state, const Run& run);

}  // namespace etesian
