#pragma once
#include <memory>
#include <string>

#include "base/result.h"
#include "executor/executor.h"

namespace etesian {

struct LocalExecutorOptions {
  std::string agent_folder;  ///< State folder of the agent; its socket is `agent.sock` in it.
  /// argv that starts an agent for this folder ("etesian agent --home …"); started detached, in a
  /// session of its own, when nobody answers on the socket, and again when it dies.
  std::vector<std::string> agent_command;
};

/// Runs tasks through the agent of this host over its Unix socket. Reconnects for ever; after each
/// connection reports the agent's whole list before anything else.
/// Thread: one of its own; every method may be called from any thread.
Result<std::unique_ptr<Executor>> start_local_executor(LocalExecutorOptions options,
                                                       Executor::Sink sink);

}  // namespace etesian
