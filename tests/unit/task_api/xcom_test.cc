#include "support.h"

namespace etesian::task_api {
namespace {

class XCom : public TaskApiTest {
 protected:
  XCom() {
    run_ = trigger("etl");
    start("extract");
  }
  /// The path of a value of the run, after the method.
  static std::string at(const std::string& rest) { return "/xcoms/etl/r2024-08-10/" + rest; }
  void push(const std::string& rest, const std::string& json) {
    EXPECT_EQ(said("POST " + at(rest), json), R"(201 {"message":"XCom successfully set"})");
  }
  /// extract returns three values, so that "each" has three instances.
  void expand() {
    push("extract/return_value?mapped_length=3", "[1,2,3]");
    said("PATCH /task-instances/{id}/state", ended("success"));
    process_ends();
  }
  RunKey run_ = 0;
};

TEST_F(XCom, a_value_comes_back_byte_by_byte) {
  for (const std::string json :
       {R"({"a": 1.50, "big":123456789012345678901234567890, "a":2})", "null", R"("\u00e9\/é")",
        " [ ] ", R"({"__classname__":"builtins.tuple","__version__":1,"__data__":[1,2]})",
        "-0.0"}) {
    push("extract/k", json);
    EXPECT_EQ(said("GET " + at("extract/k")), R"(200 {"key":"k","value":)" + json + "}");
  }
}

TEST_F(XCom, nested_as_deep_as_python_can) {
  const std::string deep = std::string(900, '[') + std::string(900, ']');
  push("extract/k", deep);
  EXPECT_EQ(ask("GET " + at("extract/k")).body, R"({"key":"k","value":)" + deep + "}");
  EXPECT_EQ(ask("POST " + at("extract/k"), std::string(5000, '[') + std::string(5000, ']')).status,
            422);
}

TEST_F(XCom, without_a_body_the_value_is_null) {
  push("extract/k", "");
  EXPECT_EQ(said("GET " + at("extract/k")), R"(200 {"key":"k","value":null})");
  EXPECT_EQ(mistakes("POST " + at("extract/k"), "{"), "body json_invalid");
}

TEST_F(XCom, keys_and_run_ids_arrive_without_escapes) {
  TriggerRun event;
  event.dag_id = "single";
  event.run_id = "manual__2024-08-15T05:01:43.5+00:00";
  engine_.happen(event);
  const std::string run = "/xcoms/single/manual__2024-08-15T05:01:43.5+00:00/only/";
  EXPECT_EQ(ask("POST " + run + "a/b+c:d//e%20f", "1").status, 201);
  EXPECT_EQ(said("GET " + run + "a/b+c:d//e%20f"), R"(200 {"key":"a/b+c:d//e f","value":1})");
  EXPECT_EQ(ask("POST " + run + "slice", "2").status, 201);
  EXPECT_EQ(said("GET " + run + "slice"), R"(200 {"key":"slice","value":2})");
  EXPECT_EQ(said("GET " + run + "slice/item/0"), "200 2");
  EXPECT_EQ(said("GET " + run + "item/0"),  // too short to be an item
            R"(404 {"detail":{"reason":"not_found","message":"XCom with key='item/0' map_index=-1 )"
            R"(not found for task 'only' in DAG run 'manual__2024-08-15T05:01:43.5+00:00' of )"
            R"('single'"}})");
}

TEST_F(XCom, an_absent_value_is_not_found) {
  EXPECT_EQ(said("GET " + at("extract/none")),
            R"(404 {"detail":{"reason":"not_found","message":"XCom with key='none' map_index=-1 )"
            R"(not found for task 'extract' in DAG run 'r2024-08-10' of 'etl'"}})");
  EXPECT_EQ(ask("GET /xcoms/none/r/extract/k").status, 404);
  EXPECT_EQ(ask("GET " + at("extract/none?offset=0")).status, 404);
  EXPECT_EQ(ask("GET " + at("extract/none/item/0")).status, 404);
  EXPECT_EQ(said("GET " + at("extract/none/slice")), "200 []");
  EXPECT_EQ(ask("GET " + at("extract/none?include_prior_dates=true")).status, 404);
}

