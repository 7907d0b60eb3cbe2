#pragma once
#include <string>

#include "base/result.h"
#include "model/dag.h"

namespace etesian {

/// Where an Airflow DAG file lies.
struct AirflowPlace {
  std::string bundle = "dags-folder";
  std::string bundle_folder;  ///< Absolute.
  std::string relative_file;  ///< To the bundle.
};

/// The definition that an SDK-serialised DAG stands for (format version 3: {"__version", "dag",
/// "client_defaults"?}; "etesian"? holds what our own parse adds, python/etesian_airflow/lane.py).
/// Everything that the engine decides on is in its own members afterwards: timetable, edges,
/// trigger rules, groups, setups and teardowns, mapping as lengths, retries, pools, limits, params.
/// `canonical` and `version` are set: the version is the hash of what changes the work
/// (loader/airflow_canonical.h), without file places and processor folders. A cycle is left for
/// Dag::build to find. Errors: InvalidInput "unsupported: <feature>: <what to do>" for what the
/// engine cannot do (a timetable or weight rule of a plugin, partitions, an unknown format
/// version), so that nothing is ignored silently at run time; "read serialised dag: …" for what no
/// SDK writes.
Result<DagDefinition> definition_from_airflow(const std::string& serialized,
                                              const AirflowPlace& place);

/// The params that the tasks of a run see: the defaults, and a run's conf laid over them. Source:
/// process_params of the task SDK 1.3.2. Both texts are those that check_airflow_conf has accepted.
std::string airflow_params(const std::string& params_schema, const std::string& conf_json);

/// Whether a run's conf fits the params of an Airflow DAG: its values are laid over the defaults
/// and validated; other keys are allowed, and the conf itself is kept as it was given.
/// Errors: InvalidInput, "Invalid input for param n: 50 is greater than the maximum of 9"; several
/// are joined by "; ".
Result<Done> check_airflow_conf(const std::string& params_schema, const std::string& conf_json);

}  // namespace etesian
