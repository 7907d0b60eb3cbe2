#include "executor/local_executor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <map>
#include <mutex>

#include "agent/process.h"
#include "base/file.h"
#include "logs/reader.h"
#include "unit/agent/agent_program.h"

namespace etesian {
namespace {

using namespace std::chrono_literals;

/// An executor with its agent in a fresh folder, and everything that it reported.
class LocalExecutorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/etesian-test.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    connect();
  }
  void TearDown() override {
    executor_.reset();
    shut_down_agent();
    std::filesystem::remove_all(folder_);
  }

  void connect() {
    auto started = start_local_executor(
        {folder_, test::agent_command(folder_)},
        [this](std::vector<ExecutorEvent> events) { take(std::move(events)); });
    ASSERT_TRUE(started);
    executor_ = std::move(*started);
    ASSERT_TRUE(wait([this] { return !session_.empty(); }));
  }

  void shut_down_agent() {
    const Fd peer(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = folder_ + "/agent.sock";
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
    const std::string bytes = wire::encode(wire::Shutdown{});
    ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    char rest[4096];
    while (::read(peer.get(), rest, sizeof rest) > 0) {
    }
  }

  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, condition);
  }

  wire::StartTry plan(std::vector<std::string> argv) {
    wire::StartTry launch;
    launch.try_id = make_uuid7(++count_, random_);
    {
      const std::lock_guard lock(mutex_);
      launch.session = session_;
    }
    launch.argv = std::move(argv);
    launch.environment = {{"PATH", "/usr/bin:/bin"}};
    launch.working_folder = "/";
    return launch;
  }
  LaunchId start(std::vector<std::string> argv) { return offer(plan(std::move(argv))); }
  LaunchId offer(wire::StartTry launch) {
    const LaunchId id{launch.try_id, launch.launch};
    executor_->start(std::move(launch));
    executor_->flush();
    return id;
  }

  Outcome end_of(const LaunchId& id) {
    EXPECT_TRUE(wait([&] { return ended_.count(id.try_id) != 0; })) << "no end was reported";
    const std::lock_guard lock(mutex_);
    const Outcome end = ended_[id.try_id];
    try_of_[end.log_hash] = id.try_id;
    return end;
  }

  /// "STREAM TEXT" a line.
  std::string log_of(const Outcome& end) { return log_at(try_of_[end.log_hash], end.log); }
  std::string log_at(const Uuid& try_id, const LogPlace& place) {
    std::string out;
    logs::Reader reader(folder_ + "/logs");
    const auto page = reader.read(try_id, place.segment, place.offset, 1, 1'000'000, 64UL << 20);
    if (!page) return page.error().message;
    for (const logs::Line& line : page->lines)
      out += std::to_string(static_cast<int>(line.stream)) + " " + line.bytes + "\n";
    return out;
  }
  void expect_sealed(const Outcome& end) {
    const auto verdict = logs::Reader(folder_ + "/logs")
                             .verify(try_of_[end.log_hash], end.log.segment, end.log.offset,
                                     {end.log_lines, end.log_bytes, end.log_hash, end.log_cut});
    ASSERT_TRUE(verdict);
    EXPECT_TRUE(verdict->complete) << verdict->message;
  }
  void wait_for_line(const LaunchId& id, const std::string& line) {
    ASSERT_TRUE(wait([&] { return started_.count(id.try_id) != 0; }));
    const auto watch =
        logs::GrowthWatch::start(folder_ + "/logs", [this] { changed_.notify_all(); });
    ASSERT_TRUE(watch);
    EXPECT_TRUE(wait([&] {
      return log_at(id.try_id, started_[id.try_id].log).find(line) != std::string::npos;
    }));
  }
  bool is_there_a_process_of(const LaunchId& id) {
    for (const pid_t pid : agent::all_processes())
      if (agent::has_environment(pid, "ETESIAN_TRY_ID=" + to_text(id.try_id))) return true;
    return false;
  }
  pid_t keeper() { return std::stoi(*read_file(folder_ + "/agent.lock")); }
  pid_t worker() {
    const auto children = agent::children_of(keeper());
    for (const pid_t pid : children)
      if (agent::ProcessInfo info; agent::read_process(pid, info) && info.session == keeper())
        return pid;
    return 0;
  }

  void take(std::vector<ExecutorEvent> events) {
    const std::lock_guard lock(mutex_);
    for (ExecutorEvent& event : events) {
      if (const auto* up = std::get_if<ExecutorUp>(&event)) session_ = up->session;
      if (std::holds_alternative<ExecutorDown>(event)) (++downs_, session_.clear());
      if (const auto* s = std::get_if<LaunchStarted>(&event)) started_[s->id.try_id] = *s;
      if (const auto* e = std::get_if<LaunchEnded>(&event)) ended_[e->id.try_id] = e->outcome;
      if (const auto* n = std::get_if<LaunchNotStarted>(&event)) not_started_[n->id.try_id] = *n;
    }
    changed_.notify_all();
  }

  std::string folder_;
  std::unique_ptr<Executor> executor_;
  SystemRandom random_;  // agents find processes by the id: tests running side by side must differ
  std::int64_t count_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string session_;
  int downs_ = 0;
  std::map<std::string, Uuid> try_of_;  ///< By log hash.
  std::map<Uuid, LaunchStarted> started_;
  std::map<Uuid, Outcome> ended_;
  std::map<Uuid, LaunchNotStarted> not_started_;
};

