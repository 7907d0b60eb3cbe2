#pragma once
#include "base/json.h"
#include "model/dag.h"

namespace etesian::airflow_json {

/// Makes the agent able to run a task of an Airflow DAG itself. `lane`: what the parse says of it,
/// {"kind": "bash", "command", "env"?, "append_env", "cwd"?, "skip_on_exit_code", "timeout_s"?}
/// (python/etesian_airflow/lane.py); `dag`: the DAG as the SDK wrote it. A kind that we do not know
/// and a text that is no template of ours change nothing: the worker runs the task, as it does
/// without a lane. Throws Refused where the shape is another.
void take_lane(const json::object& lane, const json::object& dag, Task& task);

}  // namespace etesian::airflow_json
