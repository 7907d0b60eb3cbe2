#pragma once
#include <string>
#include <utility>
#include <vector>

#include "executor/launch_builder.h"

namespace etesian {

/// "etl/manual__1/load[3] try 2": how people see a launch.
std::string launch_label(const LaunchFacts& facts);

/// What every task finds in its environment (docs/dag-format.md#environment).
std::vector<std::pair<std::string, std::string>> standard_environment(const LaunchFacts& facts);

/// The parts of a launch that no template touches: whose it is, its limits and its masks.
wire::StartTry launch_without_command(const LaunchFacts& facts);

}  // namespace etesian
