#include "logs/writer.h"
#include "support.h"

namespace etesian::api {
namespace {

const std::string kLog = "/api/v2/dags/etl/dagRuns/r1/taskInstances/extract/logs/1";

/// A try that runs and has written two lines.
class LogsTest : public UserTest {
 protected:
  void SetUp() override {
    UserTest::SetUp();
    unpause();
    agent_comes();
    trigger("r1");
    row_ = engine_.world().open_tries().front();
    segments_ = std::move(*logs::SegmentStore::open(folder_.file("logs")));
    log_.emplace(segments_->begin(row_.id));
    log_->append(1, 0, "hello", {});
    log_->append(2, 0, "bad \xFF byte", {});
    ASSERT_TRUE(segments_->flush());
    place_ = {log_->segment(), log_->offset()};
    engine_.happen(LaunchStarted{{row_.id, row_.launch}, 4711, "host-a", {}, place_});
  }
  void end_try() {
    log_->end(0, {});
    ASSERT_TRUE(segments_->flush());
    Outcome outcome;
    outcome.log_lines = log_->lines();
    outcome.log_bytes = log_->bytes();
    outcome.log_hash = log_->hash();
    outcome.log = place_;
    engine_.happen(LaunchEnded{{row_.id, row_.launch}, outcome});
  }

  TryRow row_;
  LogPlace place_;
  std::unique_ptr<logs::SegmentStore> segments_;
  std::optional<logs::TryLog> log_;
};

TEST_F(LogsTest, AGrowingLogIsReadOnByItsToken) {
  const auto first = call("GET " + kLog);
  EXPECT_EQ(of(first, "content.0.event"), R"("hello")");
  EXPECT_EQ(of(first, "content.1.logger"), R"("task.stderr")");
  EXPECT_EQ(of(first, "continuation_token"), R"("1:3")");
  log_->append(1, 0, "bye", {});
  end_try();
  const auto rest = call("GET " + kLog + "?token=1:3");
  EXPECT_EQ(of(rest, "content.0.event"), R"("bye")");
  EXPECT_EQ(of(rest, "continuation_token"), "null");
  EXPECT_EQ(call("GET " + kLog + "?token=..").status, 400);
}

TEST_F(LogsTest, PlainTextIsWhatTheTaskWrote) {
  end_try();
  const auto text = call("GET " + kLog, "", {{"accept", "text/plain"}});
  EXPECT_EQ(text.body, "hello\nbad \xFF byte\n");
  EXPECT_EQ(text.content_type, "text/plain; charset=utf-8");
}

TEST_F(LogsTest, AFollowedLogEndsWithItsTry) {
  auto stream = begin("GET " + kLog + "/stream", "", {{"last-event-id", "1:1"}});
  end_try();
  const std::string text = stream->body->whole_text();
  EXPECT_EQ(text.find("id: 1:2\n"), 0U) << text;
  EXPECT_TRUE(text.ends_with("event: end\ndata: {\"complete\":true}\n\n")) << text;
}

TEST_F(LogsTest, CompletenessIsProvedOnceTheTryHasEnded) {
  EXPECT_EQ(call("GET " + kLog + "/verify").status, 409);
  end_try();
  EXPECT_EQ(of(call("GET " + kLog + "/verify"), "complete"), "true");
}

}  // namespace
}  // namespace etesian::api
