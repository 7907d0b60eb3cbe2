#include <gtest/gtest.h>

#include "agent/agent.h"
#include "wire/causes.h"

namespace etesian::agent {
namespace {

wire::StartTry plan(std::vector<std::string> argv) {
  wire::StartTry launch;
  launch.try_id.bytes[0] = 1;
  launch.argv = std::move(argv);
  launch.environment = {{"PATH", "/usr/bin:/bin"}, {"NAME", "wind"}};
  launch.working_folder = "/";
  return launch;
}

TEST(RunOnce, A_task_runs_here_and_now_with_its_lines_shown_as_they_come) {
  std::string seen;
  const auto end = run_once(plan({"sh", "-c", "echo $NAME; echo '[1]' > $ETESIAN_OUTPUT; exit 4"}),
                            [&](int stream, std::string_view line) {
                              seen += std::to_string(stream) + " " + std::string(line) + "\n";
                            });
  ASSERT_TRUE(end);
  EXPECT_EQ(seen, "1 wind\n");
  EXPECT_EQ(end->exit_code, 4);
  EXPECT_EQ(end->output, "[1]\n");
}

TEST(RunOnce, A_folder_that_is_not_there_is_named) {
  auto launch = plan({"true"});
  launch.working_folder = "/no/such/folder";
  const auto end = run_once(launch, [](int, std::string_view) {});
  ASSERT_TRUE(end);
  EXPECT_EQ(end->cause, wire::cause::kStartFailed);
  EXPECT_EQ(end->message, "enter the working folder '/no/such/folder': No such file or directory");
}

TEST(RunOnce, A_memory_limit_that_is_reached_is_told_from_a_kill) {
  auto launch = plan({"sh", "-c", "head -c 200000000 /dev/zero | tail -c 200000000 | wc -c"});
  launch.memory_bytes = 20 << 20;
  std::string said;
  const auto end = run_once(launch, [&](int stream, std::string_view line) {
    if (stream == 3) said += line;
  });
  ASSERT_TRUE(end);
  if (said.find("cannot be set on this host") != std::string::npos) GTEST_SKIP() << said;
  EXPECT_TRUE(end->cause == wire::cause::kOutOfMemory || end->exit_code == 0) << int{end->cause};
}

}  // namespace
}  // namespace etesian::agent
