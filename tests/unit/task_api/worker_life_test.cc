#include "support.h"

namespace etesian::task_api {
namespace {

constexpr const char* kRun = "PATCH /task-instances/{id}/run";
constexpr const char* kState = "PATCH /task-instances/{id}/state";
constexpr const char* kBeat = "PUT /task-instances/{id}/heartbeat";
constexpr const char* kFields = "PUT /task-instances/{id}/rtif";

constexpr const char* kNotFound =
    R"(404 {"detail":{"reason":"not_found","message":"Task Instance not found"}})";
constexpr const char* kGone =
    R"(410 {"detail":{"reason":"not_found","message":"Task Instance not found, it may have been )"
    R"(moved to the Task Instance History table"}})";

std::string cannot_start(const std::string& previous) {
  return R"(409 {"detail":{"reason":"invalid_state","message":"TI was not in a state where it )"
         R"(could be marked as running","previous_state":)" +
         previous + "}}";
}
std::string cannot_report(const std::string& previous) {
  return R"(409 {"detail":{"reason":"invalid_state","message":"TI was not in the running state )"
         R"(so it cannot be updated","previous_state":)" +
         previous + "}}";
}
std::string not_running(const std::string& now) {
  return R"(409 {"detail":{"reason":"not_running","message":"TI is no longer in the running )"
         R"(state and task should terminate","current_state":)" +
         now + "}}";
}

class WorkerLife : public TaskApiTest {
 protected:
  WorkerLife() {
    run_ = trigger("etl");
    speak_for("extract");
  }
  RunKey run_ = 0;
};

// ---- run ----

TEST_F(WorkerLife, the_context_has_exactly_the_keys_that_the_worker_knows) {
  EXPECT_EQ(said(kRun, hello()),
            R"(200 {"dag_run":{"dag_id":"etl","run_id":"r2024-08-10",)"
            R"("logical_date":"2024-08-10T00:00:00Z","data_interval_start":"2024-08-10T00:00:00Z",)"
            R"("data_interval_end":"2024-08-10T00:00:00Z","run_after":"2024-08-15T00:00:00Z",)"
            R"("start_date":"2024-08-15T00:00:00Z","end_date":null,"clear_number":0,)"
            R"("run_type":"manual","state":"running","conf":{"n": 1.50},)"
            R"("triggering_user_name":"ann","consumed_asset_events":[],"partition_key":null,)"
            R"("partition_date":null,"note":null,"team_name":null},"task_reschedule_count":0,)"
            R"("max_tries":2,"variables":[],"connections":[],"xcom_keys_to_clear":[],)"
            R"("should_retry":true})");
  EXPECT_EQ(state_of("extract"), "running");
  EXPECT_EQ(engine_.world().open_try(me_.id)->worker, kWorker);
}

TEST_F(WorkerLife, a_repeated_start_of_the_same_worker_is_answered_again) {
  const std::string first = said(kRun, hello());
  const int commits = engine_.commits;
  EXPECT_EQ(said(kRun, hello()), first);
  EXPECT_EQ(engine_.commits, commits);
  EXPECT_EQ(said(kRun, hello("h", 8)), cannot_start("\"running\""));
  EXPECT_EQ(said(kRun, hello("g")), cannot_start("\"running\""));
}

TEST_F(WorkerLife, a_try_that_is_to_be_stopped_does_not_start) {
  engine_.happen(MarkInstances{{me_.instance}, TaskState::Success, "ann"});
  EXPECT_EQ(said(kRun, hello()), cannot_start("\"success\""));
}

TEST_F(WorkerLife, an_ended_try_does_not_start_again) {
  runs("extract", "failed");
  EXPECT_EQ(said(kRun, hello()), cannot_start("\"failed\""));
}

TEST_F(WorkerLife, a_retried_try_is_unknown_to_start) {
  runs("extract", "up_for_retry");
  EXPECT_EQ(said(kRun, hello()), kNotFound);
}

TEST_F(WorkerLife, what_an_earlier_launch_pushed_is_named_to_be_cleared) {
  start("extract");
  ask("POST /xcoms/etl/r2024-08-10/extract/b", "1");
  ask("POST /xcoms/etl/r2024-08-10/extract/a/b", "2");
  ask("POST /xcoms/etl/r2024-08-10/load/other", "3");
  said(kState, ended("up_for_retry"));
  process_ends();
  engine_.advance(std::chrono::hours(1));
  engine_.happen(TimeReached{});
  speak_for("extract");
  const json::value context = json::parse(ask(kRun, hello()).body);
  EXPECT_EQ(json::serialize(context.at("xcom_keys_to_clear")), R"(["a/b","b"])");
  EXPECT_EQ(context.at("should_retry"), json::value(true));
}

