// Filters, orders and bulk actions.
#include "support.h"

namespace etesian::api {
namespace {

class ListsTest : public UserTest {
 protected:
  void SetUp() override {
    UserTest::SetUp();
    unpause();
    agent_comes();
  }
  static std::shared_ptr<const Dag> dag(const std::string& id, std::vector<std::string> tags) {
    DagDefinition definition;
    definition.id = id;
    definition.owner = "ann, bob";
    definition.tags = std::move(tags);
    definition.relative_file = "dags/" + id + "/dag.yaml";
    Task task;
    task.id = "t";
    definition.tasks.push_back(std::move(task));
    definition.canonical = to_canonical(definition, CanonicalUse::Storage);
    definition.version = "v1";
    return *Dag::build(std::move(definition));
  }
  /// The values of `member` in a listing, joined.
  std::string all(const std::string& line, const std::string& plural, const std::string& member) {
    const auto response = call(line);
    if (response.status != 200) return std::to_string(response.status);
    std::string text;
    const json::value body = json::parse(response.body);
    for (const auto& row : body.at(plural).as_array()) {
      text += (text.empty() ? "" : " ") + std::string(row.at(member).as_string());
    }
    return text;
  }
  std::string dags(const std::string& query) {
    return all("GET /api/v2/dags?" + query, "dags", "dag_id");
  }
};

TEST_F(ListsTest, DagsAreFilteredAndOrdered) {
  engine_.happen(DagLoaded{dag("report", {"daily", "core"})});
  engine_.happen(DagLoaded{dag("Reload", {"core"})});
  EXPECT_EQ(dags("order_by=-dag_id"), "report etl Reload");
  EXPECT_EQ(dags("tags=daily&tags=core"), "Reload report");
  EXPECT_EQ(dags("tags=daily&tags=core&tags_match_mode=all"), "report");
  EXPECT_EQ(dags("owners=bo"), "Reload report");
  EXPECT_EQ(dags("dag_id_pattern=RE%"), "Reload report");
  EXPECT_EQ(dags("dag_id_prefix_pattern=re"), "report");
  EXPECT_EQ(dags("dag_id_pattern=etl|report&limit=1&offset=1"), "report");
  trigger("r1");
  EXPECT_EQ(dags("last_dag_run_state=running"), "etl");
  EXPECT_EQ(dags("order_by=-last_run_state"), "etl Reload report");
  EXPECT_EQ(dags("order_by=password"), "400");
  EXPECT_EQ(call("GET /api/v2/dags?tags_match_mode=odd").status, 422);
  EXPECT_EQ(of(call("GET /api/v2/dagTags"), "tags"), R"(["core","daily"])");
  EXPECT_EQ(of(call("GET /api/v2/dagTags?tag_name_pattern=da"), "total_entries"), "1");
}

TEST_F(ListsTest, DagsArePausedByPattern) {
  engine_.happen(DagLoaded{dag("report", {})});
  EXPECT_EQ(of(call("PATCH /api/v2/dags", R"({"is_paused": true})"), "total_entries"), "0")
      << "nobody is meant without a pattern";
  const auto paused = call("PATCH /api/v2/dags?dag_id_pattern=~", R"({"is_paused": true})");
  EXPECT_EQ(of(paused, "total_entries"), "2");
  EXPECT_EQ(of(paused, "dags.0.is_paused"), "true");
  EXPECT_EQ(dags("paused=true"), "etl report");
}

TEST_F(ListsTest, RunsAndInstancesOfSomeDagsAreListed) {
  engine_.happen(DagLoaded{dag("report", {})});
  call("PATCH /api/v2/dags/report", R"({"is_paused": false})");
  trigger("r1");
  call("POST /api/v2/dags/report/dagRuns",
       R"({"logical_date": null, "dag_run_id": "x1", "conf": {"day": 1}})");
  const auto runs = call("POST /api/v2/dags/~/dagRuns/list",
                         R"({"dag_ids": ["report", "etl"], "order_by": "-dag_id"})");
  EXPECT_EQ(of(runs, "total_entries"), "2") << runs.body;
  EXPECT_EQ(of(runs, "dag_runs.0.dag_run_id"), R"("x1")");
  EXPECT_EQ(all("GET /api/v2/dags/~/dagRuns?conf_contains=day", "dag_runs", "dag_run_id"), "x1");
  EXPECT_EQ(all("GET /api/v2/dags/~/dagRuns?dag_id_pattern=re", "dag_runs", "dag_run_id"), "x1");
  const auto rows = call("POST /api/v2/dags/~/dagRuns/~/taskInstances/list",
                         R"({"dag_ids": ["etl"], "task_ids": ["extract", "load"],
                             "order_by": "-task_id", "page_limit": 1})");
  EXPECT_EQ(of(rows, "total_entries"), "2") << rows.body;
  EXPECT_EQ(of(rows, "task_instances.0.task_id"), R"("load")");
  EXPECT_EQ(all("GET /api/v2/dags/~/dagRuns/~/taskInstances?operator=Command&order_by=task_id",
                "task_instances", "task_id"),
            "extract load");
  EXPECT_EQ(call("POST /api/v2/dags/etl/dagRuns/list", "{}").status, 422);
}

TEST_F(ListsTest, VariablesAreChangedInBulk) {
  const std::string line = "PATCH /api/v2/variables";
  const auto made = call(line, R"({"actions":[
      {"action":"create","entities":[{"key":"a","value":"1"},{"key":"b","value":{"x":1}}]},
      {"action":"update","entities":[{"key":"a","value":"2","description":"d"}],
       "update_mask":["value"]}]})");
  EXPECT_EQ(made.body, R"({"create":{"success":["a","b"],"errors":[]},)"
                       R"("update":{"success":["a"],"errors":[]},"delete":null})");
  EXPECT_EQ(of(call("GET /api/v2/variables/a"), "value"), R"("2")");
  EXPECT_EQ(of(call("GET /api/v2/variables/a"), "description"), "null");
  const auto refused = call(line, R"({"actions":[
      {"action":"create","entities":[{"key":"a","value":"3"}]},
      {"action":"delete","entities":["nix"]}]})");
  EXPECT_EQ(of(refused, "create.errors.0"),
            R"({"error":"The variables with these keys: {'a'} already exist.","status_code":409})");
  EXPECT_EQ(of(refused, "delete.errors.0.status_code"), "404");
  const auto skipped = call(line, R"({"actions":[
      {"action":"create","entities":[{"key":"a","value":"3"}],"action_on_existence":"overwrite"},
      {"action":"delete","entities":["nix","b"],"action_on_non_existence":"skip"}]})");
  EXPECT_EQ(of(skipped, "create.success"), R"(["a"])");
  EXPECT_EQ(of(skipped, "delete.success"), R"(["b"])");
  EXPECT_EQ(call(line, R"({"actions":[{"action":"create","entities":[{"key":1}]}]})").status, 422);
  EXPECT_EQ(call(line, R"({"actions":[{"action":"drop","entities":[]}]})").status, 422);
}

