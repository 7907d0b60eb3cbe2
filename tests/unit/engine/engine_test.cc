#include "engine/engine.h"
#include "engine/dag_watch.h"
#include "engine/settings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>

#include "fakes/fake_executor.h"
#include "store/memory/memory_store.h"

namespace etesian {
namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;

/// Refuses, once each time it is told to, the next commit that changes a DAG.
class RefusingStore final : public memory::MemoryStore {
 public:
  Result<Sequence> commit(std::span<const Item> items) override {
    const auto is_of_dag = [](const Item& item) {
      return std::holds_alternative<DagChanged>(item.change);
    };
    if (must_refuse && std::any_of(items.begin(), items.end(), is_of_dag)) {
      must_refuse = false;
      ++refused;
      return Error{ErrorCode::Conflict, "the test refuses"};
    }
    return memory::MemoryStore::commit(items);
  }
  std::atomic<bool> must_refuse{false};
  std::atomic<int> refused{0};
};

/// A whole engine over a project in a fresh folder, whose executor is the test.
class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/etesian-test.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    std::filesystem::create_directories(folder_ + "/project/dags");
    auto vault = Vault::open(folder_ + "/key");
    ASSERT_TRUE(vault);
    vault_ = *vault;
  }
  void TearDown() override {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }

  void write_dag(const std::string& id, const std::string& text) const {
    // As editors do: the file appears whole.
    const std::string path = folder_ + "/project/dags/" + id + ".yaml";
    std::ofstream(folder_ + "/new") << "dag: " << id << "\n" << text;
    std::filesystem::rename(folder_ + "/new", path);
  }

  void start(std::unique_ptr<Store> store = make_memory_store()) {
    raw_store_ = store.get();
    Engine::Parts parts;
    parts.clock = std::make_shared<SystemClock>();
    parts.random = std::make_shared<SeededRandom>(7);
    parts.store = std::move(store);
    parts.vault = vault_;
    parts.make_executor = [this](Executor::Sink sink) -> Result<std::unique_ptr<Executor>> {
      desk_.connect(std::move(sink));
      return std::unique_ptr<Executor>(std::make_unique<test::FakeExecutor>(desk_));
    };
    parts.dag_sources.push_back(dag_watch(folder_ + "/project", parts.clock));
    auto engine = Engine::start({}, std::move(parts));
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
    engine_->subscribe([this](Sequence) { ring(); });
    ASSERT_TRUE(eventually([this] { return engine_->health().is_ready; }));
  }

  /// Looks again after each commit (and now and then, for what is not committed) for a minute.
  bool eventually(const std::function<bool()>& is_true) {
    const auto deadline = std::chrono::steady_clock::now() + 1min;
    std::unique_lock lock(mutex_);
    while (std::chrono::steady_clock::now() < deadline) {
      const int seen = rings_;
      lock.unlock();
      if (is_true()) return true;
      lock.lock();
      rung_.wait_for(lock, 20ms, [&] { return rings_ != seen; });
    }
    return false;
  }

  /// The command's answer: "ok", or its refusal.
  std::string submit(Event command, CommandDone* done = nullptr) {
    std::promise<Result<CommandDone>> answer;
    engine_->submit(std::move(command),
                    [&](Result<CommandDone> result) { answer.set_value(std::move(result)); });
    auto future = answer.get_future();
    if (future.wait_for(1min) != std::future_status::ready) return "no answer";
    const auto result = future.get();
    if (result && done) *done = *result;
    return result ? "ok" : result.error().message;
  }
  static TriggerRun request(const std::string& dag, const std::string& conf) {
    TriggerRun request;
    request.dag_id = dag;
    request.run_id = "r1";
    request.conf = conf;
    request.actor = "ann";
    return request;
  }
  /// The key of a new run "r1" of the DAG.
  RunKey trigger(const std::string& dag, const std::string& conf = "{}") {
    CommandDone done;
    EXPECT_EQ(submit(request(dag, conf), &done), "ok");
    return done.run;
  }

  template <class T>
  T read_store(const std::function<T(Store&)>& read) {
    std::promise<T> value;
    engine_->read_store([&](Store& store) { value.set_value(read(store)); });
    return value.get_future().get();
  }
  std::string run_state(const std::string& dag) {
    return read_store<std::string>([&](Store& store) {
      const auto run = store.run(dag, "r1");
      return run ? std::string(to_text(run->state)) : run.error().message;
    });
  }
  bool run_becomes(const std::string& dag, const std::string& state) {
    return eventually([&] { return run_state(dag) == state; });
  }
  std::vector<TryRow> tries(RunKey run, TaskIndex task = 0) {
    return read_store<std::vector<TryRow>>([&](Store& store) {
      return *store.tries({run, task, -1});
    });
  }
  std::string version(const std::string& dag) {
    std::promise<std::string> value;
    engine_->read_world([&](const World& world, const Moment&) {
      const auto found = world.dag(dag);
      value.set_value(found ? found->version() : "");
    });
    return value.get_future().get();
  }

  /// Launches with ids as the executor names them.
  LaunchId started(std::size_t number) {
    const auto launch = desk_.launch(number);
    EXPECT_TRUE(launch) << "launch " << number << " was never asked for";
    if (!launch) return {};
    const LaunchId id{launch->try_id, launch->launch};
    desk_.say_started(id);
    return id;
  }

  std::string folder_;
  std::shared_ptr<Vault> vault_;
  test::ExecutorDesk desk_;
  Store* raw_store_ = nullptr;  ///< The engine's; for its own thread.
  std::unique_ptr<Engine> engine_;

 private:
  void ring() {
    const std::lock_guard lock(mutex_);
    ++rings_;
    rung_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable rung_;
  int rings_ = 0;
};

