#include "picture.h"

namespace etesian {
namespace {

using test::at;
using test::Stage;
using namespace std::chrono_literals;

/// A world whose tasks are run by SDK workers.
class WorkerStage : public Stage {
 public:
  using Stage::Stage;
  Decision hello(const std::string& name, const std::string& worker = "h u 7") {
    return send(WorkerStarted{launch(name).try_id, worker, now});
  }
  Decision report(const std::string& name, WorkerReport said) {
    said.ended_at = now;
    return send(WorkerReported{launch(name).try_id, std::move(said), {}});
  }
  /// Hello, a report, and the end of the process.
  void runs(const std::string& name, TaskState state) {
    WorkerReport said;
    said.state = state;
    hello(name);
    report(name, said);
    ends(name);
  }
  void defers(const std::string& name, const std::string& classpath, const std::string& kwargs,
              std::optional<Instant> deadline = {}) {
    WorkerReport said;
    said.state = TaskState::Deferred;
    said.wake_at = deadline;
    rested = launch(name).try_id;
    said.resume = R"({"id":")" + to_text(rested) + R"(","classpath":")" + classpath +
                  R"(","kwargs":)" + kwargs + R"(,"next_method":"go","next_kwargs":{"a":1}})";
    hello(name);
    report(name, said);
    ends(name);
  }
  void pushes(const std::string& name, const std::string& output, const std::string& json,
              std::optional<int> length = {}) {
    send(OutputPushed{key(name), output, json, length});
  }
  int tries(const std::string& name) { return world.instance(key(name))->try_number; }
  std::string resume(const std::string& name) { return world.instance(key(name))->resume; }
  template <class Kind>
  int told() const {
    int count = 0;
    for (const Effect& effect : effects) count += std::holds_alternative<Kind>(effect.what);
    return count;
  }
  Uuid rested;
};

TEST(Worker, AReportTakesEffectWhenTheProcessHasEnded) {
  WorkerStage s("a: worker, retries=1\nb: after a");
  s.hello("a");
  s.report("a", {});
  EXPECT_EQ(s.states(), "a: running, b: none");
  s.ends("a", 70);  // However it ended: the success is durable.
  EXPECT_EQ(s.states(), "a: success, b: queued");
}

/// What TryOpened said of a task's tries: the lane and the fields, "native {…}".
std::string lanes(const WorkerStage& s, const std::string& task) {
  std::string out;
  for (const Change& change : s.changes) {
    const auto* opened = std::get_if<TryOpened>(&change);
    if (!opened || opened->row.instance.task != *s.world.dag("d")->find(task)) continue;
    if (!out.empty()) out += ", ";
    out += opened->row.worker.empty() ? "worker" : opened->row.worker + " " + opened->row.rendered;
  }
  return out;
}

TEST(NativeLane, ACommandIsJudgedByItsExitAndItsFieldsAreThereFromTheStart) {
  WorkerStage s;
  s.world.set_field_renderer([](const World& world, const TryRow& row) {
    return R"({"try":)" + std::to_string(world.instance(row.instance)->try_number) + "}";
  });
  s.load(test::drawing("d", "a: worker native, retries=1\nb: worker, after a"));
  s.agent();
  s.trigger("d");
  s.starts("a");
  s.ends("a", 1);
  EXPECT_EQ(s.states(), "a: up_for_retry, b: none");
  s.pass(10s);
  s.starts("a");
  s.ends("a", 0, R"("last")");
  EXPECT_EQ(s.states(), "a: success, b: queued");
  EXPECT_EQ(*s.world.output(s.key("a"), "return_value"), R"("last")");
  EXPECT_EQ(lanes(s, "a"), R"(native {"try":1}, native {"try":2})");
  EXPECT_EQ(lanes(s, "b"), "worker");
}

TEST(NativeLane, ItCanBeSwitchedOff) {
  WorkerStage s;
  s.world = World(Limits{.has_native_lane = false});
  s.load(test::drawing("d", "a: worker native"));
  s.agent();
  s.trigger("d");
  EXPECT_EQ(lanes(s, "a"), "worker");
}

