#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/result.h"
#include "loader/bundle.h"
#include "loader/dag_file.h"

namespace etesian {

struct LoadOptions {
  YamlLimits limits;
  BundleLimits bundle_limits;
  /// When given, producers that `needs` names and whose schedule ended before it are errors.
  std::optional<Instant> now;
};

/// What `etesian.yaml` says (docs/dag-format.md#project). All of it is optional.
struct ProjectSettings {
  std::string name;  ///< The folder's name unless given.
  When when;         ///< Presets of every DAG.
  How how;
  std::map<std::string, int> pools;  ///< name -> slots, to be created where missing.
  std::optional<std::vector<std::string>> variables, connections;
  std::map<std::string, std::string> calendars;  ///< name -> path relative to the project.
};

/// One DAG file and what came of it.
struct LoadedFile {
  std::string relative_file;  ///< To the project: "dags/a/dag.yaml".
  LoadedDag loaded;
};

/// A DAG repository as it is on disk at one moment.
struct Project {
  std::string root;         ///< Absolute.
  std::string dags_folder;  ///< Absolute.
  ProjectSettings settings;
  std::vector<LoadedFile>
      files;  ///< By path. Files are independent: a broken one disturbs no other.
  /// Of etesian.yaml and of what lies between files: repeated ids (the later file has no dag), and
  /// `needs` that can never be met. These do not keep a DAG from running.
  std::vector<Diagnostic> diagnostics;

  /// Those of the files and the project, in order of file and line.
  std::vector<Diagnostic> all_diagnostics() const;
};

/// Reads the repository at `folder`: a project (with etesian.yaml), its `dags` folder, or a bare
/// folder of DAGs. A DAG is `<dags>/<name>/dag.yaml` or a single `<dags>/<name>.yaml`. Problems of
/// the folder itself (missing, not a folder) are diagnostics too. Blocks on the disk; bounded by
/// the limits for each file.
Project load_project(const std::string& folder, const LoadOptions& options = {});

/// What a rescan found. (`Change` is the name of a decided fact, model/change.h.)
struct FileChange {
  enum class Kind { Added, Changed, Removed, Broken } kind;
  std::string relative_file;
  std::string dag_id;
  std::shared_ptr<const Dag>
      dag;  ///< Added, Changed. The caller keeps the last good one of a Broken file.
  std::vector<Diagnostic> diagnostics;  ///< Of the file; warnings too.
};

/// A project that is watched. Not thread-safe: one thread owns it.
class Repository {
 public:
  /// Loads everything. Errors: NotFound, when there is no such folder.
  static Result<Repository> open(const std::string& folder, const LoadOptions& options = {});
  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository();

  const Project& project() const;
  enum class Scan {
    Everything,  ///< Two stat(2) calls for a DAG that did not change; needs no inotify.
    Noticed      ///< Only the DAGs that inotify named; Everything where it could not tell.
  };
  /// Reads again what changed on disk and says how. A file that changed within the last moments
  /// before it was read is read again next time, so that no change is lost to a clock's coarse
  /// step.
  std::vector<FileChange> rescan(Scan scan = Scan::Everything);
  /// Readable when something may have changed below the folder; -1 where inotify is not available.
  /// Call `rescan`.
  int wait_fd() const;
  /// False when some folder could not be watched (fs.inotify.max_user_watches): rescan from time to
  /// time.
  bool is_watching_all() const;

 private:
  struct State;
  friend Project load_project(const std::string& folder, const LoadOptions& options);
  explicit Repository(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace etesian