TEST_F(XCom, a_push_for_what_does_not_exist_is_not_found) {
  EXPECT_EQ(ask("POST /xcoms/etl/none/extract/k", "1").status, 404);
  EXPECT_EQ(ask("POST /xcoms/none/r/extract/k", "1").status, 404);
  EXPECT_EQ(ask("POST " + at("none/k"), "1").status, 404);
  EXPECT_EQ(ask("POST " + at("extract/k?map_index=3"), "1").status, 404);
}

TEST_F(XCom, a_length_makes_that_many_instances) {
  expand();
  EXPECT_TRUE(open("each[0]"));
  EXPECT_TRUE(open("each[2]"));
  EXPECT_FALSE(open("each[3]"));
}

TEST_F(XCom, a_value_too_long_to_map_over_is_refused) {
  EXPECT_EQ(said("POST " + at("extract/return_value?mapped_length=5"), "[1,2,3,4,5]"),
            R"(400 {"detail":{"reason":"unmappable_return_value_length","message":"pushed value )"
            R"(is too large to map as a downstream's dependency"}})");
  EXPECT_EQ(ask("GET " + at("extract/return_value")).status, 404);
  EXPECT_EQ(ask("POST " + at("extract/return_value?mapped_length=4"), "[1,2,3,4]").status, 201);
  EXPECT_EQ(mistakes("POST " + at("extract/k?mapped_length=x"), "1"),
            "query.mapped_length int_parsing");
}

TEST_F(XCom, instances_have_values_of_their_own) {
  expand();
  push("each/v?map_index=2", "20");
  push("each/v?map_index=0", "0");
  EXPECT_EQ(said("GET " + at("each/v?map_index=2")), R"(200 {"key":"v","value":20})");
  EXPECT_EQ(ask("GET " + at("each/v")).status, 404);
  EXPECT_EQ(ask("GET " + at("each/v?map_index=1")).status, 404);
  EXPECT_EQ(said("GET " + at("each/v/item/0")), "200 0");
  EXPECT_EQ(said("GET " + at("each/v/item/1")), "200 20");
  EXPECT_EQ(said("GET " + at("each/v/item/-1")), "200 20");
  EXPECT_EQ(said("GET " + at("each/v?offset=-2")), R"(200 {"key":"v","value":0})");
  EXPECT_EQ(said("GET " + at("each/v/item/2")),
            R"(404 {"detail":{"reason":"not_found","message":"XCom with key='v' offset=2 )"
            R"(not found for task 'each' in DAG run 'r2024-08-10' of 'etl'"}})");
  EXPECT_EQ(ask("GET " + at("each/v/item/-3")).status, 404);
}

TEST_F(XCom, slices_are_those_of_python) {
  expand();
  for (const char* i : {"2", "0", "1"}) push("each/v?map_index=" + std::string(i), i);
  const auto slice = [&](const std::string& query) {
    return said("GET " + at("each/v/slice" + query));
  };
  EXPECT_EQ(slice(""), "200 [0,1,2]");
  EXPECT_EQ(slice("?start=1"), "200 [1,2]");
  EXPECT_EQ(slice("?stop=-1"), "200 [0,1]");
  EXPECT_EQ(slice("?start=-2&stop=9"), "200 [1,2]");
  EXPECT_EQ(slice("?step=-1"), "200 [2,1,0]");
  EXPECT_EQ(slice("?step=2"), "200 [0,2]");
  EXPECT_EQ(slice("?start=2&stop=0&step=-2"), "200 [2]");
  EXPECT_EQ(slice("?start=-9&stop=-5"), "200 []");
  EXPECT_EQ(slice("?start=5"), "200 []");
  EXPECT_EQ(slice("?step=9223372036854775807"), "200 [0]");
  EXPECT_EQ(slice("?start=-9223372036854775808&step=-9223372036854775808"), "200 []");
  EXPECT_EQ(mistakes("GET " + at("each/v/slice?start=a&step=1.5")),
            "query.start int_parsing, query.step int_parsing");
}

