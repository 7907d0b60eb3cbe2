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

/// Whether there is anything for Airflow below the folder: a .py file that mentions "airflow" and
/// "dag" or "asset" (Airflow's safe mode), or a .zip file; .airflowignore is heeded.
bool has_airflow_files(const Bundle& bundle);

/// Watches the bundles (inotify; a rescan where that is not possible) and has the host parse what
/// is new or changed: by content, never by the clock. A file is parsed again when its own content
/// changes or that of another that it may import or read: the Python files of its bundle that are
/// no DAG files, data files (YAML, JSON, TOML, INI), DAG files that it imports. What has not
/// changed since the last run of the server is not parsed at a start: `<cache_folder>` remembers
/// which content gave which versions, and the store has the DAGs.
///
/// A DAG of two files belongs to the first by path; the other gets an error. A file that breaks
/// keeps the last good version of its DAGs. `on_first_scan` comes once every file has been loaded
/// or the host has failed; a DAG is told as gone only while nothing waits to be parsed, because it
/// may have moved. DAGs of known that are not of Airflow are left alone.
/// `environment_key`: python.h.
MakeDagSource dag_source(std::shared_ptr<Host> host, std::vector<Bundle> bundles,
                         std::string cache_folder, std::shared_ptr<const Clock> clock,
                         std::string environment_key = "");

/// Triggers of deferred tasks, in the host.
MakeTriggerHost trigger_host(std::shared_ptr<Host> host);

}  // namespace etesian::airflow
