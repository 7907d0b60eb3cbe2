#pragma once
#include <optional>

#include "api/dag_cache.h"
#include "base/json.h"
#include "timetable/timetable.h"

namespace etesian::api {

/// What a DAG's answer needs besides its stored row.
struct DagFacts {
  DagSummary summary;
  std::shared_ptr<const DagVersion> version;
  bool has_import_errors = false;
  std::optional<RunSlot> next_run;
  std::size_t active_runs = 0;
};

json::object dag_json(const DagFacts& facts);
json::object dag_details_json(const DagFacts& facts);
json::object dag_version_json(const DagVersion& version);
json::object task_json(const Dag& dag, TaskIndex index);

/// The operator's class of an Airflow task, else "Command", "Shell" or "Empty".
std::string_view operator_of(const Task& task);

}  // namespace etesian::api
