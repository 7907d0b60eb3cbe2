#pragma once
// What every Store must do with questions to people and with assets; more of StoreContract.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "contract/store_contract.h"

namespace etesian {

inline HumanInput question(const InstanceKey& key, int try_number, const std::string& subject) {
  HumanInput row;
  row.instance = key;
  row.try_number = try_number;
  row.try_id = numbered_uuid(try_number);
  row.options = {"yes", "n\"o"};
  row.subject = subject;
  row.asked_at = instant("2026-03-02");
  return row;
}

TEST_P(StoreContract, questions_and_answers_come_back_as_written) {
  const auto dag = f.dag("etl", {"a", "b"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  HumanInput asked = question({1, 0, -1}, 1, "Go?");
  asked.body = "";
  asked.defaults = std::vector<std::string>{};
  asked.is_multiple = true;
  asked.params = R"({"n":{"value":1.0}})";
  asked.assigned = {{"ann", "Ann"}, {"bob", "Bob"}};
  f.must({HumanInputChanged{asked}});
  EXPECT_EQ(value_of(f.store().human_inputs(asked.instance)), std::vector{asked});
  HumanInput plain = question({1, 1, -1}, 1, "Sure?");
  HumanInput answered = asked;
  answered.answer =
      HumanInput::Answer{{"yes"}, R"({"n":2})", HumanInput::Person{"ann", "Ann"}, f.now()};
  plain.answer = HumanInput::Answer{{}, "{}", {}, f.now()};
  f.must({HumanInputChanged{answered}, HumanInputChanged{plain}});
  EXPECT_EQ(value_of(f.store().human_inputs(asked.instance)), std::vector{answered});
  EXPECT_EQ(value_of(f.store().human_inputs({1, 1, -1})), std::vector{plain});
  const auto state = f.store().load(f.builder(), f.problems);
  EXPECT_EQ(state->runs.at(0).questions, (std::vector{answered, plain}));
  EXPECT_EQ(f.store().revive(1, f.builder())->questions, (std::vector{answered, plain}));
  const auto changes = value_of(f.store().changes(0, 100));
  EXPECT_EQ(
      changes.at(2).kind + " " + changes[2].to + " " + changes[2].task_id + " " + changes[2].reason,
      "human_input asked a Go?");
  EXPECT_EQ(changes.at(3).to + " " + changes[3].reason, "answered Ann");
  EXPECT_EQ(f.commit({HumanInputChanged{question({9, 0, -1}, 1, "x")}}).error().code,
            ErrorCode::Conflict);
  f.must({RunRemoved{1}});
  EXPECT_TRUE(value_of(f.store().human_inputs(asked.instance)).empty());
}

TEST_P(StoreContract, state_is_kept_for_its_owner_until_it_expires_or_its_run_goes) {
  const auto dag = f.dag("etl", {"a", "b"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  const StatePlace task{{1, 0, -1}, 0}, other{{1, 1, -1}, 0}, asset{{}, 7};
  const auto read = [&](const StatePlace& place, const std::string& key) {
    return value_of(f.store().state_value(place, key, f.now())).value_or("none");
  };
  f.must({StateStored{task, "job", R"({"id":1})", {}}, StateStored{asset, "job", "\"x\"", {}}});
  EXPECT_EQ(read(task, "job") + read(other, "job") + read(asset, "job"), R"({"id":1}none"x")");
  f.must({StateStored{task, "job", "2", {}}, StateStored{task, "brief", "3", f.now()}});
  EXPECT_EQ(read(task, "job") + read(task, "brief"), "2none") << "replaced; expired";
  f.must({StateRemoved{asset, "job"}, StateStored{task, "more", "4", {}}});
  EXPECT_EQ(read(asset, "job") + read(task, "more"), "none4");
  f.must({StateRemoved{task, ""}});
  EXPECT_EQ(read(task, "job") + read(task, "more"), "nonenone");
  f.must({StateStored{other, "job", "5", {}}, RunRemoved{1}});
  EXPECT_EQ(read(other, "job"), "none");
}

TEST_P(StoreContract, only_the_questions_of_present_tries_are_listed) {
  const auto dag = f.dag("etl", {"a", "b"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag},
          RunCreated{f.run_row(2, dag, 1), dag}});
  f.must({f.move({1, 0, -1}, TaskState::AwaitingInput, 2),
          f.move({1, 1, -1}, TaskState::Success, 1), f.move({2, 0, -1}, TaskState::UpForRetry, 1),
          HumanInputChanged{question({1, 0, -1}, 1, "old")},
          HumanInputChanged{question({1, 0, -1}, 2, "Beta")},
          HumanInputChanged{question({1, 1, -1}, 1, "alpha")},
          HumanInputChanged{question({2, 0, -1}, 1, "retried")}});
  HumanInput answered = question({1, 1, -1}, 1, "alpha");
  answered.answer = HumanInput::Answer{{"yes"}, "{}", HumanInput::Person{"ann", "Ann"}, f.now()};
  f.must({HumanInputChanged{answered}});
  const auto subjects = [&](const HumanInputFilter& filter, const std::string& order = "") {
    std::string text;
    for (const auto& row :
         value_of(f.store().human_inputs(filter, {.limit = 50, .offset = 0, .order_by = order}))
             .rows)
      text += row.instance.task_id + ":" + row.row.subject + " ";
    return text;
  };
  HumanInputFilter filter;
  EXPECT_EQ(subjects(filter), "a:Beta b:alpha ");
  EXPECT_EQ(subjects(filter, "-responded_at"), "b:alpha a:Beta ");
  EXPECT_EQ(subjects(filter, "-subject"), "b:alpha a:Beta ");
  filter.is_answered = false;
  EXPECT_EQ(subjects(filter), "a:Beta ");
  filter = {};
  filter.answered_by_names = {"Ann", "Bob"};
  EXPECT_EQ(subjects(filter), "b:alpha ");
  filter.answered_by_ids = {"bob"};
  EXPECT_EQ(subjects(filter), "");
  filter = {};
  filter.subject_contains = "bet";
  filter.states = {TaskState::AwaitingInput};
  filter.dag_id = "etl";
  EXPECT_EQ(subjects(filter), "a:Beta ");
  filter.body_contains = "x";
  EXPECT_EQ(subjects(filter), "");
}

/// "etl" waits for `one`; its task `a` reads `two`, `b` writes both.
inline std::shared_ptr<const Dag> dag_with_assets(StoreFixture& f, const std::string& version,
                                                  bool reads_two = true) {
  DagDefinition text = f.dag("etl", {"a", "b"}, version)->definition();
  const AssetUse one{AssetUse::Kind::Asset, "one", "file:1"};
  const AssetUse two{AssetUse::Kind::Asset, "two", "file:2"};
  text.schedule_assets.emplace().use = one;
  if (reads_two) text.tasks[0].inlets = {two};
  text.tasks[1].outlets = {one, two, {AssetUse::Kind::Alias, "x", ""}};
  return f.add(*Dag::build(text));
}
inline AssetChanged asset(AssetKey key, const std::string& name, bool is_active = true) {
  return {{key,
           {name, "file:" + std::to_string(key)},
           is_active,
           instant("2026-01-01"),
           instant("2026-01-02")}};
}
inline AssetEventAdded asset_event(AssetEventKey key, AssetKey of, const std::string& task = "",
                                   std::vector<AssetAliasKey> aliases = {}) {
  AssetEventRow row;
  row.key = key;
  row.asset = of;
  row.at = instant("2026-02-01") + std::chrono::seconds(key);
  row.extra = R"({"n":)" + std::to_string(key) + "}";
  row.aliases = std::move(aliases);
  if (!task.empty()) row.dag_id = "etl", row.run_id = "r", row.task_id = task, row.map_index = 4;
  return {row};
}
inline std::string show(const std::vector<AssetReference>& references) {
  std::string text;
  for (const AssetReference& each : references)
    text += fmt::format("{}.{} {} {} ", each.dag_id, each.task_id, show(each.created_at),
                        show(each.updated_at));
  return text;
}

TEST_P(StoreContract, assets_are_found_with_those_who_name_them) {
  f.must({asset(1, "one"), asset(2, "two", false), AssetAliasChanged{{1, {"x", "g"}}},
          DagChanged{dag_with_assets(f, "v1"), false}});
  const Instant first = f.now() - std::chrono::seconds(1);
  const auto get = [&](const AssetFilter& filter) {
    std::string names;
    for (const auto& row :
         value_of(f.store().assets(filter, {.limit = 50, .offset = 0, .order_by = "-name"})).rows)
      names += row.row.asset.name + " ";
    return names;
  };
  AssetFilter filter;
  EXPECT_EQ(get(filter), "two one ");
  filter.only_active = true;
  EXPECT_EQ(get(filter), "one ");
  filter = {};
  filter.name_contains = "W";
  EXPECT_EQ(get(filter), "two ");
  filter.uri_prefix = "ile:";
  EXPECT_EQ(get(filter), "");
  filter = {};
  filter.dag_ids = {"etl", "none"};
  EXPECT_EQ(get(filter), "two one ");
  filter.dag_ids = {"none"};
  EXPECT_EQ(get(filter), "");
  filter = {};
  filter.name = "one";
  filter.uri = "file:1";
  EXPECT_EQ(get(filter), "one ");
  filter.alias = "x";
  EXPECT_EQ(get(filter), "");
  f.must({AssetAliasBound{1, 1}, asset_event(1, 1), asset_event(2, 1)});
  EXPECT_EQ(get(filter), "one ");

  f.must({DagChanged{dag_with_assets(f, "v2", false), false}});
  const Instant second = f.now() - std::chrono::seconds(1);
  filter = {};
  filter.key = 1;
  const AssetSummary one =
      value_of(f.store().assets(filter, {.limit = 1, .offset = 0, .order_by = ""})).rows.at(0);
  EXPECT_EQ(show(one.scheduled_dags), "etl. " + show(first) + " " + show(second) + " ");
  EXPECT_EQ(show(one.producing_tasks), "etl.b " + show(first) + " " + show(second) + " ");
  EXPECT_EQ(one.aliases.at(0).alias.group, "g");
  EXPECT_EQ(one.last_event, 2);
  EXPECT_EQ(one.last_event_at, instant("2026-02-01T00:00:02Z"));
  EXPECT_EQ(one.row.created_at, instant("2026-01-01"));
  filter.key = 2;
  const AssetSummary two =
      value_of(f.store().assets(filter, {.limit = 1, .offset = 0, .order_by = ""})).rows.at(0);
  EXPECT_EQ(show(two.consuming_tasks), "");
  EXPECT_EQ(two.last_event, std::nullopt);
  f.must({DagRemoved{"etl"}});
  EXPECT_EQ(show(value_of(f.store().assets({}, {.limit = 9, .offset = 0, .order_by = ""}))
                     .rows.at(0)
                     .scheduled_dags),
            "");
}

TEST_P(StoreContract, an_assets_group_and_extra_may_change) {
  f.must({asset(1, "one")});
  AssetChanged changed = asset(1, "one", false);
  changed.row.asset.group = "g";
  changed.row.asset.extra = R"({"a":1})";
  changed.row.updated_at = instant("2026-05-05");
  f.must({changed});
  const AssetRow row =
      value_of(f.store().assets({}, {.limit = 9, .offset = 0, .order_by = ""})).rows.at(0).row;
  EXPECT_EQ(row.asset, changed.row.asset);
  EXPECT_FALSE(row.is_active);
  EXPECT_EQ(row.updated_at, instant("2026-05-05"));
  AssetChanged same = asset(2, "one");
  same.row.asset.uri = "file:1";
  EXPECT_EQ(f.commit({same}).error().code, ErrorCode::Conflict);
}

TEST_P(StoreContract, a_run_consumes_the_events_of_its_window) {
  const auto dag = dag_with_assets(f, "v1");
  f.must({asset(1, "one"), asset(2, "two"), AssetAliasChanged{{1, {"x", ""}}},
          AssetAliasChanged{{2, {"y", ""}}}, DagChanged{dag, false}});
  f.must({asset_event(1, 1), asset_event(2, 1, "b"), asset_event(3, 2, "b", {2, 1}),
          asset_event(4, 2), asset_event(5, 1)});
  f.must({RunCreated{f.run_row(1, dag, 0), dag}, AssetEventsConsumed{1, 1, 4, {1}, {1}},
          RunCreated{f.run_row(2, dag, 1), dag}, AssetEventsConsumed{2, 0, 3, {1, 2}, {}}});
  const auto get = [&](const AssetEventFilter& filter, const std::string& order = "") {
    std::string text;
    for (const auto& e :
         value_of(f.store().asset_events(filter, {.limit = 50, .offset = 0, .order_by = order}))
             .rows) {
      text += fmt::format("{} {} {}/{}/{}[{}] {} via {}:", e.row.key, e.asset.name, e.row.dag_id,
                          e.row.run_id, e.row.task_id, e.row.map_index, e.row.extra,
                          fmt::join(e.alias_names, "+"));
      for (const auto& consumer : e.consumers)
        text += fmt::format(" {}{}", consumer.run.key, consumer.is_triggering ? "!" : "");
      text += "\n";
    }
    return text;
  };
  AssetEventFilter filter;
  EXPECT_EQ(get(filter),
            "1 one //[-1] {\"n\":1} via : 2\n"
            "2 one etl/r/b[4] {\"n\":2} via : 1 2\n"
            "3 two etl/r/b[4] {\"n\":3} via x+y: 1! 2!\n"
            "4 two //[-1] {\"n\":4} via :\n"
            "5 one //[-1] {\"n\":5} via :\n");
  filter.consumed_by = 1;
  EXPECT_EQ(get(filter, "-timestamp").substr(0, 1), "3");
  filter.asset = 1;
  EXPECT_EQ(get(filter).substr(0, 5), "2 one");
  filter = {};
  filter.alias = "y";
  EXPECT_EQ(get(filter).substr(0, 5), "3 two");
  filter.task_id = "a";
  EXPECT_EQ(get(filter), "");
  filter = {};
  filter.at.gt = instant("2026-02-01T00:00:04Z");
  EXPECT_EQ(get(filter).substr(0, 5), "5 one");
  f.must({RunRemoved{2}});
  filter = {};
  filter.key = 3;
  EXPECT_EQ(get(filter), "3 two etl/r/b[4] {\"n\":3} via x+y: 1!\n");
}

TEST_P(StoreContract, half_a_condition_is_loaded_again) {
  const auto dag = dag_with_assets(f, "v1");
  f.must({asset(1, "one"), asset(2, "two"), AssetAliasChanged{{3, {"x", ""}}},
          AssetAliasBound{3, 2}, DagChanged{dag, false}, asset_event(7, 1),
          AssetQueued{{"etl", 1, 7, instant("2026-02-03")}}, AssetCursorMoved{"etl", 6}});
  const auto state = f.store().load(f.builder(), f.problems);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->dags.at(0).asset_cursor, 6);
  EXPECT_EQ(state->asset_queue, (std::vector<AssetQueueRow>{{"etl", 1, 7, instant("2026-02-03")}}));
  EXPECT_EQ(state->assets.size(), 2U);
  EXPECT_EQ(state->aliases.at(0).alias.name, "x");
  EXPECT_EQ(state->alias_assets.at(0).asset, 2);
  EXPECT_EQ(fmt::format("{} {} {}", state->next_asset_key, state->next_alias_key,
                        state->next_asset_event_key),
            "3 4 8");
  EXPECT_EQ(value_of(f.store().asset_queue("etl", 1)).size(), 1U);
  EXPECT_EQ(value_of(f.store().asset_queue("other", {})).size(), 0U);
  EXPECT_EQ(f.commit({AssetQueued{{"etl", 1, 7, {}}}}).error().code, ErrorCode::Conflict);
  EXPECT_EQ(f.commit({AssetUnqueued{"etl", 2}}).error().code, ErrorCode::Conflict);
  EXPECT_EQ(f.commit({asset_event(7, 1)}).error().code, ErrorCode::Conflict);
  f.must({AssetUnqueued{"etl", 1}});
  EXPECT_TRUE(value_of(f.store().asset_queue({}, {})).empty());
}

}  // namespace etesian
