// What only the SQLite store promises: durability, one process, private files, a bounded WAL.
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/random.h"
#include "contract/store_fixture.h"
#include "store/sqlite/file_system.h"

namespace etesian {
namespace {

class SqliteStore : public testing::Test {
 protected:
  SqliteStore() {
    std::string pattern = (std::filesystem::temp_directory_path() / "etesian_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SqliteStore() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/state.db"; }
  std::unique_ptr<Store> open() const {
    auto store = open_sqlite_store(path(), {});
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  /// Runs `sql` on the closed file, as another program would.
  void tamper(const char* sql) const {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  std::string folder_;
};

TEST_F(SqliteStore, a_second_process_is_told_who_holds_the_file) {
  const auto first = open();
  const auto second = open_sqlite_store(path(), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Conflict);
  EXPECT_NE(second.error().message.find("pid " + std::to_string(::getpid())), std::string::npos)
      << second.error().message;
}

TEST_F(SqliteStore, files_are_private_whatever_the_umask) {
  const mode_t before = ::umask(0);
  StoreFixture f(open());
  f.must({DagChanged{f.dag("etl", {"a"}), false}});
  ::umask(before);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    struct stat info {};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 3);  // database, WAL, lock: the WAL's index lies in memory
}

TEST_F(SqliteStore, what_was_committed_is_there_after_a_restart) {
  std::string before;
  {
    StoreFixture f(open());
    const auto dag = f.dag("etl", {"a", "b"});
    f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
    f.must({f.move({1, 0, -1}, TaskState::Scheduled, 1), TryOpened{f.try_row({1, 0, -1}, 1, 1)}});
    before = f.seen() + f.loaded();
  }
  StoreFixture f(open());
  f.dag("etl", {"a", "b"});
  EXPECT_EQ(f.seen() + f.loaded(), before);
  EXPECT_TRUE(f.store().verify()->empty());
}

TEST_F(SqliteStore, other_files_and_newer_versions_are_refused) {
  open();
  tamper("UPDATE schema_version SET version = 1000");
  auto refused = open_sqlite_store(path(), {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidInput);
  EXPECT_NE(refused.error().message.find("newer"), std::string::npos) << refused.error().message;
  tamper("DROP TABLE schema_version");
  EXPECT_EQ(open_sqlite_store(path(), {}).error().code, ErrorCode::InvalidInput);
  std::filesystem::remove(path());
  std::FILE* file = std::fopen(path().c_str(), "w");
  std::fputs(std::string(8192, 'x').c_str(), file);
  std::fclose(file);
  EXPECT_EQ(open_sqlite_store(path(), {}).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(open_sqlite_store(folder_ + "/none/state.db", {}).error().code, ErrorCode::Unavailable);
}

TEST_F(SqliteStore, network_file_systems_are_known) {
  EXPECT_TRUE(sqlite::is_network_file_system(0x6969));      // NFS
  EXPECT_TRUE(sqlite::is_network_file_system(0xfe534d42));  // SMB2
  EXPECT_FALSE(sqlite::is_network_file_system(0xef53));     // ext4
}

TEST_F(SqliteStore, verify_names_each_broken_invariant) {
  {
    StoreFixture f(open());
    const auto dag = f.dag("etl", {"a", "b"});
    RunRow ended = f.run_row(1, dag, 0);
    f.must({DagChanged{dag, false}, RunCreated{ended, dag}});
    f.must({f.move({1, 0, -1}, TaskState::Scheduled, 1), TryOpened{f.try_row({1, 0, -1}, 1, 1)},
            TryOpened{f.try_row({1, 1, -1}, 1, 2)}, TryOpened{f.try_row({1, 1, -1}, 3, 3)}});
    ended.state = RunState::Success;
    f.must({RunChanged{RunState::Queued, ended, ""}});
  }
  tamper(
      "UPDATE task_instance SET state = 4 WHERE task = 1;"
      "UPDATE change SET old_state = 3 WHERE kind = 8;"
      "PRAGMA foreign_keys = OFF; INSERT INTO active_run VALUES(77)");
  std::string all;
  const auto store = open();
  for (const std::string& finding : value_of(store->verify())) all += finding + "\n";
  for (const char* invariant : {"I1: ", "I6: ", "I10: ", "I15: ", "I17: "})
    EXPECT_NE(all.find(invariant), std::string::npos) << invariant << " in\n" << all;
  EXPECT_NE(all.find("ended, but try 1"), std::string::npos) << all;
  EXPECT_NE(all.find("has state 4, its changes say 0"), std::string::npos) << all;
  EXPECT_NE(all.find("starts from state 3"), std::string::npos) << all;
}

/// Commits batch after batch: batch n sets variable "n" and moves on; its number is acknowledged on
/// the pipe once it is durable.
[[noreturn]] void commit_forever(const std::string& path, int acknowledge) {
  auto store = open_sqlite_store(path, {});
  if (!store) ::_exit(3);
  std::int32_t n = static_cast<std::int32_t>((*store)->variables()->size());
  while (true) {
    std::vector<Store::Item> batch;
    batch.push_back({VariableChanged{{std::to_string(n), std::string(2000, 'x'), ""}}, Instant{}});
    batch.push_back({PoolChanged{{"p", n, "", false}}, Instant{}});
    if (!(*store)->commit(batch)) ::_exit(4);
    if (::write(acknowledge, &n, sizeof n) != sizeof n) ::_exit(5);
    ++n;
  }
}

TEST_F(SqliteStore, nothing_acknowledged_is_lost_by_kill_9) {
  SeededRandom random(20);
  std::int32_t last = -1;
  for (int round = 0; round < 20; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) commit_forever(path(), ends[1]);
    ::close(ends[1]);
    const auto kill_after = random.below(30);
    std::int32_t n = 0;
    for (std::uint64_t acks = 0; ::read(ends[0], &n, sizeof n) == sizeof n; ++acks) {
      last = n;
      if (acks == kill_after) ::kill(child, SIGKILL);
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    const auto store = open();
    const auto found = static_cast<std::int32_t>(store->variables()->size());
    ASSERT_GT(found, last) << "round " << round;
    ASSERT_LE(found, last + 2);  // one more may have been made durable without its answer
    ASSERT_EQ(store->pools()->back().slots, found - 1);
    ASSERT_TRUE(store->verify()->empty());
  }
}

/// Fills until a commit is refused; whatever was there stays; after `make_room` commits work again.
template <class MakeRoom>
void expect_recovery_from_full_disk(StoreFixture& f, MakeRoom&& make_room) {
  int written = 0;
  Result<Sequence> done = Sequence{0};
  while (written < 200) {
    done = f.commit({VariableChanged{{std::to_string(written), std::string(100'000, 'x'), ""}}});
    if (!done) break;
    ++written;
  }
  ASSERT_FALSE(done) << "the disk never filled";
  EXPECT_EQ(done.error().code, ErrorCode::Unavailable) << done.error().message;
  EXPECT_EQ(static_cast<int>(f.store().variables()->size()), written);
  make_room();
  for (int i = 0; i < 5; ++i) f.must({VariableChanged{{"after" + std::to_string(i), "x", ""}}});
  EXPECT_EQ(static_cast<int>(f.store().variables()->size()), written + 5);
  EXPECT_TRUE(f.store().verify()->empty());
}

TEST_F(SqliteStore, a_full_disk_refuses_commits_until_there_is_room) {
  const std::string small = folder_ + "/small";
  std::filesystem::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=2m") != 0)
    GTEST_SKIP() << "mount is not allowed here";
  {
    StoreFixture f(*open_sqlite_store(small + "/state.db", {}));
    expect_recovery_from_full_disk(
        f, [&] { ASSERT_EQ(::mount("tmpfs", small.c_str(), "tmpfs", MS_REMOUNT, "size=16m"), 0); });
  }
  EXPECT_EQ(::umount(small.c_str()), 0);
}

TEST_F(SqliteStore, a_refused_write_leaves_nothing_behind) {
  StoreFixture f(open());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{1 << 20, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_recovery_from_full_disk(f, [&] { ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0); });
}

TEST_F(SqliteStore, the_log_stays_bounded) {
  StoreFixture f(open());
  std::uintmax_t largest = 0;
  for (int i = 0; i < 60; ++i) {
    f.must({VariableChanged{{std::to_string(i % 3), std::string(1 << 20, 'x'), ""}}});
    largest = std::max(largest, std::filesystem::file_size(path() + "-wal"));
  }
  f.store().idle();
  EXPECT_GT(largest, std::uintmax_t{8} << 20);
  EXPECT_LT(largest, std::uintmax_t{20} << 20);
}

}  // namespace
}  // namespace etesian
