#pragma once
#include <functional>
#include <memory>

#include "model/event.h"
#include "scheduler/decide.h"

namespace etesian {

/// Watches what deferred tasks wait for, and calls back code of DAG files. No call blocks; answers
/// are events, from its own thread: ExecutorUp and ExecutorDown under the name kTriggerHost (after
/// each ExecutorUp the engine names everything that is to be watched again), ResumeInstance,
/// EndInstance.
class TriggerHost {
 public:
  using Sink = std::function<void(Event)>;
  virtual ~TriggerHost() = default;
  virtual void watch(const Effect::Watch& what) = 0;
  virtual void unwatch(const Uuid& try_id) = 0;  ///< A user's action ended the wait.
  /// A task was launched that only the host can run: it must be there.
  virtual void expect_task() = 0;
  /// Runs code of a DAG file; nobody waits for its end, and its output goes to the host's log.
  virtual void call(const Effect::Callback& what) = 0;
};
using MakeTriggerHost = std::function<Result<std::unique_ptr<TriggerHost>>(TriggerHost::Sink)>;

}  // namespace etesian
