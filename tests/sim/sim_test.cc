// ETESIAN_SEEDS=n runs that many seeds from ETESIAN_SEED on (default: 1,000 from 1).
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "sim/simulation.h"

namespace etesian::test {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(Simulation, KeepsItsPromisesUnderFaultsAndEndsEveryRunAfterThem) {
  const std::uint64_t first = from_environment("ETESIAN_SEED", 1);
  const std::uint64_t count =
      from_environment("ETESIAN_SEEDS", std::getenv("ETESIAN_SEED") ? 1 : 1000);
  std::array<std::uint64_t, kFaultCount> faults{}, planned{};
  std::uint64_t task_runs = 0, steps = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const SimulationReport report = simulate(seed);
    task_runs += report.task_runs;
    steps += report.steps;
    for (std::size_t f = 0; f < kFaultCount; ++f) {
      faults[f] += report.faults[f];
      planned[f] += report.planned[f];
    }
    ASSERT_TRUE(report.problems.empty()) << "seed " << seed << ": " << report.problems.front()
                                         << "\nreplay with ETESIAN_SEED=" << seed;
    if (seed % 100 == 0) {
      ASSERT_EQ(simulate(seed).history_hash, report.history_hash) << "seed " << seed;
    }
  }
  std::cout << count << " seeds, " << task_runs << " task runs, " << steps << " steps\n";
  for (std::size_t f = 0; f < kFaultCount; ++f) {
    std::cout << "  " << to_text(static_cast<Fault>(f)) << ": " << faults[f] << "\n";
    if (count >= 100) {
      EXPECT_GT(faults[f], 0U) << to_text(static_cast<Fault>(f));
    }
  }
  EXPECT_GE(task_runs, 200 * count);
}

}  // namespace
}  // namespace etesian::test
