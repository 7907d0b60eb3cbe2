#include "model/state.h"

#include <gtest/gtest.h>

#include <string>

namespace etesian {
namespace {

TEST(TaskStates, MoveOnlyAsTheStateMachineSays) {
  std::string picture;
  for (int from = 0; from < kTaskStateCount; ++from) {
    picture += std::string(to_text(static_cast<TaskState>(from))) + ":";
    for (int to = 0; to < kTaskStateCount; ++to)
      if (may_move(static_cast<TaskState>(from), static_cast<TaskState>(to)))
        picture += " " + std::string(to_text(static_cast<TaskState>(to)));
    picture += "\n";
  }
  EXPECT_EQ(picture,
            "none: scheduled success failed upstream_failed skipped removed\n"
            "scheduled: none queued success failed upstream_failed skipped removed\n"
            "queued: none scheduled queued running success failed up_for_retry up_for_reschedule "
            "deferred restarting upstream_failed skipped removed awaiting_input\n"
            "running: running success failed up_for_retry up_for_reschedule deferred restarting "
            "upstream_failed skipped removed awaiting_input\n"
            "success: none failed skipped removed\n"
            "failed: none success skipped removed\n"
            "up_for_retry: none scheduled success failed upstream_failed skipped removed\n"
            "up_for_reschedule: none scheduled success failed up_for_retry upstream_failed skipped "
            "removed\n"
            "deferred: none scheduled success failed up_for_retry upstream_failed skipped removed\n"
            "restarting: none success failed up_for_retry skipped removed\n"
            "upstream_failed: none success failed skipped removed\n"
            "skipped: none success failed removed\n"
            "removed: none success failed skipped\n"
            "awaiting_input: none scheduled success failed up_for_retry upstream_failed skipped "
            "removed\n");
}

TEST(TaskStates, NamesReadBack) {
  for (int i = 0; i < kTaskStateCount; ++i) {
    const auto state = static_cast<TaskState>(i);
    EXPECT_EQ(task_state_from_text(to_text(state)), state);
  }
  EXPECT_EQ(task_state_from_text("Running"), std::nullopt);
  EXPECT_EQ(to_text(TriggerRule::Always), "always");
  EXPECT_EQ(trigger_rule_from_text("none_failed_min_one_success"),
            TriggerRule::NoneFailedMinOneSuccess);
  EXPECT_EQ(to_text(Cause::QueueTimeout), "queue_timeout");
  EXPECT_EQ(cause_from_text("lost_supervisor"), Cause::LostSupervisor);
  EXPECT_EQ(weight_rule_from_text("absolute"), WeightRule::Absolute);
  EXPECT_EQ(run_state_from_text("failed"), RunState::Failed);
  EXPECT_EQ(run_type_from_text("asset_materialization"), RunType::AssetMaterialization);
}

}  // namespace
}  // namespace etesian
