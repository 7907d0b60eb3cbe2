#include "support.h"

namespace etesian::task_api {
namespace {

class TaskRuns : public TaskApiTest {
 protected:
  TaskRuns() {
    run_ = trigger("etl");
    start("extract");
  }
  /// A run of "single" whose task ends in this state.
  void single(const std::string& date, const std::string& state) {
    const TryRow mine = me_;
    trigger("single", date);
    engine_.advance(std::chrono::seconds(1));
    runs("only", state);
    me_ = mine;
    token_ = token_of(mine);
  }
  RunKey run_ = 0;
};

TEST_F(TaskRuns, a_run_is_shown_in_the_workers_form) {
  const std::string start_context = ask("PATCH /task-instances/{id}/run", hello()).body;
  const std::string shown = ask("GET /dag-runs/etl/r2024-08-10").body;
  EXPECT_EQ(start_context.substr(0, 11 + shown.size()), R"({"dag_run":)" + shown);
  EXPECT_EQ(said("GET /dag-runs/etl/r2024-08-10/state"), R"(200 {"state":"running"})");
  const std::string missing =
      R"(404 {"detail":{"reason":"not_found","message":"Dag run with dag_id 'etl' and run_id 'x' )"
      R"(was not found"}})";
  EXPECT_EQ(said("GET /dag-runs/etl/x"), missing);
  EXPECT_EQ(said("GET /dag-runs/etl/x/state"), missing);
}

TEST_F(TaskRuns, a_task_starts_a_run_in_the_name_of_its_own_runs_user) {
  EXPECT_EQ(said("POST /dag-runs/single/manual__2024-08-01T00:00:00+00:00",
                 R"({"logical_date":"2024-08-01T00:00:00Z","conf":{"a": 1.0},"note":"hi"})"),
            "204");
  const auto row = engine_.store().run("single", "manual__2024-08-01T00:00:00+00:00");
  ASSERT_TRUE(row);
  EXPECT_EQ(row->type, RunType::OperatorTriggered);
  EXPECT_EQ(row->triggered_by, "ann");
  EXPECT_EQ(row->note, "hi");
  EXPECT_EQ(row->conf, R"({"a": 1.0})");
  EXPECT_EQ(to_iso_z(*row->logical_date), "2024-08-01T00:00:00Z");
  EXPECT_EQ(said("POST /dag-runs/single/bare", "{}"), "204");
  EXPECT_EQ(engine_.store().run("single", "bare")->logical_date, std::nullopt);
}

TEST_F(TaskRuns, a_run_that_exists_is_told_from_other_refusals) {
  const std::string exists =
      R"(409 {"detail":{"reason":"already_exists","message":"A run already exists for Dag 'etl' )"
      R"(with run_id 'r2024-08-10'"}})";
  EXPECT_EQ(said("POST /dag-runs/etl/r2024-08-10", "{}"), exists);
  EXPECT_EQ(ask("POST /dag-runs/etl/other", R"({"logical_date":"2024-08-10T00:00:00Z"})").status,
            409);
  EXPECT_EQ(
      said("POST /dag-runs/none/r", "{}"),
      R"(404 {"detail":{"reason":"not_found","message":"Dag with dag_id: 'none' not found"}})");
  EXPECT_EQ(ask("POST /dag-runs/etl/a..b", "{}").status, 400);
  EXPECT_EQ(ask("POST /dag-runs/etl/new", R"({"partition_key":"p"})").status, 400);
  EXPECT_EQ(mistakes("POST /dag-runs/etl/new", R"({"conf":[],"x":1,"reset_dag_run":"a"})"),
            "body.conf dict_type, body.reset_dag_run bool_type, body.x extra_forbidden");
  ImportError error;
  error.dag_id = "etl";
  engine_.errors = {error};
  EXPECT_EQ(said("POST /dag-runs/etl/new", "{}"),
            R"(400 {"detail":{"reason":"import_errors","message":"Dag with dag_id 'etl' has )"
            R"(import errors and cannot be triggered"}})");
}

TEST_F(TaskRuns, a_task_clears_a_run) {
  single("2024-08-01", "failed");
  EXPECT_EQ(engine_.store().run("single", "r2024-08-01")->state, RunState::Failed);
  EXPECT_EQ(said("POST /dag-runs/single/r2024-08-01/clear"), "204");
  EXPECT_FALSE(is_final(engine_.store().run("single", "r2024-08-01")->state));
  EXPECT_EQ(said("POST /dag-runs/single/none/clear"),
            R"(404 {"detail":{"reason":"not_found","message":"Dag run with run_id: 'none' not )"
            R"(found"}})");
  EXPECT_EQ(ask("POST /dag-runs/none/none/clear").status, 404);
}

