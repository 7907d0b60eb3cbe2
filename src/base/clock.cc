#include "base/clock.h"

#include <ctime>

namespace etesian {
namespace {
Duration read(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return std::chrono::duration_cast<Duration>(std::chrono::seconds(ts.tv_sec) +
                                              std::chrono::nanoseconds(ts.tv_nsec));
}
}  // namespace

Instant SystemClock::now() const { return Instant(read(CLOCK_REALTIME)); }
Duration SystemClock::uptime() const { return read(CLOCK_MONOTONIC); }

}  // namespace etesian
