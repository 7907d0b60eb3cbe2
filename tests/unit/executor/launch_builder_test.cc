#include "executor/launch_builder.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/json.h"
#include "base/time_text.h"

namespace etesian {
namespace {

using Words = std::vector<std::string>;

/// One task and what it is launched with; tests change what they are about.
class LaunchBuilderTest : public ::testing::Test {
 protected:
  LaunchBuilderTest() {
    definition_.id = "etl";
    definition_.owner = "ann";
    definition_.folder = "/project/dags/etl";
    definition_.relative_file = "dags/etl/dag.yaml";
    definition_.version = "v1";
    task_.id = "load";
    facts_.run.dag_id = "etl";
    facts_.run.run_id = "manual__2026-03-01T00:00:00+00:00";
    facts_.run.logical_date = *instant_from_text("2026-03-01");
    facts_.run.interval =
        DataInterval{*instant_from_text("2026-02-28"), *instant_from_text("2026-03-01")};
    facts_.run.conf = R"({"name":"it's me","file":"a.csv"})";
    facts_.instance.try_number = 2;
    facts_.output = [this](const std::string& id, const std::string& name, int) {
      return find(outputs_, id + "." + name);
    };
    facts_.variable = [this](const std::string& key) { return find(variables_, key); };
    facts_.connection = [this](const std::string& id) { return find(connections_, id); };
  }

  void shell(const std::string& text) { task_.run = {Command::Kind::Shell, {{text, 5, 10}}}; }
  void argv(const Words& words) {
    task_.run = {Command::Kind::Argv, {}};
    for (const std::string& word : words) task_.run.words.push_back({word, 5, 10});
  }
  Result<wire::StartTry> build() {
    definition_.tasks = {task_};
    dag_ = *Dag::build(definition_);
    facts_.dag = dag_.get();
    return build_launch(facts_);
  }
  wire::StartTry launch() {
    auto built = build();
    EXPECT_TRUE(built) << (built ? "" : built.error().message);
    return built ? *built : wire::StartTry{};
  }
  Words argv_of(const std::string& text) {
    shell(text);
    return launch().argv;
  }
  std::string error() {
    const auto built = build();
    return built ? "none" : built.error().message;
  }
  static std::map<std::string, std::string> environment_of(const wire::StartTry& launch) {
    const std::map<std::string, std::string> environment(launch.environment.begin(),
                                                         launch.environment.end());
    EXPECT_EQ(environment.size(), launch.environment.size()) << "a name is there twice";
    return environment;
  }

  DagDefinition definition_;
  Task task_;
  LaunchFacts facts_;
  std::map<std::string, std::string> outputs_, variables_, connections_;
  std::shared_ptr<const Dag> dag_;

