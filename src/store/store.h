#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/change.h"
#include "model/stored_state.h"

namespace etesian {

/// Position in the change table: one history, resumed by it.
using Sequence = std::uint64_t;

/// One row of the change table, as the event stream and the audit see it.
struct ChangeRecord {
  Sequence sequence = 0;
  Instant at{};
  std::string kind;  ///< "run", "task_instance", "dag", "try", …
  std::string dag_id, run_id, task_id;
  std::int32_t map_index = -1;
  std::string from, to;  ///< States where the change is a move.
  int try_number = 0;
  std::string reason;
};

struct Paging {
  int limit = 50;  ///< 1..1000
  int offset = 0;
  std::string
      order_by;  ///< A name that the listing allows; "-" in front: descending. Empty: default.
};
template <class Row>
struct Listing {
  std::vector<Row> rows;
  std::int64_t total = 0;  ///< Without paging.
};

struct DagFilter {
  std::optional<std::string> id_contains, owner, tag;
  std::optional<bool> is_paused;
  bool include_removed = false;
};
struct DagSummary {
  std::string dag_id, version, canonical, folder, relative_file, source, description, owner,
      schedule_text;
  std::vector<std::string> tags;
  bool is_paused = false, is_removed = false;
  int version_number = 1;  ///< Counts the versions of this DAG from 1.
  Instant first_seen{}, last_changed{};
};
/// Half-open bounds as Airflow's API names them: gte/gt/lte/lt.
struct TimeRange {
  std::optional<Instant> gte, gt, lte, lt;
};
struct RunFilter {
  std::optional<RunKey> key;
  std::optional<std::string> dag_id;  ///< Absent: all DAGs ("~").
  std::vector<RunState> states;
  std::vector<RunType> types;
  std::optional<std::string> run_id_contains, triggered_by;
  std::optional<BackfillKey> backfill;
  TimeRange logical_date, run_after, started_at, ended_at;
};
struct InstanceFilter {
  std::optional<std::string> dag_id, run_id, task_id;
  std::vector<TaskState> states;
  std::optional<std::int32_t> map_index;
  std::vector<std::string> pools;
  TimeRange logical_date, started_at, ended_at;
};
/// A task instance beside its run, as pages show it.
struct InstanceSummary {
  InstanceRow row;
  std::string dag_id, run_id, task_id, dag_version;
  std::optional<Instant> logical_date;
  Instant run_after{};
  std::string map_arguments;  ///< JSON object; empty when not mapped.
  std::optional<TryRow> last_try;
};
struct OutputRow {
  InstanceKey key;
  std::string dag_id, run_id, task_id, name, json;
  Instant at{};
};
struct OutputFilter {
  std::string dag_id;
  std::optional<std::string> run_id, task_id, name;
  std::optional<std::int32_t> map_index;
  /// Of runs at or before this date: the logical one, run_after where there is none.
  std::optional<Instant> date_lte;
  bool has_values = true;      ///< False: `json` is left empty and long texts are not read.
  int limit = -1, offset = 0;  ///< -1: all.
};
struct HumanInputFilter {
  std::optional<std::string> dag_id, run_id, task_id;
  std::optional<std::string> dag_id_contains, task_id_contains, subject_contains, body_contains;
  std::optional<std::int32_t> map_index;
  std::vector<TaskState> states;  ///< Of the instance.
  std::optional<bool> is_answered;
  std::vector<std::string> answered_by_ids, answered_by_names;
  TimeRange asked_at;
};
/// A question beside the instance that asks it.
struct HumanInputSummary {
  HumanInput row;
  InstanceSummary instance;
};
struct AssetFilter {
  std::optional<AssetKey> key;
  std::optional<std::string> name, uri;
  std::optional<std::string> alias;  ///< Through which it had events.
  std::optional<std::string> name_contains, name_prefix, uri_contains, uri_prefix;
  std::vector<std::string> dag_ids;  ///< That name it in their schedule or their tasks.
  bool only_active = false;
};
/// Which DAGs and tasks name an asset; of the current versions.
struct AssetReference {
  std::string dag_id, task_id;  ///< Empty task: the schedule.
  Instant created_at{}, updated_at{};
};
struct AssetSummary {
  AssetRow row;
  std::vector<AssetReference> scheduled_dags, producing_tasks, consuming_tasks;
  std::vector<AssetAliasRow> aliases;  ///< Through which it had events.
  std::optional<AssetEventKey> last_event;
  std::optional<Instant> last_event_at;
};
struct AssetAliasFilter {
  std::optional<AssetAliasKey> key;
  std::optional<std::string> name_contains, name_prefix;
};
struct AssetEventFilter {
  std::optional<AssetEventKey> key;
  std::optional<AssetKey> asset;
  std::optional<std::string> alias;  ///< Those that came through the alias of this name.
  std::optional<std::string> dag_id, run_id, task_id;  ///< Of the task that it comes from.
  std::optional<std::int32_t> map_index;
  std::optional<std::string> name_contains, name_prefix;  ///< Of the asset.
  std::optional<RunKey> consumed_by;
  TimeRange at;
};
struct AssetEventSummary {
  AssetEventRow row;
  Asset asset;
  std::vector<std::string> alias_names;
  struct Consumer {
    RunRow run;
    bool is_triggering = false;  ///< It is the last of the events that the run consumes.
  };
  std::vector<Consumer> consumers;
};
struct AuditFilter {
  std::optional<std::string> dag_id, run_id, task_id, event, actor;
  TimeRange at;
};
struct AuditRow {
  std::int64_t id = 0;
  Audited row;
};
struct UserRow {
  std::string name, password_hash, role;
};
/// A login's token, stored hashed.
struct TokenRow {
  std::string token_hash, user, purpose;
  Instant created_at{}, expires_at{};
};

/// State that survives. One implementation for SQLite, one in memory (tests, simulation), later one
/// for PostgreSQL; all pass the same contract suite (tests/contract/store_contract.h).
///
/// Thread: called by one thread at a time (engine/store_thread.h gives the queue).
/// Durability: what `commit` returned for is durable, also at power loss.
class Store {
 public:
  /// Rebuilds a Dag from its stored definition; the loader's part, handed in by the wiring.
  using DagBuilder = std::function<Result<std::shared_ptr<const Dag>>(const DagSummary&)>;

