#pragma once
#include <optional>
#include <vector>

#include "base/json.h"
#include "loader/airflow_assets.h"
#include "model/dag.h"

namespace etesian::airflow_json {

/// The tasks of a serialised DAG, in the order of its file, and what their own dates say about its
/// runs.
struct AirflowTasks {
  std::vector<Task> tasks;
  std::optional<Instant> start, end;  ///< Of the schedule: Airflow's time restriction.
  std::string owner;                  ///< Owners that tasks name, as Airflow lists them.
  NamedAssets assets;                 ///< Of inlets and outlets.
};

/// `dag`: the member "dag" of the SDK's object; `client_defaults`: its "tasks"; `lanes`: what the
/// parse says of tasks that need no Python (loader/airflow_lane.h), by id. Both may be null.
/// Throws Refused.
AirflowTasks tasks_from(const json::object& dag, const json::object* client_defaults,
                        const json::object* lanes);

}  // namespace etesian::airflow_json
