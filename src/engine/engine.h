#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "engine/dag_source.h"
#include "engine/trigger_host.h"
#include "engine/vault.h"
#include "executor/executor.h"
#include "executor/worker_launch.h"
#include "scheduler/decide.h"
#include "scheduler/world.h"
#include "store/store.h"

namespace etesian {

struct EngineOptions {
  Limits limits;
  /// How tasks of Airflow DAGs are launched; absent: such a task fails to start.
  std::optional<WorkerPlace> worker_place;
};

/// What a command did, told only after it is durable.
struct CommandDone {
  RunKey run = 0;
  BackfillKey backfill = 0;
  Sequence sequence = 0;  ///< Of its last change: a reader that has seen it sees the effect.
  AssetEventKey asset_event = 0;
};

struct EngineHealth {
  bool is_live = false;   ///< The loop turned within the last 10 s.
  bool is_ready = false;  ///< … and the store takes commits, and the recovery is over.
  std::string reason;     ///< Why not ready; empty otherwise.
  Instant last_turn{};
  bool executor_up = false;
  std::size_t active_runs = 0, open_tries = 0, dags = 0;
  std::uint64_t commits = 0, changes = 0, tasks_started = 0, tasks_ended = 0;
  Duration last_commit{0};  ///< How long the last commit took.
};

/// The one impure loop: takes events, lets the scheduler decide, commits, and only then acts.
///
/// Threads: the loop's own, one for the store, one for each source of DAGs. All public methods may
/// be called from any thread and never block on I/O.
class Engine {
 public:
  struct Parts {
    std::shared_ptr<const Clock> clock;
    std::shared_ptr<Random> random;
    std::unique_ptr<Store> store;
    std::shared_ptr<Vault> vault;
    /// Makes the executor once its sink exists. Its events may come at once.
    std::function<Result<std::unique_ptr<Executor>>(Executor::Sink)> make_executor;
    std::vector<MakeDagSource> dag_sources;  ///< Where DAGs come from; may be none.
    MakeTriggerHost make_trigger_host;       ///< May be empty: what rests wakes by time alone.
  };

  /// Loads the store, recovers, starts deciding. Errors: what the store or the executor says.
  static Result<std::unique_ptr<Engine>> start(EngineOptions options, Parts parts);
  /// Stops deciding, commits what is decided, leaves running tasks running.
  virtual ~Engine() = default;

  /// Decides on a command and calls `on_done` once, after its changes are durable or it was
  /// refused. TriggerRun's conf is validated against the DAG's params here; commands about finished
  /// runs are possible too. `on_done` runs on the store's thread and must be quick.
  virtual void submit(Event command, std::function<void(Result<CommandDone>)> on_done) = 0;

  /// Runs `read` on the loop's thread with the world as decided (it may be ahead of the store by
  /// one group). Must be quick: for explain and counts.
  virtual void read_world(std::function<void(const World&, const Moment&)> read) = 0;

  /// Runs `read` on the store's thread, after all commits that were handed over before.
  virtual void read_store(std::function<void(Store&)> read) = 0;

  /// `listener` is called on the store's thread after each durable commit with the last sequence.
  /// Returns a handle for `unsubscribe`.
  virtual int subscribe(std::function<void(Sequence)> listener) = 0;
  virtual void unsubscribe(int handle) = 0;

  virtual std::vector<ImportError> import_errors() const = 0;
  virtual EngineHealth health() const = 0;
  virtual Vault& vault() = 0;
  virtual const Clock& clock() const = 0;
};

}  // namespace etesian