TEST_F(LocalExecutorTest, A_command_that_succeeds_ends_with_code_0) {
  const Outcome end = end_of(start({"/bin/true"}));
  EXPECT_EQ(end.cause, Cause::Exit);
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.message, "");
}

TEST_F(LocalExecutorTest, A_command_that_fails_ends_with_its_code) {
  EXPECT_EQ(end_of(start({"sh", "-c", "exit 7"})).exit_code, 7);
}

TEST_F(LocalExecutorTest, A_command_killed_from_outside_says_which_signal) {
  const Outcome end = end_of(start({"sh", "-c", "kill -SEGV $$"}));
  EXPECT_EQ(end.cause, Cause::Signal);
  EXPECT_EQ(end.exit_code, 128 + SIGSEGV);
  EXPECT_EQ(end.message, "killed by signal 11 (SEGV)");
}

TEST_F(LocalExecutorTest, A_command_that_is_not_there_is_named) {
  const Outcome end = end_of(start({"no-such-command"}));
  EXPECT_EQ(end.cause, Cause::StartFailed);
  EXPECT_EQ(end.message, "run the command 'no-such-command': No such file or directory");
  EXPECT_EQ(log_of(end), "3 run the command 'no-such-command': No such file or directory\n");
}

TEST_F(LocalExecutorTest, Lines_of_both_streams_are_stored_numbered_and_sealed) {
  const Outcome end = end_of(start({"sh", "-c", "echo one; echo two >&2; printf three"}));
  const std::string log = log_of(end);
  EXPECT_NE(log.find("1 one\n"), std::string::npos) << log;
  EXPECT_NE(log.find("2 two\n"), std::string::npos) << log;
  EXPECT_NE(log.find("1 three\n"), std::string::npos) << log;
  EXPECT_EQ(end.log_lines, 3U);
  expect_sealed(end);
}

TEST_F(LocalExecutorTest, Secrets_are_masked_before_a_byte_is_stored) {
  auto launch =
      plan({"sh", "-c",
            "echo token=hunter2secret; sleep 0.05; printf hunter2; sleep 0.05; echo secret"});
  launch.secrets = {"hunter2secret"};
  const Outcome end = end_of(offer(std::move(launch)));
  EXPECT_EQ(log_of(end), "1 token=***\n1 ***\n3 2 secret values were masked\n");
}

TEST_F(LocalExecutorTest, Output_is_taken_when_it_is_json) {
  EXPECT_EQ(end_of(start({"sh", "-c", "echo '{\"rows\": 3}' > $ETESIAN_OUTPUT"})).output,
            "{\"rows\": 3}\n");
}

