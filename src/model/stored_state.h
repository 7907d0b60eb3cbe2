#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/change.h"

namespace etesian {

/// A producer's past success, for `needs` and `depends_on_past`: a counted fact, not a row to
/// search.
struct PastSuccess {
  std::string dag_id, task_id;  ///< Empty task: the run.
  DataInterval interval{};
  std::optional<Instant> logical_date;
  Instant ended_at{};
};

/// Everything `World::load` needs from a store: current facts and unfinished work only.
struct StoredState {
  struct DagState {
    std::shared_ptr<const Dag> dag;  ///< Current version; null if it is gone.
    std::string dag_id;
    bool is_paused = false, is_removed = false;
    std::optional<CursorMoved> cursor;
    /// Logical dates after the cursor's that have a run already (backfills, manual runs): the
    /// schedule does not make them again.
    std::vector<Instant> dates_ahead;
    std::optional<AssetEventKey> asset_cursor;  ///< See AssetCursorMoved.
  };
  struct ActiveRun {
    RunRow row;
    std::shared_ptr<const Dag> dag;  ///< The version it runs on.
    std::vector<InstanceRow> instances;
    std::vector<std::pair<InstanceKey, std::string>> map_arguments;
    struct Output {
      InstanceKey key;
      std::string name, json;
      std::optional<int> length;
    };
    std::vector<Output> outputs;
    std::vector<HumanInput> questions;  ///< By instance, then try number.
  };
  std::vector<DagState> dags;
  std::vector<ActiveRun> runs;  ///< Unfinished ones.
  std::vector<TryRow> open_tries;
  std::vector<PoolRow> pools;
  std::vector<BackfillRow> backfills;  ///< Not completed.
  std::vector<PastSuccess> past;       ///< Of producers and depends_on_past tasks of current DAGs.
  /// Of each DAG that has depends_on_past / wait_for_downstream tasks: the finished run of the
  /// greatest logical date, and the one just before each unfinished run.
  std::vector<ActiveRun> last_runs;
  std::vector<AssetRow> assets;
  std::vector<AssetAliasRow> aliases;
  std::vector<AssetAliasBound> alias_assets;
  std::vector<AssetQueueRow> asset_queue;
  AssetKey next_asset_key = 1;
  AssetAliasKey next_alias_key = 1;
  AssetEventKey next_asset_event_key = 1;
  RunKey next_run_key = 1;
  BackfillKey next_backfill_key = 1;
};

}  // namespace etesian
