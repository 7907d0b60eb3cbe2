#include "scheduler/world.h"

#include <algorithm>

#include "scheduler/state.h"

namespace etesian {

World::World(Limits limits) : state_(std::make_unique<State>()) {
  state_->limits = limits;
  PoolRow pool;
  pool.name = "default_pool";
  pool.description = "Default pool";
  state_->set_pool(std::move(pool));
}
World::World(World&&) noexcept = default;
World& World::operator=(World&&) noexcept = default;
World::~World() = default;

void World::learn(PastSuccess fact) {
  const std::string dag_id = fact.dag_id;
  state_->learn(std::move(fact));
  state_->note_consumers(dag_id);
}

void World::set_map_evaluator(MapEvaluator evaluator) {
  state_->evaluate_map = std::move(evaluator);
}

void World::set_field_renderer(FieldRenderer renderer) {
  state_->render_fields = std::move(renderer);
}

std::shared_ptr<const Dag> World::dag(const std::string& dag_id) const {
  const auto found = state_->dags.find(dag_id);
  return found == state_->dags.end() ? nullptr : found->second.dag;
}
std::vector<std::string> World::dag_ids() const {
  std::vector<std::string> ids;
  for (const auto& [id, entry] : state_->dags)
    if (entry.dag) ids.push_back(id);
  return ids;
}
bool World::is_paused(const std::string& dag_id) const {
  const auto found = state_->dags.find(dag_id);
  return found != state_->dags.end() && found->second.is_paused;
}
std::optional<RunSlot> World::next_run(const std::string& dag_id) const {
  const auto found = state_->dags.find(dag_id);
  return found == state_->dags.end() ? std::nullopt : found->second.next;
}
std::shared_ptr<const Dag> World::dag_of(RunKey run) const {
  const Run* found = state_->find(run);
  return found ? found->dag : nullptr;
}
const RunRow* World::run(RunKey run) const {
  const Run* found = state_->find(run);
  return found ? &found->row : nullptr;
}
std::optional<RunKey> World::find_run(const std::string& dag_id, const std::string& run_id) const {
  const auto found = state_->run_ids.find({dag_id, run_id});
  if (found == state_->run_ids.end()) return std::nullopt;
  return found->second;
}
std::vector<RunKey> World::active_runs(const std::string& dag_id) const {
  const auto found = state_->dags.find(dag_id);
  if (found == state_->dags.end()) return {};
  return {found->second.runs.begin(), found->second.runs.end()};
}
std::optional<InstanceRow> World::instance(const InstanceKey& key) const {
  const InstanceRow* found = std::as_const(*state_).find(key);
  if (!found) return std::nullopt;
  return *found;
}
std::vector<InstanceRow> World::instances(RunKey run) const {
  std::vector<InstanceRow> rows;
  if (const Run* found = state_->find(run))
    for (const Node& node : found->nodes)
      rows.insert(rows.end(), node.items.begin(), node.items.end());
  return rows;
}
const TryRow* World::open_try(const Uuid& try_id) const {
  const auto found = state_->tries.find(try_id);
  return found == state_->tries.end() ? nullptr : &found->second.row;
}
std::vector<TryRow> World::open_tries() const {
  std::vector<TryRow> rows;
  rows.reserve(state_->tries.size());
  for (const auto& [id, open] : state_->tries) rows.push_back(open.row);
  std::sort(rows.begin(), rows.end(), [](const TryRow& a, const TryRow& b) { return a.id < b.id; });
  return rows;
}
const std::string* World::output(const InstanceKey& key, const std::string& name) const {
  const Run* run = state_->find(key.run);
  if (!run) return nullptr;
  const auto found = run->outputs.find({key.task, key.map_index});
  if (found == run->outputs.end()) return nullptr;
  for (const KnownOutput& known : found->second)
    if (known.name == name) return &known.json;
  return nullptr;
}
const std::string& World::map_arguments(const InstanceKey& key) const {
  static const std::string kNone = "{}";
  const Run* run = state_->find(key.run);
  if (!run || key.map_index < 0 || key.task >= run->nodes.size()) return kNone;
  const auto& arguments = run->nodes[key.task].arguments;
  const auto at = static_cast<std::size_t>(key.map_index);
  return at < arguments.size() ? arguments[at] : kNone;
}
std::vector<PoolRow> World::pools() const {
  std::vector<PoolRow> rows;
  for (const auto& [name, pool] : state_->pools)
    if (pool.exists) rows.push_back(pool.row);
  return rows;
}
World::PoolUse World::pool_use(const std::string& pool) const {
  const auto found = state_->pools.find(pool);
  if (found == state_->pools.end()) return {};
  return {found->second.running, found->second.queued, found->second.scheduled,
          found->second.deferred};
}
std::vector<BackfillRow> World::backfills() const {
  std::vector<BackfillRow> rows;
  for (const auto& [key, backfill] : state_->backfills) rows.push_back(backfill.row);
  return rows;
}
World::Timers World::next_timer() const {
  Timers timers;
  const auto earliest = [&timers](const auto& set) {
    if (!set.empty() && (!timers.wall || set.begin()->first < *timers.wall))
      timers.wall = set.begin()->first;
  };
  earliest(state_->sleepers);
  earliest(state_->run_timers);
  earliest(state_->dag_timers);
  if (!state_->try_timers.empty()) timers.uptime = state_->try_timers.begin()->first;
  return timers;
}
World::Size World::size() const {
  return {state_->runs.size(), state_->tries.size(), state_->dags.size()};
}
const Limits& World::limits() const { return state_->limits; }

}  // namespace etesian
