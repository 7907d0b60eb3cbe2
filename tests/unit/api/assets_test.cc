#include "support.h"

namespace etesian::api {
namespace {

/// "make" writes the asset `one` (id 1); "use" waits for it and for `two` (id 2), "any" for one of
/// them.
class AssetsTest : public UserTest {
 protected:
  void SetUp() override {
    UserTest::SetUp();
    const AssetUse one{AssetUse::Kind::Asset, "one", "file:1"};
    const AssetUse two{AssetUse::Kind::Asset, "two", "file:2"};
    DagDefinition make = drawing("make");
    make.tasks[0].outlets = {one};
    load(make, {one});
    AssetCondition both;
    both.parts.resize(2);
    both.parts[0].use = one;
    both.parts[1].use = two;
    for (const auto kind : {AssetCondition::Kind::All, AssetCondition::Kind::Any}) {
      DagDefinition use = drawing(kind == AssetCondition::Kind::All ? "use" : "any");
      both.kind = kind;
      use.schedule_assets = both;
      load(use, {one, two});
    }
    agent_comes();
  }
  static DagDefinition drawing(const std::string& id) {
    DagDefinition definition;
    definition.id = id;
    definition.tasks.resize(1);
    definition.tasks[0].id = "t";
    definition.tasks[0].run.kind = etesian::Command::Kind::Argv;
    definition.tasks[0].run.words.push_back({"true", 1, 1});
    definition.canonical = to_canonical(definition, CanonicalUse::Storage);
    definition.version = id + "-v1";
    return definition;
  }
  void load(DagDefinition definition, const std::vector<AssetUse>& uses) {
    for (const AssetUse& use : uses) definition.assets.push_back({use.name, use.uri});
    engine_.happen(DagLoaded{*Dag::build(std::move(definition))});
  }
  http::Response say(int asset, const std::string& extra = "{}") {
    engine_.advance(std::chrono::seconds(1));
    return call("POST /api/v2/assets/events",
                R"({"asset_id": )" + std::to_string(asset) + R"(, "extra": )" + extra + "}");
  }
};

TEST_F(AssetsTest, AssetsAreListedWithThoseWhoNameThem) {
  const auto all = call("GET /api/v2/assets?name_pattern=one");
  EXPECT_EQ(of(all, "total_entries"), "1");
  EXPECT_EQ(of(all, "assets.0.uri"), R"("file:1")");
  EXPECT_EQ(of(all, "assets.0.extra"), "{}");
  EXPECT_EQ(of(all, "assets.0.producing_tasks.0.task_id"), R"("t")");
  EXPECT_EQ(of(all, "assets.0.scheduled_dags.1.dag_id"), R"("use")");
  EXPECT_EQ(of(all, "assets.0.last_asset_event"), R"({"id":null,"timestamp":null})");
  EXPECT_EQ(of(call("GET /api/v2/assets/1"), "name"), R"("one")");
  EXPECT_EQ(of(call("GET /api/v2/assets/9"), "detail"),
            R"("The Asset with ID: `9` was not found")");
  EXPECT_EQ(call("GET /api/v2/assets/nine").status, 422);
  EXPECT_EQ(of(call("GET /api/v2/assets/aliases"), "asset_aliases"), "[]");
  EXPECT_EQ(call("GET /api/v2/assets/aliases/1").status, 404);
}

TEST_F(AssetsTest, AnEventByHandMakesARun) {
  const auto made = say(1, R"({"by":"hand"})");
  ASSERT_EQ(made.status, 200) << made.body;
  EXPECT_EQ(of(made, "extra"), R"({"by":"hand","from_rest_api":true})");
  EXPECT_EQ(of(made, "uri"), R"("file:1")");
  EXPECT_EQ(of(made, "source_dag_id"), "null");
  EXPECT_EQ(of(made, "source_map_index"), "-1");
  const auto runs = call("GET /api/v2/dags/any/dagRuns");
  EXPECT_EQ(of(runs, "dag_runs.0.run_type"), R"("asset_triggered")");
  EXPECT_EQ(of(runs, "dag_runs.0.triggered_by"), R"("asset")");
  EXPECT_EQ(of(runs, "dag_runs.0.logical_date"), "null");
  std::string id = of(runs, "dag_runs.0.dag_run_id");
  id = id.substr(1, id.size() - 2);
  EXPECT_TRUE(id.starts_with("asset_triggered__2024-08-15T00:00:01+00:00_")) << id;
  const auto upstream = call("GET /api/v2/dags/any/dagRuns/" + id + "/upstreamAssetEvents");
  EXPECT_EQ(of(upstream, "total_entries"), "1");
  EXPECT_EQ(of(upstream, "asset_events.0.created_dagruns.0.triggering"), "true");
  EXPECT_EQ(of(call("GET /api/v2/assets/events?asset_id=1"), "total_entries"), "1");
  EXPECT_EQ(of(call("GET /api/v2/assets/events?asset_id=2"), "total_entries"), "0");
  EXPECT_EQ(of(call("GET /api/v2/assets/1"), "last_asset_event.id"), "1");
  EXPECT_EQ(say(9).status, 404);
}

TEST_F(AssetsTest, AQueueIsShownAndCleared) {
  EXPECT_EQ(of(call("GET /api/v2/dags/use/assets/queuedEvents"), "total_entries"), "0");
  EXPECT_EQ(call("DELETE /api/v2/dags/use/assets/queuedEvents").status, 404);
  say(1);
  EXPECT_EQ(of(call("GET /api/v2/dags/use/assets/queuedEvents"), "queued_events.0"),
            R"({"dag_id":"use","asset_id":1,"created_at":"2024-08-15T00:00:01Z",)"
            R"("dag_display_name":"use"})");
  EXPECT_EQ(of(call("GET /api/v2/assets/1/queuedEvents"), "total_entries"), "1");
  EXPECT_EQ(
      of(call("GET /api/v2/assets/1/queuedEvents?before=2024-01-01T00:00:00Z"), "total_entries"),
      "0");
  EXPECT_EQ(of(call("GET /api/v2/dags/use/assets/1/queuedEvents"), "asset_id"), "1");
  EXPECT_EQ(call("GET /api/v2/dags/use/assets/2/queuedEvents").status, 404);
  EXPECT_EQ(call("DELETE /api/v2/dags/use/assets/2/queuedEvents").status, 404);
  EXPECT_EQ(call("DELETE /api/v2/assets/1/queuedEvents").status, 204);
  EXPECT_EQ(of(call("GET /api/v2/dags/use/assets/queuedEvents"), "total_entries"), "0");
}

TEST_F(AssetsTest, AnAssetIsMaterializedByTheDagThatWritesIt) {
  const auto run = call("POST /api/v2/assets/1/materialize", R"({"conf": {"a": 1}})");
  ASSERT_EQ(run.status, 200) << run.body;
  EXPECT_EQ(of(run, "dag_id"), R"("make")");
  EXPECT_EQ(of(run, "run_type"), R"("asset_materialization")");
  EXPECT_EQ(of(run, "triggered_by"), R"("rest_api")");
  EXPECT_EQ(of(run, "triggering_user_name"), R"("admin")");
  EXPECT_EQ(call("POST /api/v2/assets/2/materialize").status, 404);
}

}  // namespace
}  // namespace etesian::api