TEST_F(LocalExecutorTest, Output_that_is_no_json_or_too_large_fails_with_the_reason) {
  const Outcome bad = end_of(start({"sh", "-c", "echo '{rows' > $ETESIAN_OUTPUT"}));
  EXPECT_EQ(bad.cause, Cause::OutputInvalid);
  EXPECT_EQ(bad.message.rfind("read $ETESIAN_OUTPUT: it is not JSON: ", 0), 0U) << bad.message;
  auto launch = plan({"sh", "-c", "echo '[1,2,3]' > $ETESIAN_OUTPUT"});
  launch.output_bytes_max = 5;
  const Outcome large = end_of(offer(std::move(launch)));
  EXPECT_EQ(large.cause, Cause::OutputInvalid);
  EXPECT_EQ(large.message, "read $ETESIAN_OUTPUT: it is larger than 5 bytes");
}

TEST_F(LocalExecutorTest, A_retry_pattern_is_searched_in_the_last_lines) {
  auto launch = plan({"sh", "-c", "echo connection reset by peer; exit 1"});
  launch.log_pattern = "reset by (peer|host)";
  EXPECT_TRUE(end_of(offer(std::move(launch))).log_matched);
  EXPECT_FALSE(end_of(start({"sh", "-c", "echo fine"})).log_matched);
}

TEST_F(LocalExecutorTest, A_task_past_its_timeout_is_stopped) {
  auto launch = plan({"sleep", "1000"});
  launch.timeout = 100ms;
  const Outcome end = end_of(offer(std::move(launch)));
  EXPECT_EQ(end.cause, Cause::Timeout);
  EXPECT_EQ(end.exit_code, 128 + SIGTERM);
}

TEST_F(LocalExecutorTest,
       Stop_ends_a_tree_that_ignores_TERM_is_stopped_or_went_to_another_session) {
  const LaunchId id = start({"sh", "-c",
                             "trap '' TERM; setsid sleep 1001 & sleep 1002 & "
                             "sh -c 'kill -STOP $$' & echo ready; while :; do sleep 0.1; done"});
  ASSERT_TRUE(wait([&] { return started_.count(id.try_id) != 0; }));
  wait_for_line(id, "1 ready\n");
  executor_->stop(id, 200ms, "a user killed it");
  executor_->flush();
  const Outcome end = end_of(id);
  EXPECT_EQ(end.cause, Cause::Killed);
  EXPECT_NE(log_of(end).find("3 stopping: a user killed it; TERM now, KILL after 200ms\n"),
            std::string::npos);
  EXPECT_FALSE(is_there_a_process_of(id));
}

TEST_F(LocalExecutorTest, A_process_left_behind_is_ended_and_named) {
  const LaunchId id = start({"sh", "-c", "setsid sleep 1003 & sleep 1004 & exit 0"});
  const Outcome end = end_of(id);
  EXPECT_EQ(end.exit_code, 0);
  const std::string log = log_of(end);
  EXPECT_NE(log.find("left behind by the task, ended now: pid "), std::string::npos) << log;
  EXPECT_NE(log.find(" sleep 1004\n"), std::string::npos) << log;
  EXPECT_FALSE(is_there_a_process_of(id));
}

TEST_F(LocalExecutorTest, A_repeated_start_starts_nothing) {
  auto launch = plan({"sh", "-c", "echo once"});
  executor_->start(launch);
  executor_->start(launch);
  executor_->flush();
  const LaunchId id = offer(launch);
  const Outcome end = end_of(id);
  executor_->start(launch);
  executor_->inquire(id);
  executor_->flush();
  end_of(start({"/bin/true"}));
  EXPECT_EQ(log_of(end), "1 once\n");
}

TEST_F(LocalExecutorTest, A_revoked_launch_never_starts_and_one_for_another_session_is_refused) {
  const auto launch = plan({"/bin/true"});
  const LaunchId id{launch.try_id, launch.launch};
  executor_->revoke(id);
  executor_->start(launch);
  executor_->flush();
  ASSERT_TRUE(wait([&] { return not_started_.count(id.try_id) != 0; }));
  EXPECT_EQ(not_started_[id.try_id].why, LaunchNotStarted::Why::Revoked);
  auto late = plan({"/bin/true"});
  late.session = "another boot";
  executor_->start(late);
  executor_->flush();
  ASSERT_TRUE(wait([&] { return not_started_.count(late.try_id) != 0; }));
  EXPECT_EQ(not_started_[late.try_id].why, LaunchNotStarted::Why::WrongSession);
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(started_.count(id.try_id) + started_.count(late.try_id), 0U);
}

