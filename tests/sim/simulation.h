#pragma once
// One seed is one history: the real scheduler, rows as its store, an agent with a journal and a
// network between them that loses, repeats and delays. Simulated clocks, one thread.
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "fakes/row_store.h"
#include "scheduler/decide.h"

namespace etesian::test {

enum class Fault {
  MessageLost,
  MessageRepeated,
  MessageDelayed,
  AgentCrashed,
  HostRebooted,
  ServerCrashed,
  CommitDelayed,
  CommitRefused,
  ClockStepped
};
inline constexpr std::size_t kFaultCount = 9;
const char* to_text(Fault fault);

struct SimulationReport {
  std::vector<std::string> problems;  ///< Broken invariants, first ones first.
  std::array<std::uint64_t, kFaultCount> faults{};
  std::array<bool, kFaultCount> planned{};
  std::uint64_t task_runs = 0, steps = 0, history_hash = 0;
};

/// Faults and users for a while, then peace until every run has ended.
SimulationReport simulate(std::uint64_t seed);

}  // namespace etesian::test
