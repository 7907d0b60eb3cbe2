#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/agent.h"
#include "base/json.h"
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

std::string json_text(const std::string& text) {
  return std::string(parse_json(text)->as_string());
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

/// A command as Airflow's BashOperator runs it.
class BashOperatorRun : public ::testing::Test {
 protected:
  wire::ExitRecord run(const std::string& command) {
    launch_.argv = {"/bin/bash", "-c", command};
    const auto end = run_once(launch_, [&](int stream, std::string_view line) {
      seen_ += std::to_string(stream) + " " + std::string(line) + "\n";
    });
    EXPECT_TRUE(end) << (end ? "" : end.error().message);
    return end ? *end : wire::ExitRecord{};
  }
  static wire::StartTry as_bash_operator() {
    wire::StartTry launch = plan({});
    launch.environment.emplace_back("SHLVL", "1");
    launch.working_folder = "/tmp";
    launch.is_bash_operator = launch.has_own_folder = true;
    launch.output_bytes_max = 1U << 20;
    return launch;
  }

  wire::StartTry launch_ = as_bash_operator();
  std::string seen_;
};

TEST_F(BashOperatorRun, Its_output_is_the_last_line_of_both_streams) {
  EXPECT_EQ(run("echo one; echo two >&2; printf ' three \\t'").output, R"(" three")");
  EXPECT_EQ(seen_, "1 one\n1 two\n1  three \t\n");
  EXPECT_EQ(run("true").output, R"("")");
  EXPECT_EQ(run("echo one; echo").output, R"("")");
  EXPECT_EQ(run("printf 'a\\xff\\n'").output, R"("a\\xff")");
  EXPECT_EQ(run("echo one; exit 1").output, "");
}

TEST_F(BashOperatorRun, Its_output_may_be_longer_than_a_frame_of_the_log) {
  const auto end = run("echo first; head -c 300000 /dev/zero | tr '\\0' x");
  EXPECT_EQ(end.output, '"' + std::string(300000, 'x') + '"');
  launch_.output_bytes_max = 1000;
  const auto cut = run("head -c 300000 /dev/zero | tr '\\0' x");
  EXPECT_EQ(cut.cause, wire::cause::kOutputInvalid);
  EXPECT_EQ(cut.message, "keep the last line: it is larger than 1000 bytes");
  EXPECT_EQ(run("head -c 300000 /dev/zero | tr '\\0' x; echo; echo end").output, R"("end")");
}

TEST_F(BashOperatorRun, It_goes_on_until_nobody_can_write_any_more) {
  EXPECT_EQ(run("(sleep 0.3; echo late) & echo early").output, R"("late")");
  EXPECT_EQ(seen_, "1 early\n1 late\n");
}

TEST_F(BashOperatorRun, Its_timeout_ends_what_it_waits_for) {
  launch_.timeout = std::chrono::milliseconds(300);
  launch_.kill_grace = std::chrono::seconds(5);
  const auto end = run("sleep 100 & echo early");
  EXPECT_EQ(end.cause, wire::cause::kTimeout);
  EXPECT_EQ(end.output, "");
}

TEST_F(BashOperatorRun, What_has_let_go_of_its_output_is_left_alone) {
  const auto end = run("setsid sleep 100 >/dev/null 2>&1 & echo $!");
  const int pid = std::stoi(end.output.substr(1));
  EXPECT_EQ(::kill(pid, SIGTERM), 0) << end.output;
}

TEST_F(BashOperatorRun, Its_folder_is_its_own_and_goes_with_it) {
  const std::string folder = json_text(run("touch a; pwd").output);
  EXPECT_TRUE(folder.starts_with("/tmp/airflowtmp")) << folder;
  EXPECT_NE(::access(folder.c_str(), F_OK), 0);
}

TEST_F(BashOperatorRun, A_folder_that_is_not_there_is_told_in_the_operators_words) {
  launch_.has_own_folder = false;
  launch_.working_folder = "/no/such";
  EXPECT_EQ(run("true").message, "Can not find the cwd: /no/such");
  launch_.working_folder = "/etc/hosts";
  EXPECT_EQ(run("true").message, "The cwd /etc/hosts must be a directory");
}

TEST_F(BashOperatorRun, Its_return_code_is_the_last_word_of_its_log) {
  run("echo a; exit 7");
  run("kill -9 $$");
  EXPECT_EQ(seen_,
            "1 a\n3 Command exited with return code 7\n"
            "3 Command exited with return code -9\n");
}

TEST_F(BashOperatorRun, Nothing_comes_on_its_standard_input) {
  EXPECT_EQ(run("timeout 0.2 cat; echo $?").output, R"("124")");
}

TEST_F(BashOperatorRun, The_first_shell_of_all_reads_its_users_settings) {
  std::string home = "/tmp/etesian-test.XXXXXX";
  ASSERT_NE(::mkdtemp(home.data()), nullptr);
  std::ofstream(home + "/.bashrc") << "GREETING=hello\n";
  launch_.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", home}};
  EXPECT_EQ(run("echo $GREETING").output, R"("hello")");
  launch_.environment.emplace_back("SHLVL", "1");
  EXPECT_EQ(run("echo $GREETING").output, R"("")");
  std::filesystem::remove_all(home);
}

TEST_F(BashOperatorRun, It_sees_no_more_than_it_is_given_but_the_mark_of_its_try) {
  EXPECT_EQ(run("env | grep -v '^_=' | cut -d= -f1 | sort | xargs").output,
            R"("ETESIAN_TRY_ID NAME PATH PWD SHLVL")");
}

}  // namespace
}  // namespace etesian::agent
