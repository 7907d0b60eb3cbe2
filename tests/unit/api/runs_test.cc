#include "support.h"

namespace etesian::api {
namespace {

const std::string kRun = "/api/v2/dags/etl/dagRuns/r1";

class RunsTest : public UserTest {
 protected:
  void SetUp() override {
    UserTest::SetUp();
    unpause();
    agent_comes();
  }
  std::string states(const std::string& run = "r1") {
    const json::value list =
        json::parse(call("GET /api/v2/dags/etl/dagRuns/" + run + "/taskInstances").body);
    std::string text;
    for (const auto& row : list.at("task_instances").as_array()) {
      text += (text.empty() ? "" : ", ") + std::string(row.at("task_id").as_string()) + " " +
              json::serialize(row.at("state")) + " " + json::serialize(row.at("try_number"));
    }
    return text;
  }
};

TEST_F(RunsTest, ATriggeredRunGoesThroughItsTasks) {
  const auto response = call("POST /api/v2/dags/etl/dagRuns",
                             R"({"logical_date": "2024-08-01T00:00:00+09:00", "dag_run_id": "r1",
                                 "conf": {"day": 1}, "note": "by hand"})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(of(response, "dag_run_id"), R"("r1")");
  EXPECT_EQ(of(response, "logical_date"), R"("2024-07-31T15:00:00Z")");
  EXPECT_EQ(of(response, "run_type"), R"("manual")");
  EXPECT_EQ(of(response, "triggered_by"), R"("rest_api")");
  EXPECT_EQ(of(response, "triggering_user_name"), R"("admin")");
  EXPECT_EQ(of(response, "conf"), R"({"day":1})");
  EXPECT_EQ(of(response, "note"), R"("by hand")");
  EXPECT_EQ(of(response, "dag_versions.0.version_number"), "1");