TEST_F(EngineTest, ATaskIsStartedOnlyOnceItsTryIsStored) {
  write_dag("etl", "tasks:\n  load: {run: [load, '{{ run_id }}']}\n");
  std::string seen;
  desk_.on_start = [&](const wire::StartTry& launch) {  // on the thread that owns the store
    const auto run = raw_store_->run("etl", "r1");
    const auto instances = raw_store_->instances_of(run->key);
    const auto tries = raw_store_->tries({run->key, 0, -1});
    seen = fmt::format("run {}, task {}, try {} {}", to_text(run->state),
                       to_text(instances->at(0).state), tries->at(0).number,
                       tries->at(0).id == launch.try_id ? "of this launch" : "of another");
  };
  start();
  trigger("etl");
  const auto launch = desk_.launch(0);
  ASSERT_TRUE(launch);
  EXPECT_EQ(seen, "run running, task queued, try 1 of this launch");
  EXPECT_EQ(launch->argv, (std::vector<std::string>{"load", "r1"}));
  EXPECT_EQ(launch->session, "session-1");
}

TEST_F(EngineTest, ARunWhoseTasksSucceedSucceeds) {
  write_dag("etl",
            "tasks:\n  extract: {run: 'extract x'}\n  load: {after: extract, run: [load, '{{ "
            "output.extract }}']}\n");
  start();
  const RunKey run = trigger("etl");
  const LaunchId first = started(0);
  ASSERT_TRUE(eventually([&] { return tries(run)[0].pid == 4711; }));
  EXPECT_EQ(desk_.launches(), 1U) << "load waits for extract";
  desk_.say_ended(first, 0, "12");
  const LaunchId second = started(1);
  EXPECT_EQ(desk_.launch(1)->argv, (std::vector<std::string>{"load", "12"}));
  desk_.say_ended(second, 0);
  EXPECT_TRUE(run_becomes("etl", "success"));
  EXPECT_TRUE(desk_.wait_for_call("acknowledge"));
  const auto problems =
      read_store<std::vector<std::string>>([](Store& store) { return *store.verify(); });
  EXPECT_EQ(problems, std::vector<std::string>{});
}

TEST_F(EngineTest, ARepeatedEndChangesNothing) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  start();
  const RunKey run = trigger("etl");
  const LaunchId id = started(0);
  desk_.say_ended(id, 0);
  ASSERT_TRUE(run_becomes("etl", "success"));
  desk_.say_ended(id, 1);
  version("etl");  // after the event: the inbox is in order
  EXPECT_EQ(run_state("etl"), "success");
  EXPECT_EQ(tries(run).size(), 1U);
}

TEST_F(EngineTest, ATemplateThatFailsEndsTheTryWithItsPlace) {
  write_dag("etl", "tasks:\n  load:\n    run: [load, '{{ var.value.region }}']\n");
  start();
  const RunKey run = trigger("etl");
  ASSERT_TRUE(run_becomes("etl", "failed"));
  const auto ended = tries(run);
  ASSERT_EQ(ended.size(), 1U);
  ASSERT_TRUE(ended[0].outcome);
  EXPECT_EQ(to_text(ended[0].outcome->cause), to_text(Cause::TemplateFailed));
  EXPECT_EQ(ended[0].outcome->message,
            "dags/etl.yaml:4:31: variable 'region' does not exist; create it with 'etesian "
            "variables set region …'");
  EXPECT_EQ(desk_.launches(), 0U);
}

TEST_F(EngineTest, AVariableThatWasSetReachesTheNextLaunch) {
  write_dag("etl", "tasks:\n  load:\n    run: [load, '{{ var.value.region }}']\n");
  start();
  const VariableRow row{"region", vault_->seal("seoul", "variable/region/value"), ""};
  EXPECT_EQ(submit(SetVariable{row, "ann"}), "ok");
  trigger("etl");
  const auto launch = desk_.launch(0);
  ASSERT_TRUE(launch);
  EXPECT_EQ(launch->argv, (std::vector<std::string>{"load", "seoul"}));
  EXPECT_EQ(launch->secrets, std::vector<std::string>{"seoul"});
}

