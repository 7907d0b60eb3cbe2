#include "picture.h"

#include <algorithm>
#include <set>

namespace etesian {
namespace {

using test::Stage;
using namespace std::chrono_literals;

TEST(Step, ALinearRunGoesFromTriggerToSuccess) {
  Stage s("a\nb: after a\nc: after b");
  EXPECT_EQ(s.states(), "a: queued, b: none, c: none");
  s.starts("a");
  s.ends("a");
  EXPECT_EQ(s.states(), "a: success, b: queued, c: none");
  s.ends("b");  // Its start was never reported: the end is evidence enough.
  s.starts("c");
  s.ends("c");
  EXPECT_EQ(s.states(), "a: success, b: success, c: success");
  EXPECT_EQ(s.run_state(), "success");
  EXPECT_EQ(s.world.size().active_runs, 0U);
}

TEST(Step, AFailedTaskIsRetriedAfterItsDelay) {
  Stage s("a: retries=1\nb: after a");
  s.starts("a");
  s.ends("a", 3);
  EXPECT_EQ(s.states(), "a: up_for_retry, b: none");
  EXPECT_EQ(s.why("a"), "retry_at: retries at 2026-03-01T00:00:10Z\n");
  s.pass(9s);
  EXPECT_EQ(s.states(), "a: up_for_retry, b: none");
  s.pass(1s);
  EXPECT_EQ(s.states(), "a: queued, b: none");
  s.ends("a", 3);
  EXPECT_EQ(s.states(), "a: failed, b: upstream_failed");
  EXPECT_EQ(s.run_state(), "failed");
}

TEST(Step, TheFirstOfAFailedAndASkippedParentDecides) {
  Stage skip_first("f\nk\nx: after f k");
  skip_first.ends("k", 99);
  EXPECT_EQ(skip_first.states(), "f: queued, k: skipped, x: skipped");
  Stage fail_first("f\nk\nx: after f k");
  fail_first.ends("f", 1);
  EXPECT_EQ(fail_first.states(), "f: failed, k: queued, x: upstream_failed");
}

TEST(Step, AFastRuleRunsWhileOtherParentsRun) {
  Stage s("a\nb\nx: after a b, rule=one_success");
  s.ends("a");
  EXPECT_EQ(s.states(), "a: success, b: queued, x: queued");
}

TEST(Step, ABranchSkipsTheFollowersItDoesNotName) {
  Stage s(
      "g.pick: branch\ng.one: after g.pick\ng.two: after g.pick\njoin: after g.pick g.one, "
      "rule=none_failed");
  s.ends("g.pick", 0, R"("one")");
  EXPECT_EQ(s.states(), "g.pick: success, g.one: queued, g.two: skipped, join: none");
}

TEST(Step, ABranchThatNamesNothingKnownFails) {
  Stage s("pick: branch\none: after pick");
  s.ends("pick", 0, R"(["ones"])");
  EXPECT_EQ(s.states(), "pick: failed, one: upstream_failed");
}

TEST(Step, AShortCircuitSkipsEverythingBelow) {
  Stage s("c: short\nx: after c\ny: after x, rule=all_done\nz: rule=always");
  s.ends("c", 0, "false");
  EXPECT_EQ(s.states(), "c: success, x: skipped, y: skipped, z: queued");
}

TEST(Step, AMappedTaskRunsOncePerItem) {
  Stage s("m: map=[1,2]\nx: after m");
  EXPECT_EQ(s.states(), "m[0]: queued, m[1]: queued, x: none");
}

TEST(Step, AnEmptyMapIsSkipped) {
  Stage s("m: map=[]\nx: after m\ny: after m, rule=none_failed");
  EXPECT_EQ(s.states(), "m: skipped, x: skipped, y: queued");
}

TEST(Step, APoolGivesItsSlotsByPriority) {
  Stage s;
  s.agent();
  s.send(SetPool{Stage::pool("db", 2), "ann"});
  s.load(test::drawing("d",
                       "low: pool=db priority=1\nhuge: pool=db slots=3 priority=9\n"
                       "wide: pool=db slots=2 priority=5"));
  s.trigger("d");
  EXPECT_EQ(s.states(), "low: scheduled, huge: scheduled, wide: queued");
  EXPECT_EQ(s.why("huge"), "pool: needs 3 slots; pool 'db' has 2 in all\n");
  s.ends("wide");
  EXPECT_EQ(s.states(), "low: queued, huge: scheduled, wide: success");
  s.send(SetPool{Stage::pool("db", 4), "ann"});
  EXPECT_EQ(s.states(), "low: queued, huge: queued, wide: success");
}

TEST(Step, ContinuousRunsThatEndAtOnceAreMadeOnceASecond) {
  Stage s;
  auto instant = test::drawing("d", "a: empty");
  instant.schedule.kind = ContinuousSchedule{};
  s.load(instant);
  const auto made = [&s] {
    return std::count_if(s.changes.begin(), s.changes.end(), [](const Change& change) {
      return std::holds_alternative<RunCreated>(change);
    });
  };
  const auto at_first = made();
  EXPECT_LE(at_first, 2);
  for (int i = 0; i < 10; ++i) s.pass(1s);
  EXPECT_GE(made() - at_first, 9);
  EXPECT_LE(made() - at_first, 11);
}

TEST(Step, AScheduleThatLeadsBackToADateThatHadItsRunGoesOnAfterIt) {
  Stage s;
  auto dated = test::drawing("d", "a: empty");
  dated.schedule.catchup = true;
  dated.schedule.start = test::at("2026-02-27T00:00Z");
  CronSchedule cron;
  cron.expressions = {"0 0 * * *"};
  cron.interval = IntervalRule::Trigger;
  dated.schedule.kind = cron;
  s.load(dated);
  // The same instants, but their interval begins a day earlier: so does the logical date.
  cron.trigger_interval = std::chrono::hours(24);
  dated.schedule.kind = cron;
  dated.version = "d-2";
  s.load(dated);
  s.pass(std::chrono::hours(48));
  std::set<Instant> dates;
  for (const Change& change : s.changes)
    if (const auto* made = std::get_if<RunCreated>(&change)) {
      EXPECT_TRUE(dates.insert(*made->row.logical_date).second) << "twice: " << to_text(change);
    }
  EXPECT_GE(dates.size(), 4U);
}

TEST(Step, AnIdOfAnotherRunTypeIsRefused) {
  Stage s;
  s.load(test::drawing("d", "a"));
  TriggerRun e;
  e.dag_id = "d";
  e.run_id = "scheduled__2026-03-02T00:00:00+00:00";
  const Decision d = s.send(e);
  ASSERT_TRUE(d.refused);
  EXPECT_EQ(d.refused->code, ErrorCode::InvalidInput);
}

TEST(Step, ASuccessThatIsClearedNoLongerMeetsANeed) {
  Stage s;
  s.load(test::drawing("p", "a\nlast: after a"));
  auto consumer = test::drawing("c", "use: needs=p");
  consumer.tasks[0].needs[0].task = "a";
  s.load(consumer);
  s.agent();
  const RunKey producing = s.trigger("p");
  s.ends("a");
  s.send(ClearInstances{{{producing, 0, -1}}, false, "ann"});
  s.trigger("c");
  EXPECT_EQ(s.states(), "use: none") << "its producer is about to run again";
  s.run = producing;
  s.ends("a");
  s.run = s.world.active_runs("c").front();
  EXPECT_EQ(s.states(), "use: queued");
}

TEST(Step, WithoutAnAgentTasksStayScheduled) {
  Stage s;
  s.load(test::drawing("d", "a"));
  s.trigger("d");
  EXPECT_EQ(s.states(), "a: scheduled");
  EXPECT_EQ(s.why("a"), "executor: executor 'local' is not there\n");
  s.agent();
  EXPECT_EQ(s.states(), "a: queued");
}

TEST(Step, ALostSessionIsAnInfrastructureLossAndUsesNoRetry) {
  Stage s("a");
  s.starts("a");
  const LaunchId old = s.launch("a");
  s.agent("s2");
  s.send(LaunchNotStarted{old, LaunchNotStarted::Why::WrongSession, ""});
  EXPECT_EQ(s.states(), "a: up_for_retry");
  s.pass(5s);
  EXPECT_EQ(s.states(), "a: queued");
  s.ends("a");
  EXPECT_EQ(s.run_state(), "success");
}

TEST(Step, AKilledTaskMovesOnlyAfterItsExecutorConfirms) {
  Stage s("a");
  s.starts("a");
  s.send(KillInstance{s.key("a"), false, "ann"});
  EXPECT_EQ(s.states(), "a: running");
  EXPECT_TRUE(std::holds_alternative<Effect::Stop>(s.effects.back().what));
  s.ends("a", 143);
  EXPECT_EQ(s.states(), "a: failed");
}

TEST(Step, ASuccessThatCameBeforeTheKillStaysASuccess) {
  Stage s("a");
  s.starts("a");
  s.send(KillInstance{s.key("a"), false, "ann"});
  s.ends("a", 0);
  EXPECT_EQ(s.states(), "a: success");
}

TEST(Step, ARunMarkedFailedEndsAfterTheDrain) {
  Stage s("a\nb: after a");
  s.starts("a");
  s.send(MarkRun{s.run, RunState::Failed, "ann"});
  EXPECT_EQ(s.states(), "a: running, b: skipped");
  EXPECT_EQ(s.run_state(), "running");
  s.ends("a", 143);
  EXPECT_EQ(s.states(), "a: failed, b: skipped");
  EXPECT_EQ(s.run_state(), "failed");
}

TEST(Step, AClearedRunningTaskRunsAgainAfterTheDrain) {
  Stage s("a");
  s.starts("a");
  s.send(ClearInstances{{s.key("a")}, false, "ann"});
  EXPECT_EQ(s.states(), "a: restarting");
  s.ends("a", 143);
  EXPECT_EQ(s.states(), "a: queued");
  EXPECT_EQ(s.world.instance(s.key("a"))->try_number, 2);
}

TEST(Step, DependsOnPastWaitsForTheRunBefore) {
  Stage s;
  s.agent();
  s.load(test::drawing("d", "a: past"));
  const RunKey first = s.trigger("d", test::at("2026-02-01"));
  s.pass(1s);
  s.trigger("d", test::at("2026-02-02"));
  EXPECT_EQ(s.states(), "a: none");
  EXPECT_NE(s.why("a").find("depends_on_past: waits for 'a' of run"), std::string::npos);
  const RunKey second = s.run;
  s.run = first;
  s.ends("a");
  s.run = second;
  EXPECT_EQ(s.states(), "a: queued");
}

TEST(Step, ANeedIsOpenedByTheProducersSuccess) {
  Stage s;
  s.agent();
  s.load(test::drawing("producer", "p"));
  s.load(test::drawing("consumer", "c: needs=producer"));
  const RunKey consumer = s.trigger("consumer");
  EXPECT_EQ(s.why("c"), "needs: needs a success of 'producer'\n");
  s.trigger("producer");
  s.ends("p");
  s.run = consumer;
  EXPECT_EQ(s.states(), "c: queued");
}

TEST(Step, ARepeatedOrLateMessageChangesNothing) {
  Stage s("a: retries=1");
  const LaunchId first = s.launch("a");
  s.ends("a", 1);
  const std::string before = s.world.dump();
  s.send(LaunchEnded{first, {}});
  s.send(LaunchStarted{first, 7, "host", s.now, {}});
  s.send(LaunchNotStarted{first, LaunchNotStarted::Why::NeverReceived, ""});
  EXPECT_EQ(s.world.dump(), before);
}

}  // namespace
}  // namespace etesian
