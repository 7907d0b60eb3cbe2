// Building a world from rows, and rows from a world.
#include <algorithm>

#include "base/check.h"
#include "scheduler/state.h"

namespace etesian {

StoredState::ActiveRun World::State::rows_of(const Run& run) const {
  StoredState::ActiveRun rows;
  rows.row = run.row;
  rows.dag = run.dag;
  for (const Node& node : run.nodes) {
    rows.instances.insert(rows.instances.end(), node.items.begin(), node.items.end());
    if (!node.is_expanded()) continue;
    for (std::size_t i = 0; i < node.items.size(); ++i)
      rows.map_arguments.emplace_back(node.items[i].key, node.arguments[i]);
  }
  for (const auto& [key, outputs] : run.outputs)
    for (const KnownOutput& known : outputs)
      rows.outputs.push_back(
          {{run.row.key, key.first, key.second}, known.name, known.json, known.length});
  for (const auto& [key, asked] : run.questions) rows.questions.push_back(asked);
  return rows;
}

void World::State::put_run(StoredState::ActiveRun rows) {
  const RunKey key = rows.row.key;
  add_run(rows.row, rows.dag);
  Run& run = *find(key);
  std::vector<std::int32_t> count(run.nodes.size());
  for (const InstanceRow& item : rows.instances)
    count[item.key.task] = std::max(count[item.key.task], item.key.map_index + 1);
  std::vector<std::vector<std::string>> arguments(run.nodes.size());
  for (TaskIndex t = 0; t < run.nodes.size(); ++t)
    arguments[t].resize(static_cast<std::size_t>(count[t]), "{}");
  for (const auto& [its, json] : rows.map_arguments)
    if (its.map_index >= 0) arguments[its.task][static_cast<std::size_t>(its.map_index)] = json;
  for (TaskIndex t = 0; t < run.nodes.size(); ++t)
    if (count[t] > 0) expand({key, t, -1}, count[t], std::move(arguments[t]));
  for (InstanceRow& item : rows.instances) set_instance(run, std::move(item));
  for (auto& output : rows.outputs)
    set_output(run, {output.key, std::move(output.name), std::move(output.json), output.length});
  for (HumanInput& asked : rows.questions) set_question(run, std::move(asked));
  update_withdrawal(run);
}

void World::State::retire(Run& run) {
  DagEntry& its = *run.entry;
  if (run.plan->has_past && run.row.logical_date)
    its.last_runs.insert_or_assign(*run.row.logical_date, rows_of(run));
  drop_run(run.row.key);
  prune_last_runs(its);
}

void World::State::prune_last_runs(DagEntry& its) const {
  if (its.last_runs.empty()) return;
  std::set<Instant> active;
  for (const RunKey key : its.runs)
    if (const auto& date = find(key)->row.logical_date) active.insert(*date);
  for (auto at = its.last_runs.begin(); at != its.last_runs.end();) {
    const auto next = std::next(at);
    const auto looker = active.upper_bound(at->first);
    const bool is_kept =
        next == its.last_runs.end() || (looker != active.end() && *looker <= next->first);
    if (!is_kept) its.last_runs.erase(at);
    at = next;
  }
}

void World::revive(StoredState::ActiveRun run) {
  if (state_->find(run.row.key)) return;
  const RunKey key = run.row.key;
  ETESIAN_CHECK(state_->agenda.nodes.empty() && state_->agenda.runs.empty());
  state_->put_run(std::move(run));
  // What it did is known already; only the command that follows may change something.
  state_->forget_agenda();
  state_->ended.push_back(key);
}

void World::recall(StoredState::ActiveRun finished) {
  if (!finished.row.logical_date || state_->find(finished.row.key)) return;
  const Instant date = *finished.row.logical_date;
  state_->entry(finished.row.dag_id).last_runs.insert_or_assign(date, std::move(finished));
}

void World::State::forget_agenda() {
  for (const InstanceKey& noted : agenda.nodes)
    if (Run* run = find(noted.run)) run->nodes[noted.task].is_noted = false;
  for (const RunKey noted : agenda.runs)
    if (Run* run = find(noted)) run->is_noted = false;
  agenda = {};
}

World World::load(StoredState stored, const Moment& moment, Limits limits) {
  World world(limits);
  State& s = *world.state_;
  for (auto& row : stored.assets) s.assets.set(std::move(row));
  for (auto& row : stored.aliases) s.assets.set_alias(std::move(row));
  for (const AssetAliasBound& bound : stored.alias_assets) s.assets.bind(bound.alias, bound.asset);
  for (auto& dag : stored.dags) {
    s.set_dag(dag.dag_id, std::move(dag.dag));
    DagEntry& entry = s.entry(dag.dag_id);
    entry.is_paused = dag.is_paused;
    entry.cursor = std::move(dag.cursor);
    entry.dates_ahead.insert(dag.dates_ahead.begin(), dag.dates_ahead.end());
    entry.asset_cursor = dag.asset_cursor;
  }
  for (AssetQueueRow& row : stored.asset_queue)
    s.entry(row.dag_id).asset_queue.emplace(row.asset, row);
  for (auto& row : stored.pools) s.set_pool(std::move(row));
  for (auto& row : stored.backfills) s.set_backfill(std::move(row));
  for (auto& run : stored.runs) s.put_run(std::move(run));
  for (auto& row : stored.open_tries) s.open_try(std::move(row), moment);
  for (auto& run : stored.last_runs) {
    const auto date = run.row.logical_date;
    if (date) s.entry(run.row.dag_id).last_runs.insert_or_assign(*date, std::move(run));
  }
  s.past.clear();
  for (auto& fact : stored.past) s.learn(std::move(fact));
  AssetRegistry& assets = s.assets;
  assets.next_key = std::max(assets.next_key, stored.next_asset_key);
  assets.next_alias_key = std::max(assets.next_alias_key, stored.next_alias_key);
  assets.next_event_key = std::max(assets.next_event_key, stored.next_asset_event_key);
  s.next_run_key = std::max(s.next_run_key, stored.next_run_key);
  s.next_backfill_key = std::max(s.next_backfill_key, stored.next_backfill_key);
  // A world that was stored was settled; looking once at everything costs little and heals much.
  for (auto& [key, run] : s.runs) s.note_all(*run);
  return world;
}

}  // namespace etesian
