#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "airflow/tree.h"
#include "base/file.h"

namespace etesian::airflow {

/// inotify on the places of some trees.
class TreeWatch {
 public:
  TreeWatch();
  /// Watches these places and no others. True when some are new: what has happened in them since
  /// they were looked at was not heard.
  bool follow(const std::vector<Tree::Place>& places);
  /// Reads what has happened; true when any of it may matter.
  bool take();
  int fd() const { return fd_.get(); }
  bool sees_all() const { return sees_all_; }  ///< False: some place cannot be watched; look often.

 private:
  Fd fd_;
  std::map<int, std::set<std::string>> names_;  ///< By watch; holds "" where any name matters.
  bool sees_all_ = true;
};

}  // namespace etesian::airflow
