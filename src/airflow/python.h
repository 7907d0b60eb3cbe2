#pragma once
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace etesian::airflow {

inline constexpr const char* kAirflowVersion = "3.3.2";
inline constexpr const char* kStandardProviderVersion = "1.21.0";

/// Where to look for the interpreter of the Airflow environment, first match wins.
struct PythonSearch {
  /// `etesian up --airflow-python`, or ETESIAN_AIRFLOW_PYTHON: an interpreter, or the folder of a
  /// virtual environment.
  std::string given;
  std::string dags_folder;  ///< Its `.venv` or `venv`, and those of the folder above it.
  std::string virtual_env;  ///< $VIRTUAL_ENV.
  std::string home;         ///< Installation's folder: `<home>/airflow-venv`, made where needed.
};

/// Path of an interpreter that can import airflow in a supported version; the last place to look is
/// python3 of $PATH. Blocks for a moment: interpreters are asked. Errors: NotFound (none; says how
/// to make one), InvalidInput (one of the places has another version: which, and what is
/// supported).
Result<std::string> find_python(const PythonSearch& search);

/// Makes `<home>/airflow-venv` with the pinned packages (and the folder's requirements.txt, when
/// there is one; it is made anew when that has changed) from the package index that pip is
/// configured for. Takes a minute; tells progress on stderr. Returns its interpreter. Errors:
/// NotFound (no Python of a fitting version), Unavailable with pip's last lines.
Result<std::string> make_venv(const PythonSearch& search);

/// Writes the Python package that is embedded in this binary below `folder`, once per content, and
/// returns the folder for PYTHONPATH.
Result<std::string> unpack_package(const std::string& folder);

/// Changes when what DAG files import beside themselves may have changed: the interpreter, its
/// installed packages, the plugins folder, variables AIRFLOW_* (but the server's address).
std::string environment_key(const std::string& python,
                            const std::vector<std::pair<std::string, std::string>>& environment);

}  // namespace etesian::airflow
