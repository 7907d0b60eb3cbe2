#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "model/event.h"

namespace etesian {

/// Watches a project's DAG files on a thread of its own (inotify) and tells what changed: a new or
/// edited DAG, one whose file is gone, and every file that cannot be loaded.
class DagWatch {
 public:
  struct Listener {
    std::function<void(Event)> on_event;   ///< DagLoaded or DagGone.
    std::function<void(PoolRow)> on_pool;  ///< Of etesian.yaml: to be made where missing.
    std::function<void()> on_first_scan;   ///< After the events of the first scan.
  };
  /// `known`: DAGs that the store holds; those without a file are told as DagGone after the first
  /// scan. Errors: NotFound, when the folder does not exist.
  static Result<std::unique_ptr<DagWatch>> start(const std::string& folder,
                                                 std::vector<std::string> known,
                                                 std::shared_ptr<const Clock> clock,
                                                 Listener listener);
  virtual ~DagWatch() = default;
  virtual std::vector<ImportError> import_errors() const = 0;
};

}  // namespace etesian
