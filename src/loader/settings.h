#pragma once
#include <string>
#include <vector>

#include "loader/project.h"

namespace etesian {

/// Where a project's parts lie.
struct Layout {
  std::string root, dags_folder;
  std::string settings_file;  ///< Empty: there is none.
};
/// Errors: NotFound, InvalidInput.
Result<Layout> find_layout(const std::string& folder);

/// Reads etesian.yaml; mistakes go to `diagnostics` and leave the default.
ProjectSettings read_settings(const Layout& layout, const LoadOptions& options,
                              std::vector<Diagnostic>& diagnostics);

/// Everything a DAG file of the project is read in, but for its own names.
DagFileContext context_of(const Layout& layout, const ProjectSettings& settings,
                          const LoadOptions& options);

/// `needs` between DAGs, and repeated ids: of those the later files lose their DAG.
std::vector<Diagnostic> check_between(std::vector<LoadedFile>& files,
                                      const std::optional<Instant>& now);

/// The file of a DAG entry of the dags folder: "<name>/dag.yaml" or "<name>.yaml", and what it is
/// called.
struct DagPath {
  std::string path;      ///< Absolute.
  std::string relative;  ///< To the project.
  std::string name;      ///< Default id.
  std::string folder;    ///< Absolute, where its files are.
  bool has_bundle = false;
};
/// Names in the dags folder, sorted; not each is a DAG's. Errors: Denied.
Result<std::vector<std::string>> dag_names(const Layout& layout);
/// The DAG of a name in the dags folder, nullopt: there is none. Links are followed only within the
/// project; others are reported.
std::optional<DagPath> find_dag(const Layout& layout, const std::string& name,
                                std::vector<Diagnostic>& diagnostics);

/// One file with its bundle.
struct ReadFile {
  LoadedFile file;
  std::vector<std::pair<std::string, FileSign>> signs;
  std::vector<std::string> folders;
};
ReadFile read_dag_file(const DagPath& entry, const DagFileContext& context,
                       const LoadOptions& options);

}  // namespace etesian