 private:
  static std::optional<std::string> find(const std::map<std::string, std::string>& in,
                                         const std::string& key) {
    const auto found = in.find(key);
    return found == in.end() ? std::nullopt : std::optional(found->second);
  }
};

TEST_F(LaunchBuilderTest, TheEnvironmentTellsATaskWhatItIs) {
  argv({"true"});
  const std::map<std::string, std::string> expected = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
      {"LANG", "C.UTF-8"},
      {"ETESIAN_DAG_ID", "etl"},
      {"ETESIAN_DAG_FOLDER", "/project/dags/etl"},
      {"ETESIAN_DAG_VERSION", "v1"},
      {"ETESIAN_RUN_ID", "manual__2026-03-01T00:00:00+00:00"},
      {"ETESIAN_TASK_ID", "load"},
      {"ETESIAN_TRY_NUMBER", "2"},
      {"ETESIAN_MAP_INDEX", "-1"},
      {"ETESIAN_MAP_ARGUMENTS", "{}"},
      {"ETESIAN_LOGICAL_DATE", "2026-03-01T00:00:00+00:00"},
      {"ETESIAN_DATA_INTERVAL_START", "2026-02-28T00:00:00+00:00"},
      {"ETESIAN_DATA_INTERVAL_END", "2026-03-01T00:00:00+00:00"},
      {"ETESIAN_PARAMS", R"({"name":"it's me","file":"a.csv"})"}};
  EXPECT_EQ(environment_of(launch()), expected);
}

TEST_F(LaunchBuilderTest, ARunWithoutDatesHasThemEmpty) {
  argv({"true"});
  facts_.run.logical_date.reset();
  facts_.run.interval.reset();
  auto environment = environment_of(launch());
  EXPECT_EQ(environment["ETESIAN_LOGICAL_DATE"], "");
  EXPECT_EQ(environment["ETESIAN_DATA_INTERVAL_START"], "");
  EXPECT_EQ(environment["ETESIAN_DATA_INTERVAL_END"], "");
}

TEST_F(LaunchBuilderTest, ATasksOwnEnvironmentWins) {
  argv({"true"});
  task_.environment = {{"LANG", {"ko_KR.UTF-8", 7, 9}}, {"DAY", {"{{ ds }}", 8, 8}}};
  auto environment = environment_of(launch());
  EXPECT_EQ(environment["LANG"], "ko_KR.UTF-8");
  EXPECT_EQ(environment["DAY"], "2026-03-01");
}

TEST_F(LaunchBuilderTest, TheLabelNamesTheTry) {
  argv({"true"});
  EXPECT_EQ(launch().label, "etl/manual__2026-03-01T00:00:00+00:00/load try 2");
  facts_.instance.key.map_index = 3;
  EXPECT_EQ(launch().label, "etl/manual__2026-03-01T00:00:00+00:00/load[3] try 2");
}

TEST_F(LaunchBuilderTest, ShellTextThatNeedsNoShellRunsWithoutOne) {
  EXPECT_EQ(argv_of("python3 -m etl.load --day 2026-03-01"),
            (Words{"python3", "-m", "etl.load", "--day", "2026-03-01"}));
  EXPECT_EQ(argv_of("  ./run.sh\ta,b  50%  "), (Words{"./run.sh", "a,b", "50%"}));
  EXPECT_EQ(argv_of("load {{ params.file }}"), (Words{"load", "a.csv"}));
}

TEST_F(LaunchBuilderTest, AnythingAShellWouldInterpretGoesToTheShell) {
  for (const std::string text :
       {"a | b",      "a > f",      "a < f",      "a && b",   "a; b",     "a &",
        "echo $HOME", "echo `x`",   "echo \"x\"", "echo 'x'", "ls *.csv", "ls ?",
        "ls [a]",     "echo a\\ b", "X=1 run",    "(a)",      "{ a; }",   "~/run",
        "! a",        "a # b",      "a\nb",       "echo 안녕"})
    EXPECT_EQ(argv_of(text), (Words{"/bin/sh", "-c", text}));
}

TEST_F(LaunchBuilderTest, WordsThatOnlyAShellKnowsGoToTheShell) {
  for (const std::string text :
       {"exit 3", "cd sub", "set -e", ". ./env", "export A", "exec run", "trap", "wait", "umask",
        "chdir sub", "hash -r", "echo -e x", "echo --help"})
    EXPECT_EQ(argv_of(text), (Words{"/bin/sh", "-c", text}));
}

TEST_F(LaunchBuilderTest, AValueThatHoldsShellSyntaxIsSafeWhenQuoted) {
  EXPECT_EQ(argv_of("greet {{ params.name | quote }}"),
            (Words{"/bin/sh", "-c", "greet 'it'\"'\"'s me'"}));
  EXPECT_EQ(argv_of("load {{ params.file | quote }}"), (Words{"load", "a.csv"}));
}

TEST_F(LaunchBuilderTest, AnArgvIsNeverSplit) {
  argv({"greet", "{{ params.name }}", "a b", "$HOME; rm x"});
  EXPECT_EQ(launch().argv, (Words{"greet", "it's me", "a b", "$HOME; rm x"}));
}

TEST_F(LaunchBuilderTest, OutputsOfUpstreamTasksAreRead) {
  outputs_["extract.return_value"] = R"({"rows":12})";
  argv({"load", "{{ output.extract.rows }}"});
  EXPECT_EQ(launch().argv, (Words{"load", "12"}));
}

TEST_F(LaunchBuilderTest, SecretsThatTemplatesReadAreMasked) {
  variables_ = {{"api_token", "t0ken"}, {"unread", "other"}};
  connections_["dwh"] =
      R"({"host":"db","login":"ann","password":"pw","extra":"{\"k\":1}","uri":"postgres://ann:pw@db","port":5432})";
  task_.environment = {{"TOKEN", {"{{ var.value.api_token }}", 7, 9}}};
  argv({"psql", "-h", "{{ conn.dwh.host }}"});
  facts_.secrets = {"server-wide"};
  const auto built = launch();
  EXPECT_EQ(built.argv, (Words{"psql", "-h", "db"}));
  EXPECT_EQ(environment_of(built)["TOKEN"], "t0ken");
  const std::set<std::string> masked(built.secrets.begin(), built.secrets.end());
  EXPECT_EQ(masked, (std::set<std::string>{"server-wide", "t0ken", "pw", R"({"k":1})",
                                           "postgres://ann:pw@db"}));
}

TEST_F(LaunchBuilderTest, ATaskThatReadsNoSecretHasNothingToMask) {
  variables_ = {{"api_token", "t0ken"}};
  argv({"true"});
  EXPECT_TRUE(launch().secrets.empty());
}

TEST_F(LaunchBuilderTest, FoldersAndLimitsAreTheTasks) {
  argv({"true"});
  EXPECT_EQ(launch().working_folder, "/project/dags/etl");
  task_.working_folder = {"sub/{{ ds }}", 6, 5};
  task_.timeout = std::chrono::minutes(5);
  task_.kill_grace = std::chrono::seconds(3);
  task_.cpu = 1.5;
  task_.memory_bytes = 1 << 30;
  task_.output_bytes_max = 4096;
  task_.retry.on_log = "deadlock";
  const auto built = launch();
  EXPECT_EQ(built.working_folder, "/project/dags/etl/sub/2026-03-01");
  EXPECT_EQ(built.timeout, std::chrono::minutes(5));
  EXPECT_EQ(built.kill_grace, std::chrono::seconds(3));
  EXPECT_EQ(built.cpu, 1.5);
  EXPECT_EQ(built.memory_bytes, 1U << 30);
  EXPECT_EQ(built.output_bytes_max, 4096U);
  EXPECT_EQ(built.log_pattern, "deadlock");
  task_.working_folder = {"/data", 6, 5};
  EXPECT_EQ(launch().working_folder, "/data");
}

TEST_F(LaunchBuilderTest, AFailedTemplatePointsIntoTheFile) {
  shell("load {{ params.fiel }}");
  EXPECT_EQ(error(), "dags/etl/dag.yaml:5:25: there is no member 'fiel'; did you mean 'file'?");
  task_.run = {Command::Kind::Shell, {{"set -e\nload {{ var.value.nothing }}\n", 5, 10}}};
  EXPECT_EQ(error(),
            "dags/etl/dag.yaml:6:19: variable 'nothing' does not exist; create it with 'etesian "
            "variables set nothing …'");
  shell("load {{ params.file");
  EXPECT_EQ(error().substr(0, 21), "dags/etl/dag.yaml:5:1");
  argv({"true"});
  task_.environment = {{"X", {"{{ conn.dwh.host }}", 9, 8}}};
  EXPECT_EQ(error(),
            "dags/etl/dag.yaml:9:16: connection 'dwh' does not exist; create it with 'etesian "
            "connections add dwh …'");
}

TEST_F(LaunchBuilderTest, TheQuoteOrBlockThatHoldsATemplateIsLookedThrough) {
  definition_.source =
      "tasks:\n"
      "  load:\n"
      "    run: ['안녕 {{ no }}', load {{ no }}]\n"
      "    run: |\n"
      "      set -e\n"
      "      안녕 {{ no }}\n";
  task_.run = {Command::Kind::Argv, {{"안녕 {{ no }}", 3, 11}}};
  EXPECT_EQ(error(), "dags/etl/dag.yaml:3:18: 'no' is not defined");
  task_.run = {Command::Kind::Argv, {{"load {{ no }}", 3, 27}}};
  EXPECT_EQ(error(), "dags/etl/dag.yaml:3:35: 'no' is not defined");
  task_.run = {Command::Kind::Shell, {{"set -e\n안녕 {{ no }}\n", 4, 10}}};
  EXPECT_EQ(error(), "dags/etl/dag.yaml:6:13: 'no' is not defined");
}

TEST_F(LaunchBuilderTest, AMapSourceKeepsItsType) {
  outputs_["list.return_value"] = R"(["a",{"b":1},null])";
  argv({"true"});
  launch();
  const auto value = evaluate_map_source(facts_, {"{{ output.list }}", 4, 12});
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(*value, R"(["a",{"b":1},null])");
  const auto missing = evaluate_map_source(facts_, {"{{ output.lsit }}", 4, 12});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::InvalidInput);
  EXPECT_EQ(missing.error().message.substr(0, 20), "dags/etl/dag.yaml:4:");
}

/// A BashOperator in the native lane.
class NativeLaunchTest : public LaunchBuilderTest {
 protected:
  NativeLaunchTest() {
    task_.run = {Command::Kind::Worker, {}};
    task_.airflow.emplace();
    command("true");
  }
  void command(const std::string& text) {
    task_.airflow->native = Command{Command::Kind::Shell, {{text}}};
  }
  void declare(std::vector<std::pair<std::string, TemplateText>> variables) {
    task_.environment = std::move(variables);
    task_.airflow->native_has_environment = true;
    task_.airflow->native_inherits_environment = false;
  }
  const LaunchFacts& facts() {
    definition_.tasks = {task_};
    dag_ = *Dag::build(definition_);
    facts_.dag = dag_.get();
    return facts_;
  }
  wire::StartTry native() {
    auto built = build_native_launch(facts(), inherited_);
    EXPECT_TRUE(built) << (built ? "" : built.error().message);
    return built ? *built : wire::StartTry{};
  }

