#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/time_text.h"
#include "fakes/inline_engine.h"
#include "http/http.h"
#include "task_api/task_api.h"
#include "wire/worker_token.h"

namespace etesian::task_api {

class RecordedReply final : public http::Reply {
 public:
  void send(http::Response response) override {
    EXPECT_FALSE(answer) << "answered twice";
    answer = std::move(response);
  }
  std::shared_ptr<http::Stream> stream(http::Response) override { return nullptr; }
  std::optional<http::Response> answer;
};

/// An installation with two Airflow DAGs, unpaused, and an agent. "etl": extract (2 retries) ->
/// each (mapped over what extract returns) -> load; a and b are members of the group "side". The
/// DAG "single" has the task "only" without retries.
class TaskApiTest : public ::testing::Test {
 protected:
  static constexpr const char* kWorker = "h u 7";

  TaskApiTest() : engine_(folder_), key_(engine_.vault().derive_key("worker-token")) {
    add_routes(router_, engine_, {.token_key = key_, .map_length_max = 4});
    engine_.happen(ExecutorUp{"local", "s1", "host-a", 64});
    for (const auto& dag : {etl(), single()}) {
      engine_.happen(DagLoaded{dag});
      engine_.happen(SetPaused{dag->id(), "ann", false});
    }
  }

  static Task worker_task(const std::string& id, std::vector<std::string> after = {}) {
    Task task;
    task.id = id;
    task.run.kind = Command::Kind::Worker;
    task.airflow = AirflowTask{};
    task.airflow->operator_type = "PythonOperator";
    task.after = std::move(after);
    return task;
  }
  static std::shared_ptr<const Dag> etl() {
    DagDefinition definition;
    definition.id = "etl";
    definition.version = "v1";
    definition.canonical = "etl";
    definition.owner = "data, ops";
    definition.tags = {"b", "a"};
    definition.relative_file = "etl.py";
    definition.airflow = AirflowSource{};
    definition.tasks = {worker_task("extract"), worker_task("each", {"extract"}),
                        worker_task("load", {"each"}), worker_task("side.a", {"extract"}),
                        worker_task("side.b", {"extract"})};
    definition.tasks[0].retry.times = 2;
    LengthOf length;
    length.kind = LengthOf::Kind::Output;
    length.task = "extract";
    length.key = "return_value";
    definition.tasks[1].map.emplace().arguments.push_back({"x", length});
    for (const std::size_t i : {3U, 4U}) definition.tasks[i].group = "side";
    return *Dag::build(std::move(definition));
  }
  static std::shared_ptr<const Dag> single() {
    DagDefinition definition;
    definition.id = "single";
    definition.version = "v1";
    definition.canonical = "single";
    definition.airflow = AirflowSource{};
    definition.tasks = {worker_task("only")};
    return *Dag::build(std::move(definition));
  }

  /// A new run, by its logical date.
  RunKey trigger(const std::string& dag_id, const std::string& date = "2024-08-10") {
    TriggerRun event;
    event.dag_id = dag_id;
    event.run_id = "r" + date;
    event.logical_date = *instant_from_text(date);
    event.conf = R"({"n": 1.50})";
    event.actor = "ann";
    RunKey made = 0;
    engine_.submit(event, [&](Result<CommandDone> done) {
      ASSERT_TRUE(done) << done.error().message;
      made = done->run;
    });
    return made;
  }

  /// The open try of a task: "extract", "each[1]".
  std::optional<TryRow> open(const std::string& name) {
    const std::string task_id = name.substr(0, name.find('['));
    const int map_index =
        task_id.size() < name.size() ? std::stoi(name.substr(task_id.size() + 1)) : -1;
    for (const TryRow& row : engine_.world().open_tries()) {
      const auto dag = engine_.world().dag_of(row.instance.run);
      if (dag->task(row.instance.task).id == task_id && row.instance.map_index == map_index)
        return row;
    }
    return std::nullopt;
  }
  std::string token_of(const TryRow& row) const {
    wire::WorkerToken token;
    token.run = row.instance.run;
    token.task = row.instance.task;
    token.map_index = row.instance.map_index;
    token.try_id = row.id;
    token.launch = row.launch;
    return wire::make_worker_token(token, key_);
  }
  std::string host_token() const {
    wire::WorkerToken token;
    token.is_host = true;
    return wire::make_worker_token(token, key_);
  }
  /// From now on requests are of this try's worker.
  TryRow speak_for(const std::string& name) {
    const auto row = open(name);
    EXPECT_TRUE(row) << name << " has no open try";
    if (row) me_ = *row, token_ = token_of(*row);
    return me_;
  }

