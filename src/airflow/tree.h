#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "airflow/sources.h"

namespace etesian::airflow {

/// A file of a bundle that matters.
struct TreeFile {
  enum class Kind {
    Python,  ///< .py
    Zip,     ///< .zip
    Data     ///< What DAG files make DAGs of: YAML, JSON, TOML, INI.
  } kind = Kind::Python;
  std::string path;         ///< Relative to the bundle.
  bool is_ignored = false;  ///< By .airflowignore: no DAG file, but others may import it.
  /// Changes with every change of the file.
  struct Mark {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  } mark;
};

/// A file of one of several bundles: the bundle's number, the path in it.
using BundleFile = std::pair<std::size_t, std::string>;

/// What lies in a bundle. Symbolic links are followed, as Airflow does; a folder that is reached
/// twice counts once (Airflow refuses such a tree). Left out: native folders, virtual environments,
/// what tools keep for themselves (.git, __pycache__, …), devices, pipes and sockets.
struct Tree {
  std::vector<TreeFile> files;  ///< By path.
  /// What must be watched to hear of changes: absolute folders; with a name: that entry alone.
  struct Place {
    std::string folder, name;
  };
  std::vector<Place> places;
  /// Folders (relative) that could not be read, "" for the bundle itself: what was below them may
  /// still be there.
  std::vector<std::string> unreadable;
};

/// Looks now. Cost: one stat a file.
Tree look_at(const Bundle& bundle);

/// Airflow's safe mode: the text mentions "airflow", and "dag" or "asset", in any case.
bool might_hold_dags(std::string_view text);

}  // namespace etesian::airflow
