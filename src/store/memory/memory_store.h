#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "store/change_kind.h"
#include "store/store.h"

namespace etesian::memory {

/// Refusal of a change; thrown inside commit only.
struct Refusal {
  std::string why;
};

/// Ordered maps of rows, and a list of how to undo what the current commit did to them. Cost of
/// reads: O(rows) for listings. For tests and simulations.
class MemoryStore : public Store {
 public:
  MemoryStore();
  Result<Sequence> commit(std::span<const Item> items) override;
  Result<StoredState> load(const DagBuilder& build, std::vector<std::string>& problems) override;
  Result<Listing<DagSummary>> dags(const DagFilter& filter, const Paging& paging) override;
  Result<DagSummary> dag(const std::string& dag_id) override;
  Result<DagSummary> dag_version(const std::string& dag_id, const std::string& version) override;
  Result<std::vector<DagSummary>> dag_versions(const std::string& dag_id) override;
  Result<Listing<RunRow>> runs(const RunFilter& filter, const Paging& paging) override;
  Result<std::vector<RunRow>> newest_successes() override;
  Result<RunRow> run(const std::string& dag_id, const std::string& run_id) override;
  Result<Listing<InstanceSummary>> instances(const InstanceFilter& filter,
                                             const Paging& paging) override;
  Result<std::vector<InstanceRow>> instances_of(RunKey run) override;
  Result<std::vector<TryRow>> tries(const InstanceKey& key) override;
  Result<std::vector<OutputRow>> outputs(const std::string& dag_id, const std::string& run_id,
                                         const std::string& task_id) override;
  Result<std::vector<OutputRow>> outputs(const OutputFilter& filter) override;
  Result<std::vector<PoolRow>> pools() override { return values(pools_); }
  Result<std::vector<VariableRow>> variables() override { return values(variables_); }
  Result<std::vector<ConnectionRow>> connections() override { return values(connections_); }
  Result<Listing<BackfillRow>> backfills(const std::optional<std::string>& dag_id,
                                         const Paging& paging) override;
  Result<Listing<HumanInputSummary>> human_inputs(const HumanInputFilter& filter,
                                                  const Paging& paging) override;
  Result<std::vector<HumanInput>> human_inputs(const InstanceKey& key) override;
  Result<std::optional<std::string>> state_value(const StatePlace& place, const std::string& key,
                                                 Instant now) override;
  Result<Listing<AssetSummary>> assets(const AssetFilter& filter, const Paging& paging) override;
  Result<Listing<AssetAliasRow>> asset_aliases(const AssetAliasFilter& filter,
                                               const Paging& paging) override;
  Result<Listing<AssetEventSummary>> asset_events(const AssetEventFilter& filter,
                                                  const Paging& paging) override;
  Result<std::vector<AssetQueueRow>> asset_queue(const std::optional<std::string>& dag_id,
                                                 const std::optional<AssetKey>& asset) override;
  Result<Listing<AuditRow>> audit(const AuditFilter& filter, const Paging& paging) override;
  Result<std::vector<ChangeRecord>> changes(Sequence after, std::size_t count_max) override;
  Result<Sequence> last_sequence() override { return changes_.size(); }
  Result<StoredState::ActiveRun> revive(RunKey run, const DagBuilder& build) override;
  Result<std::vector<UserRow>> users() override { return values(users_); }
  Result<Done> put_user(const UserRow& user) override;
  Result<std::vector<TokenRow>> tokens(Instant now) override;
  Result<Done> put_token(const TokenRow& token) override;
  Result<Done> drop_tokens_of(const std::string& user) override;
  Result<std::vector<std::string>> verify() override;

 private:
  struct TaskName {
    std::string id, pool;
    int retries = 0;
  };
  struct Version {
    DagSummary summary;
    Instant created_at{};
    std::vector<TaskName> tasks;
  };
  /// Why a DAG names an asset: 's'chedule, 'i'nlet or 'o'utlet; by which task.
  using Reference = std::tuple<char, std::string, AssetKey>;
  struct DagEntry {
    bool is_paused = false, is_removed = false;
    Instant first_seen{}, last_changed{};
    std::string version;
    std::vector<Version> versions;  ///< In order of their numbers.
    std::optional<CursorMoved> cursor;
    std::optional<AssetEventKey> asset_cursor;
    std::map<Reference, AssetReference> references;
  };
  struct Output {
    std::string json;
    Instant at{};
    std::optional<int> length{};
  };
  using TryKey = std::tuple<InstanceKey, int, Uuid>;

  template <class Map>
  static std::vector<typename Map::mapped_type> values(const Map& map) {
    std::vector<typename Map::mapped_type> rows;
    for (const auto& [key, row] : map) rows.push_back(row);
    return rows;
  }
  /// Sets or erases an entry so that `undo_` can bring the old one back.
  template <class Map>
  void put(Map& map, const typename Map::key_type& key, typename Map::mapped_type value);
  template <class Map>
  void drop(Map& map, const typename Map::key_type& key);
  /// Erases every entry that `matches(key)`.
  template <class Map, class Matches>
  void drop_where(Map& map, Matches&& matches);
  void record(ChangeRecord record);

