#pragma once
#include "store/store.h"

namespace etesian {

/// A DAG from what the store keeps of it. Errors: Corrupt, InvalidInput (of another release).
Result<std::shared_ptr<const Dag>> build_stored_dag(const DagSummary& stored);

/// The same for many runs of the same few versions.
Store::DagBuilder building_each_once();

}  // namespace etesian
