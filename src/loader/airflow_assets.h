#pragma once
#include <vector>

#include "base/json.h"
#include "model/asset.h"

namespace etesian::airflow_json {

/// The assets and aliases that a serialised DAG names, each once; of a repeated one the last word
/// counts, as in Airflow.
struct NamedAssets {
  std::vector<Asset> assets;
  std::vector<AssetAlias> aliases;
};

/// Inlets or outlets of a task. What is no asset, alias or reference is left out: it is no matter
/// of the scheduler. Throws Refused.
std::vector<AssetUse> asset_uses_from(const json::value& list, NamedAssets& named);
/// The condition of a timetable. Throws Refused.
AssetCondition asset_condition_from(const json::value& condition, NamedAssets& named);

}  // namespace etesian::airflow_json
