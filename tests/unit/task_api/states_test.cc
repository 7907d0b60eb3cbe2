#include "support.h"

namespace etesian::task_api {
namespace {

class States : public TaskApiTest {
 protected:
  States() {
    trigger("etl");
    start("extract");
  }
  std::string own(const std::string& rest) { return "/store/ti/{id}" + rest; }
};

TEST_F(States, what_a_task_keeps_comes_back_to_it) {
  EXPECT_EQ(
      said("GET " + own("/a/job")),
      R"(404 {"detail":{"reason":"not_found","message":"Task state store key 'a/job' not found"}})");
  EXPECT_EQ(said("PUT " + own("/a/job"), R"({"value": {"id": 1.50}})"), "204");
  EXPECT_EQ(said("GET " + own("/a/job")), R"(200 {"value":{"id": 1.50}})");
  EXPECT_EQ(said("PUT " + own("/a/job"), R"({"value":2,"expires_at":"2000-01-01T00:00:00Z"})"),
            "204");
  EXPECT_EQ(ask("GET " + own("/a/job")).status, 404) << "expired";
}

TEST_F(States, one_key_or_all_can_be_removed) {
  for (const char* key : {"/x", "/y", "/z"})
    EXPECT_EQ(said("PUT " + own(key), R"({"value":1})"), "204");
  EXPECT_EQ(said("DELETE " + own("/x")), "204");
  EXPECT_EQ(ask("GET " + own("/x")).status, 404);
  EXPECT_EQ(ask("GET " + own("/y")).status, 200);
  EXPECT_EQ(said("DELETE " + own("")), "204");
  EXPECT_EQ(ask("GET " + own("/z")).status, 404);
}

TEST_F(States, a_value_is_there_and_not_null) {
  EXPECT_EQ(mistakes("PUT " + own("/x"), "{}"), "body.value missing");
  EXPECT_EQ(mistakes("PUT " + own("/x"), R"({"value":null})"), "body.value value_error");
}

TEST_F(States, an_unknown_asset_has_none) {
  EXPECT_EQ(said("GET /store/asset/by-name/value?name=raw&key=k"),
            R"(404 {"detail":{"reason":"not_found","message":"Asset with name='raw' not found"}})");
}

}  // namespace
}  // namespace etesian::task_api
