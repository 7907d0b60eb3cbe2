#pragma once
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/api.h"
#include "base/json.h"
#include "engine/engine.h"
#include "loader/canonical.h"

namespace etesian::api {

/// A folder of its own for each test; gone afterwards.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "etesian_api_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// The real scheduler on the memory store, without threads: everything happens within the call.
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
    revive_for(command);
    const Moment at = moment();
    Decision decision = step(world_, command, at);
    if (decision.refused) return on_done(*decision.refused);
    std::vector<Store::Item> items;
    for (auto& change : decision.changes) items.push_back({std::move(change), at.now});
    auto sequence = store_->commit(items);
    if (!sequence) return on_done(sequence.error());
    ++commits;
    on_done(CommandDone{decision.run, decision.backfill, *sequence});
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

  std::vector<ImportError> errors;
  int commits = 0;

 private:
  /// A command about a finished run: the world takes it back first.
  void revive_for(const Event& command) {
    RunKey key = 0;
    if (const auto* clear = std::get_if<ClearInstances>(&command)) key = clear->keys.front().run;
    if (const auto* mark = std::get_if<MarkInstances>(&command)) key = mark->keys.front().run;
    if (const auto* mark = std::get_if<MarkRun>(&command)) key = mark->run;
    if (const auto* note = std::get_if<SetNote>(&command)) key = note->run;
    if (const auto* removal = std::get_if<RemoveRun>(&command)) key = removal->run;
    if (key == 0 || world_.run(key) != nullptr) return;
    auto facts =
        store_->revive(key, [](const DagSummary& stored) -> Result<std::shared_ptr<const Dag>> {
          auto definition = definition_from_canonical(stored.canonical);
          if (!definition) return definition.error();
          definition->canonical = stored.canonical;
          definition->version = stored.version;
          return Dag::build(std::move(*definition));
        });
    ASSERT_TRUE(facts) << facts.error().message;
    world_.revive(std::move(*facts));
  }
  Moment moment() { return {clock_.now(), clock_.uptime(), ++entropy_}; }

  std::recursive_mutex mutex_;  ///< Of everything below; the hashing threads come in too.
  std::unique_ptr<Store> store_;
  std::shared_ptr<Vault> vault_;
  FakeClock clock_;
  World world_;
  std::map<int, std::function<void(Sequence)>> listeners_;
  int handles_ = 0;
  std::uint64_t entropy_ = 0;
};

/// The text of an endless answer so far.
class RecordedStream final : public http::Stream {
 public:
  bool write(std::string_view chunk) override {
    const std::lock_guard lock(mutex_);
    if (is_open_) text_ += chunk;
    return is_open_;
  }
  void end() override { close(); }
  bool is_open() const override {
    const std::lock_guard lock(mutex_);
    return is_open_;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    closed_.notify_all();
  }
  /// Waits until the server has ended it.
  std::string whole_text() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(closed_.wait_for(lock, std::chrono::seconds(60), [this] { return !is_open_; }));
    return text_;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable closed_;
  std::string text_;
  bool is_open_ = true;
};

class RecordedReply final : public http::Reply {
 public:
  void send(http::Response response) override { answer.set_value(std::move(response)); }
  std::shared_ptr<http::Stream> stream(http::Response head) override {
    answer.set_value(std::move(head));
    return body;
  }
  std::promise<http::Response> answer;
  std::shared_ptr<RecordedStream> body = std::make_shared<RecordedStream>();
};

/// An installation with the DAG "etl" (extract -> load), unpaused, and a user who is logged in.
class ApiTest : public ::testing::Test {
 protected:
  static constexpr const char* kPassword = "correct horse battery";

  ApiTest() : engine_(folder_) {
    std::optional<std::string> made;
    accounts_ = *Accounts::open(engine_, kPassword, made);
    router_ =
        make_router(engine_, accounts_, {.log_folder = folder_.file("logs"), .version = "0.1"});
    engine_.happen(DagLoaded{etl()});
  }

