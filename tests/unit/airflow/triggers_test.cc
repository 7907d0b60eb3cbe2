#include "airflow/requests.h"
#include "airflow/sources.h"
#include "base/time_text.h"
#include "support.h"

namespace etesian::airflow {
namespace {

constexpr const char* kTry = "01890a5d-ac96-774b-bcce-b302099a8057";

std::shared_ptr<const Dag> dag() {
  DagDefinition definition;
  definition.id = "etl";
  definition.version = "v1";
  definition.folder = "/dags";
  definition.relative_file = "sub/etl.py";
  definition.airflow = AirflowSource{};
  definition.tasks.emplace_back().id = "wait";
  return *Dag::build(std::move(definition));
}

RunRow run() {
  RunRow row;
  row.key = 7;
  row.dag_id = "etl";
  row.run_id = "manual__1";
  row.state = RunState::Failed;
  row.conf = R"({"a":[1,2.5]})";
  row.run_after = *instant_from_text("2026-03-01T12:00:00Z");
  return row;
}

class TriggersTest : public ::testing::Test {
 protected:
  void start() {
    host_ = *Host::create(fake_.options(), std::make_shared<SystemClock>());
    triggers_ = *trigger_host(host_)([this](const Event& event) { hear(event); });
  }
  void watch(const std::string& resume) {
    triggers_->watch({{7, 0, -1},
                      uuid_from_text(kTry),
                      resume,
                      *instant_from_text("2026-03-01T13:00:00Z"),
                      dag(),
                      run(),
                      2});
  }
  void watch() {
    watch(
        R"({"id":")" + std::string(kTry) +
        R"(","classpath":"x.T","kwargs":{"n":1},"next_method":"go","next_kwargs":{"b":{"c":2}}})");
  }
  /// The host says that the trigger fired.
  void fire(json::object what) {
    what["op"] = "fired";
    what["id"] = kTry;
    host_->tell({{"op", "say"}, {"frame", std::move(what)}});
  }
  json::object asked(std::string_view op, int nth = 1) const {
    EXPECT_TRUE(eventually([&] { return fake_.count(op) >= nth; })) << op;
    for (json::object& line : fake_.asked())
      if (line.at("op").get_string() == op && --nth == 0) return line;
    return {};
  }

  FakeHost fake_;
  Heard heard_;
  std::shared_ptr<Host> host_;
  std::unique_ptr<TriggerHost> triggers_;

 private:
  void hear(const Event& event) {
    if (std::get_if<ExecutorUp>(&event)) heard_.add("up");
    if (std::get_if<ExecutorDown>(&event)) heard_.add("down");
    if (const auto* resumed = std::get_if<ResumeInstance>(&event))
      heard_.add((resumed->failed ? "fail " : "go on ") + resumed->next_kwargs);
    if (const auto* ended = std::get_if<EndInstance>(&event)) {
      std::string text = "end " + std::string(to_text(ended->to));
      for (const auto& [name, value] : ended->outputs) text += " " + name + "=" + value;
      heard_.add(text);
    }
  }
};

TEST_F(TriggersTest, ItIsUpBeforePythonRunsAndStartsItForTheFirstTrigger) {
  start();
  EXPECT_EQ(heard_.next(), "up");
  EXPECT_EQ(fake_.count("start"), 0);
  watch();
  const json::object request = asked("trigger");
  EXPECT_EQ(request.at("id"), kTry);
  EXPECT_EQ(request.at("classpath"), "x.T");
  EXPECT_EQ(json::serialize(request.at("kwargs")), R"({"n":1})");
  EXPECT_EQ(request.at("timeout_after"), "2026-03-01T13:00:00Z");
  EXPECT_EQ(request.at("ti").at("task_id"), "wait");
  EXPECT_EQ(request.at("ti").at("try_number"), 2);
  EXPECT_TRUE(heard_.is_empty()) << "up is told once";
}