TEST_F(WorkerLife, the_last_try_is_told_not_to_retry) {
  for (int i = 0; i < 2; ++i) {
    runs("extract", "up_for_retry");
    engine_.advance(std::chrono::hours(1));
    engine_.happen(TimeReached{});
  }
  speak_for("extract");
  EXPECT_EQ(json::parse(ask(kRun, hello()).body).at("should_retry"), json::value(false));
}

TEST_F(WorkerLife, mistakes_in_a_start_are_told_as_fastapi_tells_them) {
  EXPECT_EQ(mistakes(kRun, R"({"state":"running"})"),
            "body.hostname missing, body.unixname missing, body.pid missing, "
            "body.start_date missing");
  EXPECT_EQ(mistakes(kRun, R"({"state":"x","hostname":5,"unixname":"u","pid":"7a",)"
                           R"("start_date":"2026-01-01T00:00:00","x":1})"),
            "body.state literal_error, body.hostname string_type, body.pid int_parsing, "
            "body.start_date timezone_aware, body.x extra_forbidden");
  EXPECT_EQ(mistakes(kRun, R"({"state":"running","hostname":"h","unixname":"u","pid":1.5,)"
                           R"("start_date":"soon"})"),
            "body.pid int_from_float, body.start_date datetime_from_date_parsing");
  EXPECT_EQ(mistakes(kRun, "{"), "body json_invalid");
  EXPECT_EQ(mistakes(kRun, ""), "body missing");
  EXPECT_EQ(mistakes(kRun, "[]"), "body model_attributes_type");
  EXPECT_EQ(ask(kRun, R"({"state":"running"})").body.substr(0, 97),
            R"({"detail":[{"type":"missing","loc":["body","hostname"],"msg":"Field required",)"
            R"("input":{"state":"r)");
  EXPECT_EQ(state_of("extract"), "queued");
}

// ---- heartbeat ----

TEST_F(WorkerLife, a_heartbeat_changes_nothing) {
  start("extract");
  const int commits = engine_.commits;
  EXPECT_EQ(said(kBeat, beat()), "204");
  EXPECT_EQ(engine_.commits, commits);
}

TEST_F(WorkerLife, a_heartbeat_of_another_process_is_told_who_runs) {
  EXPECT_EQ(said(kBeat, beat()),
            R"(409 {"detail":{"reason":"running_elsewhere","message":"TI is already running )"
            R"(elsewhere","current_hostname":"","current_pid":null}})");
  start("extract");
  const std::string elsewhere =
      R"(409 {"detail":{"reason":"running_elsewhere","message":"TI is already running )"
      R"(elsewhere","current_hostname":"h","current_pid":7}})";
  EXPECT_EQ(said(kBeat, beat("h", 77)), elsewhere);
  EXPECT_EQ(said(kBeat, beat("g", 7)), elsewhere);
}

TEST_F(WorkerLife, a_stop_order_ends_the_worker_with_its_next_heartbeat) {
  start("extract");
  engine_.happen(MarkInstances{{me_.instance}, TaskState::Failed, "ann"});
  EXPECT_EQ(said(kBeat, beat()), not_running("\"failed\""));
}

TEST_F(WorkerLife, a_cleared_worker_learns_that_it_restarts) {
  start("extract");
  engine_.happen(ClearInstances{{me_.instance}, false, "ann"});
  EXPECT_EQ(said(kBeat, beat()), not_running("\"restarting\""));
  EXPECT_EQ(said(kState, ended("success")), cannot_report("\"restarting\""));
  process_ends(143);
  EXPECT_EQ(said(kBeat, beat()), kGone);
  EXPECT_EQ(said(kState, ended("success")), kNotFound);
}

TEST_F(WorkerLife, heartbeats_after_the_end_are_refused) {
  start("extract");
  said(kState, ended("success"));
  EXPECT_EQ(said(kBeat, beat()), not_running("\"success\""));
  process_ends();
  EXPECT_EQ(said(kBeat, beat()), not_running("\"success\""));
}

TEST_F(WorkerLife, heartbeats_and_fields_of_a_retried_try_are_gone) {
  start("extract");
  said(kState, ended("up_for_retry"));
  EXPECT_EQ(said(kBeat, beat()), kGone);
  process_ends();
  EXPECT_EQ(said(kBeat, beat()), kGone);
  EXPECT_EQ(said(kFields, "{}"), kGone);
}

