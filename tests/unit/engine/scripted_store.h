#pragma once
// A store whose commits answer by script, and can be held up, for the tests of the thread that owns
// it.
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "store/store.h"

namespace etesian::test {

/// What the test sees of a ScriptedStore, and says to it; outlives the store.
class Script {
 public:
  /// The next commits answer with these, in order; after them every commit succeeds.
  void answer_with(std::vector<ErrorCode> codes) {
    const std::lock_guard lock(mutex_);
    for (const ErrorCode code : codes) answers_.push_back(code);
  }
  /// Commits wait inside the store until `release`.
  void hold() {
    const std::lock_guard lock(mutex_);
    is_held_ = true;
  }
  void release() {
    const std::lock_guard lock(mutex_);
    is_held_ = false;
    changed_.notify_all();
  }
  /// Until so many commits have begun, failed ones included. False: not within a minute.
  bool wait_for_commits(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return begun_ >= count; });
  }
  /// Keys of the variables of each commit that succeeded: "a b | c".
  std::string committed() const {
    const std::lock_guard lock(mutex_);
    return committed_;
  }
  int faults() const {
    const std::lock_guard lock(mutex_);
    return faults_;
  }

 private:
  friend class ScriptedStore;
  Result<Sequence> commit(std::span<const Store::Item> items) {
    std::unique_lock lock(mutex_);
    ++begun_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_held_; });
    if (!answers_.empty()) {
      const ErrorCode code = answers_.front();
      answers_.pop_front();
      ++faults_;
      return Error{code,
                   code == ErrorCode::Conflict ? "commit: the world differs" : "commit: disk full"};
    }
    std::string keys;
    for (const Store::Item& item : items)
      keys += (keys.empty() ? "" : " ") + std::get<VariableChanged>(item.change).row.key;
    committed_ += (committed_.empty() ? "" : " | ") + keys;
    return sequence_ += items.size();
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ErrorCode> answers_;
  std::string committed_;
  std::size_t begun_ = 0;
  Sequence sequence_ = 0;
  int faults_ = 0;
  bool is_held_ = false;
};

/// Commits by script; every read is unavailable.
class ScriptedStore final : public Store {
 public:
  explicit ScriptedStore(Script& script) : script_(script) {}
  Result<Sequence> commit(std::span<const Item> items) override { return script_.commit(items); }

  Result<StoredState> load(const DagBuilder&, std::vector<std::string>&) override { return none(); }
  Result<Listing<DagSummary>> dags(const DagFilter&, const Paging&) override { return none(); }
  Result<DagSummary> dag(const std::string&) override { return none(); }
  Result<DagSummary> dag_version(const std::string&, const std::string&) override { return none(); }
  Result<std::vector<DagSummary>> dag_versions(const std::string&) override { return none(); }
  Result<Listing<RunRow>> runs(const RunFilter&, const Paging&) override { return none(); }
  Result<std::vector<RunRow>> newest_successes() override { return none(); }
  Result<RunRow> run(const std::string&, const std::string&) override { return none(); }
  Result<Listing<InstanceSummary>> instances(const InstanceFilter&, const Paging&) override {
    return none();
  }
  Result<std::vector<InstanceRow>> instances_of(RunKey) override { return none(); }
  Result<std::vector<TryRow>> tries(const InstanceKey&) override { return none(); }
  Result<std::vector<OutputRow>> outputs(const std::string&, const std::string&,
                                         const std::string&) override {
    return none();
  }
  Result<std::vector<OutputRow>> outputs(const OutputFilter&) override { return none(); }
  Result<std::vector<PoolRow>> pools() override { return none(); }
  Result<std::vector<VariableRow>> variables() override { return none(); }
  Result<std::vector<ConnectionRow>> connections() override { return none(); }
  Result<Listing<BackfillRow>> backfills(const std::optional<std::string>&,
                                         const Paging&) override {
    return none();
  }
  Result<Listing<HumanInputSummary>> human_inputs(const HumanInputFilter&, const Paging&) override {
    return none();
  }
  Result<std::vector<HumanInput>> human_inputs(const InstanceKey&) override { return none(); }
  Result<std::optional<std::string>> state_value(const StatePlace&, const std::string&,
                                                 Instant) override {
    return none();
  }
  Result<Listing<AssetSummary>> assets(const AssetFilter&, const Paging&) override {
    return none();
  }
  Result<Listing<AssetAliasRow>> asset_aliases(const AssetAliasFilter&, const Paging&) override {
    return none();
  }
  Result<Listing<AssetEventSummary>> asset_events(const AssetEventFilter&, const Paging&) override {
    return none();
  }
  Result<std::vector<AssetQueueRow>> asset_queue(const std::optional<std::string>&,
                                                 const std::optional<AssetKey>&) override {
    return none();
  }
  Result<Listing<AuditRow>> audit(const AuditFilter&, const Paging&) override { return none(); }
  Result<std::vector<ChangeRecord>> changes(Sequence, std::size_t) override { return none(); }
  Result<Sequence> last_sequence() override { return none(); }
  Result<StoredState::ActiveRun> revive(RunKey, const DagBuilder&) override { return none(); }
  Result<std::vector<UserRow>> users() override { return none(); }
  Result<Done> put_user(const UserRow&) override { return none(); }
  Result<std::vector<TokenRow>> tokens(Instant) override { return none(); }
  Result<Done> put_token(const TokenRow&) override { return none(); }
  Result<Done> drop_tokens_of(const std::string&) override { return none(); }
  Result<std::vector<std::string>> verify() override { return none(); }

 private:
  static Error none() { return {ErrorCode::Unavailable, "read: not scripted"}; }
  Script& script_;
};

}  // namespace etesian::test