TEST_F(TriggersTest, AnEventGoesOnWithItsPayloadAmongTheArguments) {
  start();
  watch();
  asked("trigger");
  fire({{"kind", "event"}, {"payload", {{"__data__", 1.5}}}});
  EXPECT_EQ(heard_.next(), "up");
  EXPECT_EQ(heard_.next(), R"(go on {"b":{"c":2},"event":{"__data__":1.5E0}})");
  fire({{"kind", "event"}, {"payload", 2}});
  triggers_->expect_task();
  asked("say", 2);
  EXPECT_TRUE(heard_.is_empty()) << "it fires once";
}

TEST_F(TriggersTest, AnErrorGoesOnByFailing) {
  start();
  watch();
  asked("trigger");
  fire({{"kind", "error"}, {"error", "Trigger failure"}, {"traceback", {"a", "b"}}});
  EXPECT_EQ(heard_.next(), "up");
  EXPECT_EQ(heard_.next(), R"(fail {"error":"Trigger failure","traceback":["a","b"]})");
}

TEST_F(TriggersTest, ATriggerMayEndTheTask) {
  start();
  watch();
  asked("trigger");
  fire({{"kind", "end"}, {"state", "skipped"}, {"xcoms", {{"x", {1, 2}}}}});
  EXPECT_EQ(heard_.next(), "up");
  EXPECT_EQ(heard_.next(), "end skipped x=[1,2]");
}

TEST_F(TriggersTest, WhatAUserEndsIsCancelled) {
  start();
  watch();
  asked("trigger");
  triggers_->unwatch(uuid_from_text(kTry));
  EXPECT_EQ(asked("cancel").at("id"), kTry);
  fire({{"kind", "event"}, {"payload", 1}});
  asked("say");
  EXPECT_EQ(heard_.next(), "up");
  EXPECT_TRUE(heard_.is_empty());
}

TEST_F(TriggersTest, AHostThatDiesIsDownAndThenUpForAllToBeNamedAgain) {
  start();
  watch();
  asked("trigger");
  host_->tell({{"op", "die"}});
  EXPECT_EQ(heard_.next(), "up");
  EXPECT_EQ(heard_.next(), "down");
  EXPECT_EQ(heard_.next(), "up");
  watch();
  EXPECT_EQ(asked("trigger", 2).at("id"), kTry);
}

TEST_F(TriggersTest, AWaitThatNamesNoTriggerFails) {
  start();
  watch("{}");
  EXPECT_EQ(heard_.next(), "up");
  EXPECT_EQ(heard_.next(),
            R"(fail {"error":"watch the trigger of 'manual__1': there is none","traceback":null})");
}

TEST_F(TriggersTest, CallbacksAreAirflowsRequestsWithTheirContext) {
  Effect::Callback call;
  call.dag = dag();
  call.run = run();
  call.instance = InstanceRow{};
  call.instance->key = {7, 0, 3};
  call.instance->try_number = 2;
  call.instance->max_tries = 1;
  call.try_id = uuid_from_text(kTry);
  call.is_failure = true;
  call.reason = "task_failure";
  start();
  triggers_->call(call);
  const json::object sent = asked("callback");
  EXPECT_EQ(sent.at("file"), "/dags/sub/etl.py");
  const json::object& of_dag = sent.at("request").get_object();
  EXPECT_EQ(of_dag.at("type"), "DagCallbackRequest");
  EXPECT_EQ(of_dag.at("filepath"), "sub/etl.py");
  EXPECT_EQ(of_dag.at("msg"), "task_failure");
  EXPECT_EQ(of_dag.at("context_from_server").at("last_ti").at("map_index"), 3);
  EXPECT_EQ(of_dag.at("context_from_server").at("dag_run").at("conf").at("a").as_array().size(),
            2U);
  call.of = Effect::Callback::Of::Task;
  call.is_failure = false;
  const json::object of_task = callback_request(call).at("request").get_object();
  EXPECT_EQ(of_task.at("type"), "TaskCallbackRequest");
  EXPECT_EQ(of_task.at("task_callback_type"), "up_for_retry");
  EXPECT_EQ(of_task.at("context_from_server").at("max_tries"), 1);
}

}  // namespace
}  // namespace etesian::airflow