TEST_F(WorkerLife, of_a_removed_run_nothing_is_known) {
  runs("extract", "failed");
  engine_.happen(RemoveRun{run_, "ann"});
  EXPECT_EQ(said(kRun, hello()), kNotFound);
  EXPECT_EQ(said(kBeat, beat()), kNotFound);
  EXPECT_EQ(said(kFields, "{}"), kNotFound);
  EXPECT_EQ(said(kState, ended("failed")), kNotFound);
}

// ---- state ----

TEST_F(WorkerLife, a_report_is_durable_before_the_process_ends) {
  start("extract");
  EXPECT_EQ(said(kState, ended("success")), "204");
  EXPECT_EQ(state_of("extract"), "running");
  process_ends(1);
  EXPECT_EQ(state_of("extract"), "success");
}

TEST_F(WorkerLife, a_repeated_report_is_200_however_late_it_comes) {
  start("extract");
  EXPECT_EQ(said(kState, ended("up_for_retry")), "204");
  EXPECT_EQ(said(kState, ended("up_for_retry")), "200");
  process_ends();
  EXPECT_EQ(said(kState, ended("up_for_retry")), "200");
  engine_.advance(std::chrono::hours(1));
  engine_.happen(TimeReached{});
  EXPECT_TRUE(open("extract"));
  EXPECT_EQ(said(kState, ended("up_for_retry")), "200");
  EXPECT_EQ(said(kState, ended("success")), kNotFound);
}

TEST_F(WorkerLife, another_report_does_not_replace_the_first) {
  start("extract");
  said(kState, ended("success"));
  EXPECT_EQ(said(kState, ended("failed")), cannot_report("\"success\""));
  process_ends();
  EXPECT_EQ(said(kState, ended("failed")), cannot_report("\"success\""));
  EXPECT_EQ(said(kState, ended("success")), "200");
}

TEST_F(WorkerLife, a_report_before_the_start_is_refused) {
  EXPECT_EQ(said(kState, ended("success")), cannot_report("\"queued\""));
}

TEST_F(WorkerLife, a_mark_by_a_user_is_stronger_than_a_report) {
  start("extract");
  engine_.happen(MarkInstances{{me_.instance}, TaskState::Failed, "ann"});
  EXPECT_EQ(said(kState, ended("success")), cannot_report("\"failed\""));
  EXPECT_EQ(said(kState, ended("failed")), "200");
}

TEST_F(WorkerLife, all_terminal_states_are_taken) {
  for (const std::string state : {"success", "failed", "skipped", "removed", "upstream_failed"}) {
    trigger("single");
    start("only");
    EXPECT_EQ(said(kState, ended(state, R"(,"rendered_map_index":null)")), "204") << state;
    process_ends();
    EXPECT_EQ(engine_.store().tries(me_.instance)->at(0).final_state, *task_state_from_text(state));
    engine_.happen(RemoveRun{me_.instance.run, "ann"});
  }
}

TEST_F(WorkerLife, a_retry_policy_gives_its_own_delay) {
  start("extract");
  said(kState,
       ended("up_for_retry",
             R"(,"retry_delay_seconds":42.5,"retry_reason":"flaky","rendered_map_index":"7")"));
  const auto report = report_from_json(engine_.world().open_try(me_.id)->report);
  EXPECT_EQ(report->retry_delay, std::chrono::milliseconds(42500));
  EXPECT_EQ(report->reason, "flaky");
  EXPECT_EQ(engine_.world().instance(me_.instance)->rendered_map_index, "7");
}

TEST_F(WorkerLife, asset_events_are_kept_as_they_came) {
  start("extract");
  said(kState, ended("success", R"(,"task_outlets":[{"name":"a","uri": "a","type":"Asset"}],)"
                                R"("outlet_events":[{"extra":{"rows":3.00}}])"));
  EXPECT_EQ(report_from_json(engine_.world().open_try(me_.id)->report)->outlets,
            R"({"task_outlets":[{"name":"a","uri": "a","type":"Asset"}],)"
            R"("outlet_events":[{"extra":{"rows":3.00}}]})");
}

