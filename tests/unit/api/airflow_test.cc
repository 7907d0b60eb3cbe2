#include <fstream>

#include "api/json_dag.h"
#include "api/pattern.h"
#include "api/python_text.h"
#include "api/xcom_value.h"
#include "loader/airflow.h"
#include "logs/writer.h"
#include "support.h"

namespace etesian::api {
namespace {

std::vector<json::value> lines_of(const std::string& file) {
  std::ifstream in(std::string(ETESIAN_SOURCE_DIR) + "/tests/golden/api/" + file);
  std::vector<json::value> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
  return lines;
}

std::shared_ptr<const Dag> dag_of(const json::value& serialized) {
  auto definition = definition_from_airflow(
      json::serialize(serialized),
      {.bundle = "dags-folder", .bundle_folder = "/dags", .relative_file = "shown.py"});
  EXPECT_TRUE(definition) << (definition ? "" : definition.error().message);
  auto dag = Dag::build(std::move(*definition));
  EXPECT_TRUE(dag) << (dag ? "" : dag.error().message);
  return *dag;
}

std::shared_ptr<const Dag> dag_named(const std::string& dag_id) {
  for (const auto& line : lines_of("airflow.jsonl")) {
    if (line.at("details").at("dag_id").as_string() == dag_id) return dag_of(line.at("serialized"));
  }
  ADD_FAILURE() << dag_id;
  return nullptr;
}

void expect_members(const json::object& shown, const json::object& expected,
                    const std::string& where) {
  for (const auto& [name, value] : expected) {
    const auto* own = shown.if_contains(name);
    EXPECT_EQ(own != nullptr ? json::serialize(*own) : "missing", json::serialize(value))
        << where << "." << name;
  }
}

TEST(AirflowDags, AreShownAsAirflowShowsThem) {
  for (const auto& line : lines_of("airflow.jsonl")) {
    const auto dag = dag_of(line.at("serialized"));
    DagFacts facts;
    facts.summary.dag_id = dag->id();
    facts.summary.owner = dag->definition().owner;
    facts.summary.description = dag->definition().description;
    facts.summary.schedule_text = dag->definition().schedule_text;
    facts.summary.relative_file = dag->definition().relative_file;
    auto version = std::make_shared<DagVersion>();
    version->dag_id = dag->id();
    version->dag = dag;
    version->airflow = airflow_facts_of(*dag);
    facts.version = version;
    auto details = dag_details_json(facts);
    // Airflow lists owners in no particular order.
    auto expected = line.at("details").as_object();
    for (auto* owners : {&details.at("owners").as_array(), &expected.at("owners").as_array()}) {
      std::sort(owners->begin(), owners->end(),
                [](const auto& a, const auto& b) { return a.as_string() < b.as_string(); });
    }
    expect_members(details, expected, dag->id());
    for (const auto& task : line.at("tasks").as_array()) {
      const std::string id(task.at("task_id").as_string());
      auto shown = task_json(*version, *dag->find(id));
      auto& below = shown.at("downstream_task_ids").as_array();
      std::sort(below.begin(), below.end(),
                [](const auto& a, const auto& b) { return a.as_string() < b.as_string(); });
      // Airflow shows numbers with a fraction here; JSON has no difference.
      auto want = task.as_object();
      for (const auto* name :
           {"retries", "pool_slots", "priority_weight", "retry_exponential_backoff"}) {
        EXPECT_EQ(shown.at(name).to_number<double>(), want.at(name).to_number<double>()) << name;
        want.erase(name);
      }
      expect_members(shown, want, dag->id() + "." + id);
    }
  }
}

TEST(PythonText, IsWhatPythonPrints) {
  for (const auto& line : lines_of("python_text.jsonl")) {
    const auto& [value, text, words, words_text] =
        std::tie(line.at(0), line.at(1), line.at(2), line.at(3));
    EXPECT_EQ(python_str(value), text.as_string()) << json::serialize(value);
    EXPECT_EQ(json::serialize(in_words(value)), json::serialize(words));
    EXPECT_EQ(python_str(in_words(value)), words_text.as_string()) << json::serialize(value);
  }
}

TEST(Patterns, AreThoseOfSql) {
  EXPECT_TRUE(is_like("extract_load", "%TRACT%"));
  EXPECT_TRUE(is_like("abcbcd", "a%bcd"));
  EXPECT_TRUE(is_like("a_c", "a_c"));
  EXPECT_TRUE(is_like("", "%"));
  EXPECT_FALSE(is_like("abc", "a%d"));
  EXPECT_FALSE(is_like("ab", "a"));
}

TEST(XComValues, ThatTheSdkWouldBuildObjectsFromAreNamed) {
  EXPECT_EQ(reserved_members(json::parse(R"({"a":[{"__classname__":1,"__data__":2}]})")),
            "XCom value.a[0] contains reserved serialization keys: __classname__, __data__. "
            "These keys are reserved for internal use.");
  EXPECT_TRUE(reserved_members(json::parse(R"("{\"__type\": 1}")")));
  EXPECT_FALSE(reserved_members(json::parse(R"({"a":["__classname__"]})")));
}

/// The DAG "dressed", unpaused, with a run "r1": "a" is empty and done at once, "b" waits for its
/// SDK worker.
class WorkerTest : public UserTest {
 protected:
  const std::string kRun = "/api/v2/dags/dressed/dagRuns/r1";
  const std::string kTask = kRun + "/taskInstances/b";

  void SetUp() override {
    UserTest::SetUp();
    // By hand alone: its catch-up would take every place for a run.
    DagDefinition definition = dag_named("dressed")->definition();
    definition.schedule.kind = ManualSchedule{};
    engine_.happen(DagLoaded{*Dag::build(std::move(definition))});
    call("PATCH /api/v2/dags/dressed", R"({"is_paused": false})");
    for (const auto* pool : {"p"}) {
      call("POST /api/v2/pools", json::serialize(json::object{{"name", pool}, {"slots", 8}}));
    }
    agent_comes();
    const auto made =
        call("POST /api/v2/dags/dressed/dagRuns", R"({"logical_date": null, "dag_run_id": "r1"})");
    ASSERT_EQ(made.status, 200) << made.body;
    segments_ = std::move(*logs::SegmentStore::open(folder_.file("logs")));
  }
  TryRow open_try(const std::string& task_id) {
    const auto dag = engine_.world().dag("dressed");
    for (const auto& row : engine_.world().open_tries()) {
      if (dag->task(row.instance.task).id == task_id) return row;
    }
    ADD_FAILURE() << task_id << " has no open try";
    return {};
  }
  void start(const TryRow& row) {
    engine_.happen(LaunchStarted{{row.id, row.launch}, 7, "agent", engine_.clock().now(), {}});
    engine_.happen(WorkerStarted{row.id, "host-b airflow 4711", engine_.clock().now()});
    engine_.happen(WorkerRendered{row.id, R"({"bash_command":"echo 1","env":null})"});
  }
  /// The launch ends with these lines and this report.
  void end(const TryRow& row, const WorkerReport& report, const std::vector<std::string>& lines) {
    engine_.happen(WorkerReported{row.id, report, std::nullopt});
    logs::TryLog log = segments_->begin(row.id);
    for (const auto& line : lines) log.append(1, 0, line, {});
    log.end(0, {});
    ASSERT_TRUE(segments_->flush());
    Outcome outcome;
    outcome.started_at = outcome.ended_at = engine_.clock().now();
    outcome.log_lines = log.lines();
    outcome.log_bytes = log.bytes();
    outcome.log_hash = log.hash();
    outcome.log = {log.segment(), log.offset()};
    engine_.happen(LaunchEnded{{row.id, row.launch}, outcome});
  }
  /// "b" rests, and an hour later runs again.
  void rest(const std::vector<std::string>& lines) {
    const TryRow row = open_try("b");
    start(row);
    engine_.advance(std::chrono::minutes(1));
    WorkerReport report;
    report.state = TaskState::UpForReschedule;
    report.ended_at = engine_.clock().now();
    report.wake_at = engine_.clock().now() + std::chrono::hours(1);
    end(row, report, lines);
  }
  void wake() {
    engine_.advance(std::chrono::hours(1));
    engine_.happen(TimeReached{});
  }

  std::unique_ptr<logs::SegmentStore> segments_;
};

TEST_F(WorkerTest, AnInstanceShowsWhatItsWorkerSaid) {
  start(open_try("b"));
  const auto shown = call("GET " + kTask);
  EXPECT_EQ(of(shown, "hostname"), R"("host-b")");
  EXPECT_EQ(of(shown, "unixname"), R"("airflow")");
  EXPECT_EQ(of(shown, "pid"), "4711");
  EXPECT_EQ(of(shown, "rendered_fields"), R"({"bash_command":"echo 1","env":null})");
  EXPECT_EQ(of(shown, "operator"), R"("BashOperator")");
  EXPECT_EQ(of(shown, "queue"), R"("q")");
  EXPECT_EQ(of(shown, "executor"), R"("LocalExecutor")");
  EXPECT_EQ(of(shown, "executor_config"), R"("{'x': 'y', 'n': None, 'f': 1.5, 't': (1, 2)}")");
  EXPECT_EQ(of(shown, "dag_display_name"), "\"Dressed \xE2\x9C\x93\"");
  EXPECT_EQ(of(shown, "dag_version.bundle_version"), "null");
}

TEST_F(WorkerTest, LaunchesOfOneTryAreOneTry) {
  rest({});
  EXPECT_EQ(of(call("GET " + kTask), "state"), R"("up_for_reschedule")");
  EXPECT_EQ(of(call("GET " + kTask + "/tries"), "task_instances.0.state"),
            R"("up_for_reschedule")");
  EXPECT_EQ(of(call("GET " + kTask + "/tries"), "task_instances.0.end_date"), "null");
  wake();
  const TryRow again = open_try("b");
  EXPECT_EQ(of(call("GET " + kTask), "rendered_fields.bash_command"), R"("echo 1")")
      << "of the launch before";
  start(again);
  WorkerReport report;
  report.ended_at = engine_.clock().now();
  end(again, report, {});
  const auto tries = call("GET " + kTask + "/tries");
  EXPECT_EQ(of(tries, "total_entries"), "1");
  EXPECT_EQ(of(tries, "task_instances.0.state"), R"("success")");
  EXPECT_EQ(of(tries, "task_instances.0.start_date"), R"("2024-08-15T00:00:00Z")");
  EXPECT_EQ(of(tries, "task_instances.0.end_date"), R"("2024-08-15T01:01:00Z")");
  EXPECT_EQ(of(call("GET " + kTask + "/tries/1"), "try_number"), "1");
}

TEST_F(WorkerTest, ADeferredInstanceNamesItsTrigger) {
  const TryRow row = open_try("b");
  start(row);
  WorkerReport report;
  report.state = TaskState::Deferred;
  report.ended_at = engine_.clock().now();
  report.resume = json::serialize(
      json::object{{"id", to_text(row.id)}, {"classpath", "m.T"}, {"kwargs", {{"key", "s3cret"}}}});
  end(row, report, {});
  const auto shown = call("GET " + kTask);
  EXPECT_EQ(of(shown, "state"), R"("deferred")");
  EXPECT_EQ(of(shown, "trigger.classpath"), R"("m.T")");
  EXPECT_EQ(of(shown, "trigger.kwargs"), R"("{}")");
  EXPECT_EQ(of(shown, "trigger.created_date"), R"("2024-08-15T00:00:00Z")");
  EXPECT_EQ(of(call("GET " + kRun + "/taskInstances?state=deferred"), "total_entries"), "1");
}

TEST_F(WorkerTest, TheLogOfATryIsThatOfAllItsLaunches) {
  const std::string log = kTask + "/logs/1";
  rest({R"({"timestamp":"2024-08-15T00:00:01Z","level":"info","event":"poking","logger":"task"})"});
  const auto first = call("GET " + log);
  EXPECT_EQ(of(first, "content.0.event"), R"("poking")");
  EXPECT_EQ(of(first, "content.0.timestamp"), R"("2024-08-15T00:00:01Z")");
  EXPECT_EQ(of(first, "content.0.seq"), "1");
  EXPECT_EQ(of(first, "continuation_token"), R"("2:1")") << "it goes on later";
  EXPECT_EQ(call("GET " + log + "/verify").status, 409);
  auto followed = begin("GET " + log + "/stream", "", {{"last-event-id", "1:1"}});

  wake();
  const TryRow again = open_try("b");
  start(again);
  WorkerReport report;
  report.ended_at = engine_.clock().now();
  end(again, report, {"not JSON", R"({"event":"done","level":"warning"})"});
  const auto rest_of_it = call("GET " + log + "?token=2:1");
  EXPECT_EQ(of(rest_of_it, "content.0.event"), R"("not JSON")");
  EXPECT_EQ(of(rest_of_it, "content.1.launch"), "2");
  EXPECT_EQ(of(rest_of_it, "continuation_token"), "null");
  const std::string stream = followed->body->whole_text();
  EXPECT_EQ(stream.find("id: 2:1\n"), 0U) << stream;
  EXPECT_TRUE(stream.ends_with("event: end\ndata: {\"complete\":true}\n\n")) << stream;
  const auto verdict = call("GET " + log + "/verify");
  EXPECT_EQ(of(verdict, "complete"), "true");
  EXPECT_EQ(of(verdict, "lines_found"), "3");
  EXPECT_EQ(call("GET " + log, "", {{"accept", "text/plain"}}).body,
            "[2024-08-15T00:00:01Z] INFO - poking\nnot JSON\nWARNING - done\n");
}

TEST_F(WorkerTest, AnErrorInALogHasItsTraceback) {
  const TryRow row = open_try("b");
  start(row);
  WorkerReport report;
  report.state = TaskState::Failed;
  report.ended_at = engine_.clock().now();
  end(row, report,
      {R"({"event":"Task failed","level":"error","n":1,"error_detail":[)"
       R"({"exc_type":"KeyError","exc_value":"'b'","is_cause":false,"frames":[)"
       R"({"filename":"/dags/x.py","lineno":7,"name":"run"}]},)"
       R"({"exc_type":"ValueError","exc_value":"a","is_cause":true,"frames":[]}]})"});
  EXPECT_EQ(call("GET " + kTask + "/logs/1", "", {{"accept", "text/plain"}}).body,
            "ERROR - Task failed n=1\n"
            "ValueError: a\n"
            "\nThe above exception was the direct cause of the following exception:\n\n"
            "Traceback (most recent call last):\n"
            "  File \"/dags/x.py\", line 7, in run\n"
            "KeyError: 'b'\n");
}

TEST_F(WorkerTest, XComsAreMadeChangedReadAndRemoved) {
  const std::string entries = kTask + "/xcomEntries";
  const auto made =
      call("POST " + entries, R"({"key":"a/b","value":{"n":9007199254740993},"map_index":-1})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(of(made, "task_display_name"), R"("b")");
  EXPECT_EQ(call("POST " + entries, R"({"key":"a/b","value":1})").status, 409);
  EXPECT_EQ(call("POST " + entries, R"({"key":"c","value":{"__type":1}})").status, 422);
  EXPECT_EQ(of(call("GET " + entries + "/a/b"), "value.n"), "9007199254740993");
  EXPECT_EQ(of(call("GET " + entries + "/a/b?stringify=true"), "value"),
            R"("{'n': 9007199254740993}")");
  EXPECT_EQ(of(call("PATCH " + entries + "/a/b", R"({"value":[true,null]})"), "value"),
            "[true,null]");
  EXPECT_EQ(call("PATCH " + entries + "/nix", R"({"value":1})").status, 404);
  EXPECT_EQ(of(call("GET /api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"), "total_entries"),
            "1");
  EXPECT_EQ(of(call("GET " + entries + "?xcom_key_pattern=A"), "total_entries"), "1");
  EXPECT_EQ(call("DELETE " + entries + "/a/b").status, 204);
  EXPECT_EQ(call("DELETE " + entries + "/a/b").status, 404);
}

TEST_F(WorkerTest, StoredValuesComeBackDigitByDigit) {
  const TryRow row = open_try("b");
  const std::string big = R"({"n":123456789012345678901234567890,"x":1.10})";
  engine_.happen(OutputPushed{row.instance, "k", big, std::nullopt});
  const auto shown = call("GET " + kTask + "/xcomEntries/k");
  EXPECT_NE(shown.body.find("\"value\":" + big), std::string::npos) << shown.body;
  engine_.happen(OutputPushed{
      row.instance, "k", R"({"__classname__":"builtins.tuple","__version__":1,"__data__":[1,2]})",
      std::nullopt});
  EXPECT_EQ(of(call("GET " + kTask + "/xcomEntries/k?deserialize=true"), "value"), "\"(1,2)\"");
}

TEST_F(WorkerTest, ARunAndItsTasksAreMarkedAtOnce) {
  start(open_try("b"));
  const auto task = call("PATCH " + kTask, R"({"new_state": "success"})");
  EXPECT_EQ(of(task, "task_instances.0.state"), R"("success")");
  EXPECT_EQ(of(task, "total_entries"), "1");
  const auto run = call("PATCH " + kRun, R"({"state": "failed", "note": "enough"})");
  EXPECT_EQ(of(run, "state"), R"("failed")");
  EXPECT_EQ(of(run, "conf"), "{}");
}

TEST_F(WorkerTest, LinksAreTheXComsOfAnOperatorsLinks) {
  const std::string links = kRun + "/taskInstances/d/links";
  EXPECT_EQ(of(call("GET " + links), "extra_links"), R"({"Triggered DAG":null})");
  const auto dag = engine_.world().dag("dressed");
  InstanceKey key = open_try("b").instance;
  key.task = *dag->find("d");
  engine_.happen(OutputPushed{key, "_link_TriggerDagRunLink", R"("https://x")", std::nullopt});
  EXPECT_EQ(of(call("GET " + links), "extra_links"), R"({"Triggered DAG":"https://x"})");
}

}  // namespace
}  // namespace etesian::api