TEST_F(ListsTest, PoolsAndConnectionsAreChangedInBulk) {
  const auto pools = call("PATCH /api/v2/pools", R"({"actions":[
      {"action":"create","entities":[{"name":"p","slots":2},{"name":"bad","slots":-7}]},
      {"action":"delete","entities":["default_pool"]}]})");
  EXPECT_EQ(of(pools, "create.success"), R"(["p"])");
  EXPECT_EQ(of(pools, "create.errors.0.status_code"), "400");
  EXPECT_EQ(of(pools, "delete.errors.0.error"), R"("Default Pool can't be deleted")");
  const auto connections = call("PATCH /api/v2/connections", R"({"actions":[
      {"action":"create","entities":[{"connection_id":"c","conn_type":"http","host":"h",
                                      "extra":"{\"token\":\"t\",\"a\":1}"}]}]})");
  EXPECT_EQ(of(connections, "create.success"), R"(["c"])");
  const auto patched = call("PATCH /api/v2/connections/c",
                            R"({"connection_id":"c","conn_type":"http","host":null,"login":"me",
               "extra":"{\"token\":\"***\",\"a\":2}"})");
  EXPECT_EQ(of(patched, "host"), "null");
  EXPECT_EQ(of(patched, "extra"), R"("{\"token\":\"***\",\"a\":2}")");
  const auto masked = call("PATCH /api/v2/connections/c?update_mask=login",
                           R"({"connection_id":"c","conn_type":"http","host":"x","login":"you"})");
  EXPECT_EQ(of(masked, "host"), "null");
  EXPECT_EQ(of(masked, "login"), R"("you")");
}

