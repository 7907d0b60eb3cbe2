#pragma once
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "model/asset.h"
#include "model/dag.h"
#include "model/human_input.h"
#include "model/run.h"

namespace etesian {

/// A pool and its slots. "default_pool" always exists.
struct PoolRow {
  std::string name;
  int slots = 128;  ///< -1: without limit.
  std::string description;
  bool include_deferred = false;
};

/// Secret values are sealed (engine/vault.h) before they come here.
struct VariableRow {
  std::string key, sealed_value, description;
};
struct ConnectionRow {
  std::string id, type, description, host, schema, login;
  std::string sealed_password, sealed_extra;
  int port = 0;  ///< 0: none.
};

/// A range of logical dates to run again or for the first time.
struct BackfillRow {
  BackfillKey key = 0;
  std::string dag_id;
  Instant from{}, to{};  ///< Inclusive, logical dates.
  int max_active_runs = 10;
  bool is_paused = false, run_backwards = false;
  enum class Reprocess : std::uint8_t { None, Failed, Completed } reprocess = Reprocess::None;
  std::string conf = "{}";
  Instant created_at{};
  std::optional<Instant> completed_at;
  std::string created_by;
};

// ---- facts that were decided: plain values; they print, compare, serialise and replay ----

/// A DAG's current definition. `is_paused` counts only when the DAG is new.
struct DagChanged {
  std::shared_ptr<const Dag> dag;
  bool is_paused = false;
};
struct DagRemoved {
  std::string dag_id;  ///< Its file is gone: no new runs; history stays.
};
struct DagPaused {
  std::string dag_id;
  bool is_paused = false;
};
/// The newest scheduled run of a DAG; written with the RunCreated that it stands for (or without
/// one where overlap or a missed window skipped it).
struct CursorMoved {
  std::string dag_id;
  Instant run_after{}, logical_date{};
  DataInterval interval{};
};
/// With its task instances: one row for each task, state None, map index -1.
struct RunCreated {
  RunRow row;
  std::shared_ptr<const Dag> dag;
};
struct RunChanged {
  RunState from{};
  RunRow row;  ///< Complete, as it is now.
  std::string reason;
};
struct RunRemoved {
  RunKey run = 0;
};
/// A mapped task's row with map index -1 becomes `count` (>= 1) rows 0..count-1. A later growth or
/// shrinkage (after a clear) is a second TaskExpanded: new rows are added, surplus ones are
/// Removed.
struct TaskExpanded {
  InstanceKey key;  ///< map_index -1.
  std::int32_t count = 0;
  std::vector<std::string> arguments;  ///< One JSON object for each instance.
};
/// Every move of a task instance. `from` and `from_try` are the expectation: the store refuses the
/// batch when the row has other values.
struct InstanceChanged {
  TaskState from{};
  int from_try = 0;
  InstanceRow row;     ///< Complete, as it is now.
  std::string reason;  ///< Why, for people; also written into the task's event list.
};
struct TryOpened {
  TryRow row;
};
/// Started, offered again (launch + 1), or ended (outcome set).
struct TryChanged {
  TryRow row;
};
struct OutputStored {
  InstanceKey key;
  std::string name;  ///< "return_value" for $ETESIAN_OUTPUT; an XCom's key.
  std::string json;
  std::optional<int> length{};  ///< Of a list or dict that a mapped task of Airflow maps over.
};
struct OutputsRemoved {
  InstanceKey key;
  std::string name;  ///< Empty: all.
};
/// A value of the state store of Airflow 3.3: what a task keeps for its next try or poll.
struct StateStored {
  StatePlace place;
  std::string key, json;
  std::optional<Instant> expires_at{};
};
struct StateRemoved {
  StatePlace place;
  std::string key;  ///< Empty: all.
};
/// A task asked a person something, or was answered.
struct HumanInputChanged {
  HumanInput row;  ///< Complete, as it is now.
};
/// An asset is known now, or what is known of it changed. Assets that a DAG names come before its
/// DagChanged.
struct AssetChanged {
  AssetRow row;  ///< Complete, as it is now.
};
struct AssetAliasChanged {
  AssetAliasRow row;
};
/// An event of the asset came through the alias, for the first time.
struct AssetAliasBound {
  AssetAliasKey alias = 0;
  AssetKey asset = 0;
};
struct AssetEventAdded {
  AssetEventRow row;
};
/// Written with the AssetEventAdded that it stands for.
struct AssetQueued {
  AssetQueueRow row;
};
struct AssetUnqueued {
  std::string dag_id;
  AssetKey asset = 0;
};
/// Events up to this one are no matter of the DAG's next run for assets.
struct AssetCursorMoved {
  std::string dag_id;
  AssetEventKey event = 0;
};
/// A run for assets consumes the events after `after` up to `until` that are of one of the assets
/// or came through one of the aliases. Written with its RunCreated.
struct AssetEventsConsumed {
  RunKey run = 0;
  AssetEventKey after = 0, until = 0;
  std::vector<AssetKey> assets;
  std::vector<AssetAliasKey> aliases;
};
struct PoolChanged {
  PoolRow row;
};
struct PoolRemoved {
  std::string name;
};
struct VariableChanged {
  VariableRow row;
};
struct VariableRemoved {
  std::string key;
};
struct ConnectionChanged {
  ConnectionRow row;
};
struct ConnectionRemoved {
  std::string id;
};
struct BackfillChanged {
  BackfillRow row;  ///< New key: created.
};
/// Who did what, for eventLogs. Automatic decisions are the change table itself.
struct Audited {
  Instant at{};
  std::string actor, event, dag_id, run_id, task_id, details;  ///< `details`: JSON object text.
  int map_index = -1;
};

using Change = std::variant<DagChanged, DagRemoved, DagPaused, CursorMoved, RunCreated, RunChanged,
                            RunRemoved, TaskExpanded, InstanceChanged, TryOpened, TryChanged,
                            OutputStored, OutputsRemoved, StateStored, StateRemoved, PoolChanged,
                            PoolRemoved, VariableChanged, VariableRemoved, ConnectionChanged,
                            ConnectionRemoved, BackfillChanged, Audited, HumanInputChanged,
                            AssetChanged, AssetAliasChanged, AssetAliasBound, AssetEventAdded,
                            AssetQueued, AssetUnqueued, AssetCursorMoved, AssetEventsConsumed>;

/// One line: "run 7 extract[2]: queued -> running (try 1)". For tests, logs and replays.
std::string to_text(const Change& change);

}  // namespace etesian
