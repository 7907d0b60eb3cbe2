#pragma once
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "model/run.h"

namespace etesian {

/// Which launch of which try: what every message between engine and executor is about.
struct LaunchId {
  Uuid try_id;
  int launch = 1;
  friend bool operator==(const LaunchId&, const LaunchId&) = default;
};

/// An agent (or a backend such as ECS) is there, or went away. While it is away its tries are
/// suspect.
struct ExecutorUp {
  std::string executor, session, host;
  std::uint32_t slots = 0;
};
struct ExecutorDown {
  std::string executor, session;
  std::string reason;
};
struct LaunchStarted {
  LaunchId id;
  int pid = 0;
  std::string host;
  Instant at{};
  LogPlace log;
};
struct LaunchEnded {
  LaunchId id;
  Outcome outcome;
};
/// Confirmed: this launch did not start and never will. `retry_later`: the backend has no room now.
struct LaunchNotStarted {
  LaunchId id;
  enum class Why { NeverReceived, Revoked, WrongSession, NoRoom } why{};
  std::string message;
};
/// Answer to an inquiry: it runs (or is being stopped).
struct LaunchAlive {
  LaunchId id;
};

}  // namespace etesian