TEST_F(ListsTest, RunsAndTasksAreChangedInBulk) {
  trigger("r1");
  trigger("r2");
  all_end(1);
  const auto marked = call("PATCH /api/v2/dags/~/dagRuns/~/taskInstances", R"({"actions":[
      {"action":"update","entities":[
         {"dag_id":"etl","dag_run_id":"r1","task_id":"extract","new_state":"success"},
         {"dag_run_id":"r2","task_id":"extract","new_state":"success"},
         {"dag_id":"etl","dag_run_id":"r2","task_id":"nix","new_state":"success"}]},
      {"action":"delete","entities":["extract"]}]})");
  EXPECT_EQ(of(marked, "update.success"), R"(["etl.r1.extract[-1]"])") << marked.body;
  EXPECT_EQ(of(marked, "update.errors.0.status_code"), "400");
  EXPECT_EQ(of(marked, "update.errors.1.status_code"), "404");
  EXPECT_EQ(of(marked, "delete.errors.0.status_code"), "405");
  const auto runs = call("PATCH /api/v2/dags/etl/dagRuns", R"({"actions":[
      {"action":"update","entities":[{"dag_run_id":"r2","note":"n","state":"success"}]},
      {"action":"delete","entities":["r1","r9"],"action_on_non_existence":"skip"}]})");
  EXPECT_EQ(of(runs, "update.success"), R"(["etl.r2"])") << runs.body;
  EXPECT_EQ(of(call("GET /api/v2/dags/etl/dagRuns/r2"), "note"), R"("n")");
  EXPECT_EQ(of(runs, "delete.errors.0.status_code"), "409") << "r1 runs again";
}

TEST_F(ListsTest, SeveralRunsAreClearedAndADagLosesItsHistory) {
  trigger("r1");
  trigger("r2");
  EXPECT_EQ(call("DELETE /api/v2/dags/etl").status, 409);
  all_end(1);
  const std::string body = R"({"dag_runs":[{"dag_run_id":"r1"},{"dag_run_id":"r2"}],"dry_run":)";
  EXPECT_EQ(of(call("POST /api/v2/dags/etl/clearDagRuns", body + "true}"), "total_entries"), "4");
  EXPECT_EQ(
      of(call("POST /api/v2/dags/etl/clearDagRuns", body + "false}"), "dag_runs.0.dag_run_id"),
      R"("r1")");
  EXPECT_EQ(call("POST /api/v2/dags/etl/clearDagRuns", "{}").status, 422);
  all_end(1);
  EXPECT_EQ(call("DELETE /api/v2/dags/etl").status, 204);
  EXPECT_EQ(of(call("GET /api/v2/dags/etl/dagRuns"), "total_entries"), "0");
}

TEST_F(ListsTest, AClientWaitsForARun) {
  trigger("r1");
  auto waiting = begin("GET /api/v2/dags/etl/dagRuns/r1/wait?interval=1&result=load");
  EXPECT_EQ(waiting->body->text(), "{\"state\":\"running\"}\n");
  all_end(0);
  all_end(0, R"({"rows":3})");
  EXPECT_EQ(waiting->body->whole_text(),
            "{\"state\":\"running\"}\n"
            "{\"state\":\"success\",\"results\":{\"load\":{\"rows\":3}}}\n");
  EXPECT_EQ(call("GET /api/v2/dags/etl/dagRuns/r1/wait").status, 422);
  EXPECT_EQ(call("GET /api/v2/dags/etl/dagRuns/r9/wait?interval=1").status, 404);
}

TEST_F(ListsTest, AWaitingTaskSaysWhatItDependsOn) {
  trigger("r1");
  const auto response = call("GET /api/v2/dags/etl/dagRuns/r1/taskInstances/load/dependencies");
  EXPECT_EQ(of(response, "dependencies.0.name"), R"("Trigger Rule")");
}

TEST_F(ListsTest, AFileIsLookedAtAgainByItsToken) {
  const std::string token = of(call("GET /api/v2/dags/etl"), "file_token");
  const std::string path = "PUT /api/v2/parseDagFile/";
  EXPECT_EQ(call(path + token.substr(1, token.size() - 2)).status, 201);
  EXPECT_EQ(call(path + "nix").status, 404);
}

TEST_F(ListsTest, WhatAirflowHidesByDefaultIsHidden) {
  EXPECT_EQ(call("GET /api/v2/config").status, 403);
  EXPECT_EQ(call("GET /api/v2/config/section/core/option/fernet_key").status, 403);
  EXPECT_EQ(of(call("GET /api/v2/jobs?job_type=SchedulerJob&is_alive=true"), "jobs.0.state"),
            R"("running")");
  EXPECT_EQ(of(call("GET /api/v2/jobs?job_type=TriggererJob"), "total_entries"), "0");
}

}  // namespace
}  // namespace etesian::api