TEST(NativeLane, ARunOfAnOlderVersionIsRunByWorkersThatReadTheNewFile) {
  WorkerStage s("a: worker native\nb: worker native, after a");
  s.starts("a");
  auto changed = test::drawing("d", "a: worker native\nb: worker native, after a");
  changed.version = "d-2";
  s.load(changed);
  s.ends("a");
  EXPECT_EQ(lanes(s, "a"), "native ");
  EXPECT_EQ(lanes(s, "b"), "worker");
  s.send(DagGone{"d"});
}

TEST(Worker, HelloIsAFence) {
  WorkerStage s("a: worker");
  EXPECT_FALSE(s.hello("a").refused);
  EXPECT_TRUE(s.hello("a").changes.empty());  // Its answer was lost: asked again.
  EXPECT_EQ(s.hello("a", "h u 8").refused->code, ErrorCode::Conflict);
  EXPECT_EQ(s.send(WorkerStarted{Uuid{}, "h u 9", s.now}).refused->code, ErrorCode::NotFound);
}

TEST(Worker, AReportMayBeRepeatedButNotChanged) {
  WorkerStage s("a: worker");
  EXPECT_EQ(s.report("a", {}).refused->code, ErrorCode::Conflict);  // No hello yet.
  s.hello("a");
  s.report("a", {});
  EXPECT_TRUE(s.report("a", {}).changes.empty());
  WorkerReport failed;
  failed.state = TaskState::Failed;
  EXPECT_EQ(s.report("a", failed).refused->code, ErrorCode::Conflict);
}

TEST(Worker, AnEndWithoutAReportIsAFailureWithRetry) {
  WorkerStage s("a: worker, retries=1");
  s.hello("a");
  s.ends("a", 0);
  EXPECT_EQ(s.states(), "a: up_for_retry");
  s.pass(10s);
  s.hello("a");
  s.ends("a", 70);
  EXPECT_EQ(s.states(), "a: failed");
  EXPECT_EQ(s.run_state(), "failed");
}

TEST(Worker, AWorkerThatNeverSaidHelloUsesUpNoRetry) {
  WorkerStage s("a: worker");
  s.ends("a", 1);
  EXPECT_EQ(s.states(), "a: up_for_retry");
  s.pass(5s);
  s.runs("a", TaskState::Success);
  EXPECT_EQ(s.run_state(), "success");
}

TEST(Worker, AFailureSaidByTheWorkerIsNotRetried) {
  WorkerStage s("a: worker, retries=3");
  s.runs("a", TaskState::Failed);
  EXPECT_EQ(s.states(), "a: failed");
}

TEST(Worker, ADelayOfTheWorkerReplacesTheRules) {
  WorkerStage s("a: worker, retries=1");
  WorkerReport said;
  said.state = TaskState::UpForRetry;
  said.retry_delay = 42s;
  s.hello("a");
  s.report("a", said);
  s.ends("a");
  s.pass(41s);
  EXPECT_EQ(s.states(), "a: up_for_retry");
  s.pass(1s);
  EXPECT_EQ(s.states(), "a: queued");
}

TEST(Worker, ARescheduledTryGoesOnUnderItsNumber) {
  WorkerStage s("a: worker, retries=1");
  WorkerReport said;
  said.state = TaskState::UpForReschedule;
  said.wake_at = s.now + 60s;
  s.hello("a");
  s.report("a", said);
  s.ends("a");
  EXPECT_EQ(s.states(), "a: up_for_reschedule");
  s.pass(59s);
  EXPECT_EQ(s.states(), "a: up_for_reschedule");
  s.pass(1s);
  EXPECT_EQ(s.states(), "a: queued");
  EXPECT_EQ(s.tries("a"), 1);
  EXPECT_EQ(s.world.instance(s.key("a"))->reschedules, 1);
  s.runs("a", TaskState::Success);
  EXPECT_EQ(s.run_state(), "success");
}

