#include "support.h"

namespace etesian::task_api {
namespace {

class Admission : public TaskApiTest {
 protected:
  Admission() {
    trigger("etl");
    start("extract");
  }
  std::string with_token(const std::string& token, const std::string& line) {
    token_ = token;
    return said(line);
  }
};

TEST_F(Admission, no_token_is_401_and_a_forged_one_403) {
  const std::string line = "GET /variables/a";
  const std::string good = token_;
  EXPECT_EQ(with_token("", line), R"(401 {"detail":"Missing auth token"})");
  const std::string invalid = R"(403 {"detail":"Invalid auth token"})";
  EXPECT_EQ(with_token("abc", line), invalid);
  std::string forged = good;
  forged[3] = forged[3] == 'A' ? 'B' : 'A';
  EXPECT_EQ(with_token(forged, line), invalid);
  wire::WorkerToken host;
  host.is_host = true;
  EXPECT_EQ(with_token(wire::make_worker_token(host, std::string(32, 'x')), line), invalid);
  token_.clear();
  EXPECT_EQ(ask(line, "", {{"authorization", "Basic " + good}}).status, 401);
  EXPECT_EQ(ask(line, "", {{"authorization", "bearer " + good}}).status, 404);
}

TEST_F(Admission, a_token_speaks_for_its_own_instance_only) {
  runs("extract", "success");
  const TryRow a = *open("side.a"), b = *open("side.b");
  const std::string subject = R"(403 {"detail":"Token subject does not match task instance ID"})";
  me_ = a;
  for (const char* line :
       {"PATCH /task-instances/{id}/run", "PATCH /task-instances/{id}/state",
        "PUT /task-instances/{id}/heartbeat", "PUT /task-instances/{id}/rtif",
        "PATCH /task-instances/{id}/skip-downstream",
        "PATCH /task-instances/{id}/rendered-map-index",
        "GET /task-instances/{id}/previous-successful-dagrun",
        "GET /task-instances/{id}/validate-inlets-and-outlets",
        "GET /task-reschedules/{id}/start_date", "PATCH /task-instances/xyz/run"})
    EXPECT_EQ(with_token(token_of(b), line), subject) << line;
}

TEST_F(Admission, the_host_reads_settings_and_states_and_changes_no_task) {
  const auto status = [&](const std::string& line, const std::string& body = "") {
    token_ = host_token();
    return ask(line, body).status;
  };
  EXPECT_EQ(status("PUT /variables/a", R"({"val":"1"})"), 201);
  EXPECT_EQ(status("GET /variables/a"), 200);
  EXPECT_EQ(status("GET /variables/keys"), 200);
  EXPECT_EQ(status("DELETE /variables/a"), 204);
  EXPECT_EQ(status("GET /connections/none"), 404);
  EXPECT_EQ(status("GET /dag-runs/etl/r2024-08-10"), 200);
  EXPECT_EQ(status("GET /dag-runs/etl/r2024-08-10/state"), 200);
  EXPECT_EQ(status("GET /dag-runs/count?dag_id=etl"), 200);
  EXPECT_EQ(status("GET /task-instances/count?dag_id=etl"), 200);
  EXPECT_EQ(status("GET /xcoms/etl/r2024-08-10/extract/k/slice"), 200);
  EXPECT_EQ(status("GET /task-instances/{id}/previous-successful-dagrun"), 200);
  for (const char* line :
       {"PATCH /task-instances/{id}/run", "PATCH /task-instances/{id}/state",
        "PUT /task-instances/{id}/heartbeat", "PUT /task-instances/{id}/rtif",
        "PATCH /task-instances/{id}/skip-downstream", "POST /xcoms/etl/r2024-08-10/extract/k",
        "DELETE /xcoms/etl/r2024-08-10/extract/k", "POST /dag-runs/etl/x",
        "POST /dag-runs/etl/r2024-08-10/clear"})
    EXPECT_EQ(status(line), 403) << line;
}

TEST_F(Admission, the_version_header_is_read_as_the_official_server_reads_it) {
  const auto ask_with = [&](const std::string& version) {
    return ask("GET /variables/a", "", {{"airflow-api-version", version}});
  };
  for (const char* good : {"2026-06-30", "2025-04-11", "2026-05-01", "2030-01-01"}) {
    const http::Response answer = ask_with(good);
    EXPECT_NE(answer.body.find("Variable with key"), std::string::npos) << good;
    EXPECT_EQ(answer.headers.at(0),
              std::pair(std::string("airflow-api-version"), std::string(good)));
  }
  EXPECT_EQ(ask_with("2025-04-10").body, R"({"detail":"Not Found"})");
  for (const char* bad : {"x", "2026-13-01", "2026-06-30T00:00:00Z", ""})
    EXPECT_EQ(ask_with(bad).status, 422) << bad;
  EXPECT_EQ(ask("GET /variables/a").headers.at(0).second, "2026-06-30");
}

TEST_F(Admission, answers_are_plain_json_and_carry_the_correlation_id) {
  const http::Response answer = ask("GET /variables/a", "", {{"correlation-id", "abc"}});
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_EQ(answer.headers.at(1), std::pair(std::string("correlation-id"), std::string("abc")));
  EXPECT_EQ(ask("PUT /task-instances/{id}/heartbeat", beat()).content_type, "");
}

TEST_F(Admission, health_needs_no_token_and_unknown_routes_are_not_found) {
  token_.clear();
  EXPECT_EQ(said("GET /health"), R"(200 {"status":"healthy"})");
  EXPECT_EQ(said("GET /health/ping"), R"(200 {"ok":[],"failing":{}})");
  EXPECT_EQ(said("GET /nothing"), R"(404 {"detail":"Not Found"})");
  EXPECT_EQ(said("GET /xcoms/etl/r/t"), R"(404 {"detail":"Not Found"})");
  EXPECT_EQ(said("POST /variables/a"), R"(405 {"detail":"Method Not Allowed"})");
}

}  // namespace
}  // namespace etesian::task_api
