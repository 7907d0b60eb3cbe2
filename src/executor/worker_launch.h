#pragma once
#include <string>

#include "executor/launch_builder.h"

namespace etesian {

/// How the tasks of Airflow DAGs are launched on this installation.
struct WorkerPlace {
  std::string program;  ///< Path of this binary: `<program> airflow-task` hands over to the host.
  std::string socket;   ///< Unix socket of the Python host (airflow/host.h).
  std::string server_url;   ///< "http://127.0.0.1:8080/execution/"
  std::string token_key;    ///< wire/worker_token.h
  bool has_prefork = true;  ///< False: `python -m airflow.sdk.execution_time.execute_workload`.
  std::string python;       ///< For that.
  std::vector<std::pair<std::string, std::string>> environment;  ///< AIRFLOW_HOME and its kind.
};

/// The ExecuteTask workload of a try as JSON text (reference: Airflow protocol 1.2); `log_path` is
/// null: lines go to stdout.
std::string workload_json(const LaunchFacts& facts, const WorkerPlace& place);

/// The complete launch of a task of an Airflow DAG. The workload travels in the environment
/// variable ETESIAN_WORKLOAD of the launched program, which others of the same user could read.
wire::StartTry build_worker_launch(const LaunchFacts& facts, const WorkerPlace& place);

}  // namespace etesian
