#pragma once
// An engine without threads: the real scheduler on the memory store, everything within the call.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace etesian::test {

/// A folder of its own for each test; gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "etesian_test_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class InlineEngine final : public Engine {
 public:
  explicit InlineEngine(const TemporaryFolder& folder)
      : store_(make_memory_store()),
        vault_(*Vault::open(folder.file("key"))),
        clock_(std::chrono::sys_days(std::chrono::year(2024) / 8 / 15)) {
    std::vector<std::string> problems;
    auto state = store_->load(
        [](const DagSummary&) -> Result<std::shared_ptr<const Dag>> {
          return Error{ErrorCode::NotFound, "nothing is stored yet"};
        },
        problems);
    world_ = World::load(std::move(*state), moment());
  }

  void submit(Event command, std::function<void(Result<CommandDone>)> on_done) override {
    const std::lock_guard lock(mutex_);
    if (const auto* loaded = std::get_if<DagLoaded>(&command))
      dags_[{loaded->dag->id(), loaded->dag->version()}] = loaded->dag;
    if (auto refused = revive_for(command)) return on_done(*refused);
    const Moment at = moment();
    Decision decision = step(world_, command, at);
    if (decision.refused) return on_done(*decision.refused);
    std::vector<Store::Item> items;
    for (auto& change : decision.changes) items.push_back({std::move(change), at.now});
    auto sequence = store_->commit(items);
    if (!sequence) return on_done(sequence.error());
    if (!items.empty()) ++commits;
    on_done(CommandDone{decision.run, decision.backfill, *sequence, decision.asset_event});
    for (const auto& [handle, listener] : listeners_) listener(*sequence);
  }
  void read_world(std::function<void(const World&, const Moment&)> read) override {
    const std::lock_guard lock(mutex_);
    read(world_, moment());
  }
  void read_store(std::function<void(Store&)> read) override {
    const std::lock_guard lock(mutex_);
    read(*store_);
  }
  int subscribe(std::function<void(Sequence)> listener) override {
    listeners_.emplace(++handles_, std::move(listener));
    return handles_;
  }
  void unsubscribe(int handle) override { listeners_.erase(handle); }
  std::vector<ImportError> import_errors() const override { return errors; }
  EngineHealth health() const override {
    EngineHealth health;
    health.is_live = health.is_ready = true;
    health.last_turn = clock_.now();
    return health;
  }
  Vault& vault() override { return *vault_; }
  const Clock& clock() const override { return clock_; }
  void advance(Duration by) { clock_.advance(by); }

  /// Something that happened outside; must not be refused.
  void happen(Event event) {
    submit(std::move(event), [](Result<CommandDone> done) {
      EXPECT_TRUE(done) << (done ? "" : done.error().message);
    });
  }
  const World& world() const { return world_; }
  Store& store() { return *store_; }

  std::vector<ImportError> errors;
  int commits = 0;

 private:
  /// The run that a command is about, where it may be a finished one.
  static RunKey run_of(const Event& command) {
    if (const auto* e = std::get_if<ClearInstances>(&command)) return e->keys.front().run;
    if (const auto* e = std::get_if<MarkInstances>(&command)) return e->keys.front().run;
    if (const auto* e = std::get_if<MarkRun>(&command)) return e->run;
    if (const auto* e = std::get_if<SetNote>(&command)) return e->run;
    if (const auto* e = std::get_if<RemoveRun>(&command)) return e->run;
    if (const auto* e = std::get_if<AnswerHuman>(&command)) return e->key.run;
    if (const auto* e = std::get_if<OutputPushed>(&command)) return e->key.run;
    if (const auto* e = std::get_if<OutputDropped>(&command)) return e->key.run;
    if (const auto* e = std::get_if<SetRenderedMapIndex>(&command)) return e->key.run;
    return 0;
  }
  /// The world takes a finished run back before a command about it.
  std::optional<Error> revive_for(const Event& command) {
    const RunKey key = run_of(command);
    if (key == 0 || world_.run(key) != nullptr) return std::nullopt;
    auto facts =
        store_->revive(key, [this](const DagSummary& stored) -> Result<std::shared_ptr<const Dag>> {
          return dags_.at({stored.dag_id, stored.version});
        });
    if (!facts) return facts.error();
    world_.revive(std::move(*facts));
    return std::nullopt;
  }
  Moment moment() { return {clock_.now(), clock_.uptime(), ++entropy_}; }

  std::recursive_mutex mutex_;  ///< Of everything below; other threads of a test come in too.
  std::unique_ptr<Store> store_;
  std::shared_ptr<Vault> vault_;
  FakeClock clock_;
  World world_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Dag>> dags_;
  std::map<int, std::function<void(Sequence)>> listeners_;
  int handles_ = 0;
  std::uint64_t entropy_ = 0;
};

}  // namespace etesian::test
