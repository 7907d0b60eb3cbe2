#pragma once
#include <string>

#include "cli/session.h"

namespace etesian {

struct AirflowImportOptions {
  std::string airflow_home;      ///< Folder of airflow.cfg; empty: AIRFLOW_HOME, then ~/airflow.
  std::string sql_alchemy_conn;  ///< Metadata database; empty: that of the configuration.
  std::string home = ".etesian";
  std::string python;      ///< Given by the user; may be empty.
  bool overwrite = false;  ///< Replace what is here under the same name.
  bool unpause = false;    ///< Also let DAGs run that are active there.
  bool dry_run = false;    ///< Say what would be done, and do nothing.
};

/// `etesian airflow import`: reads an Airflow installation (python/etesian_airflow/export.py) and
/// gives its connections, variables, pools and paused states to the running server; says line by
/// line what was done and what has no equivalent. No value of a variable and no password is
/// printed. Returns the exit code: kFailed when something could not be read or taken over. Throws
/// cli::Failure.
int import_airflow(const cli::Globals& globals, const AirflowImportOptions& options);

}  // namespace etesian
