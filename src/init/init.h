#pragma once
#include <array>
#include <chrono>
#include <string>
#include <vector>

namespace etesian::init {

/// Which processes a forwarded signal goes to.
enum class Forward { Group, MainOnly };
/// What SIGTSTP, SIGTTIN and SIGTTOU do.
enum class JobControl { Suspend, PassOn };

struct Options {
  std::vector<std::string> command;  ///< argv of the main process; looked up in PATH.
  Forward forward = Forward::Group;
  JobControl job_control = JobControl::Suspend;
  /// Between TERM and KILL for what is left when the main process has ended. Under docker's 10 s.
  std::chrono::milliseconds grace{8000};
  /// rewrite[n] is delivered in place of signal n; 0 drops it. One step, no chaining.
  std::array<int, 65> rewrite = identity();
  /// Where the exit record goes (JSON, one line), durable before this process ends; empty: none.
  std::string exit_record;

  static constexpr std::array<int, 65> identity() {
    std::array<int, 65> map{};
    for (int n = 0; n < 65; ++n) map[static_cast<std::size_t>(n)] = n;
    return map;
  }
};

/// PID 1 of a task container: starts the command in a session of its own, forwards every catchable
/// signal, reaps orphans, and when the main process has ended ends whatever is left of its tree.
/// As another pid it becomes the subreaper and says so. Sleeps in sigwaitinfo: no wake-up when
/// idle. Returns the main process's code: 0..255, or 128 + n for signal n; 127 command not found,
/// 126 not executable, 125 when init itself fails. docs/init.md
int run(const Options& options);

}  // namespace etesian::init
