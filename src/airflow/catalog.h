#pragma once
#include <map>
#include <string>
#include <vector>

#include "airflow/imports.h"
#include "airflow/tree.h"

namespace etesian::airflow {

/// A file that may hold DAGs.
struct DagFile {
  std::string path;     ///< Relative to the bundle.
  std::string content;  ///< Hash of its own content.
  /// Hash of everything that decides what comes out of it: its own content and place, those of
  /// what it may import or read, the environment. Equal inputs need no second parse.
  std::string input;
  std::int64_t modified_ns = 0;
  std::string unreadable;  ///< Why it cannot be read; empty: it can.
};

/// What a bundle holds, kept up to date. Reads a file only when it has changed. Not thread-safe.
class Catalog {
 public:
  Catalog(Bundle bundle, std::string environment_key)
      : bundle_(std::move(bundle)), environment_key_(std::move(environment_key)) {}

  struct Look {
    std::vector<DagFile> files;  ///< By path.
    std::vector<Tree::Place> places;
    std::string problem;  ///< The bundle cannot be read; `files` is what was there before.
  };
  Look look();
  const Bundle& bundle() const { return bundle_; }

 private:
  /// What is remembered of a file while it does not change.
  struct Known {
    TreeFile::Mark mark;
    bool is_fresh = false;  ///< It was read so soon after a change that the next leaves no mark.
    std::string hash;
    bool may_hold_dags = false;
    Imports imports;
    std::string unreadable;
  };
  void read(const TreeFile& file, Known& known) const;
  bool is_dag_file(const TreeFile& file, const Known& known) const;
  std::vector<DagFile> with_inputs(const std::vector<TreeFile>& files) const;

  Bundle bundle_;
  std::string environment_key_;
  std::map<std::string, Known> known_;  ///< By path.
  std::vector<DagFile> last_;
  std::vector<TreeFile> last_tree_;
};

}  // namespace etesian::airflow
