#pragma once
#include "base/json.h"
#include "model/asset.h"
#include "store/store.h"

namespace etesian::api {

json::object asset_json(const AssetSummary& asset);
json::object asset_alias_json(const AssetAliasRow& alias);
json::object asset_event_json(const AssetEventSummary& event);
json::object queued_event_json(const AssetQueueRow& row);

}  // namespace etesian::api
