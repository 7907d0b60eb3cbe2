#include "model/change.h"

#include <fmt/format.h>

#include "base/time_text.h"

namespace etesian {
namespace {

/// "run 7 extract" is not possible here: a change knows its task by position only.
std::string name_of(const InstanceKey& key) {
  return key.map_index < 0 ? fmt::format("run {} task {}", key.run, key.task)
                           : fmt::format("run {} task {}[{}]", key.run, key.task, key.map_index);
}

std::string owner_of(const StatePlace& place) {
  return place.asset != 0 ? fmt::format("asset {}", place.asset) : name_of(place.instance);
}

struct Line {
  std::string operator()(const DagChanged& c) const {
    return fmt::format("dag '{}': version {}", c.dag->id(), c.dag->version());
  }
  std::string operator()(const DagRemoved& c) const {
    return fmt::format("dag '{}': removed", c.dag_id);
  }
  std::string operator()(const DagPaused& c) const {
    return fmt::format("dag '{}': {}", c.dag_id, c.is_paused ? "paused" : "unpaused");
  }
  std::string operator()(const CursorMoved& c) const {
    return fmt::format("dag '{}': scheduled up to {}", c.dag_id, to_iso_z(c.logical_date));
  }
  std::string operator()(const RunCreated& c) const {
    return fmt::format("run {} '{}/{}': created", c.row.key, c.row.dag_id, c.row.run_id);
  }
  std::string operator()(const RunChanged& c) const {
    return fmt::format("run {}: {} -> {} ({})", c.row.key, to_text(c.from), to_text(c.row.state),
                       c.reason);
  }
  std::string operator()(const RunRemoved& c) const {
    return fmt::format("run {}: removed", c.run);
  }
  std::string operator()(const TaskExpanded& c) const {
    return fmt::format("{}: {} instances", name_of(c.key), c.count);
  }
  std::string operator()(const InstanceChanged& c) const {
    return fmt::format("{}: {} -> {} (try {}) {}", name_of(c.row.key), to_text(c.from),
                       to_text(c.row.state), c.row.try_number, c.reason);
  }
  std::string operator()(const TryOpened& c) const {
    return fmt::format("{}: try {} opened on {}", name_of(c.row.instance), c.row.number,
                       c.row.executor);
  }
  std::string operator()(const TryChanged& c) const {
    const auto what = [&c]() -> std::string {
      if (c.row.outcome)
        return fmt::format("ended: {} {}", to_text(c.row.outcome->cause), c.row.outcome->exit_code);
      if (c.row.stop) return fmt::format("to be stopped: {}", c.row.stop->reason);
      if (!c.row.report.empty()) return "reported: " + c.row.report;
      return c.row.started_at ? "started" : fmt::format("launch {}", c.row.launch);
    };
    return fmt::format("{}: try {} {}", name_of(c.row.instance), c.row.number, what());
  }
  std::string operator()(const OutputStored& c) const {
    return fmt::format("{}: output {} = {}", name_of(c.key), c.name, c.json);
  }
  std::string operator()(const OutputsRemoved& c) const {
    return c.name.empty() ? fmt::format("{}: outputs removed", name_of(c.key))
                          : fmt::format("{}: output {} removed", name_of(c.key), c.name);
  }
  std::string operator()(const StateStored& c) const {
    return fmt::format("{}: state {} = {}", owner_of(c.place), c.key, c.json);
  }
  std::string operator()(const StateRemoved& c) const {
    return c.key.empty() ? fmt::format("{}: state removed", owner_of(c.place))
                         : fmt::format("{}: state {} removed", owner_of(c.place), c.key);
  }
  std::string operator()(const HumanInputChanged& c) const {
    const HumanInput& row = c.row;
    const std::string who = fmt::format("{}: try {}", name_of(row.instance), row.try_number);
    if (!row.answer) return fmt::format("{} asks '{}'", who, row.subject);
    return fmt::format("{} is answered {} by {}", who, texts_to_json(row.answer->chosen),
                       row.answer->by ? row.answer->by->name : "nobody");
  }
  std::string operator()(const AssetChanged& c) const {
    return fmt::format("asset {} '{}' ({}): {}", c.row.key, c.row.asset.name, c.row.asset.uri,
                       c.row.is_active ? "active" : "inactive");
  }
  std::string operator()(const AssetAliasChanged& c) const {
    return fmt::format("asset alias {} '{}'", c.row.key, c.row.alias.name);
  }
  std::string operator()(const AssetAliasBound& c) const {
    return fmt::format("asset alias {}: leads to asset {}", c.alias, c.asset);
  }
  std::string operator()(const AssetEventAdded& c) const {
    const AssetEventRow& row = c.row;
    return fmt::format("asset {}: event {} from {}{}", row.asset, row.key,
                       row.dag_id.empty()
                           ? "outside"
                           : fmt::format("{}/{}/{}", row.dag_id, row.run_id, row.task_id),
                       row.extra == "{}" ? "" : " " + row.extra);
  }
  std::string operator()(const AssetQueued& c) const {
    return fmt::format("dag '{}': asset {} queued by event {}", c.row.dag_id, c.row.asset,
                       c.row.event);
  }
  std::string operator()(const AssetUnqueued& c) const {
    return fmt::format("dag '{}': asset {} no longer queued", c.dag_id, c.asset);
  }
  std::string operator()(const AssetCursorMoved& c) const {
    return fmt::format("dag '{}': asset events up to {} are done with", c.dag_id, c.event);
  }
  std::string operator()(const AssetEventsConsumed& c) const {
    return fmt::format("run {}: consumes events ({}, {}] of assets [{}] and aliases [{}]", c.run,
                       c.after, c.until, fmt::join(c.assets, ","), fmt::join(c.aliases, ","));
  }
  std::string operator()(const PoolChanged& c) const {
    return fmt::format("pool '{}': {} slots", c.row.name, c.row.slots);
  }
  std::string operator()(const PoolRemoved& c) const {
    return fmt::format("pool '{}': removed", c.name);
  }
  std::string operator()(const VariableChanged& c) const {
    return fmt::format("variable '{}': set", c.row.key);
  }
  std::string operator()(const VariableRemoved& c) const {
    return fmt::format("variable '{}': removed", c.key);
  }
  std::string operator()(const ConnectionChanged& c) const {
    return fmt::format("connection '{}': set", c.row.id);
  }
  std::string operator()(const ConnectionRemoved& c) const {
    return fmt::format("connection '{}': removed", c.id);
  }
  std::string operator()(const BackfillChanged& c) const {
    return fmt::format("backfill {} of '{}': {}", c.row.key, c.row.dag_id,
                       c.row.completed_at ? "completed"
                       : c.row.is_paused  ? "paused"
                                          : "active");
  }
  std::string operator()(const Audited& c) const {
    return fmt::format("audit: {} by {}", c.event, c.actor);
  }
};

}  // namespace

std::string to_text(const Change& change) { return std::visit(Line{}, change); }

}  // namespace etesian
