#pragma once
#include <memory>
#include <string>
#include <vector>

#include "airflow/host.h"
#include "engine/dag_source.h"
#include "engine/trigger_host.h"

namespace etesian::airflow {

/// A folder of Airflow DAG files.
struct Bundle {
  std::string name = "dags-folder";
  std::string folder;  ///< Absolute.
  std::vector<std::string>
      native_folders;  ///< Below it, with DAGs of our own format: not looked at.
};

/// Whether there is anything for Airflow below the folder: a .py or .zip file that mentions "dag"
/// and "airflow" (Airflow's safe mode), outside of .airflowignore.
bool has_airflow_files(const Bundle& bundle);

/// Watches the bundles (inotify; a rescan where that is not possible) and has the host parse what
/// is new or whose content changed. Unchanged files (by content hash) of `known` DAGs are not
/// parsed at a start: `<cache_folder>` remembers which content gave which DAGs and errors.
MakeDagSource dag_source(std::shared_ptr<Host> host, std::vector<Bundle> bundles,
                         std::string cache_folder, std::shared_ptr<const Clock> clock);

/// Triggers of deferred tasks, in the host.
MakeTriggerHost trigger_host(std::shared_ptr<Host> host);

}  // namespace etesian::airflow
