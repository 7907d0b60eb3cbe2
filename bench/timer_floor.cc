// How late a thread wakes that does nothing but sleep until the next multiple of a period of the
// wall clock.
//   timer_floor SAMPLES PERIOD_MS
// Prints one JSON object.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace

int main(int argc, char** argv) {
  const int samples = argc == 3 ? std::atoi(argv[1]) : 0;
  const std::int64_t period = argc == 3 ? std::atoll(argv[2]) * 1'000'000 : 0;
  if (samples <= 0 || period <= 0) {
    std::fprintf(stderr, "usage: timer_floor SAMPLES PERIOD_MS\n");
    return 2;
  }
  std::vector<std::int64_t> late;
  for (std::int64_t due = (now_ns() / period + 1) * period; std::ssize(late) < samples;
       due += period) {
    const timespec at{due / kSecond, due % kSecond};
    ::clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, nullptr);
    late.push_back(now_ns() - due);
  }
  std::sort(late.begin(), late.end());
  const auto at = [&](std::size_t percent) {
    return static_cast<double>(late[(late.size() - 1) * percent / 100]) / kSecond;
  };
  std::printf("{\"measure\":\"timer-floor\",\"samples\":%d,\"p50_s\":%.6f,\"p99_s\":%.6f}\n",
              samples, at(50), at(99));
}
