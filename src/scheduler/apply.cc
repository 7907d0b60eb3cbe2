// Facts made true: the only place that changes an active run.
#include <algorithm>

#include "base/check.h"
#include "scheduler/state.h"

namespace etesian {
namespace {

using enum TaskState;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

}  // namespace

Run* World::State::find(RunKey key) {
  const auto found = runs.find(key);
  return found == runs.end() ? nullptr : found->second.get();
}
const Run* World::State::find(RunKey key) const {
  const auto found = runs.find(key);
  return found == runs.end() ? nullptr : found->second.get();
}
InstanceRow* World::State::find(const InstanceKey& key) {
  return const_cast<InstanceRow*>(std::as_const(*this).find(key));
}
const InstanceRow* World::State::find(const InstanceKey& key) const {
  const Run* run = find(key.run);
  if (!run || key.task >= run->nodes.size()) return nullptr;
  const auto& items = run->nodes[key.task].items;
  const std::size_t at = key.map_index < 0 ? 0 : static_cast<std::size_t>(key.map_index);
  return at < items.size() && items[at].key == key ? &items[at] : nullptr;
}
DagEntry& World::State::entry(const std::string& dag_id) {
  DagEntry& found = dags[dag_id];
  if (found.id.empty()) found.id = dag_id;
  return found;
}
PoolState& World::State::pool(const std::string& name) {
  PoolState& found = pools[name];
  if (found.row.name.empty()) found.row.name = name;
  return found;
}
std::shared_ptr<const Plan> World::State::plan(const std::shared_ptr<const Dag>& dag) {
  std::weak_ptr<const Plan>& kept = plans[dag.get()];
  auto found = kept.lock();
  // A freed DAG's address may come back as another one: then its plan is gone too.
  if (!found) kept = found = Plan::of(*dag);
  return found;
}

void World::State::note(Run& run, TaskIndex task) {
  Node& node = run.nodes[task];
  if (node.is_noted) return;
  node.is_noted = true;
  agenda.nodes.push_back({run.row.key, task, kWholeTask});
}
void World::State::note_run(Run& run) {
  if (run.is_noted) return;
  run.is_noted = true;
  agenda.runs.push_back(run.row.key);
}
void World::State::note_all(Run& run) {
  for (TaskIndex i = 0; i < run.nodes.size(); ++i)
    if (run.nodes[i].unfinished > 0) note(run, i);
  note_run(run);
}
void World::State::note_consumers(const std::string& dag_id) {
  const auto found = consumers.find(dag_id);
  if (found == consumers.end()) return;
  for (const auto& [key, task] : std::exchange(found->second, {})) {
    Run* run = find(key);
    if (!run) continue;
    agenda.dags.insert(run->row.dag_id);
    if (task < run->nodes.size()) note(*run, task);
  }
}

void World::State::set_dag(const std::string& id, std::shared_ptr<const Dag> dag) {
  DagEntry& its = entry(id);
  const auto count_needs = [this](const std::shared_ptr<const Dag>& of, int by) {
    if (!of) return;
    const auto count = [this, by](const Need& need) { producers[{need.dag, need.task}] += by; };
    for (const Need& need : of->definition().needs) count(need);
    for (const Task& task : of->tasks())
      for (const Need& need : task.needs) count(need);
  };
  if (its.dag) assets.count(its.dag->definition(), -1);
  if (dag) assets.count(dag->definition(), 1);
  count_needs(dag, 1);
  count_needs(its.dag, -1);
  std::erase_if(producers, [](const auto& p) { return p.second == 0; });
  its.dag = std::move(dag);
  its.is_removed = !its.dag;
  its.timetable.reset();
  if (its.next) dag_timers.erase({its.next->run_after, id});
  its.next.reset();
  if (its.dag)
    if (auto compiled = Timetable::compile(its.dag->definition().schedule))
      its.timetable = std::move(*compiled);
  agenda.dags.insert(id);
}

void World::State::count_run(const Run& run, int by) {
  const RunRow& row = run.row;
  if (is_final(row.state)) return;
  const bool is_queued = row.state == RunState::Queued;
  const auto backfill = row.backfill == 0 ? backfills.end() : backfills.find(row.backfill);
  if (backfill != backfills.end()) {
    BackfillEntry& its = backfill->second;
    if (by > 0) {
      its.unfinished.insert(row.key);
      if (is_queued) its.queued.insert(row.key);
    } else {
      its.unfinished.erase(row.key);
      its.queued.erase(row.key);
    }
    if (!is_queued) its.running += by;
    return;
  }
  run.entry->unfinished += by;
  if (!is_queued) {
    run.entry->running += by;
  } else if (by > 0) {
    run.entry->queued.insert({row.run_after, row.key});
  } else {
    run.entry->queued.erase({row.run_after, row.key});
  }
}

void World::State::add_run(RunRow row, std::shared_ptr<const Dag> dag) {
  auto made = std::make_unique<Run>();
  Run& run = *made;
  run.row = std::move(row);
  run.dag = std::move(dag);
  run.plan = plan(run.dag);
  run.entry = &entry(run.row.dag_id);
  next_run_key = std::max(next_run_key, run.row.key + 1);
  const auto count = static_cast<TaskIndex>(run.dag->tasks().size());
  run.nodes.resize(count);
  run.unfinished = static_cast<int>(count);
  run.states[static_cast<std::size_t>(None)] = run.unfinished;
  for (TaskIndex i = 0; i < count; ++i) {
    const Task& task = run.dag->task(i);
    Node& node = run.nodes[i];
    InstanceRow& item = node.items.emplace_back();
    item.key = {run.row.key, i, -1};
    item.max_tries = task.retry.times;
    node.line = line(task.pool, task.executor);
    if (task.max_active) node.limit = &run.entry->limits[task.id];
    node.up.total = static_cast<int>(run.dag->upstream(i).size());
    for (const TaskIndex u : run.dag->upstream(i)) node.up.setups += run.dag->task(u).is_setup;
    node.setups.total = static_cast<int>(run.plan->tasks[i].setups.size());
  }
  run.entry->runs.insert(run.row.key);
  run_ids[{run.row.dag_id, run.row.run_id}] = run.row.key;
  if (run.row.logical_date &&
      (!run.entry->cursor || *run.row.logical_date > run.entry->cursor->logical_date))
    run.entry->dates_ahead.insert(*run.row.logical_date);
  if (run.row.logical_date) run.entry->last_runs.erase(*run.row.logical_date);
  count_run(run, 1);
  agenda.dags.insert(run.row.dag_id);
  note_run(run);
  runs.emplace(run.row.key, std::move(made));
}

void World::State::set_run(RunRow row) {
  Run* run = find(row.key);
  ETESIAN_CHECK(run);
  const RunState before = run->row.state;
  count_run(*run, -1);
  run->row = std::move(row);
  count_run(*run, 1);
  update_withdrawal(*run);
  agenda.dags.insert(run->row.dag_id);
  if (run->row.state != before) {
    note_all(*run);
    remember_success(*run);
    if (is_final(run->row.state)) {
      run->forced.reset();
      ended.push_back(run->row.key);
      if (const Run* next = next_run_after(*this, *run)) note_all(*find(next->row.key));
    }
  }
}

void World::State::drop_run(RunKey key) {
  Run* run = find(key);
  if (!run) return;
  for (TaskIndex i = 0; i < run->nodes.size(); ++i)
    for (const InstanceRow& item : run->nodes[i].items)
      if (!is_final(item.state)) leave(*run, run->nodes[i], item);
  for (TaskIndex i = 0; i < run->nodes.size(); ++i) leave_line(*run, i);
  count_run(*run, -1);
  DagEntry& its = *run->entry;
  its.runs.erase(key);
  run_ids.erase({run->row.dag_id, run->row.run_id});
  agenda.dags.insert(its.id);
  const Run* next = next_run_after(*this, *run);
  const RunKey next_key = next ? next->row.key : 0;
  runs.erase(key);
  if (next_key) note_all(*find(next_key));
}

void World::State::count_upstream(Run& run, TaskIndex task, TaskState state, int by) {
  const bool is_setup = run.dag->task(task).is_setup;
  for (const TaskIndex d : run.dag->downstream(task)) {
    UpstreamCounts& up = run.nodes[d].up;
    switch (state) {
      case Success: up.success += by; break;
      case Failed: up.failed += by; break;
      case UpstreamFailed: up.upstream_failed += by; break;
      case Skipped: up.skipped += by; break;
      case Removed: up.removed += by; break;
      default: break;
    }
    if (is_setup && state == Success) up.success_setup += by;
    if (is_setup && state == Skipped) up.skipped_setup += by;
    if (by > 0) note(run, d);
  }
  if (!is_setup) return;
  for (const TaskIndex d : run.plan->tasks[task].scope) {
    SetupCounts& setups = run.nodes[d].setups;
    setups.done += by;
    if (state == Failed || state == UpstreamFailed) setups.failed += by;
    if (state == Skipped) setups.skipped += by;
    if (by > 0) note(run, d);
  }
}

void World::State::enter(Run& run, Node& node, const InstanceRow& row) {
  const TaskIndex task = row.key.task;
  run.states[static_cast<std::size_t>(row.state)] += 1;
  PoolState& its_pool = *lines[node.line].pool;
  const int slots = run.dag->task(task).pool_slots;
  if (row.state == Scheduled) {
    its_pool.scheduled += slots;
    node.scheduled.insert(row.key.map_index);
    if (node.place == Place::Nowhere) join_line(run, task);
  } else if (holds_slots(row.state)) {
    (row.state == Queued ? its_pool.queued : its_pool.running) += slots;
    ++node.active;
    ++run.active;
    if (node.limit) ++node.limit->active;
    update_withdrawal(run);
  } else if ((row.state == UpForRetry || is_resting(row.state)) && row.wake_at) {
    sleepers.insert({*row.wake_at, row.key});
  }
  if (row.state == Deferred) its_pool.deferred += slots;
  if (!is_final(row.state)) {
    ++run.unfinished;
    ++node.unfinished;
    return;
  }
  count_upstream(run, task, row.state, 1);
  note_run(run);
  for (const TaskIndex t : run.plan->tasks[task].teardowns) note(run, t);
}

void World::State::leave(Run& run, Node& node, const InstanceRow& row) {
  const TaskIndex task = row.key.task;
  run.states[static_cast<std::size_t>(row.state)] -= 1;
  PoolState& its_pool = *lines[node.line].pool;
  const int slots = run.dag->task(task).pool_slots;
  if (row.state == Scheduled) {
    its_pool.scheduled -= slots;
    node.scheduled.erase(row.key.map_index);
    if (node.scheduled.empty()) leave_line(run, task);
  } else if (holds_slots(row.state)) {
    (row.state == Queued ? its_pool.queued : its_pool.running) -= slots;
    --node.active;
    --run.active;
    if (node.limit) {
      --node.limit->active;
      put_back(node.limit->parked);
    }
    if (node.place == Place::RunLimit) join_line(run, task);
    update_withdrawal(run);
  } else if ((row.state == UpForRetry || is_resting(row.state)) && row.wake_at) {
    sleepers.erase({*row.wake_at, row.key});
  }
  if (row.state == Deferred) its_pool.deferred -= slots;
  if (!is_final(row.state)) {
    --run.unfinished;
    --node.unfinished;
    return;
  }
  count_upstream(run, task, row.state, -1);
}

/// Tasks of the run after this one that look back at `task` may have become possible.
void World::State::note_next(const Run& run, TaskIndex task) {
  const auto& lookers = run.plan->tasks[task].past_of;
  if (lookers.empty()) return;
  const Run* found = next_run_after(*this, run);
  if (!found) return;
  Run& next = *find(found->row.key);
  if (next.dag != run.dag) return note_all(next);  // Another version: other positions.
  for (const TaskIndex t : lookers) note(next, t);
}

void World::State::set_instance(Run& run, InstanceRow row) {
  InstanceRow* old = find(row.key);
  ETESIAN_CHECK(old);
  Node& node = run.nodes[row.key.task];
  if (old->state == row.state && old->wake_at == row.wake_at) {
    *old = std::move(row);
    return;
  }
  const bool was_success = old->state == Success;
  leave(run, node, *old);
  *old = std::move(row);
  enter(run, node, *old);
  if (was_success || is_final(old->state)) remember_success(run, old->key.task);
  if (is_final(old->state)) {
    note_next(run, old->key.task);
  } else if (old->state == None || old->state == UpForRetry || old->state == UpForReschedule) {
    note(old->key);
  }
}

void World::State::expand(const InstanceKey& key, std::int32_t count,
                          std::vector<std::string> arguments) {
  Run* run = find(key.run);
  ETESIAN_CHECK(run);
  Node& node = run->nodes[key.task];
  const Task& task = run->dag->task(key.task);
  const auto before = static_cast<int>(node.items.size());
  if (!node.is_expanded()) {
    leave(*run, node, node.items.front());
    node.items.clear();
  }
  const int fallback = task.retry.times;
  for (InstanceRow& item : node.items) {
    if (item.state != Removed || item.key.map_index >= count) continue;
    leave(*run, node, item);
    item.state = None;
    enter(*run, node, item);
  }
  for (auto i = static_cast<std::int32_t>(node.items.size()); i < count; ++i) {
    InstanceRow& item = node.items.emplace_back();
    item.key = {key.run, key.task, i};
    item.max_tries = fallback;
    enter(*run, node, item);
  }
  for (std::size_t i = static_cast<std::size_t>(count); i < node.items.size(); ++i) {
    if (node.items[i].state == Removed) continue;
    leave(*run, node, node.items[i]);
    node.items[i].state = Removed;
    enter(*run, node, node.items[i]);
  }
  arguments.resize(node.items.size(), "{}");
  node.arguments = std::move(arguments);
  const int by = static_cast<int>(node.items.size()) - before;
  for (const TaskIndex d : run->dag->downstream(key.task)) {
    run->nodes[d].up.total += by;
    if (task.is_setup) run->nodes[d].up.setups += by;
  }
  if (task.is_setup)
    for (const TaskIndex d : run->plan->tasks[key.task].scope) run->nodes[d].setups.total += by;
  note(*run, key.task);
}

void World::State::set_output(Run& run, const OutputStored& output) {
  constexpr std::size_t kKeptBytes = 16 << 10;
  auto& stored = run.outputs[{output.key.task, output.key.map_index}];
  std::erase_if(stored, [&](const KnownOutput& known) { return known.name == output.name; });
  const bool is_kept = !run.dag->task(output.key.task).airflow || output.json.size() <= kKeptBytes;
  stored.push_back({output.name, is_kept ? output.json : std::string(), output.length});
}

void World::State::drop_output(Run& run, const OutputsRemoved& output) {
  const auto found = run.outputs.find({output.key.task, output.key.map_index});
  if (found == run.outputs.end()) return;
  std::erase_if(found->second, [&](const KnownOutput& known) {
    return output.name.empty() || known.name == output.name;
  });
  if (found->second.empty()) run.outputs.erase(found);
}

void World::State::set_question(Run& run, HumanInput asked) {
  const auto [kept, is_new] =
      run.questions.try_emplace({asked.instance.task, asked.instance.map_index}, asked);
  if (!is_new && kept->second.try_number <= asked.try_number) kept->second = std::move(asked);
}

void World::State::set_ask_at(OpenTry& open, Duration at) {
  if (open.ask_at.count() != 0) try_timers.erase({open.ask_at, open.row.id});
  open.ask_at = at;
  if (at.count() != 0) try_timers.insert({at, open.row.id});
}

void World::State::open_try(TryRow row, const Moment& moment) {
  ++executors[row.executor].open;
  OpenTry& open = tries[row.id];
  open.row = std::move(row);
  if (open.row.stop && open.row.stop->run_then)
    if (Run* run = find(open.row.instance.run)) run->forced = open.row.stop->run_then;
  set_ask_at(open,
             moment.uptime + (open.row.started_at ? limits.suspect_after : limits.queue_timeout));
}

void World::State::set_try(TryRow row, const Moment& moment) {
  const auto found = tries.find(row.id);
  if (found == tries.end()) return;
  OpenTry& open = found->second;
  if (row.outcome) {
    set_ask_at(open, Duration{0});
    --executors[open.row.executor].open;
    tries.erase(found);
    return;
  }
  const bool is_offered = row.launch != open.row.launch;
  const bool is_started = row.started_at && !open.row.started_at;
  open.row = std::move(row);
  if (open.row.stop && open.row.stop->run_then)
    if (Run* run = find(open.row.instance.run)) run->forced = open.row.stop->run_then;
  if (is_offered) set_ask_at(open, moment.uptime + limits.queue_timeout);
  // A running try is asked for only when its executor falls silent.
  if (is_started) set_ask_at(open, Duration{0});
  if (is_offered || is_started) open.asked = 0, open.is_offer_due = false;
}

void World::State::set_pool(PoolRow row) {
  PoolState& its = pool(row.name);
  its.row = std::move(row);
  its.exists = true;
  put_back(its.too_big);
}

void World::State::set_backfill(BackfillRow row) {
  const BackfillKey key = row.key;
  const std::string dag_id = row.dag_id;
  next_backfill_key = std::max(next_backfill_key, key + 1);
  const bool is_done = row.completed_at.has_value();
  backfills[key].row = std::move(row);
  if (is_done) backfills.erase(key);
  agenda.dags.insert(dag_id);
}

void World::apply(const Change& change, const Moment& moment) {
  State& s = *state_;
  std::visit(
      Overloaded{[&](const DagChanged& c) {
                   const bool is_new = !s.dags.contains(c.dag->id());
                   s.set_dag(c.dag->id(), c.dag);
                   if (is_new) s.entry(c.dag->id()).is_paused = c.is_paused;
                 },
                 [&](const DagRemoved& c) { s.set_dag(c.dag_id, nullptr); },
                 [&](const DagPaused& c) {
                   DagEntry& its = s.entry(c.dag_id);
                   its.is_paused = c.is_paused;
                   for (const RunKey key : its.runs) {
                     Run& run = *s.find(key);
                     s.update_withdrawal(run);
                     s.note_all(run);
                   }
                   s.agenda.dags.insert(c.dag_id);
                 },
                 [&](const CursorMoved& c) {
                   DagEntry& its = s.entry(c.dag_id);
                   its.cursor = c;
                   std::erase_if(its.dates_ahead, [&](Instant t) { return t <= c.logical_date; });
                 },
                 [&](const RunCreated& c) { s.add_run(c.row, c.dag); },
                 [&](const RunChanged& c) { s.set_run(c.row); },
                 [&](const RunRemoved& c) {
                   if (Run* run = s.find(c.run)) {
                     if (run->row.logical_date)
                       run->entry->dates_ahead.erase(*run->row.logical_date);
                     s.forget_successes(*run);
                   }
                   s.drop_run(c.run);
                 },
                 [&](const TaskExpanded& c) { s.expand(c.key, c.count, c.arguments); },
                 [&](const InstanceChanged& c) {
                   Run* run = s.find(c.row.key.run);
                   ETESIAN_CHECK(run);
                   s.set_instance(*run, c.row);
                 },
                 [&](const TryOpened& c) { s.open_try(c.row, moment); },
                 [&](const TryChanged& c) { s.set_try(c.row, moment); },
                 [&](const OutputStored& c) {
                   if (Run* run = s.find(c.key.run)) s.set_output(*run, c);
                 },
                 [&](const OutputsRemoved& c) {
                   if (Run* run = s.find(c.key.run)) s.drop_output(*run, c);
                 },
                 [](const StateStored&) {},  // Only tasks read it, from the store.
                 [](const StateRemoved&) {},
                 [&](const HumanInputChanged& c) {
                   if (Run* run = s.find(c.row.instance.run)) s.set_question(*run, c.row);
                 },
                 [&](const AssetChanged& c) { s.assets.set(c.row); },
                 [&](const AssetAliasChanged& c) { s.assets.set_alias(c.row); },
                 [&](const AssetAliasBound& c) { s.assets.bind(c.alias, c.asset); },
                 [&](const AssetEventAdded& c) { s.assets.next_event_key = c.row.key + 1; },
                 [&](const AssetQueued& c) {
                   s.entry(c.row.dag_id).asset_queue.emplace(c.row.asset, c.row);
                   s.agenda.dags.insert(c.row.dag_id);
                 },
                 [&](const AssetUnqueued& c) { s.entry(c.dag_id).asset_queue.erase(c.asset); },
                 [&](const AssetCursorMoved& c) { s.entry(c.dag_id).asset_cursor = c.event; },
                 [&](const PoolChanged& c) { s.set_pool(c.row); },
                 [&](const PoolRemoved& c) {
                   PoolState& its = s.pool(c.name);
                   its.exists = false;
                   its.row = {};
                   its.row.name = c.name;
                   its.row.slots = 0;
                 },
                 [&](const BackfillChanged& c) { s.set_backfill(c.row); },
                 [](const auto&) {}},  // Settings and the audit are no part of the world.
      change);
}

}  // namespace etesian
