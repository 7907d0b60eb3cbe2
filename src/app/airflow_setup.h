#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "airflow/sources.h"
#include "base/clock.h"
#include "engine/dag_source.h"
#include "engine/trigger_host.h"
#include "engine/vault.h"
#include "executor/worker_launch.h"

namespace etesian {

/// What an installation needs in order to run a folder of Airflow DAG files.
struct AirflowSetup {
  WorkerPlace place;
  MakeDagSource dag_source;
  MakeTriggerHost trigger_host;
};

struct AirflowFolders {
  std::string dags;     ///< As given to `etesian up`.
  std::string home;     ///< Of the installation.
  std::string program;  ///< Path of this binary.
  std::string python;   ///< Given by the user; may be empty.
};

/// Whether the folder has DAGs in our own format: an etesian.yaml, or a dag.yaml one level down.
bool has_native_dags(const std::string& folder);

/// The folder that Airflow's DAG files are looked for in: that of the project, or the bare folder.
airflow::Bundle airflow_bundle_at(const std::string& folder);

/// The interpreter of the environment that has Airflow; made in the home folder where there is none
/// (telling so on stderr). Errors: as airflow::find_python and make_venv.
Result<std::string> airflow_python(const AirflowFolders& folders, const airflow::Bundle& bundle);

/// What DAG files and the official packages see: our own environment without what is the server's,
/// and where things are. `server_url`: of the Execution API.
std::vector<std::pair<std::string, std::string>> airflow_environment(const AirflowFolders& folders,
                                                                     const airflow::Bundle& bundle,
                                                                     const std::string& server_url,
                                                                     const std::string& python);

/// Nothing when the folder has no Airflow DAG files. Finds, or makes, the Python environment
/// (telling so on stderr). Errors: as airflow::find_python and make_venv.
Result<std::optional<AirflowSetup>> set_up_airflow(const AirflowFolders& folders,
                                                   const Vault& vault, std::uint16_t port,
                                                   std::shared_ptr<const Clock> clock);

}  // namespace etesian