TEST_F(EngineTest, ARunWithWrongParamsIsRefusedWithTheReason) {
  write_dag("etl",
            "params:\n  carrier: {type: string, enum: [UA, AA], default: UA}\n"
            "tasks:\n  load: {run: [load, '{{ params.carrier }}']}\n");
  start();
  const auto trigger_with = [&](const std::string& dag, const std::string& conf) {
    return submit(request(dag, conf));
  };
  EXPECT_EQ(trigger_with("etl", R"({"carrier":"XX"})"),
            "param 'carrier': 'XX' is not one of UA, AA");
  EXPECT_EQ(engine_->health().active_runs, 0U);
  EXPECT_EQ(trigger_with("none", "{}"), "trigger 'none': no such DAG");
  EXPECT_EQ(trigger_with("etl", "{}"), "ok");
  EXPECT_EQ(desk_.launch(0)->argv, (std::vector<std::string>{"load", "UA"})) << "the default";
  EXPECT_EQ(desk_.launches(), 1U);
}

TEST_F(EngineTest, AClearedTaskOfAFinishedRunRunsAgain) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  start();
  const RunKey run = trigger("etl");
  desk_.say_ended(started(0), 3);
  ASSERT_TRUE(run_becomes("etl", "failed"));
  EXPECT_EQ(submit(ClearInstances{{{run, 0, -1}}, false, "ann"}), "ok");
  const LaunchId again = started(1);
  EXPECT_EQ(desk_.launch(1)->label, "etl/r1/load try 2");
  desk_.say_ended(again, 0);
  EXPECT_TRUE(run_becomes("etl", "success"));
  EXPECT_EQ(tries(run).size(), 2U);
}

TEST_F(EngineTest, ACommandThatMeetsTheEndOfItsRunFindsTheRunAsItEnded) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  start();
  const RunKey run = trigger("etl");
  const LaunchId id = started(0);
  ASSERT_TRUE(eventually([&] { return tries(run)[0].pid == 4711; }));
  std::promise<void> both_are_there;
  engine_->read_world(
      [wait = both_are_there.get_future().share()](const World&, const Moment&) { wait.wait(); });
  desk_.say_ended(id, 0);
  std::promise<std::string> answer;
  engine_->submit(ClearInstances{{{run, 0, -1}}, false, "ann"}, [&](const auto& result) {
    answer.set_value(result ? "ok" : result.error().message);
  });
  both_are_there.set_value();
  EXPECT_EQ(answer.get_future().get(), "ok");
  desk_.say_ended(started(1), 0);
  EXPECT_TRUE(run_becomes("etl", "success"));
  EXPECT_EQ(tries(run).size(), 2U);
}

TEST_F(EngineTest, TwoCommandsAtOnceAboutAFinishedRunAreBothDone) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  auto store = std::make_unique<RefusingStore>();
  start(std::move(store));
  const RunKey run = trigger("etl");
  desk_.say_ended(started(0), 0);
  ASSERT_TRUE(run_becomes("etl", "success"));
  std::promise<void> both_are_there;
  engine_->read_world(
      [wait = both_are_there.get_future().share()](const World&, const Moment&) { wait.wait(); });
  std::vector<std::promise<std::string>> answers(2);
  const std::vector<Event> commands = {MarkRun{run, RunState::Failed, "ann"},
                                       SetNote{run, {}, "seen", "bob"}};
  for (std::size_t i = 0; i < commands.size(); ++i)
    engine_->submit(commands[i], [&answers, i](const auto& result) {
      answers[i].set_value(result ? "ok" : result.error().message);
    });
  both_are_there.set_value();
  for (auto& answer : answers) EXPECT_EQ(answer.get_future().get(), "ok");
  EXPECT_EQ(run_state("etl"), "failed");
  const auto note = read_store<std::string>([](Store& s) { return s.run("etl", "r1")->note; });
  EXPECT_EQ(note, "seen");
}

TEST_F(EngineTest, ACommandAboutARunThatNeverWasIsRefused) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  start();
  EXPECT_EQ(submit(ClearInstances{{{99, 0, -1}}, false, "ann"}), "read run: there is no '99'");
}

TEST_F(EngineTest, AKilledTaskIsStoppedAndFailsAfterItsEnd) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  start();
  const RunKey run = trigger("etl");
  const LaunchId id = started(0);
  ASSERT_TRUE(eventually([&] { return tries(run)[0].pid == 4711; }));
  EXPECT_EQ(submit(KillInstance{{run, 0, -1}, false, "ann"}), "ok");
  EXPECT_TRUE(desk_.wait_for_call("stop killed by ann"));
  EXPECT_EQ(run_state("etl"), "running") << "until the executor confirms the end";
  desk_.say_ended(id, 143);
  EXPECT_TRUE(run_becomes("etl", "failed"));
}

