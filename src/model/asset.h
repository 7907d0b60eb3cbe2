#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"

namespace etesian {

// Airflow's assets: what tasks write and read, and whose events make runs.

using AssetKey = std::int64_t;       ///< Shown to clients as the asset's id.
using AssetAliasKey = std::int64_t;  ///< Shown to clients as the alias's id.
using AssetEventKey = std::int64_t;  ///< Grows from event to event; shown to clients as its id.

/// What a DAG file says of an asset; name and URI together identify it.
struct Asset {
  std::string name, uri, group = "asset";
  std::string extra = "{}";  ///< JSON object.
  friend bool operator==(const Asset&, const Asset&) = default;
};
/// A name under which a task emits events of assets that it chooses when it runs.
struct AssetAlias {
  std::string name, group;
  friend bool operator==(const AssetAlias&, const AssetAlias&) = default;
};

/// How a schedule, an inlet or an outlet names an asset.
struct AssetUse {
  enum class Kind : std::uint8_t {
    Asset,    ///< This one: `name` and `uri`.
    Alias,    ///< Those that events came through the alias `name` for.
    NameRef,  ///< The active one with this `name`.
    UriRef    ///< The active one with this `uri`.
  } kind = Kind::Asset;
  std::string name, uri;
  friend auto operator<=>(const AssetUse&, const AssetUse&) = default;
};

/// Which assets must have had events before a run of their DAG is made.
struct AssetCondition {
  enum class Kind : std::uint8_t { Use, All, Any } kind = Kind::Use;
  AssetUse use;                       ///< For Kind::Use.
  std::vector<AssetCondition> parts;  ///< Otherwise.
  friend bool operator==(const AssetCondition&, const AssetCondition&) = default;
};
/// The leaves of a condition, in the order in which they are written.
std::vector<AssetUse> uses_of(const AssetCondition& condition);

/// An asset as stored.
struct AssetRow {
  AssetKey key = 0;
  Asset asset;
  /// Some DAG names it or an alias leads to it, and no other active asset has its name or its URI.
  bool is_active = false;
  Instant created_at{}, updated_at{};
};
struct AssetAliasRow {
  AssetAliasKey key = 0;
  AssetAlias alias;
};

/// Something happened to an asset: a task that writes it succeeded, or somebody says so.
struct AssetEventRow {
  AssetEventKey key = 0;
  AssetKey asset = 0;
  Instant at{};
  std::string extra = "{}";             ///< JSON object.
  std::string dag_id, run_id, task_id;  ///< Of the task that it comes from; empty: from outside.
  int map_index = -1;
  std::optional<std::string> partition_key;
  std::vector<AssetAliasKey> aliases;  ///< Through which it came.
};

/// An asset that a DAG waits for has had an event since the DAG's last run for assets.
struct AssetQueueRow {
  std::string dag_id;
  AssetKey asset = 0;
  AssetEventKey event = 0;  ///< The first of these events.
  Instant queued_at{};
  friend bool operator==(const AssetQueueRow&, const AssetQueueRow&) = default;
};

}  // namespace etesian
