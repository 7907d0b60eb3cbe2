#include "engine/alarm.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace etesian {
namespace {
/// Without an instant the timer is disarmed.
void set(const Fd& timer, std::optional<Duration> at, int flags) {
  itimerspec spec{};
  if (at) {
    // A value of zero would disarm the timer: an instant in the past becomes the first microsecond.
    const Duration when = std::max(*at, Duration(1));
    spec.it_value.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(when).count();
    spec.it_value.tv_nsec = (when % std::chrono::seconds(1)).count() * 1000;
  }
  timerfd_settime(timer.get(), at ? flags : 0, &spec, nullptr);
}
}  // namespace

Alarm::Alarm()
    : ring_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      wall_(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      uptime_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  ETESIAN_CHECK(ring_ && wall_ && uptime_);
}

void Alarm::ring() {
  const std::uint64_t one = 1;
  (void)!write(ring_.get(), &one, sizeof one);
}

void Alarm::wait(std::optional<Instant> wall, std::optional<Duration> uptime) {
  const auto wall_at = wall ? std::optional(wall->time_since_epoch()) : std::nullopt;
  if (wall_at != armed_wall_) set(wall_, wall_at, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
  if (uptime != armed_uptime_) set(uptime_, uptime, TFD_TIMER_ABSTIME);
  armed_wall_ = wall_at;
  armed_uptime_ = uptime;
  pollfd waits[] = {{ring_.get(), POLLIN, 0}, {wall_.get(), POLLIN, 0}, {uptime_.get(), POLLIN, 0}};
  constexpr int kLivenessMs = 5000;
  poll(waits, std::size(waits), kLivenessMs);
  std::uint64_t count = 0;
  for (const pollfd& wait : waits)
    if (wait.revents != 0) (void)!read(wait.fd, &count, sizeof count);
  // A timer that went off, or was cancelled by a jump of the clock, is not armed any more.
  if (waits[1].revents != 0) armed_wall_.reset();
  if (waits[2].revents != 0) armed_uptime_.reset();
}

}  // namespace etesian
