#include "support.h"

namespace etesian::api {
namespace {

const std::string kTask = "/api/v2/dags/ask/dagRuns/r1/taskInstances/ask/-1/hitlDetails";

/// A run whose task rests until somebody answers.
class HumanInputsTest : public UserTest {
 protected:
  void SetUp() override {
    UserTest::SetUp();
    engine_.happen(DagLoaded{dag()});
    agent_comes();
    call("POST /api/v2/dags/ask/dagRuns", R"({"logical_date": null, "dag_run_id": "r1"})");
  }
  static std::shared_ptr<const Dag> dag() {
    DagDefinition definition;
    definition.id = "ask";
    definition.tasks.resize(1);
    definition.tasks[0].id = "ask";
    definition.tasks[0].run.kind = etesian::Command::Kind::Argv;
    definition.tasks[0].run.words.push_back({"true", 1, 1});
    definition.canonical = to_canonical(definition, CanonicalUse::Storage);
    definition.version = "v1";
    definition.tasks[0].run = {etesian::Command::Kind::Worker, {}};
    return *Dag::build(std::move(definition));
  }
  void asks(const std::vector<HumanInput::Person>& assigned = {}) {
    const TryRow open = engine_.world().open_tries().at(0);
    const Instant now = engine_.clock().now();
    engine_.happen(WorkerStarted{open.id, "h u 7", now});
    HumanInput question;
    question.options = {"red", "blue"};
    question.subject = "Which colour?";
    question.is_multiple = true;
    question.params = R"({"plain":1,"full":{"value":2,"description":"d","schema":{}}})";
    question.assigned = assigned;
    engine_.happen(AskHuman{open.id, question});
    WorkerReport said;
    said.state = TaskState::AwaitingInput;
    said.resume = R"({"id":")" + to_text(open.id) + R"(","next_method":"go","next_kwargs":{}})";
    engine_.happen(WorkerReported{open.id, said, {}});
    engine_.happen(LaunchEnded{{open.id, open.launch}, {}});
  }
  std::string state() {
    return of(call("GET /api/v2/dags/ask/dagRuns/r1/taskInstances/ask"), "state");
  }
};

TEST_F(HumanInputsTest, AQuestionIsShownAsAirflowShowsIt) {
  asks();
  EXPECT_EQ(state(), R"("awaiting_input")");
  const auto one = call("GET " + kTask);
  EXPECT_EQ(of(one, "options"), R"(["red","blue"])");
  EXPECT_EQ(of(one, "params"), R"({"plain":{"value":1,"description":null,"schema":{}},)"
                               R"("full":{"value":2,"description":"d","schema":{}}})");
  EXPECT_EQ(of(one, "response_received"), "false");
  EXPECT_EQ(of(one, "chosen_options"), "null");
  EXPECT_EQ(of(one, "task_instance.state"), R"("awaiting_input")");
  EXPECT_EQ(of(call("GET /api/v2/dags/~/dagRuns/~/hitlDetails?response_received=false"),
               "hitl_details.0.subject"),
            R"("Which colour?")");
  EXPECT_EQ(
      of(call("GET /api/v2/dags/~/dagRuns/~/hitlDetails?response_received=true"), "total_entries"),
      "0");
  EXPECT_EQ(of(call("GET " + kTask + "/tries/1"), "task_instance.try_number"), "1");
  EXPECT_EQ(call("GET " + kTask + "/tries/2").status, 404);
}

TEST_F(HumanInputsTest, AnAnswerMovesTheTaskOn) {
  asks();
  const auto answer =
      call("PATCH " + kTask, R"({"chosen_options": ["red", "blue"], "params_input": {"n": 1}})");
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(of(answer, "chosen_options"), R"(["red","blue"])");
  EXPECT_EQ(of(answer, "responded_by"), R"({"id":"admin","name":"admin"})");
  EXPECT_EQ(of(answer, "params_input"), R"({"n":1})");
  EXPECT_EQ(state(), R"("queued")");
  EXPECT_EQ(of(call("GET " + kTask), "responded_by_user.id"), R"("admin")");
  const auto again = call("PATCH " + kTask, R"({"chosen_options": ["red"]})");
  EXPECT_EQ(again.status, 409);
  EXPECT_NE(again.body.find("has already been updated for Task Instance with id"),
            std::string::npos);
}

TEST_F(HumanInputsTest, WhatIsNoAnswerIsRefused) {
  EXPECT_EQ(call("GET " + kTask).status, 404);  // It asks nothing yet.
  EXPECT_EQ(call("PATCH " + kTask, R"({"chosen_options": ["red"]})").status, 404);
  asks({{"bob", "Bob"}});
  EXPECT_EQ(call("PATCH " + kTask, R"({"chosen_options": []})").status, 422);
  EXPECT_EQ(call("PATCH " + kTask, R"({"params_input": {}})").status, 422);
  EXPECT_EQ(call("PATCH " + kTask, R"({"chosen_options": ["red"]})").status, 403);
  EXPECT_EQ(call("PATCH /api/v2/dags/ask/dagRuns/r1/taskInstances/none/-1/hitlDetails",
                 R"({"chosen_options": ["red"]})")
                .status,
            404);
  EXPECT_EQ(state(), R"("awaiting_input")");
}

TEST_F(HumanInputsTest, AnUnknownOptionIsABadRequest) {
  asks();
  const auto response = call("PATCH " + kTask, R"({"chosen_options": ["green"]})");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(of(response, "detail"),
            R"("Invalid options ['green']; allowed options are ['blue', 'red'].")");
}

}  // namespace
}  // namespace etesian::api
