#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "model/dag.h"

namespace etesian {

/// Whether an output makes a short circuit open: false, null, 0, "", [] or {}. No output is open
/// too.
bool is_falsy(const std::string* output_json);

/// Tasks that a decider's output skips, ascending. Branch: the direct followers that the output
/// does not name and that are not below a named one (Airflow's skip_all_except). A name is a task's
/// or a group's id, full or as seen from the decider's own group. Short circuit: all below but
/// teardowns. Errors: InvalidInput, naming what is unknown.
Result<std::vector<TaskIndex>> skipped_by(const Dag& dag, TaskIndex decider,
                                          const std::string* output_json);

}  // namespace etesian
