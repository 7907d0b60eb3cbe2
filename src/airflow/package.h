#pragma once
#include <string_view>
#include <vector>

namespace etesian::airflow {

struct PackageFile {
  const char* name;  ///< "etesian_airflow/host.py"
  std::string_view content;
};

/// The Python package that this binary was built with (python/, by cmake/embed_folder.cmake).
std::vector<PackageFile> package_files();

}  // namespace etesian::airflow
