#include "contract/inputs_and_assets_contract.h"
#include "contract/store_contract.h"

#include <unistd.h>

#include <filesystem>

#include "base/check.h"
#include "base/random.h"

namespace etesian {
namespace {

/// A SQLite store in a fresh folder; the folder's name is unlinked while the files stay open.
std::unique_ptr<Store> make_sqlite_store() {
  std::string pattern = (std::filesystem::temp_directory_path() / "etesian_XXXXXX").string();
  const std::string folder = ::mkdtemp(pattern.data());
  auto store = open_sqlite_store(folder + "/state.db", {});
  ETESIAN_CHECK(store);
  std::filesystem::remove_all(folder);
  return *std::move(store);
}

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, testing::Values(&make_memory_store));
INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, testing::Values(&make_sqlite_store));

/// One random step on both stores, from what the first one shows.
std::vector<Change> random_step(StoreFixture& f, SeededRandom& random, RunKey& next_run,
                                int& next_try) {
  const auto dag = f.dag("etl", {"a", "b", "c"}, random.chance(0.1) ? "v2" : "v1", true);
  std::vector<Change> changes;
  if (random.chance(0.1)) changes.push_back(DagChanged{dag, false});
  if (random.chance(0.15)) {
    changes.push_back(RunCreated{f.run_row(next_run, dag, static_cast<int>(next_run)), dag});
    ++next_run;
  }
  const auto runs = f.store().runs({}, {.limit = 1000, .offset = 0, .order_by = ""});
  for (const RunRow& run : runs->rows) {
    if (random.chance(0.03)) {
      changes.push_back(RunRemoved{run.key});
      continue;
    }
    if (random.chance(0.1)) {
      RunRow row = run;
      row.state = static_cast<RunState>(random.below(4));
      if (is_final(row.state)) row.ended_at = f.now();
      changes.push_back(RunChanged{run.state, row, "step"});
    }
    for (const InstanceRow& row : value_of(f.store().instances_of(run.key))) {
      if (random.chance(0.6)) continue;
      InstanceChanged move = f.move(row.key, static_cast<TaskState>(random.below(kTaskStateCount)));
      move.row.try_number += static_cast<int>(random.below(2));
      changes.push_back(move);
      TryRow opened = f.try_row(row.key, next_try, next_try);
      ++next_try;
      changes.push_back(TryOpened{opened});
      if (random.chance(0.5)) {
        opened.outcome.emplace().exit_code = 1;
        changes.push_back(TryChanged{opened});
      }
      if (random.chance(0.2)) changes.push_back(OutputStored{row.key, "return_value", "[1]"});
      if (random.chance(0.1)) changes.push_back(OutputsRemoved{row.key, {}});
    }
    if (random.chance(0.1))
      changes.push_back(
          TaskExpanded{{run.key, 1, -1}, 1 + static_cast<int>(random.below(3)), {"{}"}});
  }
  if (random.chance(0.2)) changes.push_back(DagRemoved{"etl"});
  return changes;
}

TEST(Stores, memory_and_sqlite_agree_after_random_histories) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    StoreFixture memory(make_memory_store()), sqlite(make_sqlite_store());
    RunKey next_run = 1;
    int next_try = 1, refused = 0;
    const auto both = [&](const std::vector<Change>& changes) {
      const auto a = memory.commit(changes), b = sqlite.commit(changes);
      ASSERT_EQ(bool(a), bool(b)) << (a ? b.error().message : a.error().message);
      refused += !a;
    };
    for (const char* version : {"v1", "v2"}) {
      sqlite.dag("etl", {"a", "b", "c"}, version, true);
      both({DagChanged{memory.dag("etl", {"a", "b", "c"}, version, true), false}});
    }
    for (int step = 0; step < 60; ++step) {
      both(random_step(memory, random, next_run, next_try));
      if (random.chance(0.1)) both({PoolChanged{{"p", 3, "", false}}, RunRemoved{999}});
      ASSERT_EQ(memory.loaded(), sqlite.loaded()) << "step " << step;
    }
    EXPECT_EQ(memory.seen(), sqlite.seen());
    EXPECT_GT(refused, 0);
    EXPECT_GT(next_run, 2);
  }
}

}  // namespace
}  // namespace etesian
