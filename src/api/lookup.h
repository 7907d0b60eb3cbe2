#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/service.h"

namespace etesian::api {

// What path parameters name, or a NotFound in the words of Airflow's API. All on the store's
// thread.

Result<DagSummary> find_dag(Reading& reading);  ///< {dag_id}
/// Its definition as it is now. Errors: also Conflict, when it cannot be read any more.
Result<std::shared_ptr<const DagVersion>> find_current(Reading& reading);
Result<RunRow> find_run(Reading& reading);  ///< {dag_id}, {dag_run_id}
/// {dag_id}, {dag_run_id}, {task_id} and the map index.
Result<InstanceSummary> find_instance(Reading& reading, std::int32_t map_index);
/// {map_index}, or the query's map_index, or -1. Errors: InvalidInput.
Result<std::int32_t> map_index_of(const Call& call);

/// Null when the stored definition is gone.
std::shared_ptr<const DagVersion> version_of(Reading& reading, const std::string& dag_id,
                                             const std::string& version);
/// The definition that a run works with. Errors: Conflict, when it cannot be read any more.
Result<std::shared_ptr<const Dag>> dag_of_run(Reading& reading, const RunRow& run);

/// "~" in a path: all.
std::optional<std::string> unless_all(const std::string& param);
/// Calls `each` for all runs that fit, in logical date order. Errors: the store's.
Result<Done> for_each_run(Reading& reading, const RunFilter& filter,
                          const std::function<Result<Done>(const RunRow&)>& each);
/// An instance as answers show it; with what an earlier try rendered while the last has not yet.
json::object shown_instance(Reading& reading, InstanceSummary instance);
/// The instances of `run` with these keys, as answers show them.
Result<json::array> instances_json(Reading& reading, const RunRow& run,
                                   const std::set<InstanceKey>& keys);

}  // namespace etesian::api
