#pragma once
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "model/launch.h"
#include "wire/messages.h"

namespace etesian {

using ExecutorEvent = std::variant<ExecutorUp, ExecutorDown, LaunchStarted, LaunchEnded,
                                   LaunchNotStarted, LaunchAlive>;

/// Runs launches somewhere: on this host, in Docker, on ECS. No call blocks, and what was asked
/// leaves with the next `flush`; answers come as events through the sink, from the executor's own
/// thread. Any event may be repeated, and may come late.
class Executor {
 public:
  using Sink = std::function<void(std::vector<ExecutorEvent>)>;

  virtual ~Executor() = default;
  virtual const std::string& name() const = 0;
  /// Idempotent on (try_id, launch): a known launch is never started again.
  virtual void start(wire::StartTry launch) = 0;
  /// TERM to the whole process tree, KILL after `grace`. Ends as LaunchEnded. Unknown launches and
  /// ended ones answer with what is known.
  virtual void stop(const LaunchId& id, Duration grace, const std::string& reason) = 0;
  /// The launch must never start; answers LaunchNotStarted{Revoked}, LaunchAlive or LaunchEnded.
  virtual void revoke(const LaunchId& id) = 0;
  /// What is known of it: LaunchAlive, LaunchEnded or LaunchNotStarted. Silence is no answer.
  virtual void inquire(const LaunchId& id) = 0;
  /// The end of this launch is durable in the store; its record may be dropped.
  virtual void acknowledge(const LaunchId& id) = 0;
  /// What was asked since the last time goes out, in one message where it can.
  virtual void flush() = 0;
};

}  // namespace etesian
