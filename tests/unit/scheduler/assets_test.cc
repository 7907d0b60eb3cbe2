#include <fmt/format.h>

#include "picture.h"

namespace etesian {
namespace {

using test::Stage;
using namespace std::chrono_literals;

AssetUse use(const std::string& text) {
  if (text.starts_with("alias:")) return {AssetUse::Kind::Alias, text.substr(6), ""};
  if (text.starts_with("name:")) return {AssetUse::Kind::NameRef, text.substr(5), ""};
  if (text.starts_with("uri:")) return {AssetUse::Kind::UriRef, "", text.substr(4)};
  const auto at = text.find('@');
  if (at == std::string::npos) return {AssetUse::Kind::Asset, text, text};
  return {AssetUse::Kind::Asset, text.substr(0, at), text.substr(at + 1)};
}

/// "one & two", "one | alias:x", "one".
AssetCondition condition(const std::string& text) {
  for (const char mark : {'|', '&'}) {
    const auto at = text.find(mark);
    if (at == std::string::npos) continue;
    AssetCondition both;
    both.kind = mark == '&' ? AssetCondition::Kind::All : AssetCondition::Kind::Any;
    both.parts = {condition(text.substr(0, at - 1)), condition(text.substr(at + 2))};
    return both;
  }
  AssetCondition leaf;
  leaf.use = use(text);
  return leaf;
}

/// Tasks of DAGs that write assets, and DAGs that wait for them. Assets are written "name" (the URI
/// is the same) or "name@uri".
class AssetStage : public Stage {
 public:
  AssetStage() { agent(); }
  /// A DAG `id` with one task `t` that writes these.
  void producer(const std::string& id, const std::vector<std::string>& outlets) {
    DagDefinition drawn = test::drawing(id, "t: worker, retries=1");
    for (const std::string& text : outlets) add(drawn, use(text), drawn.tasks[0].outlets);
    load(std::move(drawn));
  }
  void consumer(const std::string& id, const std::string& schedule, int max_active_runs = 16,
                bool catchup = false, const std::string& version = "1") {
    DagDefinition drawn = test::drawing(id, "t: worker");
    drawn.version = id + "-" + version;
    drawn.max_active_runs = max_active_runs;
    drawn.schedule.catchup = catchup;
    if (!schedule.empty()) {
      drawn.schedule_assets = condition(schedule);
      std::vector<AssetUse> ignored;
      for (const AssetUse& each : uses_of(*drawn.schedule_assets)) add(drawn, each, ignored);
    }
    load(std::move(drawn));
  }
  /// One run of the producer; `outlets` as the worker reports them.
  void produce(const std::string& id, const std::string& outlets,
               TaskState state = TaskState::Success) {
    trigger(id);
    WorkerReport said;
    said.state = state;
    said.ended_at = now;
    said.outlets = outlets;
    const Uuid id_of_try = launch("t").try_id;
    send(WorkerStarted{id_of_try, "h u 7", now});
    send(WorkerReported{id_of_try, said, {}});
    ends("t");
    now += 1s;
  }
  /// {"task_outlets": [these assets]}
  static std::string wrote(const std::vector<std::string>& names, const std::string& events = "") {
    std::string list;
    for (const std::string& name : names) {
      const AssetUse each = use(name);
      static constexpr const char* kTypes[] = {"Asset", "AssetAlias", "AssetNameRef",
                                               "AssetUriRef"};
      list += fmt::format(R"({}{{"name":"{}","uri":"{}","type":"{}"}})", list.empty() ? "" : ",",
                          each.name, each.uri, kTypes[static_cast<int>(each.kind)]);
    }
    return R"({"task_outlets":[)" + list + R"(],"outlet_events":[)" + events + "]}";
  }
  static std::string event(const std::string& name, const std::string& extra,
                           const std::string& alias = "") {
    const AssetUse each = use(name);
    return fmt::format(R"({{"dest_asset_key":{{"name":"{}","uri":"{}"}},"extra":{}{}}})", each.name,
                       each.uri, extra,
                       alias.empty() ? "" : fmt::format(R"(,"source_alias_name":"{}")", alias));
  }
  /// What has happened to assets since the last call, a line each.
  std::string news() {
    std::string out;
    for (; seen < changes.size(); ++seen) {
      const Change& c = changes[seen];
      const bool is_told =
          std::holds_alternative<AssetEventAdded>(c) || std::holds_alternative<AssetQueued>(c) ||
          std::holds_alternative<AssetEventsConsumed>(c) ||
          std::holds_alternative<AssetAliasBound>(c) || std::holds_alternative<AssetChanged>(c);
      std::string line = to_text(c);
      if (const auto* made = std::get_if<AssetEventAdded>(&c); made && !made->row.run_id.empty())
        line.replace(line.find(made->row.run_id), made->row.run_id.size(), "r");
      if (is_told) out += line + "\n";
      if (const auto* made = std::get_if<RunCreated>(&c);
          made && made->row.type == RunType::AssetTriggered)
        out += "run of " + made->row.dag_id + "\n";
    }
    return out;
  }
  int runs(const std::string& dag_id) const {
    int count = 0;
    for (const Change& c : changes)
      if (const auto* made = std::get_if<RunCreated>(&c)) count += made->row.dag_id == dag_id;
    return count;
  }
  void end_runs(const std::string& dag_id) {
    for (const RunKey each : world.active_runs(dag_id)) {
      run = each;
      send(WorkerStarted{launch("t").try_id, "host user 1", now});
      ends("t", 1);
    }
  }