TEST(Worker, ADeferredTryGoesOnWithTheEventOfItsTrigger) {
  WorkerStage s("a: worker");
  s.defers("a", "x.Trigger", "{}");
  EXPECT_EQ(s.states(), "a: deferred");
  EXPECT_EQ(s.told<Effect::Watch>(), 1);
  s.send(ResumeInstance{s.key("a"), Uuid{}, "{}", false});  // Not the launch that rests.
  EXPECT_EQ(s.states(), "a: deferred");
  s.send(ResumeInstance{s.key("a"), s.rested, R"({"a":1,"event":2})", false});
  EXPECT_EQ(s.states(), "a: queued");
  EXPECT_EQ(s.tries("a"), 1);
  EXPECT_EQ(s.resume("a"), R"({"id":")" + to_text(s.rested) +
                               R"(","next_kwargs":{"a":1,"event":2},"next_method":"go"})");
  s.runs("a", TaskState::Success);
  EXPECT_EQ(s.run_state(), "success");
}

TEST(Worker, AWaitForAnInstantNeedsNoTriggerHost) {
  WorkerStage s("a: worker");
  s.defers("a", "airflow.providers.standard.triggers.temporal.DateTimeTrigger",
           R"({"moment":{"__data__":{"timestamp":1772323230.0}},"end_from_trigger":false})",
           s.now + 1h);
  EXPECT_EQ(s.told<Effect::Watch>(), 0);
  s.pass(29s);
  EXPECT_EQ(s.states(), "a: deferred");
  s.pass(1s);
  EXPECT_EQ(s.states(), "a: queued");
  EXPECT_NE(s.resume("a").find("\"event\":{\"__data__\""), std::string::npos);
}

TEST(Worker, ATriggerThatTakesTooLongFailsTheTask) {
  WorkerStage s("a: worker");
  s.defers("a", "x.Trigger", "{}", s.now + 5s);
  s.pass(5s);
  EXPECT_EQ(s.states(), "a: queued");
  EXPECT_NE(s.resume("a").find("__fail__"), std::string::npos);
  EXPECT_EQ(s.told<Effect::Unwatch>(), 1);
}

TEST(Worker, ATriggerMayEndTheTask) {
  WorkerStage s("a: worker\nb: after a");
  s.defers("a", "x.Trigger", "{}");
  s.send(EndInstance{s.key("a"), s.rested, TaskState::Success, {{"return_value", "5"}}});
  EXPECT_EQ(s.states(), "a: success, b: queued");
}

TEST(Worker, ATriggerThatFailsATaskWithTriesLeftLeadsToARetry) {
  for (const char* retries : {"1", "-1"}) {
    WorkerStage s(std::string("a: worker, retries=") + retries);
    s.defers("a", "x.Trigger", "{}");
    s.send(EndInstance{s.key("a"), s.rested, TaskState::Failed, {}});
    EXPECT_EQ(s.states(), "a: up_for_retry") << "retries " << retries;
  }
}

TEST(Worker, WhatALossUsedUpIsNoRetry) {
  WorkerStage s("a: worker, retries=1");
  const LaunchId old = s.launch("a");
  s.starts("a");
  s.agent("s2");
  s.send(LaunchNotStarted{old, LaunchNotStarted::Why::WrongSession, ""});
  s.pass(5s);
  s.defers("a", "x.Trigger", "{}");
  s.send(EndInstance{s.key("a"), s.rested, TaskState::Failed, {}});
  EXPECT_EQ(s.states(), "a: up_for_retry");
}

