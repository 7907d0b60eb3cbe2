#pragma once
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace etesian::airflow {

/// What a Python file may import, as far as its text says so.
struct Imports {
  /// Dotted names: "a.b" of `import a.b`; "a.b" and "a.b.c" of `from a.b import c`, where c may be
  /// a module; leading dots of relative imports are dropped.
  std::vector<std::string> modules;
  bool is_dynamic = false;  ///< It names modules at run time (importlib and its kind): any of them.
};
Imports imports_of(std::string_view text);

/// Which Python files of a bundle may import which, whatever is in sys.path: a file stands for each
/// module whose name ends as its path does.
class ImportGraph {
 public:
  /// `folder`: the bundle's, absolute; a module may be named from above it (dags.common.x).
  explicit ImportGraph(const std::string& folder);
  /// `path`: relative to the bundle. Returns the file's number, counted from 0.
  std::size_t add(const std::string& path, Imports imports);
  /// All files that `file` may import, directly or not, ascending, without itself. Cost: their
  /// imports.
  std::vector<std::size_t> reach(std::size_t file) const;

 private:
  struct File {
    std::vector<std::string> name;  ///< Of the module, in parts.
    Imports imports;
  };
  void find(const std::string& module, std::vector<std::size_t>& found) const;
  std::vector<std::string> above_;
  std::vector<File> files_;
  std::multimap<std::string, std::size_t, std::less<>> by_last_;  ///< Last part of the name.
};

}  // namespace etesian::airflow