TEST_F(WorkerLife, a_deferral_keeps_what_the_trigger_needs_byte_by_byte) {
  start("extract");
  EXPECT_EQ(said(kState, R"({"state":"deferred","classpath":"my.Trigger",)"
                         R"("trigger_kwargs":{"big": 123456789012345678901234567890, "f":1.0},)"
                         R"("trigger_timeout":"P7DT1.5S","queue":null,"next_method":"go",)"
                         R"("next_kwargs":{"x":[ ]},"rendered_map_index":null})"),
            "204");
  const auto report = report_from_json(engine_.world().open_try(me_.id)->report);
  EXPECT_EQ(report->resume, R"({"id":")" + to_text(me_.id) +
                                R"(","classpath":"my.Trigger",)"
                                R"("kwargs":{"big": 123456789012345678901234567890, "f":1.0},)"
                                R"("next_method":"go","next_kwargs":{"x":[ ]},"queue":null})");
  EXPECT_EQ(to_iso_z(*report->wake_at), "2024-08-22T00:00:01.500000Z");
  process_ends();
  EXPECT_EQ(state_of("extract"), "deferred");
  EXPECT_EQ(said(kState, R"({"state":"deferred","classpath":"my.Trigger","next_method":"go"})"),
            "200");
  EXPECT_EQ(said(kBeat, beat()), not_running("\"deferred\""));
}

TEST_F(WorkerLife, a_resumed_try_is_told_where_to_go_on) {
  start("extract");
  ask("POST /xcoms/etl/r2024-08-10/extract/x", "1");
  said(kState, R"({"state":"deferred","classpath":"my.Trigger","next_method":"go"})");
  process_ends();
  const TryRow first = me_;
  engine_.advance(std::chrono::minutes(5));
  engine_.happen(ResumeInstance{me_.instance, me_.id, R"({"event":{"v":1}})"});
  speak_for("extract");
  EXPECT_NE(me_.id, first.id);
  EXPECT_EQ(me_.number, first.number);
  const json::value context = json::parse(ask(kRun, hello()).body);
  EXPECT_EQ(json::serialize(context.at("xcom_keys_to_clear")), "[]");
  EXPECT_EQ(context.at("next_method").as_string(), "go");
  EXPECT_EQ(json::serialize(context.at("next_kwargs")), R"({"event":{"v":1}})");
  EXPECT_EQ(context.at("start_date").as_string(), "2024-08-15T00:00:01Z");
  token_ = token_of(first);
  me_ = first;
  EXPECT_EQ(said(kState, ended("success")), kNotFound);
}

TEST_F(WorkerLife, a_sensor_that_is_put_off_counts_and_knows_its_first_start) {
  const auto put_off = [&] {
    start("extract");
    EXPECT_EQ(
        said(kState, ended("up_for_reschedule", R"(,"reschedule_date":"2024-08-15T00:01:00Z")")),
        "204");
    process_ends();
    engine_.advance(std::chrono::minutes(2));
    engine_.happen(TimeReached{});
  };
  put_off();
  put_off();
  speak_for("extract");
  const json::value context = json::parse(ask(kRun, hello()).body);
  EXPECT_EQ(context.at("task_reschedule_count"), json::value(2));
  EXPECT_FALSE(context.as_object().contains("next_method"));
  EXPECT_EQ(said("GET /task-reschedules/{id}/start_date?try_number=1"),
            R"(200 "2024-08-15T00:00:01Z")");
  said(kState, ended("up_for_retry"));
  process_ends();
  engine_.advance(std::chrono::hours(1));
  engine_.happen(TimeReached{});
  speak_for("extract");
  EXPECT_EQ(said("GET /task-reschedules/{id}/start_date?try_number=1"), "200 null");
}

TEST_F(WorkerLife, human_input_is_awaited_until_its_deadline) {
  start("extract");
  EXPECT_EQ(said(kState, R"({"state":"awaiting_input","timeout":"PT1H","next_method":"done",)"
                         R"("next_kwargs":{}})"),
            "204");
  process_ends();
  EXPECT_EQ(state_of("extract"), "awaiting_input");
  EXPECT_EQ(to_iso_z(*engine_.world().instance(me_.instance)->wake_at), "2024-08-15T01:00:00Z");
}

