#include "picture.h"

namespace etesian {
namespace {

using test::Stage;
using namespace std::chrono_literals;

/// One task, `ask`, that asks a person something.
class HumanStage : public Stage {
 public:
  explicit HumanStage(const std::string& lines = "ask: worker, retries=1\nafter: after ask")
      : Stage(lines) {}
  Decision asks() {
    rested = launch("ask").try_id;
    send(WorkerStarted{rested, "h u 7", now});
    return send(AskHuman{rested, question});
  }
  void rests(std::optional<Instant> deadline = {}) {
    WorkerReport said;
    said.state = TaskState::AwaitingInput;
    said.ended_at = now;
    said.wake_at = deadline;
    said.resume = R"({"id":")" + to_text(rested) + R"(","next_method":"go","next_kwargs":{}})";
    send(WorkerReported{rested, said, {}});
    ends("ask");
  }
  Decision answers(const std::vector<std::string>& chosen, const std::string& who = "ann",
                   const std::string& params = "{}") {
    return send(AnswerHuman{key("ask"), chosen, params, HumanInput::Person{who, who}});
  }
  void succeeds() {
    const Uuid id = launch("ask").try_id;
    send(WorkerStarted{id, "h u 8", now});
    WorkerReport said;
    said.ended_at = now;
    send(WorkerReported{id, said, {}});
    ends("ask");
  }
  std::string refused(const Decision& decision) {
    return decision.refused ? decision.refused->message : "accepted";
  }
  std::string resume() { return world.instance(key("ask"))->resume; }
  HumanInput question = [] {
    HumanInput row;
    row.options = {"yes", "no"};
    row.subject = "Go?";
    return row;
  }();
  Uuid rested;
};

TEST(Human, ATaskThatAsksRestsUntilItIsAnswered) {
  HumanStage s;
  s.asks();
  s.rests();
  EXPECT_EQ(s.states(), "ask: awaiting_input, after: none");
  EXPECT_EQ(s.why("ask"), "human: waits for a person's answer to 'Go?'\n");
  EXPECT_EQ(s.refused(s.answers({"yes"}, "ann", R"({"n":1})")), "accepted");
  EXPECT_EQ(s.states(), "ask: queued, after: none");
  EXPECT_EQ(s.resume(),
            R"({"id":")" + to_text(s.rested) +
                R"(","next_method":"go","next_kwargs":{"event":{"chosen_options":["yes"],)"
                R"("params_input":{"n":1},"responded_at":{"__classname__":"datetime.datetime",)"
                R"("__version__":2,"__data__":{"timestamp":1.7723232E9,"tz":)"
                R"({"__classname__":"builtins.tuple","__version__":1,)"
                R"("__data__":["UTC","pendulum.tz.timezone.Timezone",1,true]}}},)"
                R"("responded_by_user":{"id":"ann","name":"ann"},"timedout":false}}})");
  s.succeeds();
  EXPECT_EQ(s.states(), "ask: success, after: queued");
}

TEST(Human, AnAnswerThatComesBeforeTheTaskRestsIsNotLost) {
  HumanStage s;
  s.asks();
  s.answers({"no"});
  EXPECT_EQ(s.states(), "ask: running, after: none");
  s.rests();
  EXPECT_EQ(s.states(), "ask: queued, after: none");
  EXPECT_NE(s.resume().find(R"("chosen_options":["no"])"), std::string::npos);
}

TEST(Human, WhatIsNoAnswerIsRefusedInAirflowsWords) {
  HumanStage s;
  EXPECT_EQ(s.answers({"yes"}).refused->code, ErrorCode::NotFound);
  s.question.assigned = {{"ann", "Ann"}};
  s.asks();
  s.rests();
  EXPECT_EQ(s.answers({"yes"}, "bob").refused->code, ErrorCode::Denied);
  EXPECT_EQ(s.refused(s.answers({"maybe", "yes"})),
            "Invalid options ['maybe']; allowed options are ['no', 'yes'].");
  EXPECT_EQ(
      s.refused(s.answers({"yes", "no"})),
      "Multiple options chosen but this Human-in-the-loop task accepts only a single option.");
  EXPECT_EQ(s.refused(s.answers({"yes"}, "ann", R"({"a":[{"__classname__":"os.x"}]})")),
            "params_input holds a key that is reserved.");
  EXPECT_EQ(s.states(), "ask: awaiting_input, after: none");
  s.answers({"yes"});
  EXPECT_EQ(s.answers({"yes"}).refused->code, ErrorCode::Conflict);
}

TEST(Human, AtTheDeadlineTheDefaultsAreChosen) {
  HumanStage s;
  s.question.defaults = {{"no"}};
  s.question.params = R"({"n":{"value":3,"schema":{}},"plain":"x"})";
  s.asks();
  s.rests(s.now + 5s);
  s.pass(4s);
  EXPECT_EQ(s.states(), "ask: awaiting_input, after: none");
  s.pass(1s);
  EXPECT_EQ(s.states(), "ask: queued, after: none");
  EXPECT_NE(s.resume().find(R"("chosen_options":["no"],"params_input":{"n":3,"plain":"x"})"),
            std::string::npos);
  EXPECT_NE(s.resume().find(R"("responded_by_user":null,"timedout":true)"), std::string::npos);
  EXPECT_EQ(s.answers({"yes"}).refused->code, ErrorCode::Conflict);
}

TEST(Human, WithoutDefaultsTheTaskHearsOfTheTimeout) {
  HumanStage s;
  s.asks();
  s.rests(s.now + 5s);
  s.pass(5s);
  EXPECT_EQ(s.states(), "ask: queued, after: none");
  EXPECT_NE(s.resume().find(R"("next_method":"go","next_kwargs":{"event":{"error":)"),
            std::string::npos);
  EXPECT_NE(s.resume().find(R"("error_type":"timeout")"), std::string::npos);
}

TEST(Human, AskingTwiceIsAskingOnce) {
  HumanStage s;
  EXPECT_EQ(s.asks().changes.size(), 1U);
  EXPECT_TRUE(s.send(AskHuman{s.rested, s.question}).changes.empty());
  s.answers({"yes"});
  EXPECT_TRUE(s.send(AskHuman{s.rested, s.question}).changes.empty());  // The answer stays.
  EXPECT_EQ(s.send(AskHuman{Uuid{}, s.question}).refused->code, ErrorCode::NotFound);
}

TEST(Human, AnAnswerOfTheTaskItselfWakesNobody) {
  HumanStage s;
  s.asks();
  s.rests();
  EXPECT_EQ(s.refused(s.send(AnswerHuman{s.key("ask"), {"yes"}, "{}", {}})), "accepted");
  EXPECT_EQ(s.states(), "ask: awaiting_input, after: none");
}

TEST(Human, ATryThatIsOverTakesItsQuestionAlong) {
  HumanStage s;
  s.asks();
  s.rests();
  s.send(ClearInstances{{s.key("ask")}, false, "ann"});
  EXPECT_EQ(s.states(), "ask: queued, after: none");
  EXPECT_EQ(s.answers({"yes"}).refused->code, ErrorCode::NotFound);
  s.asks();
  s.rests();
  s.answers({"yes"});
  EXPECT_EQ(s.world.instance(s.key("ask"))->try_number, 2);
  EXPECT_EQ(s.states(), "ask: queued, after: none");
}

TEST(Human, WhoeverIsMarkedNoLongerWaits) {
  HumanStage s;
  s.asks();
  s.rests(s.now + 5s);
  s.send(MarkInstances{{s.key("ask")}, TaskState::Success, "ann"});
  EXPECT_EQ(s.states(), "ask: success, after: queued");
  EXPECT_EQ(s.refused(s.answers({"yes"})), "accepted");  // Noted; it moves nothing.
  EXPECT_EQ(s.states(), "ask: success, after: queued");
}

TEST(Human, AQuestionSurvivesARestart) {
  HumanStage s;
  s.question.defaults = {{"no"}};
  s.asks();
  s.rests(s.now + 5s);
  World again = World::load(s.world.rows(), {s.now, s.uptime, 1});
  EXPECT_EQ(again.dump(), s.world.dump());
  EXPECT_EQ(again.next_timer().wall, s.now + 5s);
  const Decision d =
      step(again, AnswerHuman{s.key("ask"), {"yes"}, "{}", HumanInput::Person{"ann", "Ann"}},
           {s.now, s.uptime, 2});
  EXPECT_FALSE(d.refused);
  EXPECT_EQ(again.instance(s.key("ask"))->state, TaskState::Scheduled);  // No agent yet.
}

}  // namespace
}  // namespace etesian