TEST(Worker, AMappedTaskThatShrankGrowsAgain) {
  WorkerStage s("hold: worker\nmake: worker\nm: worker length=make, after make");
  const auto make = [&s](int length) {
    s.pushes("make", "return_value", "[]", length);
    s.runs("make", TaskState::Success);
  };
  const auto again = [&s] {
    for (const char* name : {"m[0]", "m[1]"}) s.runs(name, TaskState::Success);
    s.send(ClearInstances{{s.key("make"), s.key("m[0]"), s.key("m[1]")}, false, "ann"});
  };
  make(2);
  again();
  make(1);
  EXPECT_EQ(s.states(), "hold: queued, make: success, m[0]: queued, m[1]: removed");
  s.runs("m[0]", TaskState::Success);
  s.send(ClearInstances{{s.key("make"), s.key("m[0]")}, false, "ann"});
  make(2);
  EXPECT_EQ(s.states(), "hold: queued, make: success, m[0]: queued, m[1]: queued");
}

TEST(Worker, TriggersAreNamedAgainToAHostThatComesBack) {
  WorkerStage s("a: worker");
  s.defers("a", "x.Trigger", "{}");
  s.send(ExecutorUp{kTriggerHost, "", "", 0});
  EXPECT_EQ(s.told<Effect::Watch>(), 2);
}

TEST(Worker, AMarkedRestingTaskIsNoLongerWatched) {
  WorkerStage s("a: worker\nb: after a");
  s.defers("a", "x.Trigger", "{}");
  s.send(MarkInstances{{s.key("a")}, TaskState::Success, "ann"});
  EXPECT_EQ(s.states(), "a: success, b: queued");
  EXPECT_EQ(s.told<Effect::Unwatch>(), 1);
  EXPECT_EQ(s.resume("a"), "");
}

TEST(Worker, WhoSkipsBelowIsBelievedAgainAfterAClear) {
  WorkerStage s("pick: worker=skips\nl: after pick\nr: after pick\nj: after l r, rule=none_failed");
  s.hello("pick");
  s.pushes("pick", "skipmixin_key", R"({"followed":["l"]})");
  s.send(SkipInstances{{s.key("r")}});
  EXPECT_EQ(s.states(), "pick: running, l: none, r: skipped, j: none");
  s.report("pick", {});
  s.ends("pick");
  EXPECT_EQ(s.states(), "pick: success, l: queued, r: skipped, j: none");
  s.send(ClearInstances{{s.key("r")}, false, "ann"});
  EXPECT_EQ(s.states(), "pick: success, l: queued, r: skipped, j: none");
}

TEST(Worker, AMapIsAsLongAsWhatWasPushed) {
  WorkerStage s("make: worker\nm: after make, worker, length=make\nx: after m");
  s.hello("make");
  s.pushes("make", "return_value", "[1,2]", 2);
  s.report("make", {});
  s.ends("make");
  EXPECT_EQ(s.states(), "make: success, m[0]: queued, m[1]: queued, x: none");
}

TEST(Worker, AMapOverWhatWasNeverPushedFailsLikeItsUpstream) {
  WorkerStage s("make: worker\nm: after make, worker, length=make");
  s.runs("make", TaskState::Success);
  EXPECT_EQ(s.states(), "make: success, m: upstream_failed");
}

TEST(Worker, InAMappedGroupEachIndexGoesItsOwnWay) {
  WorkerStage s("a: worker, length=2, group=g\nb: after a, worker, length=2, group=g\nx: after b");
  EXPECT_EQ(s.states(), "a[0]: queued, a[1]: queued, b[0]: none, b[1]: none, x: none");
  s.runs("a[1]", TaskState::Success);
  EXPECT_EQ(s.states(), "a[0]: queued, a[1]: success, b[0]: none, b[1]: queued, x: none");
  s.runs("a[0]", TaskState::Failed);
  EXPECT_EQ(s.states(),
            "a[0]: failed, a[1]: success, b[0]: upstream_failed, b[1]: queued, x: upstream_failed");
}

TEST(Worker, ARestingTaskSurvivesARestart) {
  WorkerStage s("a: worker");
  s.defers("a", "x.Trigger", "{}", s.now + 5s);
  const World again = World::load(s.world.rows(), {s.now, s.uptime, 1});
  EXPECT_EQ(again.dump(), s.world.dump());
  EXPECT_EQ(again.next_timer().wall, s.now + 5s);
}

}  // namespace
}  // namespace etesian
