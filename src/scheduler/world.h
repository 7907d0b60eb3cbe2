#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/change.h"
#include "model/event.h"
#include "model/stored_state.h"
#include "timetable/timetable.h"

namespace etesian {

struct Limits {
  int parallelism = 1024;          ///< Open tries over all DAGs.
  int infrastructure_retries = 5;  ///< Losses that do not use up a retry.
  Duration queue_timeout =
      std::chrono::minutes(10);  ///< Offered but not started: ask the executor.
  Duration suspect_after = std::chrono::seconds(30);  ///< Silence of an agent.
  int catchup_runs_per_step = 64;                     ///< Runs created at one instant for one DAG.
  int map_length_max = 1024 * 8;
  bool has_native_lane = true;  ///< Airflow tasks that need no Python are run without it.
};

class World;
/// Value (JSON text) of a map argument that is a template: a pure function of the world's outputs
/// and params, handed in by the wiring because the scheduler knows no template language. Errors:
/// InvalidInput; the task then fails with the message.
using MapEvaluator =
    std::function<Result<std::string>(const World&, RunKey, const Task&, const TemplateText&)>;

/// The rendered template fields (JSON object) of a try that starts in the native lane, which no
/// worker will send; empty: they cannot be rendered. A pure function of the world, handed in as
/// above.
using FieldRenderer = std::function<std::string(const World&, const TryRow&)>;

/// Active runs in memory: the single truth that decisions are made on. The store is its journal.
/// Finished runs are not in it. Not thread-safe: owned by the engine's thread.
class World {
 public:
  explicit World(Limits limits = {});
  World(World&&) noexcept;
  World& operator=(World&&) noexcept;
  ~World();
  /// A world of unfinished work. Property: equal to the world that made those facts.
  static World load(StoredState state, const Moment& moment, Limits limits = {});

  /// Makes a decided fact true. O(what it affects). Never fails: `change` came from `decide`.
  void apply(const Change& change, const Moment& moment);

  /// Puts a finished run back, so that a command about it can be decided. It leaves again with the
  /// end of the next `step` unless that made it unfinished.
  void revive(StoredState::ActiveRun run);
  /// A finished run that one which is revived looks back at (depends_on_past).
  void recall(StoredState::ActiveRun finished);

  /// Adds a fact from the store: a past success of a producer that a newly loaded DAG needs.
  void learn(PastSuccess fact);

  /// Must be set before an event is decided when a DAG maps over templates.
  void set_map_evaluator(MapEvaluator evaluator);
  /// Without one the fields of such tries stay empty.
  void set_field_renderer(FieldRenderer renderer);

  // ---- reading ----
  std::shared_ptr<const Dag> dag(const std::string& dag_id) const;  ///< Current version or null.
  std::vector<std::string> dag_ids() const;                         ///< Sorted.
  bool is_paused(const std::string& dag_id) const;
  std::optional<RunSlot> next_run(
      const std::string& dag_id) const;                 ///< As the timetable says; nullopt: none.
  std::shared_ptr<const Dag> dag_of(RunKey run) const;  ///< Version of an active run or null.
  const RunRow* run(RunKey run) const;                  ///< Null: finished or unknown.
  std::optional<RunKey> find_run(const std::string& dag_id, const std::string& run_id) const;
  std::vector<RunKey> active_runs(const std::string& dag_id) const;  ///< Creation order.
  std::optional<InstanceRow> instance(const InstanceKey& key) const;
  std::vector<InstanceRow> instances(RunKey run) const;  ///< Task order, then map index.
  const TryRow* open_try(const Uuid& try_id) const;
  std::vector<TryRow> open_tries() const;
  /// JSON text of an output of an active run; null: none.
  const std::string* output(const InstanceKey& key, const std::string& name) const;
  /// JSON object of a mapped instance's arguments; "{}" when not mapped.
  const std::string& map_arguments(const InstanceKey& key) const;
  std::vector<PoolRow> pools() const;
  struct PoolUse {
    int running = 0, queued = 0;      ///< Slots taken.
    int scheduled = 0, deferred = 0;  ///< Slots that those who wait or rest would take.
  };
  PoolUse pool_use(const std::string& pool) const;
  std::vector<BackfillRow> backfills() const;
  /// The earliest instants at which a TimeReached event would change something.
  struct Timers {
    std::optional<Instant> wall;
    std::optional<Duration> uptime;
  };
  Timers next_timer() const;
  struct Size {
    std::size_t active_runs = 0, open_tries = 0, dags = 0;
  };
  Size size() const;  ///< O(1).
  const Limits& limits() const;

  /// The facts that the world stands for, as a store would give them.
  StoredState rows() const;
  /// Every field that follows from facts, as text: the property test compares worlds by it. Order
  /// is deterministic.
  std::string dump() const;
  /// Recounts every counter, queue and waiting list from rows; the first difference, or empty.
  std::string check() const;

  struct State;  ///< scheduler/state.h; for this module's own files only.
  State& state() { return *state_; }
  const State& state() const { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace etesian