  void write(const DagChanged& change);
  void write(const DagRemoved& change);
  void write(const DagPaused& change);
  void write(const CursorMoved& change);
  void write(const RunCreated& change);
  void write(const RunChanged& change);
  void write(const RunRemoved& change);
  void write(const TaskExpanded& change);
  void write(const InstanceChanged& change);
  void write(const TryOpened& change);
  void write(const TryChanged& change);
  void write(const OutputStored& change);
  void write(const OutputsRemoved& change);
  void write(const PoolChanged& change);
  void write(const PoolRemoved& change);
  void write(const VariableChanged& change);
  void write(const VariableRemoved& change);
  void write(const ConnectionChanged& change);
  void write(const ConnectionRemoved& change);
  void write(const BackfillChanged& change);
  void write(const Audited& change);
  void write(const HumanInputChanged& change);
  void write(const StateStored& change);
  void write(const StateRemoved& change);
  void write(const AssetChanged& change);
  void write(const AssetAliasChanged& change);
  void write(const AssetAliasBound& change);
  void write(const AssetEventAdded& change);
  void write(const AssetQueued& change);
  void write(const AssetUnqueued& change);
  void write(const AssetCursorMoved& change);
  void write(const AssetEventsConsumed& change);

  const DagEntry& expect_dag(const std::string& dag_id) const;
  const RunRow& expect_run(RunKey key) const;
  void add_version(DagEntry& entry, const Dag& dag) const;
  void refer(DagEntry& entry, const DagDefinition& definition) const;
  AssetSummary asset_summary(const AssetRow& row) const;
  AssetEventSummary event_summary(const AssetEventRow& row) const;
  InstanceSummary instance_summary(const InstanceRow& row);
  const Version* version_of(const RunRow& run) const;
  std::string task_id(const RunRow& run, TaskIndex task) const;
  ChangeRecord record_of(ChangeKind kind, const std::string& name) const;
  ChangeRecord record_of(ChangeKind kind, const RunRow& run) const;
  ChangeRecord record_of(ChangeKind kind, const InstanceKey& key) const;
  ChangeRecord record_of(ChangeKind kind, const StatePlace& place, const std::string& key) const;
  DagSummary summary_of(const std::string& dag_id, const DagEntry& entry,
                        const Version& version) const;
  StoredState::ActiveRun rows_of(const RunRow& run, std::shared_ptr<const Dag> dag) const;
  void load_past(StoredState& state) const;

  std::map<std::string, DagEntry> dags_;
  std::map<RunKey, RunRow> runs_;
  std::map<InstanceKey, InstanceRow> instances_;
  std::map<InstanceKey, std::string> arguments_;
  std::map<TryKey, TryRow> tries_;
  std::map<std::pair<InstanceKey, std::string>, Output> outputs_;
  std::map<std::string, PoolRow> pools_;
  std::map<std::string, VariableRow> variables_;
  std::map<std::string, ConnectionRow> connections_;
  std::map<BackfillKey, BackfillRow> backfills_;
  std::map<std::int64_t, Audited> audit_;
  std::map<std::pair<InstanceKey, int>, HumanInput> questions_;  ///< By instance, try number.
  std::map<std::pair<StatePlace, std::string>, StateStored> states_;
  std::map<AssetKey, AssetRow> assets_;
  std::map<AssetAliasKey, AssetAliasRow> aliases_;
  std::map<AssetAliasKey, std::set<AssetKey>> alias_assets_;
  std::map<AssetEventKey, AssetEventRow> events_;
  std::map<std::pair<std::string, AssetKey>, AssetQueueRow> queue_;
  std::map<RunKey, std::set<AssetEventKey>> consumed_;
  std::map<std::string, UserRow> users_;
  std::map<std::string, TokenRow> tokens_;
  std::vector<ChangeRecord> changes_;
  RunKey last_run_ = 0;
  Instant at_{};
  std::vector<std::function<void()>> undo_;
};

template <class Map>
void MemoryStore::put(Map& map, const typename Map::key_type& key,
                      typename Map::mapped_type value) {
  const auto found = map.find(key);
  if (found == map.end()) {
    undo_.emplace_back([&map, key] { map.erase(key); });
    map.emplace(key, std::move(value));
    return;
  }
  undo_.emplace_back([&map, key, old = std::move(found->second)] { map[key] = old; });
  found->second = std::move(value);
}

template <class Map>
void MemoryStore::drop(Map& map, const typename Map::key_type& key) {
  const auto found = map.find(key);
  if (found == map.end()) return;
  undo_.emplace_back([&map, key, old = std::move(found->second)] { map[key] = old; });
  map.erase(found);
}

template <class Map, class Matches>
void MemoryStore::drop_where(Map& map, Matches&& matches) {
  std::vector<typename Map::key_type> keys;
  for (const auto& [key, value] : map)
    if (matches(key)) keys.push_back(key);
  for (const auto& key : keys) drop(map, key);
}

}  // namespace etesian::memory
