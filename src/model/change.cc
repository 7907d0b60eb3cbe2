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
