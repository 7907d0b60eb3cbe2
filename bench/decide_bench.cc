// How many tasks a second the engine decides on and makes durable when starting them costs nothing:
// the real engine on the SQLite store, over an executor that says "started" and "ended" at once;
// beside bare inserts and two updates a task of the same main columns, in groups of 256.
//   decide_bench [RUNS [FOLDER]]     10 DAGs of 100 tasks, RUNS runs of each
// Prints one JSON object.
#include <fmt/format.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/engine.h"

namespace {

using namespace etesian;

constexpr int kDags = 10, kTasks = 100, kGroup = 256;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "decide_bench: %s\n", message.c_str());
  std::exit(1);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// One insert and two updates for each task, 256 tasks in a transaction, on a table with the main
/// columns of the store's task_instance.
class BareRows {
 public:
  explicit BareRows(const std::string& path) {
    if (sqlite3_open(path.c_str(), &db_) != SQLITE_OK) fail("open the bare database");
    run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
    run("CREATE TABLE task_instance(run INTEGER NOT NULL, task INTEGER NOT NULL, "
        "map_index INTEGER NOT NULL, state INTEGER NOT NULL, try_number INTEGER NOT NULL, "
        "scheduled_at INTEGER, queued_at INTEGER, started_at INTEGER, ended_at INTEGER, "
        "open_try BLOB, note TEXT NOT NULL, PRIMARY KEY(run, task, map_index)) WITHOUT ROWID");
    insert_ = prepare(
        "INSERT INTO task_instance VALUES(?1, ?2, -1, 1, 1, ?3, ?3, NULL, NULL, "
        "zeroblob(16), '')");
    start_ = prepare(
        "UPDATE task_instance SET state = 3, started_at = ?3 "
        "WHERE run = ?1 AND task = ?2 AND map_index = -1");
    end_ = prepare(
        "UPDATE task_instance SET state = 4, ended_at = ?3, open_try = NULL "
        "WHERE run = ?1 AND task = ?2 AND map_index = -1");
  }
  ~BareRows() {
    for (sqlite3_stmt* statement : {insert_, start_, end_}) sqlite3_finalize(statement);
    sqlite3_close(db_);
  }
  BareRows(const BareRows&) = delete;

  double seconds(int tasks) const {
    const auto begin = std::chrono::steady_clock::now();
    for (int first = 0; first < tasks; first += kGroup)
      for (sqlite3_stmt* statement : {insert_, start_, end_}) {
        run("BEGIN IMMEDIATE");
        for (int i = first; i < std::min(tasks, first + kGroup); ++i) step(statement, i);
        run("COMMIT");
      }
    return seconds_since(begin);
  }

 private:
  void run(const char* sql) const {
    if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sqlite3_errmsg(db_));
  }
  sqlite3_stmt* prepare(const char* sql) const {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) != SQLITE_OK)
      fail(sqlite3_errmsg(db_));
    return statement;
  }
  void step(sqlite3_stmt* statement, int task) const {
    sqlite3_bind_int(statement, 1, task / kTasks);
    sqlite3_bind_int(statement, 2, task % kTasks);
    sqlite3_bind_int64(statement, 3, 1'700'000'000'000'000 + task);
    if (sqlite3_step(statement) != SQLITE_DONE) fail(sqlite3_errmsg(db_));
    sqlite3_reset(statement);
  }

  sqlite3* db_ = nullptr;
  sqlite3_stmt *insert_ = nullptr, *start_ = nullptr, *end_ = nullptr;
};

/// Whatever it is asked to start has started and ended well by the time the call returns.
class InstantExecutor final : public Executor {
 public:
  explicit InstantExecutor(Sink sink) : sink_(std::move(sink)) {
    sink_({ExecutorUp{.executor = name_, .session = "session", .host = "host", .slots = kGroup}});
  }
  const std::string& name() const override { return name_; }
  void start(wire::StartTry launch) override {
    const LaunchId id{launch.try_id, launch.launch};
    LaunchStarted started;
    started.id = id;
    started.pid = 4242;
    started.host = "host";
    started.at = clock_.now();
    LaunchEnded ended;
    ended.id = id;
    ended.outcome.started_at = ended.outcome.ended_at = started.at;
    ended.outcome.log_hash = std::string(64, 'a');
    sink_({started, ended});
  }
  void stop(const LaunchId&, Duration, const std::string&) override {}
  void revoke(const LaunchId&) override {}
  void inquire(const LaunchId&) override {}
  void acknowledge(const LaunchId&) override {}
  void flush() override {}

 private:
  const std::string name_ = "local";
  Sink sink_;
  SystemClock clock_;
};

std::shared_ptr<const Dag> make_dag(int n, int runs) {
  DagDefinition text;
  text.id = fmt::format("dag_{}", n);
  text.version = fmt::format("v{}", n);
  text.folder = "/";
  text.max_active_runs = runs;
  text.max_active_tasks = runs * kTasks;
  for (int i = 0; i < kTasks; ++i) {
    Task& task = text.tasks.emplace_back();
    task.id = fmt::format("task_{}", i);
    task.run = {Command::Kind::Argv, {{.text = "/bin/true"}}};
  }
  auto dag = Dag::build(text);
  if (!dag) fail(dag.error().message);
  return *dag;
}

