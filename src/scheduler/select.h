#pragma once
#include <vector>

#include "model/run.h"

namespace etesian {

struct Selection {
  std::vector<std::string> task_ids;      ///< Empty: all. A group id means its members.
  std::vector<std::int32_t> map_indexes;  ///< Empty: all.
  bool upstream = false, downstream = false;
  bool only_failed = false;  ///< failed and upstream_failed.
  bool only_running = false;
  /// With the setups in whose scope a chosen task is, and their teardowns: it cannot run without.
  bool with_setups = false;
};

/// The instances of a run that a clear or mark is about (Airflow's options), in task order.
/// Errors: NotFound, naming the unknown task.
Result<std::vector<InstanceKey>> select_instances(const Dag& dag,
                                                  const std::vector<InstanceRow>& instances,
                                                  const Selection& selection);

}  // namespace etesian
