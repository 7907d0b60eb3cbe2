#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/dag.h"
#include "model/run.h"
#include "wire/messages.h"

namespace etesian {

/// What a launch is made of, besides the task itself.
struct LaunchFacts {
  const Dag* dag = nullptr;
  TaskIndex task = 0;
  RunRow run;
  InstanceRow instance;
  Uuid try_id;
  int launch = 1;
  std::string session;
  std::string map_arguments = "{}";  ///< JSON object.
  std::optional<DataInterval>
      previous_success;  ///< Newest successful run's interval before this one.
  /// JSON text of a task's output (array of texts' values for a mapped task); nullopt: none.
  std::function<std::optional<std::string>(const std::string& task_id, const std::string& name,
                                           int map_index)>
      output;
  std::function<std::optional<std::string>(const std::string& key)> variable;
  /// JSON object text: host, port, login, password, schema, conn_type, extra, uri.
  std::function<std::optional<std::string>(const std::string& id)> connection;
  std::vector<std::string> secrets;  ///< Values to mask beyond those that rendering reads.
};

/// Renders every template of the task and makes the complete launch: argv, environment
/// (docs/dag-format.md#environment lists the ETESIAN_ names), folder, limits, masks. A shell text
/// without characters that a shell interprets becomes an argv. Connections' passwords and variables
/// read by its templates are added to the masks.
/// Errors: InvalidInput, "<file>:<line>:<column>: <what>" of the template that failed.
Result<wire::StartTry> build_launch(const LaunchFacts& facts);

/// The launch of an Airflow task that needs no Python (AirflowTask::native): as its worker would
/// run the command (BashOperator of the standard provider 1.21.0). `facts.run.conf` holds the
/// params that the task sees; `inherited`: what the worker would have found in its environment.
/// Errors: as build_launch.
Result<wire::StartTry> build_native_launch(
    const LaunchFacts& facts, const std::vector<std::pair<std::string, std::string>>& inherited);
/// The rendered template fields of such a task, as its worker would send them: a JSON object.
/// Errors: as build_launch.
Result<std::string> native_fields(const LaunchFacts& facts);

/// Values of a mapped argument: rendered natively (docs/dag-format.md#map). Used when a map's
/// source is a template. Errors as build_launch.
Result<std::string> evaluate_map_source(const LaunchFacts& facts, const TemplateText& source);

}  // namespace etesian
