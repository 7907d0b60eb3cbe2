#pragma once
#include "model/dag.h"
#include "model/run.h"

namespace etesian {

/// A task instance as RunCreated and TaskExpanded make it: state None, no try, the task's retries.
inline InstanceRow first_row(const InstanceKey& key, const Task& task) {
  InstanceRow row;
  row.key = key;
  row.max_tries = task.retry.times;
  return row;
}

}  // namespace etesian
