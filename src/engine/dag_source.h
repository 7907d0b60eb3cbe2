#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "loader/diagnostic.h"
#include "model/event.h"

namespace etesian {

/// A file that could not be loaded; the last good version of its DAG keeps running.
struct ImportError {
  std::int64_t id = 0;  ///< Stable for one file, unique in one source; the engine makes it unique.
  std::string file;     ///< Relative to the project or bundle.
  std::string bundle;   ///< Empty: the project of native DAGs.
  std::string dag_id;   ///< Empty where unknown.
  Instant at{};
  std::vector<Diagnostic> diagnostics;
  std::string trace;  ///< Python's, as the SDK gives it; empty for native files.
};

/// Something that finds DAGs and tells when they change, on a thread of its own.
class DagSource {
 public:
  struct Listener {
    std::function<void(Event)> on_event;   ///< DagLoaded or DagGone.
    std::function<void(PoolRow)> on_pool;  ///< To be made where it is missing.
    std::function<void()> on_first_scan;   ///< Once, after the events of the first scan.
  };
  virtual ~DagSource() = default;  ///< Joins its thread; no call of the listener comes after it.
  virtual std::vector<ImportError> import_errors() const = 0;
};

/// Makes a source. `known`: the DAGs that the store holds; those of its kind that it does not find
/// are told as DagGone after the first scan.
using MakeDagSource = std::function<Result<std::unique_ptr<DagSource>>(
    std::vector<std::shared_ptr<const Dag>> known, DagSource::Listener listener)>;

}  // namespace etesian
