// The world as text, and the recount that proves it.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/time_text.h"
#include "scheduler/state.h"

namespace etesian {
namespace {

std::string text(std::optional<Instant> t) { return t ? to_iso_z(*t) : "-"; }

std::string line_of(const InstanceRow& row) {
  return fmt::format(
      "{}[{}] {} try {} max {} losses {} sched {} queued {} start {} end {} first {} "
      "wake {} lost {} open {} note '{}' resume {} reschedules {}",
      row.key.task, row.key.map_index, to_text(row.state), row.try_number, row.max_tries,
      row.infrastructure_losses, text(row.scheduled_at), text(row.queued_at), text(row.started_at),
      text(row.ended_at), text(row.first_started_at), text(row.wake_at),
      text(row.contact_lost_since), to_text(row.open_try), row.note, row.resume, row.reschedules);
}

void dump_node(std::string& out, const Node& node) {
  const UpstreamCounts& up = node.up;
  for (const InstanceRow& item : node.items) out += "    " + line_of(item) + "\n";
  fmt::format_to(
      std::back_inserter(out),
      "    up {}: {} ok {} failed {} upstream_failed {} skipped {} removed; setups {} {} {}"
      "; scope {} {} {} {}; unfinished {} active {} waiting {}\n",
      up.total, up.success, up.failed, up.upstream_failed, up.skipped, up.removed, up.setups,
      up.success_setup, up.skipped_setup, node.setups.total, node.setups.done, node.setups.failed,
      node.setups.skipped, node.unfinished, node.active, fmt::join(node.scheduled, ","));
  for (const std::string& arguments : node.arguments) out += "    map " + arguments + "\n";
}

void dump_run(std::string& out, const Run& run) {
  const RunRow& row = run.row;
  fmt::format_to(
      std::back_inserter(out),
      "run {} {}/{} {} {} version {} date {} after {} queued {} start {} end {} backfill {} "
      "cleared {} conf {} forced {}\n",
      row.key, row.dag_id, row.run_id, to_text(row.type), to_text(row.state), row.dag_version,
      text(row.logical_date), to_iso_z(row.run_after), to_iso_z(row.queued_at),
      text(row.started_at), text(row.ended_at), row.backfill, row.clear_count, row.conf,
      run.forced ? to_text(*run.forced) : "-");
  fmt::format_to(std::back_inserter(out), "  states {} unfinished {} active {}\n",
                 fmt::join(run.states, " "), run.unfinished, run.active);
  for (const Node& node : run.nodes) dump_node(out, node);
  for (const auto& [key, outputs] : run.outputs)
    for (const KnownOutput& known : outputs)
      fmt::format_to(std::back_inserter(out), "  output {}[{}].{} = {} length {}\n", key.first,
                     key.second, known.name, known.json, known.length.value_or(-1));
  for (const auto& [key, asked] : run.questions)
    fmt::format_to(std::back_inserter(out), "  {} (launch {}, at {})\n",
                   to_text(Change(HumanInputChanged{asked})), to_text(asked.try_id),
                   to_iso_z(asked.asked_at));
}

void dump_dag(std::string& out, const DagEntry& entry) {
  const bool has_limits = std::any_of(entry.limits.begin(), entry.limits.end(),
                                      [](const auto& limit) { return limit.second.active > 0; });
  if (!entry.dag && entry.runs.empty() && !entry.cursor && entry.asset_queue.empty() &&
      !entry.asset_cursor)
    return;
  fmt::format_to(
      std::back_inserter(out), "dag {} version {} paused {} cursor {} runs {}: {} running\n",
      entry.id, entry.dag ? entry.dag->version() : "-", entry.is_paused,
      entry.cursor ? to_iso_z(entry.cursor->logical_date) : "-", entry.unfinished, entry.running);
  for (const Instant date : entry.dates_ahead) out += "  ahead " + to_iso_z(date) + "\n";
  for (const auto& [after, key] : entry.queued) out += fmt::format("  queued {}\n", key);
  if (entry.asset_cursor) out += fmt::format("  asset events after {}\n", *entry.asset_cursor);
  for (const auto& [asset, row] : entry.asset_queue)
    out +=
        fmt::format("  asset {} queued by {} at {}\n", asset, row.event, to_iso_z(row.queued_at));
  for (const auto& [date, run] : entry.last_runs) out += "  last " + run.row.run_id + "\n";
  if (has_limits)
    for (const auto& [task, limit] : entry.limits)
      if (limit.active > 0) out += fmt::format("  limit {} {}\n", task, limit.active);
}

void dump_assets(std::string& out, const AssetRegistry& assets) {
  fmt::format_to(std::back_inserter(out), "next asset {} alias {} event {}\n", assets.next_key,
                 assets.next_alias_key, assets.next_event_key);
  for (const auto& [key, row] : assets.rows)
    fmt::format_to(std::back_inserter(out), "{} group {} extra {} bound {} mentioned {}\n",
                   to_text(Change(AssetChanged{row})), row.asset.group, row.asset.extra,
                   assets.bound.contains(key) ? assets.bound.at(key) : 0,
                   assets.mentions.contains({row.asset.name, row.asset.uri}));
  for (const auto& [name, alias] : assets.aliases)
    fmt::format_to(std::back_inserter(out), "alias {} '{}' group {}: {}\n", alias.row.key, name,
                   alias.row.alias.group, fmt::join(alias.assets, ","));
  for (const auto& [use, dags] : assets.waiting)
    fmt::format_to(std::back_inserter(out), "waiting for {} '{}' '{}': {}\n",
                   static_cast<int>(use.kind), use.name, use.uri, fmt::join(dags, ","));
}

/// Every task with scheduled instances waits in exactly one place.
std::string misplaced(const World::State& s) {
  for (const auto& [key, run] : s.runs) {
    for (TaskIndex t = 0; t < run->nodes.size(); ++t) {
      const Node& node = run->nodes[t];
      if (node.scheduled.empty() != (node.place == Place::Nowhere))
        return fmt::format("run {} task {}: {} instances wait, place {}", key, t,
                           node.scheduled.size(), static_cast<int>(node.place));
      bool in_line = false;
      for (const auto& [line, part] : run->waiting)
        in_line = in_line || part.contains({-run->dag->priority_weight(t), t});
      if (in_line != (node.place == Place::Line))
        return fmt::format("run {} task {}: in line {}, place {}", key, t, in_line,
                           static_cast<int>(node.place));
    }
    for (const auto& [line, part] : run->waiting)
      if (!part.empty() && s.lines[line].heads.contains(s.head_of(*run, part)) == run->is_withdrawn)
        return fmt::format("run {}: withdrawn {} but its head says otherwise", key,
                           run->is_withdrawn);
  }
  return {};
}

std::string first_difference(const std::string& counted, const std::string& recounted) {
  std::istringstream a(counted), b(recounted);
  for (std::string x, y;;) {
    const bool more_a = static_cast<bool>(std::getline(a, x));
    const bool more_b = static_cast<bool>(std::getline(b, y));
    if (!more_a && !more_b) return {};
    if (more_a != more_b || x != y)
      return fmt::format("world says '{}', rows say '{}'", more_a ? x : "", more_b ? y : "");
  }
}

}  // namespace

std::string World::dump() const {
  const State& s = *state_;
  std::string out = fmt::format("next run {} backfill {}\n", s.next_run_key, s.next_backfill_key);
  dump_assets(out, s.assets);
  for (const auto& [id, entry] : s.dags) dump_dag(out, entry);
  for (const auto& [key, run] : s.runs) dump_run(out, *run);
  for (const TryRow& row : open_tries())
    fmt::format_to(
        std::back_inserter(out),
        "try {} run {} {}[{}] number {} launch {} on {}/{} pid {} queued {} start {} stop {} "
        "worker '{}' report {}\n",
        to_text(row.id), row.instance.run, row.instance.task, row.instance.map_index, row.number,
        row.launch, row.executor, row.session, row.pid, to_iso_z(row.queued_at),
        text(row.started_at), row.stop ? row.stop->reason : "-", row.worker, row.report);
  for (const auto& [name, pool] : s.pools)
    if (pool.exists || pool.used() + pool.scheduled > 0)
      fmt::format_to(std::back_inserter(out), "pool {} of {}: {} queued {} running {} waiting\n",
                     name, pool.row.slots, pool.queued, pool.running, pool.scheduled);
  for (const auto& [key, backfill] : s.backfills)
    fmt::format_to(std::back_inserter(out),
                   "backfill {} {} paused {}: queued {} unfinished {} running {}\n", key,
                   backfill.row.dag_id, backfill.row.is_paused, fmt::join(backfill.queued, ","),
                   fmt::join(backfill.unfinished, ","), backfill.running);
  for (const auto& [key, facts] : s.past)
    for (const PastSuccess& fact : facts)
      fmt::format_to(std::back_inserter(out), "past {}.{} [{}, {}) {}\n", key.first, key.second,
                     to_iso_z(fact.interval.start), to_iso_z(fact.interval.end),
                     to_iso_z(fact.ended_at));
  return out;
}

StoredState World::rows() const {
  const State& s = *state_;
  StoredState rows;
  for (const auto& [id, entry] : s.dags)
    rows.dags.push_back({entry.dag,
                         id,
                         entry.is_paused,
                         entry.is_removed,
                         entry.cursor,
                         {entry.dates_ahead.begin(), entry.dates_ahead.end()},
                         entry.asset_cursor});
  for (const auto& [key, row] : s.assets.rows) rows.assets.push_back(row);
  for (const auto& [name, alias] : s.assets.aliases) {
    rows.aliases.push_back(alias.row);
    for (const AssetKey asset : alias.assets) rows.alias_assets.push_back({alias.row.key, asset});
  }
  for (const auto& [id, entry] : s.dags)
    for (const auto& [asset, row] : entry.asset_queue) rows.asset_queue.push_back(row);
  rows.next_asset_key = s.assets.next_key;
  rows.next_alias_key = s.assets.next_alias_key;
  rows.next_asset_event_key = s.assets.next_event_key;
  for (const auto& [key, run] : s.runs) rows.runs.push_back(s.rows_of(*run));
  rows.open_tries = open_tries();
  rows.pools = pools();
  rows.backfills = backfills();
  for (const auto& [key, facts] : s.past)
    rows.past.insert(rows.past.end(), facts.begin(), facts.end());
  for (const auto& [id, entry] : s.dags)
    for (const auto& [date, run] : entry.last_runs) rows.last_runs.push_back(run);
  rows.next_run_key = s.next_run_key;
  rows.next_backfill_key = s.next_backfill_key;
  return rows;
}

std::string World::check() const {
  if (std::string wrong = misplaced(*state_); !wrong.empty()) return wrong;
  return first_difference(dump(), World::load(rows(), {}, state_->limits).dump());
}

}  // namespace etesian