TEST_F(WorkerLife, mistakes_in_a_report_name_the_branch_of_the_union) {
  start("extract");
  EXPECT_EQ(mistakes(kState, "{}"), "body.state missing");
  EXPECT_EQ(mistakes(kState, R"({"state":"running"})"), "body.state enum");
  EXPECT_EQ(mistakes(kState, R"({"state":5})"), "body.state enum");
  EXPECT_EQ(mistakes(kState, R"({"state":"success","x":1})"),
            "body.success.end_date missing, body.success.x extra_forbidden");
  EXPECT_EQ(mistakes(kState, R"({"state":"skipped","end_date":null})"),
            "body._terminal_.end_date datetime_type");
  EXPECT_EQ(
      mistakes(kState, ended("success", R"(,"task_outlets":[{"name":"a"}],"outlet_events":[1])")),
      "body.success.task_outlets.0.type missing, body.success.outlet_events.0 dict_type");
  EXPECT_EQ(mistakes(kState, ended("success", R"(,"task_outlets":null)")),
            "body.success.task_outlets list_type");
  EXPECT_EQ(mistakes(kState, R"({"state":"deferred","trigger_kwargs":3,"next_kwargs":"s",)"
                             R"("trigger_timeout":"x"})"),
            "body.deferred.classpath missing, body.deferred.trigger_kwargs dict_type, "
            "body.deferred.trigger_timeout time_delta_parsing, body.deferred.next_method missing, "
            "body.deferred.next_kwargs dict_type");
  EXPECT_EQ(
      mistakes(kState, ended("up_for_retry", R"(,"retry_delay_seconds":"a","retry_reason":4)")),
      "body.up_for_retry.retry_delay_seconds float_type, "
      "body.up_for_retry.retry_reason string_type");
  EXPECT_EQ(mistakes(kState, R"({"state":"up_for_reschedule","rendered_map_index":null})"),
            "body.up_for_reschedule.reschedule_date missing, "
            "body.up_for_reschedule.end_date missing, "
            "body.up_for_reschedule.rendered_map_index extra_forbidden");
  EXPECT_EQ(mistakes(kState, R"({"state":"awaiting_input"})"),
            "body.awaiting_input.next_method missing");
  EXPECT_EQ(state_of("extract"), "running");
}

// ---- the rest of an instance's own routes ----

TEST_F(WorkerLife, rendered_fields_are_kept_as_they_came) {
  start("extract");
  EXPECT_EQ(said(kFields, R"({"a": 1.0})"),
            R"(201 {"message":"Rendered task instance fields successfully set"})");
  EXPECT_EQ(engine_.world().open_try(me_.id)->rendered, R"({"a": 1.0})");
  said(kState, ended("success"));
  EXPECT_EQ(ask(kFields, R"({"a":2})").status, 201);  // finalize() of the SDK may say it again
  EXPECT_EQ(mistakes(kFields, "[1]"), "body model_attributes_type");
}

TEST_F(WorkerLife, the_rendered_map_index_may_come_at_any_time) {
  start("extract");
  const std::string line = "PATCH /task-instances/{id}/rendered-map-index";
  EXPECT_EQ(said(line, R"("seven")"), "204");
  EXPECT_EQ(engine_.world().instance(me_.instance)->rendered_map_index, "seven");
  EXPECT_EQ(said(line, R"("")"), R"(422 {"detail":"rendered_map_index cannot be empty"})");
  EXPECT_EQ(mistakes(line, "1"), "body string_type");
  EXPECT_EQ(mistakes(line, ""), "body missing");
  engine_.happen(MarkRun{run_, RunState::Failed, "ann"});
  process_ends(143);
  ASSERT_EQ(engine_.world().run(run_), nullptr);
  EXPECT_EQ(said(line, R"("late")"), "204");
}

TEST_F(WorkerLife, skip_downstream_takes_ids_and_pairs) {
  start("extract");
  const std::string line = "PATCH /task-instances/{id}/skip-downstream";
  EXPECT_EQ(said(line, R"({"tasks":["side.a",["load",-1],["load",5],"unknown","extract"]})"),
            "204");
  EXPECT_EQ(state_of("side.a"), "skipped");
  EXPECT_EQ(state_of("load"), "skipped");
  EXPECT_EQ(state_of("side.b"), "none");
  EXPECT_EQ(state_of("extract"), "running");
  EXPECT_EQ(said(line, R"({"tasks":[]})"), "204");
  EXPECT_EQ(mistakes(line, R"({"tasks":["a",["b"],3,["c","d"]],"z":1})"),
            "body.tasks.1 string_type, body.tasks.2 string_type, body.tasks.3 string_type, "
            "body.z extra_forbidden");
  EXPECT_EQ(mistakes(line, R"({"tasks":"a"})"), "body.tasks list_type");
  EXPECT_EQ(mistakes(line, "{}"), "body.tasks missing");
}

TEST_F(WorkerLife, assets_are_all_active) {
  EXPECT_EQ(said("GET /task-instances/{id}/validate-inlets-and-outlets"),
            R"(200 {"inactive_assets":[]})");
  runs("extract", "success");
  EXPECT_EQ(ask("GET /task-instances/{id}/validate-inlets-and-outlets").status, 200);
}

}  // namespace
}  // namespace etesian::task_api
