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

#include "base/file.h"
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
    auto started = start_local_executor({folder_, test::agent_command(folder_)},
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
    ASSERT_EQ(::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    char rest[4096];
    while (::read(peer.get(), rest, sizeof rest) > 0) {
    }
  }

  template <class Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, condition);
  }

  LaunchId start(std::vector<std::string> argv) {
    wire::StartTry launch;
    launch.try_id = make_uuid7(++count_, random_);
    launch.session = session_;
    launch.argv = std::move(argv);
    launch.environment = {{"PATH", "/usr/bin:/bin"}};
    launch.working_folder = "/";
    const LaunchId id{launch.try_id, launch.launch};
    executor_->start(std::move(launch));
    return id;
  }

  Outcome end_of(const LaunchId& id) {
    EXPECT_TRUE(wait([&] { return ended_.count(id.try_id) != 0; })) << "no end was reported";
    const std::lock_guard lock(mutex_);
    return ended_[id.try_id];
  }

  void take(std::vector<ExecutorEvent> events) {
    const std::lock_guard lock(mutex_);
    for (ExecutorEvent& event : events) {
      if (const auto* up = std::get_if<ExecutorUp>(&event)) session_ = up->session;
      if (std::holds_alternative<ExecutorDown>(event)) ++downs_;
      if (const auto* s = std::get_if<LaunchStarted>(&event)) started_[s->id.try_id] = *s;
      if (const auto* e = std::get_if<LaunchEnded>(&event)) ended_[e->id.try_id] = e->outcome;
      if (const auto* n = std::get_if<LaunchNotStarted>(&event)) not_started_[n->id.try_id] = *n;
    }
    changed_.notify_all();
  }

  std::string folder_;
  std::unique_ptr<Executor> executor_;
  SeededRandom random_{7};
  std::int64_t count_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string session_;
  int downs_ = 0;
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

}  // namespace
}  // namespace etesian