  std::vector<std::pair<std::string, std::string>> inherited_ = {
      {"PATH", "/no/such/folder:/bin:/usr/bin"}, {"AIRFLOW_HOME", "/airflow"}};
};

TEST_F(NativeLaunchTest, TheCommandGoesToTheFirstBashOfThePath) {
  command("echo '{{ ds }}' \"{{ params.name }}\"");
  EXPECT_EQ(native().argv, (Words{"/bin/bash", "-c", "echo '2026-03-01' \"it's me\""}));
  inherited_[0].second = "/no/such/folder";
  EXPECT_EQ(native().argv[0], "bash");
}

TEST_F(NativeLaunchTest, ItSeesWhatItsWorkerWouldSee) {
  auto environment = environment_of(native());
  EXPECT_EQ(environment["AIRFLOW_HOME"], "/airflow");
  EXPECT_EQ(environment["PATH"], "/no/such/folder:/bin:/usr/bin");
  EXPECT_EQ(environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], "airflow-db-not-allowed:///");
  EXPECT_EQ(environment["_AIRFLOW_PARSING_CONTEXT_TASK_ID"], "load");
  EXPECT_EQ(environment["ETESIAN_RUN_ID"], "manual__2026-03-01T00:00:00+00:00");
  EXPECT_EQ(environment["AIRFLOW_CTX_LOGICAL_DATE"], "2026-03-01T00:00:00+00:00");
  EXPECT_FALSE(environment.contains("ETESIAN_PARAMS"));
}

