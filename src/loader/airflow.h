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
/// "client_defaults"?}). Everything that the engine decides on is in its own members afterwards:
/// timetable, edges, trigger rules, groups, setups and teardowns, mapping as lengths, retries,
/// pools, limits, params. `canonical` and `version` are set: the version is the hash of what
/// changes the work, without file places and processor folders. Errors: InvalidInput "unsupported:
/// <feature>: <what to do>" for what the engine cannot do (a timetable or weight rule of a plugin,
/// an unknown format version), so that nothing is ignored silently at run time.
Result<DagDefinition> definition_from_airflow(const std::string& serialized,
                                              const AirflowPlace& place);

/// Whether a run's conf fits the params of an Airflow DAG: its values are laid over the defaults
/// and validated; other keys are allowed, and the conf itself is kept as it was given.
/// Errors: InvalidInput.
Result<Done> check_airflow_conf(const std::string& params_schema, const std::string& conf_json);

}  // namespace etesian
