#include "loader/project.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "unit/loader/loader_folder.h"

namespace etesian {
namespace {

constexpr const char* kSmall = "tasks:\n  a: {run: echo}\n";

std::string picture_of(const Project& project) {
  std::string text;
  for (const LoadedFile& file : project.files)
    text +=
        file.relative_file + " " + file.loaded.id + (file.loaded.dag ? " ok" : " broken") + "\n";
  return text + render(project.all_diagnostics());
}

std::string picture_of(const std::vector<FileChange>& changes) {
  static const char* const kKinds[] = {"added", "changed", "removed", "broken"};
  std::string text;
  for (const FileChange& change : changes)
    text += std::string(text.empty() ? "" : ", ") + kKinds[static_cast<int>(change.kind)] + " " +
            change.dag_id;
  return text;
}

bool is_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, 2000) == 1;
}

TEST(Project, IsFoundFromItsRootItsDagsFolderOrABareFolder) {
  TestFolder folder;
  folder.write(
      "p/etesian.yaml",
      "name: team\ntimezone: Asia/Seoul\nhow: {retries: 4, env: {A: '1'}}\npools: {db: 3}\n");
  folder.write("p/dags/one/dag.yaml",
               "when: {cron: '@daily', start: 2024-03-01}\nhow: {env: {B: '2'}, pool: "
               "db}\ntasks:\n  a: {run: echo}\n");
  folder.write("p/dags/two.yaml", kSmall);
  folder.write("p/dags/notes.txt", "no dag");
  folder.write("bare/one/dag.yaml", kSmall);
  const std::string expected = "dags/one/dag.yaml one ok\ndags/two.yaml two ok\n";
  EXPECT_EQ(picture_of(load_project(folder.path() + "/p")), expected);
  EXPECT_EQ(picture_of(load_project(folder.path() + "/p/dags")), expected);
  EXPECT_EQ(picture_of(load_project(folder.path() + "/bare")), "one/dag.yaml one ok\n");
  const Project project = load_project(folder.path() + "/p");
  EXPECT_EQ(project.settings.name, "team");
  EXPECT_EQ(project.settings.pools.at("db"), 3);
  const DagDefinition& one = project.files[0].loaded.dag->definition();
  EXPECT_EQ(one.tasks[0].retry.times, 4);
  EXPECT_EQ(one.tasks[0].environment.size(), 2U);
  // Midnight in Seoul is 15:00 UTC of the day before.
  EXPECT_EQ(one.schedule.start, Instant(std::chrono::sys_days(std::chrono::year(2024) / 2 / 29)) +
                                    std::chrono::hours(15));
}

TEST(Project, ReportsAMissingFolderAndMistakesOfItsSettings) {
  EXPECT_EQ(picture_of(load_project("/nowhere/at/all")),
            "/nowhere/at/all:1:1: error: load '/nowhere/at/all': no such folder\n");
  EXPECT_FALSE(Repository::open("/nowhere/at/all"));
  TestFolder folder;
  folder.write("etesian.yaml",
               "nmae: x\npools: {db: many}\ncalendars: {kr: kr.txt}\nwhen: {cron: '@daily'}\n");
  folder.write("dags/one/dag.yaml", kSmall);
  EXPECT_EQ(picture_of(load_project(folder.path())),
            "dags/one/dag.yaml one ok\n"
            "etesian.yaml:1:1: error: unknown key 'nmae' in etesian.yaml\n"
            "  1 | nmae: x\n"
            "    | ^~~~ did you mean 'name'?\n"
            "etesian.yaml:2:13: error: 'db' must be a whole number from 0 to 1000000, not 'many'\n"
            "  2 | pools: {db: many}\n"
            "    |             ^~~~\n"
            "etesian.yaml:3:17: error: no calendar file 'kr.txt'\n"
            "  3 | calendars: {kr: kr.txt}\n"
            "    |                 ^~~~~~ paths are relative to etesian.yaml\n"
            "etesian.yaml:4:8: error: unknown key 'cron' in 'when'\n"
            "  4 | when: {cron: '@daily'}\n"
            "    |        ^~~~\n");
}

TEST(Project, KeepsGoodFilesBesideBrokenOnes) {
  TestFolder folder;
  folder.write("a/dag.yaml", "tasks: [\n");
  folder.write("b/dag.yaml", kSmall);
  folder.write("c/dag.yaml", std::string("dag: b\n") + kSmall);
  const Project project = load_project(folder.path());
  EXPECT_FALSE(project.files[0].loaded.dag);
  EXPECT_TRUE(project.files[1].loaded.dag);
  EXPECT_FALSE(project.files[2].loaded.dag);
  EXPECT_EQ(render(project.diagnostics),
            "c/dag.yaml:1:1: error: dag id 'b' is already used by b/dag.yaml\n    give one of them "
            "another id with 'dag:'\n");
}