  EXPECT_EQ(states(), R"(extract "queued" 1, load null 0)");
  all_end(0);
  EXPECT_EQ(states(), R"(extract "success" 1, load "queued" 1)");
  all_end(0);
  EXPECT_EQ(of(call("GET " + kRun), "state"), R"("success")");
}

TEST_F(RunsTest, TheSameRunIdTwiceIsAConflict) {
  trigger("r1");
  EXPECT_EQ(
      call("POST /api/v2/dags/etl/dagRuns", R"({"logical_date": null, "dag_run_id": "r1"})").status,
      409);
}

TEST_F(RunsTest, MistakesInABodyAreNamedAllAtOnce) {
  const auto response = call("POST /api/v2/dags/etl/dagRuns",
                             R"({"dag_run_id": 7, "confg": {}, "run_after": "tomorrow"})");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(
      response.body,
      R"({"detail":[{"type":"missing","loc":["body","logical_date"],"msg":"Field required","input":)"
      R"({"dag_run_id":7,"confg":{},"run_after":"tomorrow"}},)"
      R"({"type":"string_type","loc":["body","dag_run_id"],"msg":"Input should be a valid string","input":7},)"
      R"({"type":"datetime_from_date_parsing","loc":["body","run_after"],"msg":"Input should be a valid datetime or date","input":"tomorrow"},)"
      R"({"type":"extra_forbidden","loc":["body","confg"],"msg":"Extra inputs are not permitted","input":{}}]})");
}

TEST_F(RunsTest, RunIdsThatAirflowRefusesAreRefused) {
  for (const auto* id : {"../x", "scheduled__mine", "a b", "x/y"}) {
    EXPECT_EQ(call("POST /api/v2/dags/etl/dagRuns",
                   json::serialize(json::object{{"logical_date", nullptr}, {"dag_run_id", id}}))
                  .status,
              400)
        << id;
  }
}

TEST_F(RunsTest, OtherContentTypesAreRefused) {
  for (const auto* type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data"}) {
    EXPECT_EQ(
        call("POST /api/v2/dags/etl/dagRuns", R"({"logical_date": null})", {{"content-type", type}})
            .status,
        415);
  }
}

TEST_F(RunsTest, WhatIsNotThereIsNamedInAirflowsWords) {
  EXPECT_EQ(call("GET /api/v2/dags/nix").body,
            R"({"detail":"The Dag with ID: `nix` was not found"})");
  EXPECT_EQ(call("GET /api/v2/dags/etl/dagRuns/nix").body,
            R"({"detail":"The DagRun with dag_id: `etl` and run_id: `nix` was not found"})");
  trigger("r1");
  EXPECT_EQ(
      call("GET " + kRun + "/taskInstances/nix").body,
      R"({"detail":"The Task Instance with dag_id: `etl`, run_id: `r1` and task_id: `nix` was not found"})");
}

TEST_F(RunsTest, ListsArePagedFilteredAndOrdered) {
  trigger("r1");
  trigger("r2");
  trigger("s3");
  EXPECT_EQ(
      of(call("GET /api/v2/dags/~/dagRuns?limit=2&order_by=-run_id"), "dag_runs.1.dag_run_id"),
      R"("r2")");
  EXPECT_EQ(of(call("GET /api/v2/dags/~/dagRuns?limit=1"), "total_entries"), "3");
  EXPECT_EQ(of(call("GET /api/v2/dags/etl/dagRuns?run_id_pattern=%r%"), "total_entries"), "2");
  EXPECT_EQ(of(call("GET /api/v2/dags/etl/dagRuns?state=failed"), "total_entries"), "0");
  EXPECT_EQ(call("GET /api/v2/dags/etl/dagRuns?limit=-1").status, 422);
  EXPECT_EQ(call("GET /api/v2/dags/etl/dagRuns?state=odd").status, 422);
  EXPECT_EQ(call("GET /api/v2/dags/etl/dagRuns?order_by=password").status, 400);
}

TEST_F(RunsTest, AFailedTaskIsClearedWithWhatFollows) {
  trigger("r1");
  all_end(1);
  EXPECT_EQ(states(), R"(extract "failed" 1, load "upstream_failed" 0)");
  const std::string body =
      R"({"dag_run_id": "r1", "task_ids": ["extract"], "include_downstream": true, "dry_run": )";
  EXPECT_EQ(of(call("POST /api/v2/dags/etl/clearTaskInstances", body + "true}"), "total_entries"),
            "2");
  EXPECT_EQ(states(), R"(extract "failed" 1, load "upstream_failed" 0)");
  EXPECT_EQ(of(call("POST /api/v2/dags/etl/clearTaskInstances", body + "false}"), "total_entries"),
            "2");
  EXPECT_EQ(states(), R"(extract "queued" 2, load null 0)");
  EXPECT_EQ(of(call("GET " + kRun + "/taskInstances/extract/tries"), "total_entries"), "2");
}

TEST_F(RunsTest, ATaskIsMarkedAndItsRunGoesOn) {
  trigger("r1");
  all_end(1);
  const auto marked =
      call("PATCH " + kRun + "/taskInstances/extract", R"({"new_state": "success"})");
  EXPECT_EQ(of(marked, "task_instances.0.state"), R"("success")");
  EXPECT_EQ(of(marked, "total_entries"), "1");
  EXPECT_EQ(call("PATCH " + kRun + "/taskInstances/extract", R"({"new_state": "success"})").status,
            409);
}

TEST_F(RunsTest, ARunIsMarkedNotedAndRemoved) {
  trigger("r1");
  const auto marked = call("PATCH " + kRun, R"({"state": "failed", "note": "enough"})");
  EXPECT_EQ(of(marked, "note"), R"("enough")");
  EXPECT_EQ(of(marked, "state"), R"("failed")") << "though its try has not ended yet";
  EXPECT_EQ(of(call("GET " + kRun), "state"), R"("running")");
  all_end(1);
  EXPECT_EQ(of(call("GET " + kRun), "state"), R"("failed")");
  EXPECT_EQ(call("DELETE " + kRun).status, 204);
  EXPECT_EQ(call("GET " + kRun).status, 404);
}

TEST_F(RunsTest, OutputsAreReadForOneTaskOrAll) {
  trigger("r1");
  all_end(0, R"({"rows":3})");
  EXPECT_EQ(of(call("GET " + kRun + "/taskInstances/~/xcomEntries"), "xcom_entries.0.task_id"),
            R"("extract")");
  EXPECT_EQ(of(call("GET " + kRun + "/taskInstances/extract/xcomEntries/return_value"), "value"),
            R"({"rows":3})");
  EXPECT_EQ(call("GET " + kRun + "/taskInstances/load/xcomEntries/return_value").status, 404);
}

TEST_F(RunsTest, AWaitingTaskIsExplained) {
  trigger("r1");
  const auto response = call("GET " + kRun + "/taskInstances/load/explain");
  EXPECT_EQ(of(response, "gates.0.kind"), R"("upstream")");
  EXPECT_NE(of(response, "summary").find("extract"), std::string::npos) << response.body;
  all_end(1);
  EXPECT_EQ(of(call("GET " + kRun + "/explain"), "summary"), R"("the run has ended: failed")");
}

TEST_F(RunsTest, ARunThatWaitsForItsDagIsExplained) {
  call("PATCH /api/v2/dags/etl", R"({"is_paused": true})");
  trigger("r1");
  EXPECT_EQ(of(call("GET " + kRun + "/explain"), "gates.0.kind"), R"("dag_paused")");
}

TEST_F(RunsTest, ChangesAreStreamedAndResumed) {
  auto first = begin("GET /api/v2/events?dag_id=etl");
  trigger("r1");
  const std::string text = first->body->text();
  EXPECT_NE(text.find("event: run\n"), std::string::npos) << text;
  const auto id = text.find("id: ");
  const std::string seen = text.substr(id + 4, text.find('\n', id) - id - 4);

  auto resumed = begin("GET /api/v2/events?dag_id=etl", "", {{"last-event-id", seen}});
  EXPECT_EQ(": connected\n\n" + text.substr(text.find("\n\n", id) + 2), resumed->body->text());
}

TEST_F(RunsTest, AStreamEndsWithItsToken) {
  auto stream = begin("GET /api/v2/events");
  EXPECT_EQ(call("POST /auth/logout").status, 204);
  const std::string before = stream->body->text();
  engine_.happen(SetPaused{"etl", "someone", true});
  EXPECT_EQ(stream->body->text(), before);
}

}  // namespace
}  // namespace etesian::api
