#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "loader/airflow.h"
#include "model/dag.h"

namespace etesian::airflow {

/// One reason why a file, or a DAG of it, could not be loaded.
struct Problem {
  std::string file;     ///< Relative to the bundle; inside an archive: "a.zip/dag.py".
  std::string message;  ///< One line.
  int line = 1;         ///< Of the file, as far as it is known.
  std::string trace;    ///< Python's; empty for what we refused ourselves.
  friend bool operator==(const Problem&, const Problem&) = default;
};

/// What one parse of a file gave.
struct Outcome {
  std::map<std::string, std::shared_ptr<const Dag>> dags;  ///< By id.
  std::vector<Problem> problems;
};

/// From the host's answer {"dags", "errors"}. `source`: the file's text, for display. A DAG that we
/// cannot run is a problem; the others of the file are not touched by it.
Outcome outcome_from(const json::object& answer, const AirflowPlace& place,
                     const std::string& source);

Problem problem_from_trace(const std::string& file, const AirflowPlace& place,
                           const std::string& trace);

/// Paths of the fields in which two serialised DAGs differ ("dag.start_date",
/// "dag.tasks.load.env"), at most 100 of them.
std::vector<std::string> differences(const std::string& before, const std::string& after);

}  // namespace etesian::airflow
