#pragma once
#include <optional>

#include "base/clock.h"
#include "base/file.h"

namespace etesian {

/// What the loop sleeps on: a ring from another thread, or the earliest of two clocks. A jump of
/// the wall clock wakes it too (TFD_TIMER_CANCEL_ON_SET), so no schedule waits for a clock that
/// moved.
class Alarm {
 public:
  Alarm();
  /// From any thread. Cheap when already rung.
  void ring();
  /// Sleeps until rung or until one of the instants. At most 5 s, so that liveness can be told.
  void wait(std::optional<Instant> wall, std::optional<Duration> uptime);

 private:
  Fd ring_, wall_, uptime_;
  std::optional<Duration> armed_wall_, armed_uptime_;  ///< What the timers are set to.
};

}  // namespace etesian
