#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/diagnostic.h"
#include "loader/how.h"
#include "loader/when.h"
#include "loader/yaml.h"
#include "model/dag.h"

namespace etesian {

/// What the loader asks about a command's file.
struct FileFacts {
  bool exists = false;
  bool is_folder = false;
  bool is_executable = false;
  bool has_interpreter = false;  ///< Begins with "#!", or is a binary.
};

/// What a DAG file is read in.
struct DagFileContext {
  std::string file;         ///< For diagnostics, relative to the project: "dags/a/dag.yaml".
  std::string default_id;   ///< Id of a DAG that does not say `dag:`: its folder's or file's name.
  std::string folder;       ///< Absolute folder of commands and files.
  std::string bundle_hash;  ///< Hash of the folder's content; part of the version.
  When when;                ///< Presets of the project.
  How how;
  /// Names that the project declares; nullopt: it declares none, so that none is checked.
  std::optional<std::vector<std::string>> pools, variables, connections;
  /// Facts of a file, relative to `folder`; empty function: files are not looked at.
  std::function<FileFacts(const std::string& relative)> look;
  ReadCalendar read_calendar = [](const std::string& name) -> Result<std::string> {
    return Error{ErrorCode::NotFound, "no calendar '" + name + "'"};
  };
  YamlLimits limits;
};

struct LoadedDag {
  std::string id;  ///< Known as soon as the YAML is readable, also of a broken file.
  std::shared_ptr<const Dag> dag;       ///< Null when a diagnostic is an error.
  std::vector<Diagnostic> diagnostics;  ///< All mistakes of the file, by position.
};

/// Reads one DAG file (docs/dag-format.md). A pure function of its arguments; time and memory are
/// bounded by the limits of the context. Never throws.
LoadedDag load_dag(const std::string& text, const DagFileContext& context);

}  // namespace etesian