  static std::shared_ptr<const Dag> etl() {
    DagDefinition definition;
    definition.id = "etl";
    definition.owner = "data-platform";
    definition.relative_file = "dags/etl/dag.yaml";
    definition.source = "dag: etl\n";
    for (const auto* id : {"extract", "load"}) {
      Task task;
      task.id = id;
      task.run.kind = etesian::Command::Kind::Argv;
      task.run.words.push_back({"true", 1, 1});
      if (task.id == "load") task.after = {"extract"};
      definition.tasks.push_back(std::move(task));
    }
    definition.canonical = to_canonical(definition, CanonicalUse::Storage);
    definition.version = "v1";
    return *Dag::build(std::move(definition));
  }

  /// `line`: "GET /api/v2/dags?limit=1".
  http::Response call(const std::string& line, const std::string& body = "",
                      std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto reply = begin(line, body, std::move(headers));
    auto answer = reply->answer.get_future();
    if (answer.wait_for(std::chrono::seconds(60)) != std::future_status::ready) {
      ADD_FAILURE() << line << ": no answer";
      return {};
    }
    return answer.get();
  }

  std::shared_ptr<RecordedReply> begin(
      const std::string& line, const std::string& body = "",
      std::vector<std::pair<std::string, std::string>> headers = {}) {
    http::Request request;
    request.method = line.substr(0, line.find(' '));
    const std::string target = line.substr(line.find(' ') + 1);
    request.path = target.substr(0, target.find('?'));
    if (const auto mark = target.find('?'); mark != std::string::npos) {
      std::istringstream pairs(target.substr(mark + 1));
      for (std::string pair; std::getline(pairs, pair, '&');) {
        request.query.emplace_back(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
      }
    }
    request.headers = std::move(headers);
    if (!token_.empty()) request.headers.emplace_back("authorization", "Bearer " + token_);
    request.body = body;
    request.peer = "192.0.2.7";
    auto reply = std::make_shared<RecordedReply>();
    router_->handle(request, reply);
    return reply;
  }

  void log_in() {
    const auto response = call("POST /auth/token", login_body(kPassword));
    ASSERT_EQ(response.status, 201) << response.body;
    token_ = json::parse(response.body).at("access_token").as_string();
  }
  static std::string login_body(const std::string& password) {
    return json::serialize(json::object{{"username", "admin"}, {"password", password}});
  }

  /// The member at "a.0.b" of the answer, as JSON text; the status where there is no such member.
  std::string of(const http::Response& response, const std::string& path) {
    boost::system::error_code error;
    const json::value body = json::parse(response.body, error);
    const json::value* at = &body;
    std::istringstream parts(path);
    for (std::string part; !error && std::getline(parts, part, '.');) {
      if (const auto* object = at->if_object(); object != nullptr && object->contains(part)) {
        at = &object->at(part);
      } else if (const auto* list = at->if_array();
                 list != nullptr && part.find_first_not_of("0123456789") == std::string::npos &&
                 std::stoul(part) < list->size()) {
        at = &list->at(std::stoul(part));
      } else {
        return std::to_string(response.status) + ": no " + part + " in " + response.body;
      }
    }
    return json::serialize(*at);
  }

  std::string trigger(const std::string& run_id) {
    return of(call("POST /api/v2/dags/etl/dagRuns",
                   R"({"logical_date": null, "dag_run_id": ")" + run_id + "\"}"),
              "dag_run_id");
  }
  void unpause() { call("PATCH /api/v2/dags/etl", R"({"is_paused": false})"); }
  /// The agent comes up and takes work.
  void agent_comes() { engine_.happen(ExecutorUp{"local", "s1", "host-a", 8}); }
  /// Every open try starts and ends.
  void all_end(int exit_code, const std::string& output = "") {
    for (const auto& row : engine_.world().open_tries()) {
      const LaunchId id{row.id, row.launch};
      const Instant now = engine_.clock().now();
      engine_.happen(LaunchStarted{id, 4711, "host-a", now, {}});
      Outcome outcome;
      outcome.exit_code = exit_code;
      outcome.output = output;
      outcome.started_at = outcome.ended_at = now;
      engine_.happen(LaunchEnded{id, outcome});
    }
  }

  TemporaryFolder folder_;
  InlineEngine engine_;
  std::shared_ptr<Accounts> accounts_;
  std::shared_ptr<http::Router> router_;
  std::string token_;
};

/// The same, already logged in.
class UserTest : public ApiTest {
 protected:
  void SetUp() override { log_in(); }
};

}  // namespace etesian::api
