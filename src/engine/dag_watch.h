#pragma once
#include <memory>
#include <string>

#include "base/clock.h"
#include "engine/dag_source.h"

namespace etesian {

/// Watches a project's own DAG files (dag.yaml) with inotify. Errors of making it: NotFound, when
/// the folder does not exist.
MakeDagSource dag_watch(std::string folder, std::shared_ptr<const Clock> clock);

}  // namespace etesian
