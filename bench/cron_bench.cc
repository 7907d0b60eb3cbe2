// Next fire times of cron expressions in zones, as the scheduler asks for them.
//   cron_bench FIRES < LINES     each line: zone, tab, expression; FIRES times each from one
//   instant
// Prints one JSON object; `last_sum` adds the last fire times up (seconds since 1970), so that
// another implementation can be held against it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "timetable/fires.h"

namespace {

using namespace etesian;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "cron_bench: %s\n", message.c_str());
  std::exit(1);
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

ZonedCron compile(const std::string& line) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string::npos) fail("no tab in '" + line + "'");
  auto zone = TimeZone::find(line.substr(0, tab));
  if (!zone) fail(zone.error().message);
  auto cron = Cron::parse(line.substr(tab + 1), CronDialect::Native);
  if (!cron) fail(cron.error().message);
  return {*cron, *zone, DstPolicy{}};
}

}  // namespace

int main(int argc, char** argv) {
  const int fires = argc == 2 ? std::atoi(argv[1]) : 0;
  if (fires <= 0) fail("usage: cron_bench FIRES < LINES");
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);

  const auto begin = std::chrono::steady_clock::now();
  std::vector<ZonedCron> sources;
  for (const std::string& line : lines) sources.push_back(compile(line));
  const double compiling = seconds_since(begin);

  const Instant from = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
  const auto first = std::chrono::steady_clock::now();
  std::int64_t last_sum = 0;
  for (const ZonedCron& source : sources) {
    Instant at = from;
    for (int i = 0; i < fires; ++i) {
      const auto next = source.next(at);
      if (!next) fail("an expression stopped firing");
      at = *next;
    }
    last_sum += std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count();
  }
  const double stepping = seconds_since(first);
  std::printf(
      "{\"measure\":\"cron\",\"expressions\":%zu,\"fires\":%d,\"compile_s\":%.6f,\"next_s\":%.9f,"
      "\"last_sum\":%lld}\n",
      lines.size(), fires, compiling, stepping / static_cast<double>(lines.size()) / fires,
      static_cast<long long>(last_sum));
}
