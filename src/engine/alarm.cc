#include "engine/alarm.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.h"

namespace etesian {
namespace {
void arm(const Fd& timer, Duration at, int flags) {
  // A value of zero would disarm the timer: an instant in the past becomes the first microsecond.
  const Duration when = std::max(at, Duration(1));
  itimerspec spec{};
  spec.it_value.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(when).count();
  spec.it_value.tv_nsec = (when % std::chrono::seconds(1)).count() * 1000;
  timerfd_settime(timer.get(), flags, &spec, nullptr);
}

void disarm(const Fd& timer) {
  const itimerspec none{};
  timerfd_settime(timer.get(), 0, &none, nullptr);
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
  if (wall)
    arm(wall_, wall->time_since_epoch(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET);
  else
    disarm(wall_);
  if (uptime)
    arm(uptime_, *uptime, TFD_TIMER_ABSTIME);
  else
    disarm(uptime_);
  pollfd waits[] = {{ring_.get(), POLLIN, 0}, {wall_.get(), POLLIN, 0}, {uptime_.get(), POLLIN, 0}};
  constexpr int kLivenessMs = 5000;
  poll(waits, std::size(waits), kLivenessMs);
  std::uint64_t count = 0;
  for (const pollfd& wait : waits)
    if (wait.revents != 0) (void)!read(wait.fd, &count, sizeof count);
}

}  // namespace etesian