TEST(Needs, ThatCanNeverBeMetAreErrorsWithTheirPlace) {
  TestFolder folder;
  const auto consumer = [](const std::string& need) {
    return "when:\n  cron: '@daily'\n  needs: [" + need + "]\n" + kSmall;
  };
  folder.write("dump/dag.yaml", "when: '@daily'\ntasks:\n  airports: {run: echo}\n");
  folder.write("hand/dag.yaml", kSmall);
  folder.write("ended/dag.yaml", std::string("when: {cron: '@daily', end: 2020-01-01}\n") + kSmall);
  folder.write("instants/dag.yaml",
               std::string("when: {cron: '@daily', data_interval: none}\n") + kSmall);
  folder.write("broken/dag.yaml", "tasks: 5\n");
  folder.write("u1/dag.yaml", consumer("dmp"));
  folder.write("u2/dag.yaml", consumer("{dag: dump, task: airport}"));
  folder.write("u3/dag.yaml", consumer("hand, {dag: hand, covers: latest}"));
  folder.write("u4/dag.yaml", consumer("ended"));
  folder.write("u5/dag.yaml", consumer("instants, broken, dump"));
  EXPECT_EQ(
      render(load_project(folder.path()).diagnostics),
      "u1/dag.yaml:3:11: error: 'needs' names the unknown dag 'dmp'\n"
      "  3 |   needs: [dmp]\n"
      "    |           ^~~ did you mean 'dump'?\n"
      "u2/dag.yaml:3:17: error: dag 'dump' has no task 'airport'\n"
      "  3 |   needs: [{dag: dump, task: airport}]\n"
      "    |                 ^~~~ did you mean 'airports'?\n"
      "u3/dag.yaml:3:11: error: dag 'hand' has no schedule: no run of it belongs to a date of this "
      "dag\n"
      "  3 |   needs: [hand, {dag: hand, covers: latest}]\n"
      "    |           ^~~~ write 'covers: latest', or give it a schedule\n"
      "u4/dag.yaml:3:11: error: dag 'ended' ends at 2020-01-01T00:00:00Z, and this dag goes on\n"
      "  3 |   needs: [ended]\n"
      "    |           ^~~~~ end this dag too, or take the need out\n"
      "u5/dag.yaml:3:11: error: the runs of dag 'instants' have no data interval and can never "
      "cover one of this dag\n"
      "  3 |   needs: [instants, broken, dump]\n"
      "    |           ^~~~~~~~ write 'covers: logical_date' or 'covers: latest'\n");
}

TEST(Needs, InACircleAreErrorsUnlessTheyLookBack) {
  TestFolder folder;
  const auto dag = [](const std::string& need) {
    return "when:\n  cron: '@daily'\n  needs: " + need + "\n" + kSmall;
  };
  folder.write("a/dag.yaml", dag("b"));
  folder.write("b/dag.yaml", dag("c"));
  folder.write("c/dag.yaml", dag("{dag: a, task: a}"));
  folder.write("yesterday/dag.yaml", dag("{dag: yesterday, offset: -1d}"));
  EXPECT_EQ(render(load_project(folder.path()).diagnostics),
            "b/dag.yaml:3:10: error: dags wait for each other: b -> a -> c -> b\n"
            "  3 |   needs: c\n"
            "    |          ^ take one of the needs out\n");
  folder.remove("c");
  // A task may wait for what follows another DAG's earlier task.
  folder.write("a/dag.yaml",
               "when: '@daily'\ntasks:\n  first: {run: echo}\n  last: {run: echo, needs: b}\n");
  folder.write("b/dag.yaml", dag("{dag: a, task: first}"));
  EXPECT_EQ(render(load_project(folder.path()).diagnostics), "");
}

TEST(Repository, SeesEveryKindOfEditOnce) {
  TestFolder folder;
  folder.write("dags/a/dag.yaml", kSmall);
  folder.write("dags/b/dag.yaml", kSmall);
  auto repository = Repository::open(folder.path());
  ASSERT_TRUE(repository);
  EXPECT_EQ(picture_of(repository->rescan()), "");
  folder.write("dags/a/dag.yaml", "tasks:\n  a: {run: date}\n");
  EXPECT_EQ(picture_of(repository->rescan()), "changed a");
  EXPECT_EQ(picture_of(repository->rescan()), "");
  folder.write("dags/a/dag.yaml", "tasks: nothing\n");
  EXPECT_EQ(picture_of(repository->rescan()), "broken a");
  EXPECT_EQ(picture_of(repository->rescan()), "");
  folder.write("dags/a/dag.yaml", kSmall);
  folder.write("dags/c.yaml", kSmall);
  folder.remove("dags/b");
  EXPECT_EQ(picture_of(repository->rescan()), "changed a, added c, removed b");
  folder.write("dags/c.yaml", std::string("dag: renamed\n") + kSmall);
  EXPECT_EQ(picture_of(repository->rescan()), "removed c, changed renamed");
}