TEST_F(TaskRuns, runs_are_counted_by_date_id_and_state) {
  single("2024-08-01", "failed");
  single("2024-08-02", "success");
  const auto count = [&](const std::string& query) {
    return said("GET /dag-runs/count?dag_id=single" + query);
  };
  EXPECT_EQ(count(""), "200 2");
  EXPECT_EQ(count("&states=success"), "200 1");
  EXPECT_EQ(count("&states=success&states=failed"), "200 2");
  EXPECT_EQ(count("&states=nonsense"), "200 0");
  EXPECT_EQ(count("&run_ids=r2024-08-01&run_ids=none&run_ids=r2024-08-02"), "200 2");
  EXPECT_EQ(count("&run_ids=r2024-08-01&states=success"), "200 0");
  EXPECT_EQ(count("&run_ids=r2024-08-01&logical_dates=2024-08-02T00:00:00Z"), "200 0");
  EXPECT_EQ(count("&logical_dates=2024-08-01T00:00:00Z&logical_dates=2024-08-02T00:00:00Z"),
            "200 2");
  EXPECT_EQ(count("&logical_dates=2024-08-02T00:00:00Z&states=failed"), "200 0");
  EXPECT_EQ(mistakes("GET /dag-runs/count?logical_dates=x"),
            "query.dag_id missing, query.logical_dates.0 datetime_from_date_parsing");
}

TEST_F(TaskRuns, the_previous_run_is_the_one_before_by_date) {
  single("2024-08-01", "success");
  single("2024-08-02", "failed");
  const auto previous = [&](const std::string& query) {
    const auto answer = ask("GET /dag-runs/previous?dag_id=single&logical_date=" + query);
    const json::value run = json::parse(answer.body);
    return run.is_null() ? "none" : std::string(run.at("run_id").as_string());
  };
  EXPECT_EQ(previous("2024-08-03T00:00:00Z"), "r2024-08-02");
  EXPECT_EQ(previous("2024-08-03T00:00:00Z&state=success"), "r2024-08-01");
  EXPECT_EQ(previous("2024-08-02T00:00:00Z"), "r2024-08-01");
  EXPECT_EQ(previous("2024-08-01T00:00:00Z"), "none");
  EXPECT_EQ(mistakes("GET /dag-runs/previous?state=x"),
            "query.dag_id missing, query.logical_date missing, query.state enum");
}

TEST_F(TaskRuns, the_previous_success_gives_its_interval) {
  const std::string line = "GET /task-instances/{id}/previous-successful-dagrun";
  const std::string none =
      R"(200 {"data_interval_start":null,"data_interval_end":null,"start_date":null,)"
      R"("end_date":null})";
  EXPECT_EQ(said(line), none);
  const TryRow mine = me_;
  trigger("single", "2024-08-01");
  runs("only", "success");
  trigger("single", "2024-08-02");
  runs("only", "failed");
  trigger("single", "2024-08-03");
  start("only");
  const std::string found =
      R"(200 {"data_interval_start":"2024-08-01T00:00:00Z",)"
      R"("data_interval_end":"2024-08-01T00:00:00Z",)"
      R"("start_date":"2024-08-15T00:00:00Z","end_date":"2024-08-15T00:00:00Z"})";
  EXPECT_EQ(said(line), found);
  said("PATCH /task-instances/{id}/state", ended("success"));
  process_ends();
  EXPECT_EQ(said(line), found);  // callbacks ask after the run is over
  me_ = mine;
}

TEST_F(TaskRuns, a_dag_is_described) {
  EXPECT_EQ(said("GET /dags/etl"),
            R"(200 {"dag_id":"etl","is_paused":false,"bundle_name":"dags-folder",)"
            R"("bundle_version":null,"relative_fileloc":"etl.py","owners":"data, ops",)"
            R"("tags":["a","b"],"next_dagrun":null})");
  EXPECT_EQ(said("GET /dags/none"),
            R"(404 {"detail":{"reason":"not_found","message":"The Dag with dag_id: `none` was not )"
            R"(found"}})");
}

// ---- task instances of any run ----