  struct Item {
    Change change;
    Instant at{};
  };

  virtual ~Store() = default;

  /// All items in one transaction, in order. Returns the sequence of the last change.
  /// Errors: Conflict (an expectation `from` / `from_try` does not hold, a run id or logical date
  /// exists already: nothing was written), Unavailable (disk full, busy: nothing was written),
  /// Corrupt. An I/O error of fsync ends the process: its outcome would be unknown.
  /// RunCreated and TaskExpanded make instances in state None with the task's retries as max_tries;
  /// the text `output` of an Outcome is not kept with the try (OutputStored is), and tries write no
  /// record of the change table: the instance's moves carry their number.
  virtual Result<Sequence> commit(std::span<const Item> items) = 0;
  /// Nothing is waiting to be committed: time for upkeep that would slow a commit down.
  virtual void idle() {}

  /// Current facts and unfinished work. `build` may fail for one DAG: its runs are then left out
  /// and named in `problems`.
  virtual Result<StoredState> load(const DagBuilder& build, std::vector<std::string>& problems) = 0;

  // ---- reading, for API and command line ----
  virtual Result<Listing<DagSummary>> dags(const DagFilter& filter, const Paging& paging) = 0;
  virtual Result<DagSummary> dag(const std::string& dag_id) = 0;
  virtual Result<DagSummary> dag_version(const std::string& dag_id, const std::string& version) = 0;
  virtual Result<std::vector<DagSummary>> dag_versions(const std::string& dag_id) = 0;
  virtual Result<Listing<RunRow>> runs(const RunFilter& filter, const Paging& paging) = 0;
  /// Of each DAG the successful run with the newest logical date.
  virtual Result<std::vector<RunRow>> newest_successes() = 0;
  virtual Result<RunRow> run(const std::string& dag_id, const std::string& run_id) = 0;
  virtual Result<Listing<InstanceSummary>> instances(const InstanceFilter& filter,
                                                     const Paging& paging) = 0;
  /// All instances of a run, task order then map index.
  virtual Result<std::vector<InstanceRow>> instances_of(RunKey run) = 0;
  /// Tries of an instance, oldest first (cleared ones included).
  virtual Result<std::vector<TryRow>> tries(const InstanceKey& key) = 0;
  virtual Result<std::vector<OutputRow>> outputs(const std::string& dag_id,
                                                 const std::string& run_id,
                                                 const std::string& task_id) = 0;
  /// Order: newest run first by that date, the later made one among equals; then task order, map
  /// index, name.
  virtual Result<std::vector<OutputRow>> outputs(const OutputFilter& filter) = 0;
  virtual Result<std::vector<PoolRow>> pools() = 0;
  virtual Result<std::vector<VariableRow>> variables() = 0;
  virtual Result<std::vector<ConnectionRow>> connections() = 0;
  virtual Result<Listing<BackfillRow>> backfills(const std::optional<std::string>& dag_id,
                                                 const Paging& paging) = 0;
  /// Questions of the instances' present tries (model/human_input.h).
  virtual Result<Listing<HumanInputSummary>> human_inputs(const HumanInputFilter& filter,
                                                          const Paging& paging) = 0;
  /// Questions of all tries of an instance, oldest first.
  virtual Result<std::vector<HumanInput>> human_inputs(const InstanceKey& key) = 0;

