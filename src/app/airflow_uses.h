#pragma once
#include <map>
#include <set>
#include <string>

#include "base/json.h"

namespace etesian {

/// What a serialised DAG asks for, in words for people.
struct AirflowUses {
  std::string timetable;                 ///< "0 3 * * *", "CronPartitionTimetable".
  std::map<std::string, int> operators;  ///< How many tasks of each kind: "@task", "BashOperator".
  std::size_t native_tasks = 0;          ///< How many the agent runs without Python.
  std::set<std::string> features;     ///< Beyond tasks that follow each other: "mapped tasks", ….
  std::set<std::string> pools;        ///< Other than the default one.
  std::set<std::string> ineffective;  ///< What is loaded and then plays no role, and why.
};

/// Reads as much as it can of {"__version", "dag", "client_defaults"?, "etesian"?}: what is not as
/// the host writes it is left out, for the loader refuses it with a reason.
AirflowUses uses_of(const json::object& serialized);

}  // namespace etesian