TEST_F(TaskRuns, instances_are_counted_by_all_filters_at_once) {
  trigger("etl", "2024-08-11");
  const auto count = [&](const std::string& query) {
    return said("GET /task-instances/count?dag_id=etl" + query);
  };
  EXPECT_EQ(count(""), "200 10");
  EXPECT_EQ(count("&states=running"), "200 1");
  EXPECT_EQ(count("&states=running&states=queued"), "200 2");
  EXPECT_EQ(count("&states=null"), "200 8");
  EXPECT_EQ(count("&states=null&states=running"), "200 9");
  EXPECT_EQ(count("&states=nonsense"), "200 0");
  EXPECT_EQ(count("&task_ids=extract&task_ids=load"), "200 4");
  EXPECT_EQ(count("&task_ids=extract&run_ids=r2024-08-11"), "200 1");
  EXPECT_EQ(count("&logical_dates=2024-08-11T00:00:00Z"), "200 5");
  EXPECT_EQ(count("&logical_dates=2024-08-11T00:00:00Z&run_ids=r2024-08-10"), "200 0");
  EXPECT_EQ(count("&task_group_id=side"), "200 4");
  EXPECT_EQ(count("&task_group_id=side&run_ids=r2024-08-10&map_index=-1"), "200 2");
  EXPECT_EQ(count("&map_index=0"), "200 0");
  EXPECT_EQ(said("GET /task-instances/count?dag_id=none"), "200 0");
  EXPECT_EQ(
      said("GET /task-instances/count?dag_id=etl&task_group_id=x"),
      R"(404 {"detail":{"reason":"not_found","message":"Task group x not found in DAG etl"}})");
  EXPECT_EQ(mistakes("GET /task-instances/count?map_index=a"),
            "query.dag_id missing, query.map_index int_parsing");
}

TEST_F(TaskRuns, states_are_given_by_run_and_task) {
  EXPECT_EQ(said("GET /task-instances/states?dag_id=etl&task_ids=extract&task_ids=load"),
            R"(200 {"task_states":{"r2024-08-10":{"extract":"running","load":null}}})");
  EXPECT_EQ(
      said("GET /task-instances/states?dag_id=etl&task_ids=extract&task_group_id=side"),
      R"(200 {"task_states":{"r2024-08-10":{"extract":"running","side.a":null,"side.b":null}}})");
  EXPECT_EQ(said("GET /task-instances/states?dag_id=etl&run_ids=none"),
            R"(200 {"task_states":{}})");
  ask("POST /xcoms/etl/r2024-08-10/extract/return_value?mapped_length=2", "[1,2]");
  said("PATCH /task-instances/{id}/state", ended("success"));
  process_ends();
  EXPECT_EQ(said("GET /task-instances/states?dag_id=etl&task_ids=each"),
            R"(200 {"task_states":{"r2024-08-10":{"each_0":"queued","each_1":"queued"}}})");
}

TEST_F(TaskRuns, the_previous_instance_of_a_task_is_summed_up) {
  single("2024-08-01", "failed");
  single("2024-08-02", "success");
  EXPECT_EQ(said("GET /task-instances/previous/single/only?logical_date=2024-08-02T00:00:00Z"),
            R"(200 {"task_id":"only","dag_id":"single","run_id":"r2024-08-01",)"
            R"("logical_date":"2024-08-01T00:00:00Z","start_date":"2024-08-15T00:00:01Z",)"
            R"("end_date":"2024-08-15T00:00:02Z","state":"failed","try_number":1,"map_index":-1,)"
            R"("duration":1E0})");
  const auto found = [&](const std::string& query) {
    const json::value row =
        json::parse(ask("GET /task-instances/previous/single/only" + query).body);
    return row.is_null() ? "none" : std::string(row.at("run_id").as_string());
  };
  EXPECT_EQ(found(""), "r2024-08-02");
  EXPECT_EQ(found("?state=failed"), "r2024-08-01");
  EXPECT_EQ(found("?state=running"), "none");
  EXPECT_EQ(found("?map_index=0"), "none");
  EXPECT_EQ(mistakes("GET /task-instances/previous/single/only?state=zz"), "query.state enum");
}

TEST_F(TaskRuns, breadcrumbs_are_the_ended_instances) {
  said("PATCH /task-instances/{id}/state", ended("failed"));
  process_ends();
  const json::value answer =
      json::parse(ask("GET /task-instances/breadcrumbs?dag_id=etl&run_id=r2024-08-10").body);
  std::string tasks;
  for (const auto& row : answer.at("breadcrumbs").as_array())
    tasks += std::string(row.at("task_id").as_string()) + " " +
             std::string(row.at("state").as_string()) + " " +
             std::string(row.at("operator").as_string()) + "; ";
  EXPECT_EQ(tasks,
            "each upstream_failed PythonOperator; extract failed PythonOperator; "
            "load upstream_failed PythonOperator; side.a upstream_failed PythonOperator; "
            "side.b upstream_failed PythonOperator; ");
  EXPECT_EQ(said("GET /task-instances/breadcrumbs?dag_id=etl&run_id=x"),
            R"(200 {"breadcrumbs":[]})");
}

}  // namespace
}  // namespace etesian::task_api