TEST_F(EngineTest, AnEditedFileIsWhatTheNextRunRuns) {
  write_dag("etl", "tasks:\n  load: {run: 'load old'}\n");
  start();
  const std::string before = version("etl");
  EXPECT_NE(before, "");
  write_dag("etl", "tasks:\n  load: {run: 'load new'}\n");
  ASSERT_TRUE(eventually([&] { return version("etl") != before; }));
  trigger("etl");
  EXPECT_EQ(desk_.launch(0)->argv, (std::vector<std::string>{"load", "new"}));
}

TEST_F(EngineTest, AnEditedCommentIsShownAndMakesNoVersion) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  start();
  const std::string before = version("etl");
  const auto source = [this] {
    return read_store<std::string>([](Store& store) { return store.dag("etl")->source; });
  };
  write_dag("etl", "# asked for by sales\ntasks:\n  load: {run: 'load x'}\n");
  EXPECT_TRUE(eventually([&] { return source().find("by sales") != std::string::npos; }));
  EXPECT_EQ(version("etl"), before);
}

TEST_F(EngineTest, AnEditWhoseCommitIsRefusedIsMadeAgainAfterTheReload) {
  write_dag("etl", "tasks:\n  load: {run: 'load old'}\n");
  auto store = std::make_unique<RefusingStore>();
  RefusingStore& refusing = *store;
  start(std::move(store));
  const auto stored_version = [this] {
    return read_store<std::string>([](Store& s) { return s.dag("etl")->version; });
  };
  const std::string before = stored_version();
  refusing.must_refuse = true;
  write_dag("etl", "tasks:\n  load: {run: 'load new'}\n");
  EXPECT_TRUE(eventually([&] { return stored_version() != before; }));
  EXPECT_EQ(refusing.refused, 1) << "the fault never happened";
  trigger("etl");
  EXPECT_EQ(desk_.launch(0)->argv, (std::vector<std::string>{"load", "new"}));
}

TEST_F(EngineTest, WhatIsRemovedTwiceIsNotFoundTheSecondTime) {
  start();
  const std::string sealed = vault_->seal("1", Settings::place_of_variable("k"));
  EXPECT_EQ(submit(SetVariable{{"k", sealed, ""}, "ann"}), "ok");
  EXPECT_EQ(submit(RemoveVariable{"k", "ann"}), "ok");
  EXPECT_EQ(submit(RemoveVariable{"k", "bob"}), "remove variable 'k': no such variable");
  EXPECT_EQ(submit(RemoveConnection{"c", "bob"}), "remove connection 'c': no such connection");
  EXPECT_EQ(submit(SetVariable{{"k", sealed, ""}, "ann"}), "ok") << "the engine goes on";
}

TEST_F(EngineTest, ABrokenFileKeepsTheLastGoodVersionRunning) {
  write_dag("etl", "tasks:\n  load: {run: 'load good'}\n");
  start();
  const std::string before = version("etl");
  write_dag("etl", "tasks:\n  load: {rum: 'load bad'}\n");
  ASSERT_TRUE(eventually([&] { return !engine_->import_errors().empty(); }));
  EXPECT_EQ(engine_->import_errors()[0].file, "dags/etl.yaml");
  EXPECT_EQ(engine_->import_errors()[0].dag_id, "etl");
  EXPECT_EQ(version("etl"), before);
  trigger("etl");
  EXPECT_EQ(desk_.launch(0)->argv, (std::vector<std::string>{"load", "good"}));
  write_dag("etl", "tasks:\n  load: {run: 'load mended'}\n");
  EXPECT_TRUE(eventually([&] { return engine_->import_errors().empty(); }));
}

TEST_F(EngineTest, ARestartAsksAboutTheTaskThatItLeftRunning) {
  write_dag("etl", "tasks:\n  load: {run: 'load x'}\n");
  const auto open = [this] { return std::move(*open_sqlite_store(folder_ + "/state.db", {})); };
  start(open());
  const RunKey run = trigger("etl");
  const LaunchId id = started(0);
  ASSERT_TRUE(eventually([&] { return tries(run)[0].pid == 4711; }));
  engine_.reset();
  start(open());
  EXPECT_TRUE(desk_.wait_for_call("inquire"));
  desk_.say_ended(id, 0);
  EXPECT_TRUE(run_becomes("etl", "success"));
  EXPECT_EQ(desk_.launches(), 1U) << "it was not started twice";
  EXPECT_EQ(tries(run).size(), 1U);
}

}  // namespace
}  // namespace etesian
