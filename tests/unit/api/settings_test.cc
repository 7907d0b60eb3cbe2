#include "api/redact.h"
#include "support.h"

namespace etesian::api {
namespace {

class SettingsTest : public UserTest {
 protected:
  std::string audit_total() { return of(call("GET /api/v2/eventLogs"), "total_entries"); }
};

TEST_F(SettingsTest, AVariableIsMadeChangedReadAndRemoved) {
  EXPECT_EQ(
      call("POST /api/v2/variables", R"({"key":"region","value":"eu"})").body,
      R"({"key":"region","description":null,"is_encrypted":true,"team_name":null,"value":"eu"})");
  EXPECT_EQ(call("POST /api/v2/variables", R"({"key":"region","value":"us"})").status, 409);
  call("PATCH /api/v2/variables/region", R"({"key":"region","value":{"a":1}})");
  EXPECT_EQ(of(call("GET /api/v2/variables/region"), "value"), R"("{\"a\":1}")");
  EXPECT_EQ(call("DELETE /api/v2/variables/region").status, 204);
  EXPECT_EQ(call("GET /api/v2/variables/region").status, 404);
}

TEST_F(SettingsTest, ValuesOfSensitiveNamesStayHidden) {
  call("POST /api/v2/variables", R"({"key":"db_password","value":"hunter2"})");
  call("POST /api/v2/variables", R"({"key":"settings","value":"{\"api_key\":\"k\",\"n\":1}"})");
  const auto list = call("GET /api/v2/variables");
  EXPECT_EQ(list.body.find("hunter2"), std::string::npos);
  EXPECT_EQ(of(call("GET /api/v2/variables/db_password"), "value"), R"("***")");
  EXPECT_EQ(of(call("GET /api/v2/variables/settings"), "value"),
            R"("{\"api_key\":\"***\",\"n\":1}")");
}

TEST_F(SettingsTest, APasswordNeverComesBack) {
  const auto made = call("POST /api/v2/connections",
                         R"({"connection_id":"db","conn_type":"postgres","host":"h","port":5432,
                             "password":"hunter2","extra":"{\"token\":\"t0k\",\"mode\":\"ro\"}"})");
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(of(made, "password"), R"("***")");
  EXPECT_EQ(of(made, "extra"), R"("{\"token\":\"***\",\"mode\":\"ro\"}")");
  const auto patched = call("PATCH /api/v2/connections/db", R"({"password":"***","host":"other"})");
  EXPECT_EQ(of(patched, "host"), R"("other")");
  EXPECT_EQ(of(patched, "password"), R"("***")");
  EXPECT_EQ(call("GET /api/v2/connections").body.find("hunter2"), std::string::npos);
}

TEST_F(SettingsTest, APoolHasSlots) {
  const auto made = call("POST /api/v2/pools", R"({"name":"db","slots":3})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(of(made, "open_slots"), "3");
  EXPECT_EQ(of(call("PATCH /api/v2/pools/db", R"({"slots":-1})"), "open_slots"), "-1");
  EXPECT_EQ(call("PATCH /api/v2/pools/db", R"({"slots":-2})").status, 400);
  EXPECT_EQ(call("DELETE /api/v2/pools/default_pool").status, 400);
  EXPECT_EQ(call("DELETE /api/v2/pools/db").status, 204);
}

TEST_F(SettingsTest, EachWriteLeavesOneAuditRow) {
  unpause();
  agent_comes();
  const std::vector<std::pair<std::string, std::string>> writes{
      {"POST /api/v2/variables", R"({"key":"k","value":"v"})"},
      {"PATCH /api/v2/variables/k", R"({"value":"w"})"},
      {"DELETE /api/v2/variables/k", ""},
      {"POST /api/v2/connections", R"({"connection_id":"c","conn_type":"http"})"},
      {"PATCH /api/v2/connections/c", R"({"host":"h"})"},
      {"DELETE /api/v2/connections/c", ""},
      {"POST /api/v2/pools", R"({"name":"p","slots":1})"},
      {"PATCH /api/v2/pools/p", R"({"slots":2})"},
      {"DELETE /api/v2/pools/p", ""},
      {"PATCH /api/v2/dags/etl", R"({"is_paused":false})"},
      {"POST /api/v2/dags/etl/dagRuns", R"({"logical_date":null,"dag_run_id":"r1"})"},
      {"PATCH /api/v2/dags/etl/dagRuns/r1", R"({"note":"n"})"},
      {"PATCH /api/v2/dags/etl/dagRuns/r1/taskInstances/load", R"({"note":"n"})"},
      {"POST /api/v2/dags/etl/dagRuns/r1/taskInstances/extract/kill", "{}"},
      {"PATCH /api/v2/dags/etl/dagRuns/r1", R"({"state":"failed"})"},
  };
  for (const auto& [line, body] : writes) {
    const int before = std::stoi(audit_total());
    const auto response = call(line, body);
    EXPECT_LT(response.status, 300) << line << " " << response.body;
    EXPECT_EQ(std::stoi(audit_total()), before + 1) << line;
    EXPECT_EQ(of(call("GET /api/v2/eventLogs?order_by=-id&limit=1"), "event_logs.0.owner"),
              R"("admin")")
        << line;
    if (line.ends_with("/kill")) all_end(137);
  }
}

TEST_F(SettingsTest, ReadingChangesNothing) {
  const int commits = engine_.commits;
  for (const auto& route : router_->routes()) {
    if (route.method != "GET" || route.pattern.find("stream") != std::string::npos ||
        route.pattern.find("/events") != std::string::npos) {
      continue;
    }
    call("GET " + route.pattern);
  }
  EXPECT_EQ(engine_.commits, commits);
}

TEST(SensitiveNames, AreAirflows) {
  for (const auto* name :
       {"password", "DB_PASSWORD", "api-key", "authToken", "my_secret", "proxy"}) {
    EXPECT_TRUE(is_sensitive_name(name)) << name;
  }
  for (const auto* name : {"region", "keyboard", "path"})
    EXPECT_FALSE(is_sensitive_name(name)) << name;
}

}  // namespace
}  // namespace etesian::api