  /// A value of the state store; nullopt: there is none, or it has expired.
  virtual Result<std::optional<std::string>> state_value(const StatePlace& place,
                                                         const std::string& key, Instant now) = 0;
  virtual Result<Listing<AssetSummary>> assets(const AssetFilter& filter, const Paging& paging) = 0;
  virtual Result<Listing<AssetAliasRow>> asset_aliases(const AssetAliasFilter& filter,
                                                       const Paging& paging) = 0;
  virtual Result<Listing<AssetEventSummary>> asset_events(const AssetEventFilter& filter,
                                                          const Paging& paging) = 0;
  /// By DAG id, then asset.
  virtual Result<std::vector<AssetQueueRow>> asset_queue(const std::optional<std::string>& dag_id,
                                                         const std::optional<AssetKey>& asset) = 0;
  virtual Result<Listing<AuditRow>> audit(const AuditFilter& filter, const Paging& paging) = 0;
  /// Changes after `after`, oldest first, at most `count_max`.
  virtual Result<std::vector<ChangeRecord>> changes(Sequence after, std::size_t count_max) = 0;
  virtual Result<Sequence> last_sequence() = 0;

  // ---- an unfinished run needs a finished one again (clear of an ended run) ----
  /// A finished run with its instances, outputs and map arguments, to be put back into the world.
  virtual Result<StoredState::ActiveRun> revive(RunKey run, const DagBuilder& build) = 0;

  // ---- accounts ----
  virtual Result<std::vector<UserRow>> users() = 0;
  virtual Result<Done> put_user(const UserRow& user) = 0;
  virtual Result<std::vector<TokenRow>> tokens(Instant now) = 0;  ///< Expired ones are dropped.
  virtual Result<Done> put_token(const TokenRow& token) = 0;
  virtual Result<Done> drop_tokens_of(const std::string& user) = 0;

  /// Checks the invariants I5..I17 of docs/reliability.md that rows can show; each broken one as a
  /// sentence.
  virtual Result<std::vector<std::string>> verify() = 0;
};

/// Opens (and creates or migrates) the database file. One process, one connection: see
/// docs/reliability.md#sqlite. Errors: Conflict ("… is in use by pid N"), Corrupt, Unavailable,
/// InvalidInput (made by a newer version; on a network file system without the explicit option).
struct SqliteOptions {
  bool allow_network_file_system = false;
};
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path,
                                                 const SqliteOptions& options);
/// Everything in memory; the same contract, no durability.
std::unique_ptr<Store> make_memory_store();

}  // namespace etesian
