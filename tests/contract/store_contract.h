#pragma once
// What every Store must do. Include in one .cc of a test program and instantiate with a factory of
// empty stores:
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, testing::Values(&make_memory_store));
#include "contract/store_fixture.h"

namespace etesian {

class StoreContract : public testing::TestWithParam<std::unique_ptr<Store> (*)()> {
 protected:
  StoreFixture f{GetParam()()};
};

TEST_P(StoreContract, dag_versions_are_numbered_and_equal_ones_counted_once) {
  f.must({DagChanged{f.dag("etl", {"a", "b"}), true}});
  f.must({DagChanged{f.dag("etl", {"a", "b", "c"}, "v2"), false}});
  f.must({DagChanged{f.dag("etl", {"a", "b"}), false}});
  const auto versions = f.store().dag_versions("etl");
  ASSERT_TRUE(versions);
  ASSERT_EQ(versions->size(), 2U);
  EXPECT_EQ((*versions)[1].version, "v2");
  EXPECT_EQ((*versions)[1].version_number, 2);
  const auto current = f.store().dag("etl");
  ASSERT_TRUE(current);
  EXPECT_EQ(current->version, "v1");
  EXPECT_TRUE(current->is_paused);  // counted only when it was new
  EXPECT_EQ(current->canonical, "etl:v1");
  EXPECT_EQ(current->source, "dag: etl\n");
  EXPECT_EQ(current->tags, (std::vector<std::string>{"daily", "etl-tag"}));
  EXPECT_EQ(current->first_seen, instant("2026-03-01"));
  EXPECT_EQ(f.store().dag("none").error().code, ErrorCode::NotFound);
  EXPECT_EQ(f.store().dag_version("etl", "v9").error().code, ErrorCode::NotFound);
  EXPECT_EQ(f.store().dag_version("etl", "v2")->version_number, 2);
}

TEST_P(StoreContract, dags_are_filtered_ordered_and_paged) {
  for (const char* id : {"beta", "Alpha", "gamma"}) f.must({DagChanged{f.dag(id, {"a"}), false}});
  f.must({DagRemoved{"gamma"}, DagPaused{"beta", true}});
  const auto ids = [&](const DagFilter& filter, const std::string& order) {
    std::string text;
    for (const auto& row :
         value_of(f.store().dags(filter, {.limit = 50, .offset = 0, .order_by = order})).rows)
      text += row.dag_id + " ";
    return text;
  };
  DagFilter filter;
  EXPECT_EQ(ids(filter, ""), "Alpha beta ");
  EXPECT_EQ(ids(filter, "-dag_id"), "beta Alpha ");
  filter.id_contains = "ALPH";
  EXPECT_EQ(ids(filter, ""), "Alpha ");
  filter = {};
  filter.include_removed = true;
  EXPECT_EQ(ids(filter, "-first_seen"), "gamma Alpha beta ");
  filter.is_paused = true;
  EXPECT_EQ(ids(filter, ""), "beta ");
  filter = {};
  filter.tag = "Alpha-tag";
  EXPECT_EQ(ids(filter, ""), "Alpha ");
  filter.owner = "bob";
  EXPECT_EQ(ids(filter, ""), "");
  const auto page = f.store().dags({}, {.limit = 1, .offset = 1, .order_by = ""});
  EXPECT_EQ(page->total, 2);
  EXPECT_EQ(page->rows.at(0).dag_id, "beta");
  for (const Paging& bad : {Paging{.limit = 0, .offset = 0, .order_by = ""},
                            Paging{.limit = 1, .offset = -1, .order_by = ""},
                            Paging{.limit = 1, .offset = 0, .order_by = "dag_id; DROP TABLE dag"}})
    EXPECT_EQ(f.store().dags({}, bad).error().code, ErrorCode::InvalidInput);
}

TEST_P(StoreContract, a_run_comes_with_one_instance_for_each_task) {
  const auto dag = f.dag("etl", {"a", "b"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  const auto rows = f.store().instances_of(1);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ((*rows)[1].key, (InstanceKey{1, 1, -1}));
  EXPECT_EQ((*rows)[1].max_tries, 2);
  const auto run = f.store().run("etl", "scheduled__2026-01-01T00:00:00+00:00");
  ASSERT_TRUE(run);
  EXPECT_EQ(show(*run), show(f.run_row(1, dag, 0)));
  EXPECT_EQ(f.store().run("etl", "x").error().code, ErrorCode::NotFound);
}

TEST_P(StoreContract, one_run_for_an_id_and_for_a_logical_date) {
  const auto dag = f.dag("etl", {"a"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  RunRow same_id = f.run_row(2, dag, 1);
  same_id.run_id = f.run_row(1, dag, 0).run_id;
  RunRow same_date = f.run_row(2, dag, 0);
  same_date.run_id = "manual__x";
  RunRow no_date = same_date;
  no_date.logical_date.reset();
  EXPECT_EQ(f.commit({RunCreated{same_id, dag}}).error().code, ErrorCode::Conflict);
  EXPECT_EQ(f.commit({RunCreated{same_date, dag}}).error().code, ErrorCode::Conflict);
  f.must({RunCreated{no_date, dag}});
}

TEST_P(StoreContract, a_conflict_leaves_nothing_behind) {
  const auto dag = f.dag("etl", {"a", "b"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  const std::string before = f.seen() + f.loaded();
  const Sequence sequence = *f.store().last_sequence();
  InstanceChanged wrong_state = f.move({1, 0, -1}, TaskState::Scheduled);
  wrong_state.from = TaskState::Running;
  InstanceChanged wrong_try = f.move({1, 0, -1}, TaskState::Scheduled);
  wrong_try.from_try = 7;
  InstanceChanged right = f.move({1, 1, -1}, TaskState::Scheduled);
  RunChanged wrong_run{RunState::Running, f.run_row(1, dag, 0), ""};
  for (const Change& bad : std::vector<Change>{
           wrong_state, wrong_try, wrong_run, TryChanged{f.try_row({1, 0, -1}, 1, 5)},
           RunRemoved{9}, DagPaused{"none", true}, DagRemoved{"none"},
           CursorMoved{"none", {}, {}, {}}, RunCreated{f.run_row(1, dag, 1), dag},
           PoolRemoved{"default_pool"}, PoolRemoved{"none"}, VariableRemoved{"none"},
           ConnectionRemoved{"none"}, TaskExpanded{{1, 9, -1}, 1, {}}}) {
    const auto done = f.commit({DagChanged{f.dag("other", {"x"}), false},
                                PoolChanged{{"p", 1, "", false}}, VariableChanged{{"k", "v", ""}},
                                right, RunCreated{f.run_row(2, dag, 2), dag}, bad});
    ASSERT_FALSE(done) << to_text(bad);
    EXPECT_EQ(done.error().code, ErrorCode::Conflict) << done.error().message;
    EXPECT_NE(done.error().message.find(to_text(bad)), std::string::npos) << done.error().message;
    EXPECT_EQ(f.seen() + f.loaded(), before);
    EXPECT_EQ(*f.store().last_sequence(), sequence);
  }
  f.must({right});
}

TEST_P(StoreContract, moves_in_one_group_are_checked_one_by_one_and_the_last_row_stays) {
  const auto dag = f.dag("etl", {"a"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  InstanceChanged first = f.move({1, 0, -1}, TaskState::Scheduled, 1);
  InstanceChanged second = first;
  second.from = TaskState::Scheduled;
  second.from_try = 1;
  second.row.state = TaskState::Queued;
  second.row.note = "noted";
  InstanceChanged broken = second;
  EXPECT_EQ(f.commit({first, second, broken}).error().code, ErrorCode::Conflict);
  f.must({first, second});
  EXPECT_EQ(f.stored({1, 0, -1}).state, TaskState::Queued);
  EXPECT_EQ(f.stored({1, 0, -1}).note, "noted");
  const auto changes = f.store().changes(2, 10);
  ASSERT_EQ(changes->size(), 2U);
  EXPECT_EQ((*changes)[1].from, "scheduled");
  EXPECT_EQ((*changes)[1].to, "queued");
  EXPECT_EQ((*changes)[1].task_id, "a");
  EXPECT_EQ((*changes)[1].reason, "test");
  EXPECT_EQ((*changes)[1].try_number, 1);
}

TEST_P(StoreContract, a_try_is_kept_with_its_outcome_and_stop_order) {
  const auto dag = f.dag("etl", {"a"});
  const InstanceKey key{1, 0, -1};
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  TryRow row = f.try_row(key, 1, 1);
  f.must({TryOpened{row}});
  EXPECT_EQ(f.commit({TryOpened{row}}).error().code, ErrorCode::Conflict);
  row.launch = 2;
  row.pid = 77;
  row.host = "h2";
  row.started_at = f.now();
  row.log = {3, 4096};
  row.stop = StopOrder{TaskState::UpForRetry, true, RunState::Failed, "marked"};
  f.must({TryChanged{row}});
  EXPECT_EQ(show((*f.store().tries(key))[0]), show(row));
  Outcome& o = row.outcome.emplace();
  o.cause = Cause::OutOfMemory;
  o.exit_code = 137;
  o.raw_status = 9;
  o.message = std::string("out\0of", 6);
  o.log_matched = o.log_cut = true;
  o.started_at = f.now();
  o.ended_at = f.now() + std::chrono::microseconds(1);
  o.log_lines = 5;
  o.log_bytes = 1ULL << 40;
  o.log_hash = "abc";
  o.log = {3, 5000};
  row.final_state = TaskState::Failed;
  f.must({TryChanged{row}});
  f.must({TryOpened{f.try_row(key, 2, 2)}});
  const auto tries = f.store().tries(key);
  ASSERT_EQ(tries->size(), 2U);
  EXPECT_EQ(show((*tries)[0]), show(row));
  std::vector<std::string> problems;
  const auto state = f.store().load(f.builder(), problems);
  ASSERT_EQ(state->open_tries.size(), 1U);
  EXPECT_EQ(state->open_tries[0].number, 2);
}

TEST_P(StoreContract, a_mapped_task_expands_grows_and_shrinks) {
  const auto dag = f.dag("etl", {"a", "b"});
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag}});
  f.must({TaskExpanded{{1, 0, -1}, 2, {"{\"n\":1}", "{\"n\":2}"}}});
  f.must({f.move({1, 0, 1}, TaskState::Success)});
  f.must({TaskExpanded{{1, 0, -1}, 3, {"{\"n\":1}", "{\"n\":2}", "{\"n\":3}"}}});
  EXPECT_EQ(f.store().instances_of(1)->size(), 4U);
  EXPECT_EQ(f.stored({1, 0, 1}).state, TaskState::Success);
  f.must({TaskExpanded{{1, 0, -1}, 1, {"{\"n\":9}"}}});
  EXPECT_EQ(f.stored({1, 0, 1}).state, TaskState::Removed);
  EXPECT_EQ(f.stored({1, 0, 2}).state, TaskState::Removed);
  InstanceFilter filter;
  filter.map_index = 0;
  EXPECT_EQ(f.store().instances(filter, {})->rows.at(0).map_arguments, "{\"n\":9}");
  std::vector<std::string> problems;
  EXPECT_EQ(f.store().load(f.builder(), problems)->runs.at(0).map_arguments.size(), 1U);
  EXPECT_EQ(f.store().changes(*f.store().last_sequence() - 1, 10)->at(0).to, "removed");
  EXPECT_TRUE(f.store().verify()->empty());
}

TEST_P(StoreContract, a_removed_run_leaves_only_its_history) {
  const auto dag = f.dag("etl", {"a"});
  const InstanceKey key{1, 0, -1};
  f.must({DagChanged{dag, false}, RunCreated{f.run_row(1, dag, 0), dag},
          TryOpened{f.try_row(key, 1, 1)}, OutputStored{key, "return_value", "1"}});
  EXPECT_EQ(f.store().outputs("etl", f.run_row(1, dag, 0).run_id, "a")->at(0).json, "1");
  f.must({RunRemoved{1}});
  EXPECT_TRUE(f.store().instances_of(1)->empty());
  EXPECT_TRUE(f.store().tries(key)->empty());
  EXPECT_EQ(f.store().runs({}, {})->total, 0);
  const auto changes = f.store().changes(1, 10);
  EXPECT_EQ(changes->at(0).run_id, f.run_row(1, dag, 0).run_id);
  EXPECT_EQ(changes->back().to, "removed");
  std::vector<std::string> problems;
  EXPECT_EQ(f.store().load(f.builder(), problems)->next_run_key, 2);
  f.must({RunCreated{f.run_row(2, dag, 0), dag}});
}

TEST_P(StoreContract, outputs_are_found_by_name_over_runs) {
  const auto dag = f.dag("etl", {"a", "b"});
  const auto other = f.dag("other", {"a"});
  RunRow undated = f.run_row(4, dag, 0);
  undated.run_id = "manual__4";
  undated.logical_date.reset();
  undated.run_after = instant("2026-01-02T12:00");
  f.must({DagChanged{dag, false}, DagChanged{other, false}, RunCreated{f.run_row(1, dag, 2), dag},
          RunCreated{f.run_row(2, dag, 1), dag}, RunCreated{f.run_row(3, dag, 3), dag},
          RunCreated{undated, dag}, RunCreated{f.run_row(5, other, 1), other}});
  f.must({OutputStored{{1, 1, -1}, "x", "[1.50]", 1}, OutputStored{{1, 0, 2}, "x", "2"},
          OutputStored{{1, 0, 0}, "x", "null"}, OutputStored{{1, 0, 0}, "a/b?", "\"\""},
          OutputStored{{2, 0, -1}, "x", "{}"}, OutputStored{{3, 0, -1}, "x", "3"},
          OutputStored{{4, 0, -1}, "x", "4"}, OutputStored{{5, 0, -1}, "x", "5"}});
  OutputFilter filter;
  filter.dag_id = "etl";
  const auto seen = [&] {
    std::string text;
    for (const auto& row : value_of(f.store().outputs(filter)))
      text += std::to_string(row.key.run) + row.task_id + std::to_string(row.key.map_index) + "." +
              row.name + "=" + row.json + " ";
    return text;
  };
  EXPECT_EQ(seen(), "3a-1.x=3 1a0.a/b?=\"\" 1a0.x=null 1a2.x=2 1b-1.x=[1.50] 4a-1.x=4 2a-1.x={} ");
  filter.limit = 2;
  filter.offset = 3;
  EXPECT_EQ(seen(), "1a2.x=2 1b-1.x=[1.50] ");
  filter.offset = 9;
  EXPECT_EQ(seen(), "");
  filter = {};
  filter.dag_id = "etl";
  filter.task_id = "a";
  filter.name = "x";
  filter.date_lte = f.run_row(1, dag, 2).logical_date;
  EXPECT_EQ(seen(), "1a0.x=null 1a2.x=2 4a-1.x=4 2a-1.x={} ");
  filter.map_index = -1;
  EXPECT_EQ(seen(), "4a-1.x=4 2a-1.x={} ");
  filter.date_lte = instant("2026-01-02T11:59");
  EXPECT_EQ(seen(), "2a-1.x={} ");
  filter.date_lte.reset();
  filter.map_index = 2;
  filter.run_id = f.run_row(1, dag, 2).run_id;
  filter.has_values = false;
  EXPECT_EQ(seen(), "1a2.x= ");
  EXPECT_EQ(f.store().outputs(filter)->at(0).run_id, *filter.run_id);
  EXPECT_EQ(f.store().outputs(filter)->at(0).at, instant("2026-03-01") + std::chrono::seconds(1));
  filter.run_id = "none";
  EXPECT_EQ(seen(), "");
  RunFilter by_key;
  by_key.key = 4;
  EXPECT_EQ(f.store().runs(by_key, {})->rows.at(0).run_id, "manual__4");
}

TEST_P(StoreContract, runs_and_instances_are_filtered_and_ordered) {
  const auto dag = f.dag("etl", {"a", "b"});
  f.must({DagChanged{dag, false}});
  for (int i = 0; i < 4; ++i) f.must({RunCreated{f.run_row(i + 1, dag, 3 - i), dag}});
  RunRow failed = f.run_row(2, dag, 2);
  failed.state = RunState::Failed;
  failed.ended_at = instant("2026-05-01");
  f.must({RunChanged{RunState::Queued, failed, "because"}, f.move({3, 0, -1}, TaskState::Failed)});
  const auto keys = [&](const RunFilter& filter, const std::string& order) {
    std::string text;
    for (const auto& row :
         value_of(f.store().runs(filter, {.limit = 50, .offset = 0, .order_by = order})).rows)
      text += std::to_string(row.key);
    return text;
  };
  RunFilter filter;
  EXPECT_EQ(keys(filter, ""), "1234");
  EXPECT_EQ(keys(filter, "logical_date"), "4321");
  EXPECT_EQ(keys(filter, "-state"), "2431");
  EXPECT_EQ(keys(filter, "-end_date"), "2431");
  filter.states = {RunState::Failed};
  EXPECT_EQ(keys(filter, ""), "2");
  filter = {};
  filter.logical_date = {
      .gte = instant("2026-01-02"), .gt = {}, .lte = {}, .lt = instant("2026-01-04")};
  EXPECT_EQ(keys(filter, ""), "23");
  filter = {};
  filter.ended_at.gt = instant("2026-01-01");
  EXPECT_EQ(keys(filter, ""), "2");
  filter = {};
  filter.dag_id = "none";
  EXPECT_EQ(keys(filter, ""), "");
  filter = {};
  filter.run_id_contains = "2026-01-04";
  EXPECT_EQ(keys(filter, ""), "1");
  filter = {};
  filter.types = {RunType::Manual, RunType::Backfill};
  EXPECT_EQ(keys(filter, ""), "");

  InstanceFilter instances;
  instances.states = {TaskState::Failed, TaskState::Success};
  const auto found = f.store().instances(instances, {});
  ASSERT_EQ(found->total, 1);
  EXPECT_EQ(found->rows.at(0).task_id, "a");
  instances = {};
  instances.pools = {"b_pool"};
  instances.dag_id = "etl";
  const auto page =
      f.store().instances(instances, {.limit = 2, .offset = 1, .order_by = "-run_after"});
  EXPECT_EQ(page->total, 4);
  EXPECT_EQ(page->rows.at(0).row.key, (InstanceKey{2, 1, -1}));
  EXPECT_EQ(page->rows.at(1).row.key, (InstanceKey{3, 1, -1}));
  for (const char* order : {"id", "-dag_id", "run_id", "task_id", "map_index", "state",
                            "try_number", "logical_date", "start_date", "end_date", "duration"})
    EXPECT_TRUE(f.store().instances({}, {.limit = 5, .offset = 0, .order_by = order})) << order;
  EXPECT_EQ(f.store().instances({}, {.limit = 5, .offset = 0, .order_by = "pool"}).error().code,
            ErrorCode::InvalidInput);
}

TEST_P(StoreContract, the_newest_success_of_each_dag_is_told) {
  const auto dag = f.dag("etl", {"a"}), other = f.dag("other", {"a"});
  f.must({DagChanged{dag, false}, DagChanged{other, false}});
  std::vector<Change> changes;
  for (RunKey key = 1; key <= 4; ++key) {
    RunRow row = f.run_row(key, dag, static_cast<int>(key));
    changes.push_back(RunCreated{row, dag});
    const RunState from = row.state;
    row.state = key == 4 ? RunState::Failed : key == 3 ? from : RunState::Success;
    if (row.state != from) changes.push_back(RunChanged{from, row, ""});
  }
  f.must(std::move(changes));
  const auto newest = value_of(f.store().newest_successes());
  ASSERT_EQ(newest.size(), 1U);
  EXPECT_EQ(newest[0].key, 2);
}

TEST_P(StoreContract, load_reads_unfinished_work_and_counted_facts_only) {
  const auto producer = f.dag("producer", {"p"});
  const auto past = f.dag("past", {"x"}, "v1", true);
  DagDefinition text;
  text.id = "consumer";
  text.version = "v1";
  text.needs.emplace_back().dag = "producer";
  text.tasks.emplace_back().id = "c";
  text.canonical = "consumer:v1";
  const auto consumer = f.add(*Dag::build(text));
  BackfillRow backfill;
  backfill.key = 4;
  backfill.dag_id = "past";
  f.must({DagChanged{producer, false}, DagChanged{past, false}, DagChanged{consumer, false}});
  for (const auto& dag : {producer, past})
    for (int i = 0; i < 2; ++i) {
      RunRow row = f.run_row((dag == past ? 10 : 1) + i, dag, i);
      f.must({RunCreated{row, dag}});
      f.must({f.move({row.key, 0, -1}, TaskState::Success)});
      row.state = RunState::Success;
      row.ended_at = f.now();
      if (i == 0 || dag == past) f.must({RunChanged{RunState::Queued, row, ""}});
    }
  f.must({CursorMoved{"past",
                      instant("2026-01-02"),
                      instant("2026-01-01"),
                      {instant("2026-01-01"), instant("2026-01-02")}},
          BackfillChanged{backfill}, DagPaused{"past", true}});
  std::vector<std::string> problems;
  const auto state = f.store().load(f.builder(), problems);
  ASSERT_TRUE(state) << state.error().message;
  ASSERT_EQ(state->runs.size(), 1U);
  EXPECT_EQ(state->runs[0].row.key, 2);
  ASSERT_EQ(state->last_runs.size(), 1U);
  EXPECT_EQ(state->last_runs[0].row.key, 11);
  ASSERT_EQ(state->past.size(), 3U);
  EXPECT_EQ(state->past[0].task_id, "x");
  EXPECT_EQ(state->past[2].dag_id, "producer");
  EXPECT_EQ(state->past[2].interval.end, instant("2026-01-02"));
  EXPECT_EQ(state->dags.at(1).dates_ahead, std::vector<Instant>{instant("2026-01-02")});
  EXPECT_TRUE(state->dags.at(1).is_paused);
  EXPECT_EQ(state->next_run_key, 12);
  EXPECT_EQ(state->next_backfill_key, 5);
  EXPECT_EQ(state->backfills.size(), 1U);
  f.forget("producer");
  const auto without = f.store().load(f.builder(), problems);
  EXPECT_TRUE(without->runs.empty());
  EXPECT_EQ(problems.size(), 2U);
  const auto revived = f.store().revive(10, f.builder());
  ASSERT_TRUE(revived);
  EXPECT_EQ(revived->instances.size(), 1U);
  EXPECT_EQ(f.store().revive(99, f.builder()).error().code, ErrorCode::NotFound);
}

TEST_P(StoreContract, settings_accounts_and_audit_come_back_as_written) {
  ConnectionRow c{"db", "postgres", "d", "h", "s", "l", "sealed", "extra", 5432};
  f.must({PoolChanged{{"p", -1, "d", true}}, VariableChanged{{"k", "v", "d"}}, ConnectionChanged{c},
          Audited{instant("2026-02-01"), "ann", "trigger", "etl", "r", "t", "{}", 3},
          Audited{instant("2026-02-02"), "bob", "clear", "", "", "", "{}", -1}});
  f.must({PoolChanged{{"p", 5, "d2", false}}, VariableChanged{{"k2", "v", "d"}}});
  EXPECT_EQ(f.store().pools()->at(1).slots, 5);
  EXPECT_EQ(f.store().variables()->size(), 2U);
  EXPECT_EQ(f.store().connections()->at(0).port, 5432);
  EXPECT_EQ(f.store().connections()->at(0).sealed_extra, "extra");
  f.must({PoolRemoved{"p"}, VariableRemoved{"k"}, ConnectionRemoved{"db"}});
  EXPECT_EQ(f.store().pools()->size(), 1U);
  AuditFilter filter;
  filter.actor = "ann";
  EXPECT_EQ(f.store().audit(filter, {})->rows.at(0).row.map_index, 3);
  EXPECT_EQ(
      f.store().audit({}, {.limit = 1, .offset = 0, .order_by = "-when"})->rows.at(0).row.actor,
      "bob");
  EXPECT_EQ(f.store().backfills({}, {})->total, 0);
  ASSERT_TRUE(f.store().put_user({"ann", "h", "admin"}));
  ASSERT_TRUE(f.store().put_user({"ann", "h2", "admin"}));
  EXPECT_EQ(f.store().users()->at(0).password_hash, "h2");
  ASSERT_TRUE(
      f.store().put_token({"t1", "ann", "ui", instant("2026-01-01"), instant("2026-01-02")}));
  ASSERT_TRUE(
      f.store().put_token({"t2", "ann", "ui", instant("2026-01-01"), instant("2026-01-03")}));
  EXPECT_EQ(f.store().tokens(instant("2026-01-02"))->size(), 1U);
  ASSERT_TRUE(f.store().drop_tokens_of("ann"));
  EXPECT_TRUE(f.store().tokens(instant("2026-01-01"))->empty());
}

}  // namespace etesian