TEST(Repository, IsWokenByEditsAndReadsOnlyTheNoticed) {
  TestFolder folder;
  folder.write("etesian.yaml", "how: {retries: 1}\n");
  folder.write("dags/a/dag.yaml", kSmall);
  auto repository = Repository::open(folder.path());
  ASSERT_TRUE(repository);
  ASSERT_TRUE(repository->is_watching_all());
  using Scan = Repository::Scan;
  folder.write("dags/new/dag.yaml", kSmall);
  ASSERT_TRUE(is_readable(repository->wait_fd()));
  EXPECT_EQ(picture_of(repository->rescan(Scan::Noticed)), "added new");
  folder.write("dags/new/sql/q.sql", "select 1;\n");
  ASSERT_TRUE(is_readable(repository->wait_fd()));
  EXPECT_EQ(picture_of(repository->rescan(Scan::Noticed)), "changed new");
  folder.write("dags/new/sql/q.sql", "select 2;\n");
  ASSERT_TRUE(is_readable(repository->wait_fd()));
  EXPECT_EQ(picture_of(repository->rescan(Scan::Noticed)), "changed new");
  folder.write("etesian.yaml", "how: {retries: 2}\n");
  ASSERT_TRUE(is_readable(repository->wait_fd()));
  EXPECT_EQ(picture_of(repository->rescan(Scan::Noticed)), "changed a, changed new");
  folder.remove("dags/a");
  ASSERT_TRUE(is_readable(repository->wait_fd()));
  EXPECT_EQ(picture_of(repository->rescan(Scan::Noticed)), "removed a");
}

TEST(Repository, RefusesPipesLinksAndLoopsWithoutDisturbingOthers) {
  TestFolder folder;
  folder.write("dags/good/dag.yaml", kSmall);
  std::filesystem::create_directories(folder.path() + "/dags/pipe");
  ASSERT_EQ(::mkfifo((folder.path() + "/dags/pipe/dag.yaml").c_str(), 0600), 0);
  std::filesystem::create_directories(folder.path() + "/dags/inside");
  folder.write("dags/inside/dag.yaml", kSmall);
  ASSERT_EQ(::mkfifo((folder.path() + "/dags/inside/wait").c_str(), 0600), 0);
  std::filesystem::create_symlink("loop", folder.path() + "/dags/loop");
  std::filesystem::create_symlink("/etc", folder.path() + "/dags/outside");
  std::filesystem::create_symlink(".", folder.path() + "/dags/good/self");
  std::filesystem::create_directories(folder.path() + "/dags/huge");
  folder.write("dags/huge/dag.yaml", std::string(2 << 20, 'x'));
  EXPECT_EQ(
      picture_of(load_project(folder.path())),
      "dags/good/dag.yaml good ok\n"
      "dags/huge/dag.yaml huge broken\n"
      "dags/inside/dag.yaml inside ok\n"
      "dags/pipe/dag.yaml pipe broken\n"
      "dags/huge/dag.yaml:1:1: error: the file cannot be read: larger than 1048576 bytes\n"
      "dags/inside/dag.yaml:1:1: warning: 'wait' is not a regular file and no part of the dag's "
      "version\n"
      "dags/loop:1:1: error: a link that leads nowhere, or in a circle\n    remove it\n"
      "dags/outside:1:1: error: a link that leads out of the project\n    copy the file instead\n"
      "dags/pipe/dag.yaml:1:1: error: the file cannot be read: not a regular file\n");
}

TEST(Versions, AreEqualForEqualContentOnly) {
  TestFolder folder;
  const auto version = [&] {
    return load_project(folder.path()).files.at(0).loaded.dag->version();
  };
  folder.write("a/dag.yaml", kSmall);
  folder.write("a/sql/q.sql", "select 1;\n");
  const std::string first = version();
  EXPECT_EQ(first.size(), 64U);
  EXPECT_EQ(version(), first);
  folder.write("a/dag.yaml", std::string("# a comment\n") + kSmall);
  EXPECT_EQ(version(), first) << "a comment changes nothing";
  folder.write("a/result.db", "data");
  folder.write("a/.hidden", "x");
  folder.write("a/__pycache__/m.pyc", "x");
  EXPECT_EQ(version(), first) << "what a task leaves behind changes nothing";
  folder.write("a/data.csv", "1");
  EXPECT_NE(version(), first);
  folder.write("a/.etesianignore", "# data\n*.csv\n");
  EXPECT_EQ(version(), first);
  folder.write("a/sql/q.sql", "select 2;\n");
  EXPECT_NE(version(), first);
  folder.write("a/sql/q.sql", "select 1;\n");
  EXPECT_EQ(version(), first);
  folder.write("a/dag.yaml", "tasks:\n  a: {run: date}\n");
  EXPECT_NE(version(), first);
}

}  // namespace
}  // namespace etesian