  /// `line`: "GET /variables/x?a=b", below /execution. "{id}" stands for the try's id.
  http::Response ask(std::string line, const std::string& body = "",
                     std::vector<std::pair<std::string, std::string>> headers = {}) {
    if (const auto at = line.find("{id}"); at != std::string::npos)
      line.replace(at, 4, to_text(me_.id));
    http::Request request;
    request.method = line.substr(0, line.find(' '));
    const std::string target = line.substr(line.find(' ') + 1);
    request.path = "/execution" + target.substr(0, target.find('?'));
    if (const auto mark = target.find('?'); mark != std::string::npos) {
      std::istringstream pairs(target.substr(mark + 1));
      for (std::string pair; std::getline(pairs, pair, '&');)
        request.query.emplace_back(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
    }
    request.headers = std::move(headers);
    if (!token_.empty()) request.headers.emplace_back("authorization", "Bearer " + token_);
    request.body = body;
    auto reply = std::make_shared<RecordedReply>();
    router_.handle(request, reply);
    EXPECT_TRUE(reply->answer) << line << ": no answer";
    return reply->answer.value_or(http::Response{});
  }
  /// "200 {…}"
  std::string said(const std::string& line, const std::string& body = "") {
    const http::Response response = ask(line, body);
    return std::to_string(response.status) +
           (response.body.empty() ? std::string() : " " + response.body);
  }
  /// The 422 answer as "body.pid int_parsing, body.x extra_forbidden".
  std::string mistakes(const std::string& line, const std::string& body = "") {
    const http::Response response = ask(line, body);
    if (response.status != 422) return std::to_string(response.status) + " " + response.body;
    std::string text;
    const json::value body_value = json::parse(response.body);
    for (const auto& item : body_value.at("detail").as_array()) {
      EXPECT_EQ(item.as_object().size(), 4U);
      text += text.empty() ? "" : ", ";
      std::string where;
      for (const auto& part : item.at("loc").as_array())
        where += (where.empty() ? "" : ".") +
                 (part.is_string() ? std::string(part.as_string()) : json::serialize(part));
      text += where + " " + std::string(item.at("type").as_string());
    }
    return text;
  }

  static std::string hello(const std::string& host = "h", int pid = 7) {
    return R"({"state":"running","hostname":")" + host + R"(","unixname":"u","pid":)" +
           std::to_string(pid) + R"(,"start_date":"2024-08-15T00:00:01Z"})";
  }
  static std::string beat(const std::string& host = "h", int pid = 7) {
    return R"({"hostname":")" + host + R"(","pid":)" + std::to_string(pid) + "}";
  }
  static std::string ended(const std::string& state, const std::string& more = "") {
    return R"({"state":")" + state + R"(","end_date":"2024-08-15T00:00:02Z")" + more + "}";
  }

  /// The worker of a task says hello.
  void start(const std::string& name) {
    speak_for(name);
    EXPECT_EQ(ask("PATCH /task-instances/{id}/run", hello()).status, 200);
  }
  /// The agent confirms the end of the process of the one who speaks.
  void process_ends(int exit_code = 0) {
    Outcome outcome;
    outcome.exit_code = exit_code;
    outcome.started_at = outcome.ended_at = engine_.clock().now();
    engine_.happen(LaunchEnded{{me_.id, me_.launch}, outcome});
  }
  /// Hello, a report, the end of the process.
  void runs(const std::string& name, const std::string& state) {
    start(name);
    EXPECT_EQ(said("PATCH /task-instances/{id}/state", ended(state)), "204");
    process_ends();
  }
  std::string state_of(const std::string& name) {
    for (const RunKey run : engine_.world().active_runs("etl")) {
      const auto task = engine_.world().dag_of(run)->find(name);
      if (const auto row = engine_.world().instance({run, *task, -1}))
        return std::string(to_text(row->state));
    }
    return "no such instance";
  }

  test::TemporaryFolder folder_;
  test::InlineEngine engine_;
  std::string key_;
  http::Router router_;
  TryRow me_;
  std::string token_;
};

}  // namespace etesian::task_api
