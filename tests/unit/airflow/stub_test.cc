#include "airflow/stub.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "airflow/host_process.h"
#include "support.h"

namespace etesian::airflow {
namespace {

/// A task handed over in a process of its own, as the agent starts it.
class StubTest : public ::testing::Test {
 protected:
  void start_host() {
    auto host = HostProcess::start(fake_.options());
    ASSERT_TRUE(host);
    host_.emplace(std::move(*host));
  }
  void TearDown() override {
    if (host_) host_->end(std::chrono::seconds(5));
  }

  void begin() {
    pid_ = ::fork();
    ASSERT_GE(pid_, 0);
    if (pid_ != 0) return;
    ::setenv("ETESIAN_WORKLOAD", R"({"type":"ExecuteTask","token":"t"})", 1);
    ::setenv("ETESIAN_AIRFLOW_SOCKET", fake_.options().socket.c_str(), 1);
    ::setenv("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.1:1/execution/", 1);
    ::setenv("ODD", "a\"b\\c\n\xff", 1);
    ::dup2(::open(fake_.folder().at("out").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 1);
    ::dup2(::open(fake_.folder().at("err").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600), 2);
    if (::chdir("/") != 0) ::_exit(99);
    ::_exit(hand_over_task());
  }
  int end() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  /// What the host was asked; waits until it was.
  json::object asked(std::string_view op) const {
    EXPECT_TRUE(eventually([&] { return fake_.count(op) > 0; })) << op;
    for (json::object& line : fake_.asked())
      if (line.at("op").get_string() == op) return line;
    return {};
  }

  FakeHost fake_;
  std::optional<HostProcess> host_;
  pid_t pid_ = 0;
};

TEST_F(StubTest, TheTaskRunsWithOurOutputEnvironmentAndFolder) {
  fake_.behave({{"task", {{"code", 0}}}});
  start_host();
  begin();
  EXPECT_EQ(end(), 0);
  EXPECT_EQ(fake_.folder().read("out"), "out of the task\n");
  EXPECT_EQ(fake_.folder().read("err"), "error of the task\n");
  const json::object request = asked("run");
  EXPECT_EQ(request.at("fds"), 2);
  EXPECT_EQ(request.at("cwd"), "/");
  EXPECT_EQ(request.at("server"), "http://127.0.0.1:1/execution/");
  EXPECT_EQ(json::serialize(request.at("workload")), R"({"type":"ExecuteTask","token":"t"})");
  const json::object& environment = request.at("env").get_object();
  EXPECT_FALSE(environment.contains("ETESIAN_WORKLOAD"));
  EXPECT_FALSE(environment.contains("ETESIAN_AIRFLOW_SOCKET"));
  EXPECT_TRUE(environment.contains("PATH"));
  EXPECT_EQ(request.at("odd"), "6122625c630aff") << "bytes that are no text arrive as they are";
}

TEST_F(StubTest, TheExitCodeIsTheSupervisors) {
  start_host();
  for (const auto& [code, seen] : {std::pair(17, 17), {-9, 137}, {256, 1}, {-1000, 1}}) {
    fake_.behave({{"task", {{"code", code}}}});
    begin();
    EXPECT_EQ(end(), seen) << code;
  }
}

TEST_F(StubTest, ItWaitsForAHostThatIsStarting) {
  begin();
  start_host();
  EXPECT_EQ(end(), 0);
}

TEST_F(StubTest, AHostThatDropsTheTaskBeforeItStartsIsAskedAgain) {
  fake_.behave({{"task", {{"drop", 2}}}});
  start_host();
  begin();
  EXPECT_EQ(end(), 0);
  EXPECT_EQ(fake_.count("run"), 1);
}

TEST_F(StubTest, ASupervisorThatDiesIsNoSuccess) {
  fake_.behave({{"task", {{"break", true}}}});
  start_host();
  begin();
  EXPECT_EQ(end(), 70);
  EXPECT_EQ(fake_.folder().read("err"),
            "error of the task\netesian airflow-task: the task's process ended without a word\n");
}

TEST_F(StubTest, ARefusalIsToldWithItsReason) {
  fake_.behave({{"task", {{"refuse", "no more processes"}}}});
  start_host();
  begin();
  EXPECT_EQ(end(), 1);
  EXPECT_EQ(fake_.folder().read("err"),
            "etesian airflow-task: the host refused the task: no more processes\n");
}

TEST_F(StubTest, SignalsGoToTheSupervisorWhichEndsTheTask) {
  fake_.behave({{"task", {{"await_signal", true}, {"code", 3}}}});
  start_host();
  begin();
  asked("run");
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(end(), 3);
  EXPECT_EQ(asked("signal").at("signo"), SIGTERM);
}

TEST_F(StubTest, ASignalEndsTheWaitForAHost) {
  begin();
  ::kill(pid_, SIGTERM);
  const int code = end();
  // Before the stub takes its signals, SIGTERM does what it does to everybody.
  EXPECT_TRUE(code == 143 || code == -SIGTERM) << code;
}

}  // namespace
}  // namespace etesian::airflow
