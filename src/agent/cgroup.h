#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "wire/messages.h"

namespace etesian::agent {

/// The control groups of one try, version 1 (a folder per controller) or 2. Made only where a limit
/// is asked for: two mkdirs per try are not free.
class Cgroup {
 public:
  /// Whether this process may make groups with limits.
  static bool is_available();
  /// Makes the groups and sets the limits; a limit that this host cannot set is named in `problem`.
  static Cgroup make(const std::string& name, const wire::StartTry& launch, std::string& problem);
  /// Those of a try that an earlier worker made.
  static Cgroup find(const std::string& name);

  /// Files that a process writes itself into.
  std::vector<std::string> procs_files() const;
  std::vector<int> processes() const;
  /// How many processes the kernel killed for want of memory.
  std::uint64_t oom_kills() const;
  void remove() const;

 private:
  std::vector<std::string> folders_;
};

}  // namespace etesian::agent