TEST_F(XCom, head_counts_the_values) {
  const auto count = [&](const std::string& rest) {
    for (const auto& [name, value] : ask("HEAD " + at(rest)).headers)
      if (name == "Content-Range") return value;
    return std::string("none");
  };
  EXPECT_EQ(count("each/v"), "map_indexes 0");
  expand();
  push("each/v?map_index=2", "20");
  push("each/v?map_index=0", "0");
  EXPECT_EQ(count("each/v"), "map_indexes 2");
  EXPECT_EQ(ask("HEAD " + at("each/v?map_index=2")).status, 400);
}

TEST_F(XCom, prior_dates_give_the_newest_value_up_to_this_run) {
  push("extract/k", "10");
  for (const std::string date : {"2024-08-08", "2024-08-09", "2024-08-11"}) {
    trigger("etl", date);
    const std::string value = date.substr(8);
    ask("POST /xcoms/etl/r" + date + "/extract/old", std::to_string(std::stoi(value)));
  }
  EXPECT_EQ(ask("GET " + at("extract/old")).status, 404);
  EXPECT_EQ(said("GET " + at("extract/old?include_prior_dates=true")),
            R"(200 {"key":"old","value":9})");
  EXPECT_EQ(said("GET " + at("extract/k?include_prior_dates=true")),
            R"(200 {"key":"k","value":10})");
  EXPECT_EQ(said("GET " + at("extract/old/slice?include_prior_dates=true")), "200 [9,8]");
  EXPECT_EQ(ask("GET /xcoms/etl/none/extract/old?include_prior_dates=true").status, 404);
  EXPECT_EQ(mistakes("GET " + at("extract/old?include_prior_dates=maybe")),
            "query.include_prior_dates bool_parsing");
}

TEST_F(XCom, a_value_is_dropped_and_dropping_again_does_no_harm) {
  push("extract/k", "1");
  push("extract/other", "2");
  const std::string dropped = R"(200 {"message":"XCom with key: k successfully deleted."})";
  EXPECT_EQ(said("DELETE " + at("extract/k")), dropped);
  EXPECT_EQ(ask("GET " + at("extract/k")).status, 404);
  EXPECT_EQ(said("DELETE " + at("extract/k")), dropped);
  EXPECT_EQ(said("DELETE /xcoms/etl/none/extract/k"), dropped);
  EXPECT_EQ(ask("GET " + at("extract/other")).status, 200);
}

TEST_F(XCom, values_are_taken_after_the_report_and_after_the_run) {
  const TryRow mine = me_;
  said("PATCH /task-instances/{id}/state", ended("failed"));
  push("extract/_link_a", R"("url")");
  process_ends();
  push("extract/_link_b", R"("url")");
  for (const char* name : {"side.a", "side.b", "load"})
    if (open(name)) runs(name, "failed");
  engine_.happen(TimeReached{});
  ASSERT_EQ(engine_.world().run(run_), nullptr) << "the run should be over";
  me_ = mine;
  token_ = token_of(mine);
  push("extract/_link_c", R"("url")");
  for (const char* key : {"_link_a", "_link_b", "_link_c"})
    EXPECT_EQ(ask("GET " + at("extract/") + key).status, 200) << key;
  EXPECT_EQ(ask("DELETE " + at("extract/_link_a")).status, 200);
  EXPECT_EQ(ask("GET " + at("extract/_link_a")).status, 404);
  EXPECT_EQ(engine_.world().run(run_), nullptr);
}

}  // namespace
}  // namespace etesian::task_api
