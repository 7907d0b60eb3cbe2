#pragma once
#include <chrono>

namespace etesian {

using Duration = std::chrono::microseconds;
using Instant = std::chrono::sys_time<Duration>;  ///< UTC, microseconds as Airflow stores them.

/// The only source of "now" in the program; everything else receives a Clock or an Instant.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;      ///< Wall clock for timetables and records; may jump.
  virtual Duration uptime() const = 0;  ///< Never goes back: for time-outs and latencies.
};

/// CLOCK_REALTIME and CLOCK_MONOTONIC.
class SystemClock final : public Clock {
 public:
  Instant now() const override;
  Duration uptime() const override;
};

/// Stands still until a test moves it.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(Instant now = {}) : now_(now) {}
  Instant now() const override { return now_; }
  Duration uptime() const override { return uptime_; }
  void advance(Duration by) { now_ += by, uptime_ += by; }
  void step_wall_clock(Duration by) { now_ += by; }  ///< As NTP does.

 private:
  Instant now_{};
  Duration uptime_{0};
};

}  // namespace etesian