TEST_F(LocalExecutorTest, A_launch_that_no_message_holds_fails_and_stops_nobody) {
  auto huge = plan({"/bin/true"});
  for (int i = 0; i < 20; ++i)
    huge.environment.emplace_back("V" + std::to_string(i), std::string(1 << 20, 'x'));
  const Outcome end = end_of(offer(std::move(huge)));
  EXPECT_EQ(end.cause, Cause::StartFailed);
  EXPECT_NE(end.message.find("a launch holds 15728640"), std::string::npos) << end.message;
  EXPECT_EQ(end_of(start({"/bin/true"})).exit_code, 0);
}

TEST_F(LocalExecutorTest, An_output_that_no_message_holds_fails_and_stops_nobody) {
  auto launch = plan({"sh", "-c",
                      "{ printf '\"'; head -c 17000000 /dev/zero | tr '\\0' x; printf '\"'; } > "
                      "$ETESIAN_OUTPUT"});
  launch.output_bytes_max = 64U << 20;
  const Outcome end = end_of(offer(std::move(launch)));
  EXPECT_EQ(end.cause, Cause::OutputInvalid);
  EXPECT_EQ(end_of(start({"/bin/true"})).exit_code, 0);
}

TEST_F(LocalExecutorTest, What_the_agent_says_of_a_task_is_masked_too) {
  auto missing = plan({"/no/such/hunter2secret"});
  missing.secrets = {"hunter2secret"};
  const Outcome end = end_of(offer(std::move(missing)));
  EXPECT_EQ(end.message, "run the command '/no/such/***': No such file or directory");
  auto leaving = plan({"sh", "-c", "setsid sh -c 'sleep 1005; : hunter2secret' & exit 0"});
  leaving.secrets = {"hunter2secret"};
  const std::string log = log_of(end_of(offer(std::move(leaving))));
  EXPECT_NE(log.find("left behind by the task"), std::string::npos) << log;
  EXPECT_EQ(log.find("hunter2secret"), std::string::npos) << log;
}

TEST_F(LocalExecutorTest, An_unknown_launch_is_answered_never_received) {
  const auto launch = plan({"/bin/true"});
  executor_->inquire({launch.try_id, 1});
  executor_->flush();
  ASSERT_TRUE(wait([&] { return not_started_.count(launch.try_id) != 0; }));
  EXPECT_EQ(not_started_[launch.try_id].why, LaunchNotStarted::Why::NeverReceived);
}