TEST_F(NativeLaunchTest, AnEnvironmentOfItsOwnIsAllThereIs) {
  declare({{"DAY", {"{{ ds }}"}}, {"AIRFLOW_CTX_DAG_ID", {"mine"}}});
  const std::map<std::string, std::string> expected = {
      {"DAY", "2026-03-01"},
      {"AIRFLOW_CTX_DAG_ID", "etl"},  // the operator's own come last
      {"AIRFLOW_CTX_DAG_OWNER", "airflow"},
      {"AIRFLOW_CTX_DAG_RUN_ID", "manual__2026-03-01T00:00:00+00:00"},
      {"AIRFLOW_CTX_LOGICAL_DATE", "2026-03-01T00:00:00+00:00"},
      {"AIRFLOW_CTX_TASK_ID", "load"},
      {"AIRFLOW_CTX_TRY_NUMBER", "2"}};
  EXPECT_EQ(environment_of(native()), expected);
  task_.airflow->native_inherits_environment = true;
  auto environment = environment_of(native());
  EXPECT_EQ(environment["DAY"], "2026-03-01");
  EXPECT_EQ(environment["AIRFLOW_HOME"], "/airflow");
}

TEST_F(NativeLaunchTest, ItRunsInAFolderOfItsOwnUnlessItNamesOne) {
  EXPECT_TRUE(native().has_own_folder);
  EXPECT_EQ(native().working_folder, "/tmp");
  inherited_.emplace_back("TMPDIR", "/var/tmp");
  EXPECT_EQ(native().working_folder, "/var/tmp");
  inherited_.back().second = "/no/such/folder";
  EXPECT_EQ(native().working_folder, "/tmp");
  task_.working_folder = TemplateText{"/data/{{ ds }}"};
  EXPECT_FALSE(native().has_own_folder);
  EXPECT_EQ(native().working_folder, "/data/2026-03-01");
}

TEST_F(NativeLaunchTest, ItsRenderedFieldsAreThoseThatAWorkerSends) {
  EXPECT_EQ(*native_fields(facts()), R"({"bash_command":"true","env":null,"cwd":null})");
  declare({{"B", {"{{ ds }}"}}, {"A", {"x"}}});
  task_.working_folder = TemplateText{"/tmp"};
  command("echo {{ run_id }}");
  EXPECT_EQ(*native_fields(facts()), R"({"bash_command":"echo manual__2026-03-01T00:00:00+00:00",)"
                                     R"("env":{"A":"x","B":"2026-03-01"},"cwd":"/tmp"})");
  declare({});
  EXPECT_EQ(parse_json(*native_fields(facts()))->at("env"), json::value(json::object{}));
}

TEST_F(NativeLaunchTest, WhatCannotBeRenderedIsAnErrorWithoutAPlace) {
  command("echo {{ ds }}");
  facts_.run.logical_date.reset();
  const auto built = build_native_launch(facts(), inherited_);
  ASSERT_FALSE(built);
  EXPECT_TRUE(built.error().message.starts_with("dags/etl/dag.yaml: 'ds' has no value"))
      << built.error().message;
}

}  // namespace
}  // namespace etesian
