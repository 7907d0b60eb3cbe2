// What a commit of the SQLite store costs beside the physical limit of the same file system: bare
// inserts and two updates a task, in the same group size, measured in the same run.
//   store_bench [RUNS [FOLDER]]     10 DAGs of 100 tasks, RUNS runs of each
// Prints one JSON object.
#include <fmt/format.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "store/store.h"

namespace {

using namespace etesian;

constexpr int kDags = 10, kTasks = 100, kGroup = 256;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "store_bench: %s\n", message.c_str());
  std::exit(1);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Three statements a task, each prepared once, 256 in a transaction, on a narrow table.
double bare_seconds(const std::string& path, int tasks) {
  sqlite3* db = nullptr;
  const auto run = [&](const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(sqlite3_errmsg(db));
  };
  if (sqlite3_open(path.c_str(), &db) != SQLITE_OK) fail("open");
  run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL");
  run("CREATE TABLE task(id INTEGER PRIMARY KEY, state INTEGER, at INTEGER, note TEXT)");
  sqlite3_stmt *insert = nullptr, *update = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO task VALUES(?, 2, ?, '')", -1, &insert, nullptr);
  sqlite3_prepare_v2(db, "UPDATE task SET state = ?, at = ? WHERE id = ?", -1, &update, nullptr);
  const auto step = [&](sqlite3_stmt* statement) {
    if (sqlite3_step(statement) != SQLITE_DONE) fail(sqlite3_errmsg(db));
    sqlite3_reset(statement);
  };
  const auto begin = std::chrono::steady_clock::now();
  for (int first = 0; first < tasks; first += kGroup)
    for (int phase = 0; phase < 3; ++phase) {
      run("BEGIN IMMEDIATE");
      for (int i = first; i < std::min(tasks, first + kGroup); ++i) {
        if (phase == 0) {
          sqlite3_bind_int(insert, 1, i);
          sqlite3_bind_int64(insert, 2, 1'700'000'000'000'000 + i);
          step(insert);
        } else {
          sqlite3_bind_int(update, 1, phase + 2);
          sqlite3_bind_int64(update, 2, 1'700'000'000'000'000 + i);
          sqlite3_bind_int(update, 3, i);
          step(update);
        }
      }
      run("COMMIT");
    }
  const double took = seconds_since(begin);
  sqlite3_finalize(insert);
  sqlite3_finalize(update);
  sqlite3_close(db);
  return took;
}

std::shared_ptr<const Dag> make_dag(int n) {
  DagDefinition text;
  text.id = fmt::format("dag_{}", n);
  text.version = fmt::format("v{}", n);
  for (int i = 0; i < kTasks; ++i) text.tasks.emplace_back().id = fmt::format("task_{}", i);
  auto dag = Dag::build(text);
  if (!dag) fail(dag.error().message);
  return *dag;
}

/// One task instance's life: scheduled and offered; started; ended.
class Life {
 public:
  Life(InstanceKey key, int n) {
    row_.key = key;
    try_.instance = key;
    try_.id.bytes[0] = 1;
    for (std::size_t i = 0; i < 4; ++i)
      try_.id.bytes[12 + i] = static_cast<std::uint8_t>(n >> (8 * (3 - i)));
    try_.executor = "local";
    try_.session = "0d3f6a1c-8f0e-4c57-9b67-0a3a5f1c2d3e";
    try_.host = "host";
  }
  void offer(std::vector<Store::Item>& group) {
    row_.try_number = 1;
    row_.scheduled_at = at_;
    move(group, TaskState::Scheduled, 0);
    row_.queued_at = at_;
    row_.open_try = try_.id;
    move(group, TaskState::Queued, 1);
    group.push_back({TryOpened{try_}, at_});
  }
  void start(std::vector<Store::Item>& group) {
    row_.started_at = row_.first_started_at = try_.started_at = at_;
    try_.pid = 4242;
    move(group, TaskState::Running, 1);
    group.push_back({TryChanged{try_}, at_});
  }
  void end(std::vector<Store::Item>& group) {
    row_.ended_at = at_;
    row_.open_try = {};
    Outcome& outcome = try_.outcome.emplace();
    outcome.started_at = outcome.ended_at = at_;
    outcome.log_hash = std::string(64, 'a');
    try_.final_state = TaskState::Success;
    move(group, TaskState::Success, 1);
    group.push_back({TryChanged{try_}, at_});
  }

 private:
  void move(std::vector<Store::Item>& group, TaskState to, int from_try) {
    const TaskState from = row_.state;
    row_.state = to;
    group.push_back({InstanceChanged{from, from_try, row_, ""}, at_});
  }
  InstanceRow row_;
  TryRow try_;
  Instant at_ = Instant(std::chrono::microseconds(1'700'000'000'000'000));
};

double store_seconds(const std::string& path, int runs, double& making) {
  auto opened = open_sqlite_store(path, {});
  if (!opened) fail(opened.error().message);
  Store& store = **opened;
  std::vector<Store::Item> group;
  const auto commit = [&] {
    const auto done = store.commit(group);
    if (!done) fail(done.error().message);
    group.clear();
  };
  std::vector<std::shared_ptr<const Dag>> dags;
  for (int d = 0; d < kDags; ++d) {
    dags.push_back(make_dag(d));
    group.push_back({DagChanged{dags.back(), false}, Instant{}});
  }
  commit();
  std::vector<Life> lives;
  const auto begin = std::chrono::steady_clock::now();
  for (int r = 0; r < runs; ++r)
    for (int d = 0; d < kDags; ++d) {
      const auto& dag = dags[static_cast<std::size_t>(d)];
      RunRow row;
      row.key = r * kDags + d + 1;
      row.dag_id = dag->id();
      row.dag_version = dag->version();
      row.run_id = fmt::format("run_{}", r);
      group.push_back({RunCreated{row, dag}, Instant{}});
      for (TaskIndex t = 0; t < kTasks; ++t)
        lives.emplace_back(InstanceKey{row.key, t, -1}, static_cast<int>(lives.size()));
      if (lives.size() % kGroup < kTasks) commit();
    }
  commit();
  making = seconds_since(begin);
  for (std::size_t first = 0; first < lives.size(); first += kGroup) {
    const std::size_t end = std::min(lives.size(), first + kGroup);
    for (const auto phase : {&Life::offer, &Life::start, &Life::end}) {
      for (std::size_t i = first; i < end; ++i) (lives[i].*phase)(group);
      commit();
    }
  }
  return seconds_since(begin);
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 20;
  if (runs <= 0) fail("usage: store_bench [RUNS [FOLDER]]");
  std::string folder = (argc > 2 ? std::string(argv[2]) : std::string(".")) + "/store_bench_XXXXXX";
  if (!::mkdtemp(folder.data())) fail("make folder");
  const int tasks = kDags * kTasks * runs;
  const double bare = bare_seconds(folder + "/bare.db", tasks);
  double making = 0;
  const double store = store_seconds(folder + "/store.db", runs, making);
  const auto bytes = std::filesystem::file_size(folder + "/store.db");
  std::filesystem::remove_all(folder);
  fmt::print(
      "{{\"measure\":\"store\",\"tasks\":{},\"group\":{},\"bare_tasks_per_s\":{:.0f},"
      "\"store_tasks_per_s\":{:.0f},\"ratio\":{:.2f},\"run_creation_share\":{:.2f},"
      "\"bytes_per_task\":{:.0f}}}\n",
      tasks, kGroup, tasks / bare, tasks / store, bare / store, making / store,
      static_cast<double>(bytes) / tasks);
}