/// The engine as `etesian up` wires it, without files and processes.
class Bench {
 public:
  explicit Bench(const std::string& folder) {
    auto store = open_sqlite_store(folder + "/etesian.db", {});
    if (!store) fail(store.error().message);
    auto vault = Vault::open(folder + "/key");
    if (!vault) fail(vault.error().message);
    Engine::Parts parts;
    parts.clock = std::make_shared<SystemClock>();
    parts.random = std::make_shared<SystemRandom>();
    parts.store = std::move(*store);
    parts.vault = *vault;
    parts.make_executor = [](Executor::Sink sink) -> Result<std::unique_ptr<Executor>> {
      return std::unique_ptr<Executor>(std::make_unique<InstantExecutor>(std::move(sink)));
    };
    auto engine = Engine::start({}, std::move(parts));
    if (!engine) fail(engine.error().message);
    engine_ = std::move(*engine);
    engine_->subscribe([this](Sequence) {
      const std::lock_guard lock(mutex_);
      ++commits_;
      committed_.notify_all();
    });
  }

  void command(Event event) {
    std::promise<std::string> refused;
    engine_->submit(std::move(event), [&](Result<CommandDone> done) {
      refused.set_value(done ? "" : done.error().message);
    });
    if (const std::string why = refused.get_future().get(); !why.empty()) fail(why);
  }

  /// Triggers all runs and waits until the last of them is over and durable.
  double seconds(int runs) {
    const auto begin = std::chrono::steady_clock::now();
    for (int r = 0; r < runs; ++r)
      for (int d = 0; d < kDags; ++d) {
        TriggerRun trigger;
        trigger.dag_id = fmt::format("dag_{}", d);
        trigger.actor = "bench";
        engine_->submit(std::move(trigger), [](Result<CommandDone> done) {
          if (!done) fail(done.error().message);
        });
      }
    std::unique_lock lock(mutex_);
    for (long seen = -1; !is_over(lock); seen = commits_)
      committed_.wait(lock, [&] { return commits_ != seen; });
    const double took = seconds_since(begin);
    lock.unlock();
    check_all_succeeded(runs);
    return took;
  }

  long commits() const { return commits_; }

 private:
  /// No run is left in the world, and what ended the last one is durable. Asks without the lock.
  bool is_over(std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    // Asked twice: what the loop decided in the turn of the first answer is handed to the store
    // before the turn of the second.
    const bool over = is_world_idle() && is_world_idle();
    if (over) {
      std::promise<void> durable;
      engine_->read_store([&](Store&) { durable.set_value(); });
      durable.get_future().wait();
    }
    lock.lock();
    return over;
  }

  bool is_world_idle() {
    std::promise<bool> idle;
    engine_->read_world(
        [&](const World& world, const Moment&) { idle.set_value(world.size().active_runs == 0); });
    return idle.get_future().get();
  }

  void check_all_succeeded(int runs) {
    std::promise<std::size_t> count;
    engine_->read_store([&](Store& store) {
      RunFilter filter;
      filter.states = {RunState::Success};
      const auto page = store.runs(filter, {.limit = 1, .offset = 0, .order_by = "run_id"});
      count.set_value(page ? static_cast<std::size_t>(page->total) : 0);
    });
    if (count.get_future().get() != static_cast<std::size_t>(runs) * kDags)
      fail("not every run succeeded");
  }

  std::mutex mutex_;
  std::condition_variable committed_;
  long commits_ = 0;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 100;
  if (runs <= 0) fail("usage: decide_bench [RUNS [FOLDER]]");
  std::string folder =
      (argc > 2 ? std::string(argv[2]) : std::string(".")) + "/decide_bench_XXXXXX";
  if (!::mkdtemp(folder.data())) fail("make folder");
  const int tasks = kDags * kTasks * runs;
  const double bare = BareRows(folder + "/bare.db").seconds(tasks);
  double ours = 0;
  long commits = 0;
  {
    Bench bench(folder);
    // As many at a time as the floor has in a group.
    bench.command(SetPool{{.name = "default_pool", .slots = kGroup, .description = ""}, "bench"});
    for (int d = 0; d < kDags; ++d) bench.command(DagLoaded{make_dag(d, runs)});
    ours = bench.seconds(runs);
    commits = bench.commits();
  }
  std::filesystem::remove_all(folder);
  fmt::print(
      "{{\"measure\":\"decide\",\"tasks\":{},\"bare_tasks_per_s\":{:.0f},\"tasks_per_s\":{:.0f},"
      "\"ratio\":{:.2f},\"tasks_per_commit\":{:.0f}}}\n",
      tasks, tasks / bare, tasks / ours, bare / ours,
      static_cast<double>(tasks) / static_cast<double>(commits));
}