 private:
  static void add(DagDefinition& drawn, AssetUse each, std::vector<AssetUse>& uses) {
    if (each.kind == AssetUse::Kind::Asset) drawn.assets.push_back({each.name, each.uri});
    if (each.kind == AssetUse::Kind::Alias) drawn.aliases.push_back({each.name, ""});
    uses.push_back(std::move(each));
  }
  std::size_t seen = 0;
};

TEST(Assets, AnEventMakesARunOfWhoeverWaitsForIt) {
  AssetStage s;
  s.producer("make", {"one"});
  s.consumer("use", "one");
  s.news();
  s.produce("make", s.wrote({"one"}, s.event("one", R"({"rows":3})")));
  EXPECT_EQ(s.news(),
            "asset 1: event 1 from make/r/t {\"rows\":3}\n"
            "dag 'use': asset 1 queued by event 1\n"
            "run of use\n"
            "run 2: consumes events (0, 1] of assets [1] and aliases []\n");
}

TEST(Assets, AllOfThemMustHaveHadAnEvent) {
  AssetStage s;
  s.producer("make", {"one", "two"});
  s.consumer("both", "one & two");
  s.consumer("any", "one | three");
  s.produce("make", s.wrote({"one"}));
  EXPECT_EQ(s.runs("both"), 0);
  EXPECT_EQ(s.runs("any"), 1);
  s.produce("make", s.wrote({"one"}));
  s.produce("make", s.wrote({"two"}));
  EXPECT_EQ(s.runs("both"), 1);
  EXPECT_EQ(s.runs("any"), 2);
  s.produce("make", s.wrote({"one", "two"}));
  EXPECT_EQ(s.runs("both"), 2);
}

TEST(Assets, OneSuccessMakesOneRunHoweverManyEvents) {
  AssetStage s;
  s.producer("make", {"one", "two"});
  s.consumer("any", "one | two");
  s.news();
  s.produce("make", s.wrote({"one", "two"},
                            s.event("one", "{\"a\":1}") + "," + s.event("one", "{\"a\":2}")));
  EXPECT_EQ(s.runs("any"), 1);
  EXPECT_NE(s.news().find("run 2: consumes events (0, 3] of assets [1,2] and aliases []\n"),
            std::string::npos);
}

TEST(Assets, AFailedTaskWritesNothing) {
  AssetStage s;
  s.producer("make", {"one"});
  s.consumer("use", "one");
  s.produce("make", "", TaskState::Failed);
  EXPECT_EQ(s.runs("use"), 0);
}

TEST(Assets, APausedDagMissesTheEventButItsNextRunConsumesIt) {
  AssetStage s;
  s.producer("make", {"one"});
  s.consumer("use", "one");
  s.send(SetPaused{"use", "ann", true});
  s.produce("make", s.wrote({"one"}));
  s.send(SetPaused{"use", "ann", false});
  EXPECT_EQ(s.runs("use"), 0);
  s.news();
  s.produce("make", s.wrote({"one"}));
  EXPECT_NE(s.news().find("consumes events (0, 2] of"), std::string::npos);
}

TEST(Assets, ABusyDagRunsAgainWhenItHasRoom) {
  AssetStage s;
  s.producer("make", {"one"});
  s.consumer("use", "one", 1);
  s.produce("make", s.wrote({"one"}));
  s.produce("make", s.wrote({"one"}));
  s.produce("make", s.wrote({"one"}));
  EXPECT_EQ(s.runs("use"), 1);
  s.news();
  s.end_runs("use");
  // As in Airflow: up to the event that queued it; the third belongs to the run after.
  EXPECT_EQ(s.news(), "run of use\nrun 5: consumes events (1, 2] of assets [1] and aliases []\n");
}

TEST(Assets, WithoutCatchUpTheFirstRunLeavesOutWhatWasBefore) {
  AssetStage s;
  s.producer("make", {"one"});
  s.produce("make", s.wrote({"one"}));
  s.consumer("late", "one");
  s.consumer("all", "one", 16, true);
  s.news();
  s.produce("make", s.wrote({"one"}));
  const std::string news = s.news();
  EXPECT_NE(news.find("run of all\nrun 3: consumes events (0, 2]"), std::string::npos) << news;
  EXPECT_NE(news.find("run of late\nrun 4: consumes events (1, 2]"), std::string::npos) << news;
}

TEST(Assets, AnAliasLeadsToWhatTheTaskChose) {
  AssetStage s;
  s.producer("make", {"alias:x"});
  s.consumer("use", "alias:x");
  s.news();
  const std::string told = s.event("new", "{\"k\":1}", "x");
  s.produce("make", s.wrote({"alias:x"}, told + "," + told));
  const std::string news = s.news();
  EXPECT_NE(news.find("asset 1 'new' (new): inactive\n"
                      "asset alias 1: leads to asset 1\n"
                      "asset 1 'new' (new): active\n"
                      "asset 1: event 1 from make/"),
            std::string::npos)
      << news;
  EXPECT_NE(news.find("run of use\nrun 2: consumes events (0, 1] of assets [] and aliases [1]\n"),
            std::string::npos)
      << news;
  s.produce("make", s.wrote({}, s.event("new", "{}", "other")));  // Not an outlet of the task.
  EXPECT_EQ(s.news(), "");
}

TEST(Assets, AReferenceStandsForTheActiveAssetOfThatName) {
  AssetStage s;
  s.producer("make", {"one@file:///1"});
  s.consumer("by_name", "name:one");
  s.consumer("by_uri", "uri:file:///1");
  s.produce("make", s.wrote({"name:one"}));
  EXPECT_EQ(s.runs("by_name"), 1);
  EXPECT_EQ(s.runs("by_uri"), 1);
}

TEST(Assets, TwoOfOneNameAreNotActiveTogether) {
  AssetStage s;
  s.producer("a", {"one@x"});
  s.producer("b", {"one@y"});
  EXPECT_EQ(
      s.news(),
      "asset 1 'one' (x): inactive\nasset 1 'one' (x): active\nasset 2 'one' (y): inactive\n");
  s.produce("b", s.wrote({"one@y"}));
  EXPECT_EQ(s.news(), "");  // The worker says that it wrote it; it is not active.
  s.send(DagGone{"a"});
  EXPECT_EQ(s.news(), "asset 1 'one' (x): inactive\nasset 2 'one' (y): active\n");
}

TEST(Assets, SomebodyMaySayThatSomethingHappened) {
  AssetStage s;
  s.consumer("use", "one");
  CreateAssetEvent said;
  said.asset = 1;
  said.extra = R"({"by":"hand"})";
  said.actor = "ann";
  EXPECT_EQ(s.send(said).asset_event, 1);
  EXPECT_EQ(s.runs("use"), 1);
  said.partition_key = "2026";  // Nobody here waits for partitions.
  s.send(said);
  EXPECT_EQ(s.runs("use"), 1);
  said.asset = 9;
  EXPECT_EQ(s.send(said).refused->code, ErrorCode::NotFound);
}

TEST(Assets, AQueueMayBeCleared) {
  AssetStage s;
  s.producer("make", {"one"});
  s.consumer("use", "one & two");
  ClearAssetQueue clear;
  clear.dag_id = "use";
  EXPECT_EQ(s.send(clear).refused->code, ErrorCode::NotFound);
  s.produce("make", s.wrote({"one"}));
  clear.before = s.now - 1h;
  EXPECT_EQ(s.send(clear).refused->code, ErrorCode::NotFound);
  clear.before.reset();
  EXPECT_FALSE(s.send(clear).refused);
  EXPECT_TRUE(s.world.rows().asset_queue.empty());
}

TEST(Assets, WhoNoLongerWaitsForAssetsForgetsItsQueue) {
  AssetStage s;
  s.producer("make", {"one"});
  s.consumer("use", "one & two");
  s.produce("make", s.wrote({"one"}));
  EXPECT_EQ(s.world.rows().asset_queue.size(), 1U);
  s.consumer("use", "", 16, false, "2");
  EXPECT_TRUE(s.world.rows().asset_queue.empty());
}

TEST(Assets, HalfAConditionSurvivesARestart) {
  AssetStage s;
  s.producer("make", {"one", "two", "alias:x"});
  s.consumer("use", "one & two");
  s.produce("make", s.wrote({"one", "alias:x"}, s.event("new", "{}", "x")));
  World again = World::load(s.world.rows(), {s.now, s.uptime, 1});
  EXPECT_EQ(again.dump(), s.world.dump());
  CreateAssetEvent said;
  said.asset = 2;
  const Decision d = step(again, said, {s.now, s.uptime, 2});
  EXPECT_EQ(again.active_runs("use").size(), 1U);
}

}  // namespace
}  // namespace etesian
