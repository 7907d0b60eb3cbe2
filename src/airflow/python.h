#pragma once
#include <string>

#include "base/result.h"

namespace etesian::airflow {

inline constexpr const char* kAirflowVersion = "3.3.2";

/// Where to look for the interpreter of the Airflow environment, first match wins.
struct PythonSearch {
  std::string given;        ///< `etesian up --airflow-python`, or ETESIAN_AIRFLOW_PYTHON.
  std::string dags_folder;  ///< Its `.venv` or `venv`, and those of the folder above it.
  std::string virtual_env;  ///< $VIRTUAL_ENV.
  std::string home;         ///< Installation's folder: `<home>/airflow-venv`, made where needed.
};

/// Path of an interpreter that can import airflow in a supported version. Errors: NotFound (none;
/// says how to make one), InvalidInput (it has another version: which, and what is supported).
Result<std::string> find_python(const PythonSearch& search);

/// Makes `<home>/airflow-venv` with the pinned packages (and the folder's requirements.txt, when
/// there is one) from the package index that pip is configured for. Takes a minute; tells progress
/// on stderr. Errors: Unavailable with pip's last lines.
Result<std::string> make_venv(const PythonSearch& search);

/// Writes the Python package that is embedded in this binary below `folder`, once per content, and
/// returns the folder for PYTHONPATH.
Result<std::string> unpack_package(const std::string& folder);

}  // namespace etesian::airflow