TEST_F(LocalExecutorTest, A_fast_writer_does_not_hold_up_a_quiet_task) {
  const LaunchId fast = start({"sh", "-c", "yes line | head -n 200000"});
  const Outcome quiet = end_of(start({"sh", "-c", "echo quiet"}));
  EXPECT_EQ(log_of(quiet), "1 quiet\n");
  const Outcome end = end_of(fast);
  EXPECT_EQ(end.log_lines, 200'000U);
  expect_sealed(end);
}

TEST_F(LocalExecutorTest, A_line_of_a_megabyte_and_binary_junk_come_back_as_written) {
  const Outcome end =
      end_of(start({"sh", "-c", "head -c 1000000 /dev/zero | tr '\\0' x; printf '\\0\\377\\n'"}));
  EXPECT_EQ(end.log_bytes, 1'000'002U);
  logs::Reader reader(folder_ + "/logs");
  std::string all;
  bool was_partial = false;
  for (std::uint64_t seq = 1;;) {
    const auto page =
        reader.read(try_of_[end.log_hash], end.log.segment, end.log.offset, seq, 10, 1 << 20);
    ASSERT_TRUE(page);
    for (const logs::Line& line : page->lines)
      (all += line.bytes, was_partial = was_partial || line.partial);
    seq = page->next_seq;
    if (page->complete) break;
  }
  EXPECT_TRUE(was_partial);
  EXPECT_EQ(all, std::string(1'000'000, 'x') + std::string("\0\xff", 2));
}

TEST_F(LocalExecutorTest, A_killed_worker_loses_no_line_doubles_none_and_keeps_the_status) {
  const LaunchId id =
      start({"sh", "-c", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; exit 5"});
  ASSERT_TRUE(wait([&] { return started_.count(id.try_id) != 0; }));
  for (int i = 0; i < 5; ++i) {
    const int downs = downs_;
    ::kill(worker(), SIGKILL);
    ASSERT_TRUE(wait([&] { return downs_ > downs && !session_.empty(); }));
  }
  const Outcome end = end_of(id);
  EXPECT_EQ(end.cause, Cause::Exit);
  EXPECT_EQ(end.exit_code, 5);
  std::string wanted;
  for (int i = 0; i < 3000; ++i) wanted += "1 line " + std::to_string(i) + "\n";
  EXPECT_EQ(log_of(end), wanted);
  expect_sealed(end);
}

TEST_F(LocalExecutorTest, A_worker_killed_under_a_fast_writer_loses_no_line) {
  const LaunchId id = start({"sh", "-c", "seq 1 400000; sleep 0.3; seq 400001 800000"});
  ASSERT_TRUE(wait([&] { return started_.count(id.try_id) != 0; }));
  int kills = 0;
  for (; kills < 10; ++kills) {
    const int downs = downs_;
    ::kill(worker(), SIGKILL);
    ASSERT_TRUE(wait([&] { return downs_ > downs && !session_.empty(); }));
  }
  const Outcome end = end_of(id);
  EXPECT_EQ(kills, 10);
  EXPECT_EQ(end.cause, Cause::Exit);
  EXPECT_EQ(end.log_lines, 800'000U);
  EXPECT_EQ(end.log_bytes, 4'688'895U);  // digits of 1 to 800,000
  expect_sealed(end);
}

TEST_F(LocalExecutorTest, Tasks_go_on_while_the_agent_is_gone_for_an_upgrade) {
  const LaunchId id =
      start({"sh", "-c",
             "printf half; while ! [ -e " + folder_ + "/go ]; do sleep 0.05; done; echo line"});
  ASSERT_TRUE(wait([&] { return started_.count(id.try_id) != 0; }));
  const int downs = downs_;
  ::kill(keeper(), SIGTERM);
  ASSERT_TRUE(wait([&] { return downs_ > downs && !session_.empty(); }));
  ASSERT_TRUE(write_file_durably(folder_ + "/go", ""));
  const Outcome end = end_of(id);
  const std::string log = log_of(end);
  EXPECT_TRUE(log == "1 half\n1 line\n" || log == "1 halfline\n") << log;
}

TEST_F(LocalExecutorTest,
       Killed_with_its_keeper_an_agent_is_started_again_and_takes_the_task_over) {
  const LaunchId id =
      start({"sh", "-c",
             "echo before; while ! [ -e " + folder_ + "/go ]; do sleep 0.05; done; echo after"});
  wait_for_line(id, "1 before\n");
  const int downs = downs_;
  ::kill(keeper(), SIGKILL);
  ::kill(worker(), SIGKILL);
  ASSERT_TRUE(wait([&] { return downs_ > downs && !session_.empty(); }));
  ASSERT_TRUE(write_file_durably(folder_ + "/go", ""));
  const Outcome end = end_of(id);
  EXPECT_EQ(log_of(end), "1 before\n1 after\n");
  // Known where the kernel tells the status of other's children (Linux 6.15), else said to be
  // unknown.
  EXPECT_TRUE(end.cause == Cause::Exit || end.cause == Cause::LostSupervisor);
  EXPECT_EQ(end.exit_code, 0);
}

TEST_F(LocalExecutorTest, A_second_agent_on_the_folder_is_refused) {
  const auto second = agent::run_agent({.folder = folder_, .log_folder = folder_ + "/logs"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Conflict);
}

TEST_F(LocalExecutorTest, A_server_that_comes_back_hears_of_every_end) {
  const LaunchId id = start({"sh", "-c", "exit 9"});
  end_of(id);
  executor_.reset();
  ended_.clear();
  session_.clear();
  connect();
  EXPECT_EQ(end_of(id).exit_code, 9);
}

}  // namespace
}  // namespace etesian
