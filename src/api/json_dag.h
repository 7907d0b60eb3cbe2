#pragma once
#include <optional>

#include "api/dag_cache.h"
#include "base/json.h"
#include "timetable/timetable.h"

namespace etesian::api {

/// What a DAG's answer needs besides its stored row.
struct DagFacts {
  DagSummary summary;
  std::shared_ptr<const DagVersion> version;  ///< Not null.
  bool has_import_errors = false;
  std::optional<RunSlot> next_run;
  std::size_t active_runs = 0;
};

json::object dag_json(const DagFacts& facts);
json::object dag_details_json(const DagFacts& facts);
json::object dag_version_json(const DagVersion& version);
/// `version.dag` is there.
json::object task_json(const DagVersion& version, TaskIndex index);
/// What parseDagFile takes: a hash of the file's place.
std::string file_token(const DagVersion& version, const DagSummary& summary);

/// The operator's class of an Airflow task, else "Command", "Shell" or "Empty".
std::string_view operator_of(const Task& task);

}  // namespace etesian::api
