#include "loader/airflow_assets.h"

#include <algorithm>
#include <optional>

#include "loader/airflow_json.h"

namespace etesian::airflow_json {
namespace {

constexpr const char* kWhere = "an asset";

std::string text_or(const json::object& asset, std::string_view name, std::string otherwise) {
  const json::value* found = member(asset, name);
  return found ? text(*found, kWhere) : std::move(otherwise);
}

void name(NamedAssets& named, Asset asset) {
  const auto same = std::find_if(named.assets.begin(), named.assets.end(), [&](const Asset& other) {
    return other.name == asset.name && other.uri == asset.uri;
  });
  if (same == named.assets.end())
    named.assets.push_back(std::move(asset));
  else
    *same = std::move(asset);
}

void name(NamedAssets& named, AssetAlias alias) {
  const auto same = std::find_if(named.aliases.begin(), named.aliases.end(),
                                 [&](const AssetAlias& other) { return other.name == alias.name; });
  if (same == named.aliases.end())
    named.aliases.push_back(std::move(alias));
  else
    *same = std::move(alias);
}

/// The type and the members: wrapped in tasks, beside each other in timetables.
struct Tagged {
  std::string type;
  const json::object* members;
};
std::optional<Tagged> tagged(const json::value& value) {
  const json::object* outer = value.if_object();
  const json::value* type = outer ? outer->if_contains("__type") : nullptr;
  if (!type || !type->is_string()) return std::nullopt;
  const json::value* inner = outer->if_contains("__var");
  const json::object* members = inner ? inner->if_object() : outer;
  if (!members) return std::nullopt;
  return Tagged{std::string(type->get_string()), members};
}

AssetUse asset_from(const json::object& members, NamedAssets& named) {
  if (member(members, "watchers"))
    refuse("watchers of an asset", "let a DAG with a sensor write the asset");
  Asset asset;
  asset.name = text(required(members, "name", kWhere), kWhere);
  asset.uri = text(required(members, "uri", kWhere), kWhere);
  asset.group = text_or(members, "group", asset.group);
  if (const json::value* extra = member(members, "extra"))
    if (const json::value bare = plain(*extra); bare.is_object())
      asset.extra = json::serialize(bare);
  AssetUse use{AssetUse::Kind::Asset, asset.name, asset.uri};
  name(named, std::move(asset));
  return use;
}

std::optional<AssetUse> use_from(const Tagged& tagged, NamedAssets& named) {
  const json::object& members = *tagged.members;
  if (tagged.type == "asset") return asset_from(members, named);
  if (tagged.type == "asset_alias") {
    AssetAlias alias{text(required(members, "name", kWhere), kWhere),
                     text_or(members, "group", "asset")};
    AssetUse use{AssetUse::Kind::Alias, alias.name, ""};
    name(named, std::move(alias));
    return use;
  }
  if (tagged.type != "asset_ref") return std::nullopt;
  if (const json::value* by_name = member(members, "name"))
    return AssetUse{AssetUse::Kind::NameRef, text(*by_name, kWhere), ""};
  return AssetUse{AssetUse::Kind::UriRef, "", text(required(members, "uri", kWhere), kWhere)};
}

}  // namespace

std::vector<AssetUse> asset_uses_from(const json::value& list, NamedAssets& named) {
  std::vector<AssetUse> uses;
  for (const json::value& each : array(list, "inlets or outlets"))
    if (const auto its = tagged(each))
      if (auto use = use_from(*its, named)) uses.push_back(std::move(*use));
  return uses;
}

AssetCondition asset_condition_from(const json::value& condition, NamedAssets& named) {
  AssetCondition result;
  const auto its = tagged(condition);
  if (!its) malformed("'asset_condition'", "is no asset");
  if (its->type != "asset_all" && its->type != "asset_any") {
    auto use = use_from(*its, named);
    if (!use) malformed("'asset_condition'", "holds '" + its->type + "'");
    result.use = std::move(*use);
    return result;
  }
  result.kind = its->type == "asset_all" ? AssetCondition::Kind::All : AssetCondition::Kind::Any;
  for (const json::value& part : array(required(*its->members, "objects", kWhere), kWhere))
    result.parts.push_back(asset_condition_from(part, named));
  return result;
}

}  // namespace etesian::airflow_json
