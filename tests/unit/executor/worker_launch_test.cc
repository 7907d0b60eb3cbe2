#include "executor/worker_launch.h"

#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "wire/worker_token.h"

namespace etesian {
namespace {

/// A mapped task of an Airflow DAG that reads from one above it.
class WorkerLaunchTest : public ::testing::Test {
 protected:
  WorkerLaunchTest() {
    DagDefinition definition;
    definition.id = "tiny";
    definition.folder = "/airflow/dags";
    definition.relative_file = "team/tiny_dag.py";
    definition.version = "v1";
    definition.airflow = AirflowSource{.bundle = "dags-folder", .serialized = "{}"};
    Task& task = definition.tasks.emplace_back();
    task.id = "group.quick";
    task.run.kind = Command::Kind::Worker;
    task.airflow = AirflowTask{};
    task.airflow->queue = "gpu";
    task.pool_slots = 2;
    task.priority = 5;
    task.timeout = std::chrono::seconds(9);
    task.memory_bytes = 1 << 30;
    dag_ = *Dag::build(definition);
    facts_.dag = dag_.get();
    facts_.run.key = 12;
    facts_.run.dag_id = "tiny";
    facts_.run.run_id = "r1";
    facts_.run.conf = std::string(300'000, 'x');
    facts_.instance.key = {12, 0, 4};
    facts_.instance.try_number = 3;
    facts_.try_id.bytes[0] = 0xab;
    facts_.launch = 2;
    facts_.session = "s1";
    facts_.secrets = {"hunter2"};
    place_.program = "/opt/etesian";
    place_.socket = "/run/airflow.sock";
    place_.server_url = "http://127.0.0.1:8080/execution/";
    place_.token_key = std::string(32, 'k');
    place_.python = "/venv/bin/python";
    place_.environment = {{"AIRFLOW_HOME", "/home/airflow"}, {"LANG", "C"}};
  }
  std::map<std::string, std::string> environment_of(const wire::StartTry& launch) {
    std::map<std::string, std::string> all(launch.environment.begin(), launch.environment.end());
    EXPECT_EQ(all.size(), launch.environment.size()) << "a name is there twice";
    return all;
  }

  std::shared_ptr<const Dag> dag_;
  LaunchFacts facts_;
  WorkerPlace place_;
};

TEST_F(WorkerLaunchTest, the_workload_is_what_the_official_executor_sends) {
  json::object workload = json::parse(workload_json(facts_, place_)).as_object();
  const auto token =
      wire::read_worker_token(std::string_view(workload["token"].as_string()), place_.token_key);
  ASSERT_TRUE(token);
  EXPECT_EQ(token->run, 12);
  EXPECT_EQ(token->task, 0U);
  EXPECT_EQ(token->map_index, 4);
  EXPECT_EQ(token->try_id, facts_.try_id);
  EXPECT_EQ(token->launch, 2);
  EXPECT_FALSE(token->is_host);
  workload.erase("token");
  EXPECT_EQ(canonical_json(workload),
            R"({"bundle_info":{"name":"dags-folder","version":null},)"
            R"("dag_rel_path":"team/tiny_dag.py","log_path":null,"sentry_integration":"",)"
            R"("ti":{"context_carrier":null,"dag_id":"tiny",)"
            R"("dag_version_id":"b8ef6823-fb17-88c1-b023-653e4dfd49f7","hostname":"",)"
            R"("id":"ab000000-0000-0000-0000-000000000000","map_index":4,"pool_slots":2,)"
            R"("priority_weight":5,"queue":"gpu","run_id":"r1","task_id":"group.quick",)"
            R"("try_number":3},"type":"ExecuteTask"})");
}

TEST_F(WorkerLaunchTest, the_warm_host_gets_it_through_the_environment) {
  const wire::StartTry launch = build_worker_launch(facts_, place_);
  EXPECT_EQ(launch.argv, (std::vector<std::string>{"/opt/etesian", "airflow-task"}));
  EXPECT_EQ(launch.label, "tiny/r1/group.quick[4] try 3");
  EXPECT_EQ(launch.working_folder, "/airflow/dags");
  EXPECT_EQ(launch.session, "s1");
  EXPECT_EQ(launch.launch, 2);
  auto environment = environment_of(launch);
  EXPECT_EQ(environment["ETESIAN_WORKLOAD"], workload_json(facts_, place_));
  EXPECT_EQ(environment["ETESIAN_AIRFLOW_SOCKET"], "/run/airflow.sock");
  EXPECT_EQ(environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"],
            "http://127.0.0.1:8080/execution/");
  EXPECT_EQ(environment["AIRFLOW_HOME"], "/home/airflow");
  EXPECT_EQ(environment["LANG"], "C");  // the installation's word is stronger
  EXPECT_EQ(environment["ETESIAN_TASK_ID"], "group.quick");
  EXPECT_EQ(environment["ETESIAN_TRY_NUMBER"], "3");
}

TEST_F(WorkerLaunchTest, a_conf_of_any_length_can_be_launched) {
  constexpr std::size_t kArgumentBytesMax = 128 << 10;  // MAX_ARG_STRLEN of Linux
  for (const auto& [name, value] : build_worker_launch(facts_, place_).environment)
    EXPECT_LT(name.size() + value.size() + 2, kArgumentBytesMax) << name;
}

TEST_F(WorkerLaunchTest, the_worker_keeps_the_time_limit_and_the_token_is_masked) {
  const wire::StartTry launch = build_worker_launch(facts_, place_);
  EXPECT_EQ(launch.timeout, Duration{0});
  EXPECT_EQ(launch.kill_grace, std::chrono::seconds(10));
  EXPECT_EQ(launch.memory_bytes, 1U << 30);
  ASSERT_EQ(launch.secrets.size(), 2U);
  EXPECT_EQ(launch.secrets[0], "hunter2");
  EXPECT_TRUE(wire::read_worker_token(launch.secrets[1], place_.token_key));
}

TEST_F(WorkerLaunchTest, without_the_warm_host_python_is_started_anew) {
  place_.has_prefork = false;
  const wire::StartTry launch = build_worker_launch(facts_, place_);
  EXPECT_EQ(launch.argv,
            (std::vector<std::string>{"/venv/bin/python", "-m",
                                      "airflow.sdk.execution_time.execute_workload",
                                      "--json-string", workload_json(facts_, place_)}));
  auto environment = environment_of(launch);
  EXPECT_FALSE(environment.contains("ETESIAN_WORKLOAD"));
  EXPECT_FALSE(environment.contains("ETESIAN_AIRFLOW_SOCKET"));
  EXPECT_EQ(environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"],
            "http://127.0.0.1:8080/execution/");
}

}  // namespace
}  // namespace etesian
