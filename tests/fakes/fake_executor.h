#pragma once
// An executor that starts nothing: it remembers what it was asked, and tells what the test says.
#include <algorithm>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "executor/executor.h"

namespace etesian::test {

/// The test's end of a FakeExecutor; outlives it.
class ExecutorDesk {
 public:
  /// Runs inside `Executor::start`, on the engine's thread for the store.
  std::function<void(const wire::StartTry&)> on_start;

  void connect(Executor::Sink sink) {
    sink_ = std::move(sink);
    tell(ExecutorUp{.executor = "local", .session = "session-1", .host = "host-1", .slots = 8});
  }
  void tell(ExecutorEvent event) { sink_({std::move(event)}); }
  void say_started(const LaunchId& id) {
    LaunchStarted started;
    started.id = id;
    started.pid = 4711;
    started.host = "host-1";
    started.at = SystemClock().now();
    tell(started);
  }
  void say_ended(const LaunchId& id, int exit_code, const std::string& output = "") {
    LaunchEnded ended;
    ended.id = id;
    ended.outcome.exit_code = exit_code;
    ended.outcome.raw_status = exit_code << 8;
    ended.outcome.output = output;
    ended.outcome.started_at = ended.outcome.ended_at = SystemClock().now();
    tell(ended);
  }

  /// The launch with this number, from 0, once it was asked for; nullopt: not within a minute.
  std::optional<wire::StartTry> launch(std::size_t number) {
    std::unique_lock lock(mutex_);
    const auto is_there = [&] { return launches_.size() > number; };
    if (!changed_.wait_for(lock, std::chrono::minutes(1), is_there)) return std::nullopt;
    return launches_[number];
  }
  std::size_t launches() const {
    const std::lock_guard lock(mutex_);
    return launches_.size();
  }
  /// "inquire", "stop killed by ann", …: what was asked about a launch besides its start, in order.
  bool wait_for_call(const std::string& call) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::minutes(1), [&] {
      return std::find(calls_.begin(), calls_.end(), call) != calls_.end();
    });
  }

 private:
  friend class FakeExecutor;
  void take(wire::StartTry launch) {
    if (on_start) on_start(launch);
    const std::lock_guard lock(mutex_);
    launches_.push_back(std::move(launch));
    changed_.notify_all();
  }
  void note(std::string call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    changed_.notify_all();
  }

  Executor::Sink sink_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<wire::StartTry> launches_;
  std::vector<std::string> calls_;
};

class FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(ExecutorDesk& desk) : desk_(desk) {}
  const std::string& name() const override { return name_; }
  void start(wire::StartTry launch) override { desk_.take(std::move(launch)); }
  void stop(const LaunchId&, Duration, const std::string& reason) override {
    desk_.note("stop " + reason);
  }
  void revoke(const LaunchId&) override { desk_.note("revoke"); }
  void inquire(const LaunchId&) override { desk_.note("inquire"); }
  void acknowledge(const LaunchId&) override { desk_.note("acknowledge"); }
  void flush() override {}

 private:
  const std::string name_ = "local";
  ExecutorDesk& desk_;
};

}  // namespace etesian::test
