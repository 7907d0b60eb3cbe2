#pragma once
#include <string>
#include <vector>

#include "base/result.h"

namespace etesian {

struct ScaffoldFile {
  std::string path;  ///< Relative to the new DAG's folder.
  std::string text;
  bool is_executable = false;
};

/// "hello", "sql-report", "python-etl", "mapped", "sensor-needs".
std::vector<std::string> scaffold_names();
/// The files of a new DAG, commented for a reader who sees the format for the first time; they load
/// without diagnostics. Errors: NotFound (no such template, with a hint), InvalidInput (the name is
/// no dag id).
Result<std::vector<ScaffoldFile>> scaffold(const std::string& template_name,
                                           const std::string& dag_name);

}  // namespace etesian
