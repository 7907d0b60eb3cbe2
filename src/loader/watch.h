#pragma once
#include <map>
#include <set>
#include <string>

#include "base/file.h"

namespace etesian {

/// inotify on many folders, each under the name of the DAG that it belongs to.
class FolderWatch {
 public:
  FolderWatch();
  /// Files that are written, moved or removed in `folder` will be noticed as `owner`.
  void add(const std::string& folder, const std::string& owner);
  /// Owners noticed since the last call. For the owner "" the name of the file in the folder is
  /// given instead.
  struct Noticed {
    std::set<std::string> owners, names;
    bool is_certain = true;  ///< False after an overflow, or when a folder is not watched.
  };
  Noticed take();
  int fd() const { return fd_.get(); }
  bool is_watching_all() const { return is_watching_all_; }

 private:
  Fd fd_;
  std::map<int, std::string> owners_;
  bool is_watching_all_ = true;
};

}  // namespace etesian
