#include "engine/settings.h"

#include "support.h"

namespace etesian::task_api {
namespace {

class TaskSettings : public TaskApiTest {
 protected:
  TaskSettings() {
    trigger("etl");
    start("extract");
  }
};

TEST_F(TaskSettings, a_variable_is_set_read_and_removed) {
  EXPECT_EQ(said("GET /variables/region"),
            R"(404 {"detail":{"reason":"not_found","message":"Variable with key 'region' not )"
            R"(found"}})");
  EXPECT_EQ(said("PUT /variables/region", R"({"val":"eu\n\"x\"","description":"where"})"),
            R"(201 {"message":"Variable successfully set"})");
  EXPECT_EQ(said("GET /variables/region"), R"(200 {"key":"region","value":"eu\n\"x\""})");
  EXPECT_EQ(engine_.store().variables()->at(0).description, "where");
  EXPECT_EQ(said("PUT /variables/region", R"({"val":"us"})"),
            R"(201 {"message":"Variable successfully set"})");
  EXPECT_EQ(said("GET /variables/region"), R"(200 {"key":"region","value":"us"})");
  EXPECT_EQ(said("DELETE /variables/region"), "204");
  EXPECT_EQ(said("DELETE /variables/region"), "204");
  EXPECT_EQ(ask("GET /variables/region").status, 404);
}

TEST_F(TaskSettings, a_variable_is_sealed_in_the_store_and_its_writer_is_known) {
  said("PUT /variables/a", R"({"val":"hunter2"})");
  EXPECT_EQ(engine_.store().variables()->at(0).sealed_value.find("hunter2"), std::string::npos);
  const auto audit = engine_.store().audit({}, {.limit = 1, .offset = 0, .order_by = "-id"});
  EXPECT_EQ(audit->rows.at(0).row.event, "set_variable");
  EXPECT_EQ(audit->rows.at(0).row.actor, "task etl/r2024-08-10/extract");
}

TEST_F(TaskSettings, null_becomes_the_text_none_as_in_airflow) {
  said("PUT /variables/a", R"({"val":null,"description":null})");
  EXPECT_EQ(said("GET /variables/a"), R"(200 {"key":"a","value":"None"})");
}

TEST_F(TaskSettings, keys_may_hold_slashes) {
  EXPECT_EQ(ask("PUT /variables/a/b+c", R"({"val":"1"})").status, 201);
  EXPECT_EQ(said("GET /variables/a/b+c"), R"(200 {"key":"a/b+c","value":"1"})");
  EXPECT_EQ(ask("DELETE /variables/a/b+c").status, 204);
  EXPECT_EQ(ask("PUT /variables/" + std::string(251, 'k'), R"({"val":"1"})").status, 400);
}

TEST_F(TaskSettings, mistakes_in_a_variable_are_told) {
  EXPECT_EQ(mistakes("PUT /variables/a", R"({"value":"x"})"),
            "body.val missing, body.value extra_forbidden");
  EXPECT_EQ(mistakes("PUT /variables/a", R"({"val":1,"description":2})"),
            "body.val string_type, body.description string_type");
}

TEST_F(TaskSettings, keys_are_listed_by_prefix_and_page) {
  for (const char* key : {"b2", "a", "b1", "b3"})
    said("PUT /variables/" + std::string(key), R"({"val":"1"})");
  EXPECT_EQ(said("GET /variables/keys"), R"(200 {"keys":["a","b1","b2","b3"],"total_entries":4})");
  EXPECT_EQ(said("GET /variables/keys?prefix=b&limit=1&offset=1"),
            R"(200 {"keys":["b2"],"total_entries":3})");
  EXPECT_EQ(mistakes("GET /variables/keys?limit=0&offset=-1"),
            "query.limit greater_than_equal, query.offset greater_than_equal");
  EXPECT_EQ(mistakes("GET /variables/keys?limit=x"), "query.limit int_parsing");
}

TEST_F(TaskSettings, a_connection_has_all_eight_members) {
  ConnectionRow row;
  row.id = "db";
  row.type = "postgres";
  row.host = "h";
  row.port = 5432;
  row.sealed_password = engine_.vault().seal("p\"w", Settings::place_of_password("db"));
  row.sealed_extra = engine_.vault().seal(R"({"mode":"ro"})", Settings::place_of_extra("db"));
  engine_.happen(SetConnection{row, "ann"});
  EXPECT_EQ(said("GET /connections/db"),
            R"(200 {"conn_id":"db","conn_type":"postgres","host":"h","schema":null,"login":null,)"
            R"("password":"p\"w","port":5432,"extra":"{\"mode\":\"ro\"}"})");
  ConnectionRow bare;
  bare.id = "bare";
  bare.type = "http";
  engine_.happen(SetConnection{bare, "ann"});
  EXPECT_EQ(said("GET /connections/bare"),
            R"(200 {"conn_id":"bare","conn_type":"http","host":null,"schema":null,"login":null,)"
            R"("password":null,"port":null,"extra":null})");
  EXPECT_EQ(said("GET /connections/none"),
            R"(404 {"detail":{"reason":"not_found","message":"Connection with ID none not )"
            R"(found"}})");
}

TEST_F(TaskSettings, a_secret_that_cannot_be_opened_is_no_answer) {
  VariableRow row;
  row.key = "moved";
  row.sealed_value = engine_.vault().seal("x", Settings::place_of_variable("other"));
  engine_.happen(SetVariable{row, "ann"});
  EXPECT_EQ(ask("GET /variables/moved").status, 500);
}

}  // namespace
}  // namespace etesian::task_api
