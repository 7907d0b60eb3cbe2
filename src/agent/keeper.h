#pragma once
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>

#include "agent/slots.h"
#include "base/file.h"
#include "base/result.h"

/// The agent is two processes: the keeper, which does nearly nothing and so has no reason to die,
/// and the worker, its child, which does everything. When the worker is killed its tasks become the
/// keeper's children, their pipes stay open and their exit statuses are kept, and the next worker
/// goes on where the last one stopped.
namespace etesian::agent {

/// End of a task that was reaped by the keeper.
struct KeptExit {
  std::int32_t pid = 0;
  std::int32_t status = 0;
  std::uint64_t birth = 0;
};

/// What a new worker inherits from the keeper by fork.
struct Kept {
  Fd channel;  ///< To the keeper; from it come KeptExit messages. Invalid: there is no keeper.
  pid_t keeper = 0;
  std::map<std::uint32_t, std::pair<Fd, Fd>> pipes;  ///< Read ends (out, error) by slot.
  std::deque<KeptExit> exits;
};

/// The worker lets the keeper hold the read ends of a slot's pipes, too. Never blocks for long.
void hand_over(const Kept& kept, std::uint32_t slot, int out, int error);

/// Forks `worker`, and again whenever a signal killed it. SIGTERM and SIGINT are passed on to it.
/// Returns the exit code of a worker that ended by itself.
Result<int> run_with_keeper(const std::function<int(Kept kept)>& worker);

}  // namespace etesian::agent
