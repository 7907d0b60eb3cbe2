#pragma once
#include <string>

#include "cli/session.h"

namespace etesian {

struct AirflowCheckOptions {
  std::string folder = ".";  ///< Of DAG files, or a project.
  std::string home =
      ".etesian";      ///< Of the installation: its Python environment, where it has one.
  std::string python;  ///< Given by the user; may be empty.
};

/// `etesian airflow check`: parses every DAG file of a folder as the server would, without one, and
/// prints what each DAG uses, what is not supported and why, and what does not load. Variables and
/// connections that files read at their top level are not there, but those of the environment.
/// Returns the exit code: kFailed when something is broken or not supported. Throws cli::Failure.
int check_airflow(const cli::Globals& globals, const AirflowCheckOptions& options);

}  // namespace etesian
