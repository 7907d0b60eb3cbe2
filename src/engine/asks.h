#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "model/change.h"

namespace etesian {

/// What a command was told by the store, until it is decided. What changes meanwhile makes it
/// stale.
struct Ask {
  std::set<RunKey> runs;
  std::string dag_id;  ///< Also when any run of it comes or ends; empty: only `runs`.
  bool is_stale = false;
};

/// The commands that are on their way to the store. Belongs to the engine's thread.
class Asks {
 public:
  std::shared_ptr<Ask> add(Ask about);
  /// Decided after they asked.
  void note(const Change& change);

 private:
  std::vector<std::weak_ptr<Ask>> all_;
};

}  // namespace etesian
