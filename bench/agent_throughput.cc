// Tasks per second through the whole local chain: executor, socket, journal, spawn, log, two syncs
// per group of ends, report. Compare with `agent_floor spawn-floor` of the same minute.
//   agent_throughput TASKS IN_FLIGHT
// Prints one JSON object.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

#include "agent/agent.h"
#include "executor/local_executor.h"

namespace {

using namespace etesian;

class Run {
 public:
  explicit Run(std::string folder) : folder_(std::move(folder)) {}

  double tasks_per_second(int tasks, int in_flight) {
    std::string self(4096, '\0');
    self.resize(static_cast<std::size_t>(::readlink("/proc/self/exe", self.data(), self.size())));
    auto executor =
        start_local_executor({folder_, {self, "--agent", folder_}},
                             [this](std::vector<ExecutorEvent> events) { take(events); });
    if (!executor) std::abort();
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !session_.empty(); });
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < tasks; ++i) {
      changed_.wait(lock, [&] { return i - ended_ < in_flight; });
      lock.unlock();
      wire::StartTry launch;
      launch.try_id = make_uuid7(i, random_);
      launch.session = session_;
      launch.argv = {"/bin/true"};
      launch.working_folder = "/";
      (*executor)->start(std::move(launch));
      lock.lock();
      for (; !to_acknowledge_.empty(); to_acknowledge_.pop_back())
        (*executor)->acknowledge(to_acknowledge_.back());
    }
    changed_.wait(lock, [&] { return ended_ == tasks; });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    return tasks / took.count();
  }

 private:
  void take(const std::vector<ExecutorEvent>& events) {
    const std::lock_guard lock(mutex_);
    for (const ExecutorEvent& event : events) {
      if (const auto* up = std::get_if<ExecutorUp>(&event)) session_ = up->session;
      if (const auto* end = std::get_if<LaunchEnded>(&event)) {
        if (end->outcome.exit_code != 0 || end->outcome.cause != Cause::Exit) std::abort();
        ++ended_;
        to_acknowledge_.push_back(end->id);
      }
    }
    changed_.notify_one();
  }

  std::string folder_;
  SeededRandom random_{1};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string session_;
  int ended_ = 0;
  std::vector<LaunchId> to_acknowledge_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--agent") {
    const std::string folder = argv[2];
    const auto code = agent::run_agent({.folder = folder, .log_folder = folder + "/logs"});
    return code ? *code : 4;
  }
  const int tasks = argc > 1 ? std::atoi(argv[1]) : 0,
            in_flight = argc > 2 ? std::atoi(argv[2]) : 0;
  if (tasks <= 0 || in_flight <= 0) {
    std::fprintf(stderr, "usage: agent_throughput TASKS IN_FLIGHT\n");
    return 2;
  }
  std::string folder = "/tmp/etesian-bench.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  const double rate = Run(folder).tasks_per_second(tasks, in_flight);
  std::printf(
      "{\"measure\":\"local-executor\",\"tasks\":%d,\"in_flight\":%d,\"tasks_per_s\":%.0f}\n",
      tasks, in_flight, rate);
  // The agent is left without work and without a folder; its keeper passes the signal on.
  std::FILE* const lock = std::fopen((folder + "/agent.lock").c_str(), "r");
  int pid = 0;
  if (lock != nullptr && std::fscanf(lock, "%d", &pid) == 1 && pid > 1) ::kill(pid, SIGTERM);
  if (lock != nullptr) std::fclose(lock);
  std::filesystem::remove_all(folder);
}
