#pragma once
#include <functional>
#include <string>

#include "base/result.h"
#include "wire/messages.h"

namespace etesian::agent {

struct Options {
  std::string folder;      ///< State: lock, agent id, journal, socket, tries/. Created 0700.
  std::string log_folder;  ///< Log segments.
  std::uint64_t log_bytes_max = 0;  ///< Retention: oldest segments beyond this go; 0 = no limit.
  Duration log_age_max{0};          ///< … and those older than this; 0 = no limit.
};

/// Runs the agent until a Shutdown message or SIGTERM (which leaves tasks running and returns), in
/// this thread: one epoll loop that starts, captures, stops and reaps task processes. Returns the
/// exit code of the process. Errors: Conflict (another agent holds the folder), Unavailable.
Result<int> run_agent(const Options& options);

/// Runs one launch here and now without server or journal, with the agent's own environment,
/// supervision and log framing; each line goes to `on_line` (stream 1 out, 2 error, 3 system).
/// For `etesian test`.
Result<wire::ExitRecord> run_once(
    const wire::StartTry& launch,
    const std::function<void(int stream, std::string_view line)>& on_line);

}  // namespace etesian::agent
