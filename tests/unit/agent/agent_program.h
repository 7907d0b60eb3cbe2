#pragma once
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "agent/agent.h"

/// A test program is its own agent program: started with `--agent=FOLDER` it runs an agent on
/// FOLDER and never comes to the tests. Include it in one file of a test program.
namespace etesian::test {

inline std::vector<std::string> agent_command(const std::string& folder) {
  std::string self(4096, '\0');
  self.resize(static_cast<std::size_t>(::readlink("/proc/self/exe", self.data(), self.size())));
  return {self, "--agent=" + folder};
}

inline const bool kIsTestProgram = [] {
  std::ifstream file("/proc/self/cmdline");
  const std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t at = line.find("--agent=");
  if (at == std::string::npos) return true;
  const std::string folder = line.substr(at + 8, line.find('\0', at) - at - 8);
  const auto code = agent::run_agent({.folder = folder, .log_folder = folder + "/logs"});
  std::_Exit(code ? *code : 4);
}();

}  // namespace etesian::test
