#pragma once
#include <fmt/format.h>

#include <string_view>

#include "base/file.h"
#include "store/order.h"
#include "store/past_needs.h"
#include "store/sqlite/database.h"
#include "store/sqlite/names.h"
#include "store/store.h"

namespace etesian::sqlite {

/// Store on one SQLite file. The contract is store/store.h's; bodies lie by theme: sqlite_store.cc
/// (open, commit, accounts), load.cc, listings.cc, inputs_and_assets.cc, lookups.cc, verify.cc.
class SqliteStore final : public Store {
 public:
  /// Throws Failure.
  SqliteStore(LockFile lock, const std::string& path);

  Result<Sequence> commit(std::span<const Item> items) override;
  void idle() override { db_.checkpoint_when_idle(); }
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
  Result<std::vector<PoolRow>> pools() override;
  Result<std::vector<VariableRow>> variables() override;
  Result<std::vector<ConnectionRow>> connections() override;
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
  Result<Sequence> last_sequence() override { return last_sequence_; }
  Result<StoredState::ActiveRun> revive(RunKey run, const DagBuilder& build) override;
  Result<std::vector<UserRow>> users() override;
  Result<Done> put_user(const UserRow& user) override;
  Result<std::vector<TokenRow>> tokens(Instant now) override;
  Result<Done> put_token(const TokenRow& token) override;
  Result<Done> drop_tokens_of(const std::string& user) override;
  Result<std::vector<std::string>> verify() override;

 private:
  LockFile lock_;  ///< Outlives the connection.
  Database db_;
  Names names_;
  Sequence last_sequence_ = 0;
};

/// What `body` returns, or its Failure as an Error: "<action>: <cause>".
template <class Body>
auto guarded(std::string_view action, Body&& body) -> Result<decltype(body())> {
  try {
    return body();
  } catch (const Failure& failure) {
    return Error{failure.error.code, fmt::format("{}: {}", action, failure.error.message)};
  }
}

/// A task instance from the columns ETESIAN_SUMMARY_COLUMNS.
InstanceSummary instance_summary(Database& db, const Statement& s);

/// The DAG version that `version_key` names, with its tags. Throws Failure (NotFound).
DagSummary dag_summary(Database& db, Key version_key);

}  // namespace etesian::sqlite
