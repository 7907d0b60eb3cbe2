#include "scheduler/predicates.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/time_text.h"
#include "scheduler/branch.h"

namespace etesian {
namespace {

using enum TaskState;
using Kind = RuleDecision::Kind;

const std::string* output_of(const Run& run, const InstanceKey& key, std::string_view name) {
  const auto found = run.outputs.find({key.task, key.map_index});
  if (found == run.outputs.end()) return nullptr;
  for (const KnownOutput& known : found->second)
    if (known.name == name) return &known.json;
  return nullptr;
}

/// What an Airflow task that branches has left for those below it: {"followed": [ids]} or
/// {"skipped": [ids]}. Source: NotPreviouslySkippedDep of Airflow 3.3.2.
bool is_skipped_by_choice(const std::string& choice_json, const std::string& task_id) {
  const auto choice = parse_json(choice_json);
  if (!choice || !choice->is_object()) return false;
  const auto names = [&](const json::value& list) {
    return list.is_array() && std::any_of(list.get_array().begin(), list.get_array().end(),
                                          [&](const json::value& id) {
                                            return id.is_string() && id.get_string() == task_id;
                                          });
  };
  if (const auto* followed = choice->get_object().if_contains("followed")) return !names(*followed);
  const auto* skipped = choice->get_object().if_contains("skipped");
  return skipped && names(*skipped);
}

/// The instance of a parent that speaks to the instance `map_index` of a child.
const InstanceRow* parent_of(const Node& parent, int map_index) {
  if (!parent.is_expanded()) return &parent.items.front();
  const auto at = static_cast<std::size_t>(map_index);
  return map_index >= 0 && at < parent.items.size() ? &parent.items[at] : nullptr;
}

/// A finished decider above keeps its choice when the task below it is cleared.
bool is_left_out(const Run& run, TaskIndex task, int map_index) {
  for (const TaskIndex decider : run.plan->tasks[task].deciders) {
    if (run.dag->task(decider).airflow) {
      const InstanceRow* parent = parent_of(run.nodes[decider], map_index);
      if (!parent || !is_final(parent->state)) continue;
      const std::string* choice = output_of(run, parent->key, "skipmixin_key");
      if (choice && is_skipped_by_choice(*choice, run.dag->task(task).id)) return true;
      continue;
    }
    for (const InstanceRow& item : run.nodes[decider].items) {
      if (item.state != Success) continue;
      const auto skipped = skipped_by(*run.dag, decider, output_of(run, item.key, "return_value"));
      if (skipped && std::binary_search(skipped->begin(), skipped->end(), task)) return true;
    }
  }
  return false;
}

void explain(Why why, GateKind kind, std::string subject, std::string sentence,
             std::optional<Instant> opens_at = {}, std::string remedy = {}) {
  why->push_back({kind, std::move(subject), std::move(sentence), opens_at, std::move(remedy)});
}

TaskState worst(const std::vector<InstanceRow>& items) {
  for (const InstanceRow& item : items)
    if (item.state != Success && item.state != Skipped) return item.state;
  return items.empty() ? None : items.front().state;
}

/// State of a task in the run before; nullopt: it was not there.
std::optional<TaskState> past_state(const PreviousRun& previous, const std::string& task_id) {
  if (previous.active) {
    const auto task = previous.active->dag->find(task_id);
    if (!task) return std::nullopt;
    return worst(previous.active->nodes[*task].items);
  }
  const auto task = previous.finished->dag ? previous.finished->dag->find(task_id) : std::nullopt;
  if (!task) return std::nullopt;
  std::vector<InstanceRow> items;
  for (const InstanceRow& item : previous.finished->instances)
    if (item.key.task == *task) items.push_back(item);
  if (items.empty()) return std::nullopt;
  return worst(items);
}

std::string interval_text(const DataInterval& i) {
  return fmt::format("[{}, {})", to_iso_z(i.start), to_iso_z(i.end));
}

bool is_fresh(const PastSuccess& fact, const Need& need, Instant now) {
  return !need.fresh || now - fact.ended_at <= *need.fresh;
}

bool covers_interval(const std::vector<PastSuccess>& facts, const Need& need,
                     const DataInterval& wanted, Instant now) {
  Instant covered = wanted.start;
  for (const PastSuccess& fact : facts) {  // Sorted by the start of the interval.
    if (!is_fresh(fact, need, now) || fact.interval.start > covered) continue;
    if (wanted.start == wanted.end && fact.interval.end >= wanted.end) return true;
    covered = std::max(covered, fact.interval.end);
  }
  return wanted.start < wanted.end && covered >= wanted.end;
}

bool covers(const std::vector<PastSuccess>& facts, const Run& run, const Need& need, Instant now) {
  const auto any_fresh = [&](auto&& accepts) {
    return std::any_of(facts.begin(), facts.end(), [&](const PastSuccess& fact) {
      return is_fresh(fact, need, now) && accepts(fact);
    });
  };
  switch (need.covers) {
    case Need::Covers::Latest: return any_fresh([](const PastSuccess&) { return true; });
    case Need::Covers::LogicalDate: {
      const Instant date = run.row.logical_date.value_or(run.row.run_after) + need.offset;
      return any_fresh([date](const PastSuccess& fact) { return fact.logical_date == date; });
    }
    case Need::Covers::DataInterval: {
      DataInterval wanted =
          run.row.interval.value_or(DataInterval{run.row.run_after, run.row.run_after});
      wanted.start += need.offset;
      wanted.end += need.offset;
      return covers_interval(facts, need, wanted, now);
    }
  }
  return false;
}

std::string wanted_text(const Run& run, const Need& need) {
  std::string text;
  switch (need.covers) {
    case Need::Covers::Latest: text = "a success"; break;
    case Need::Covers::LogicalDate:
      text = fmt::format("a success of logical date {}",
                         to_iso_z(run.row.logical_date.value_or(run.row.run_after) + need.offset));
      break;
    case Need::Covers::DataInterval: {
      DataInterval wanted =
          run.row.interval.value_or(DataInterval{run.row.run_after, run.row.run_after});
      wanted.start += need.offset;
      wanted.end += need.offset;
      text = "a success that covers " + interval_text(wanted);
      break;
    }
  }
  if (need.fresh) text += fmt::format(", at most {} old", to_text(*need.fresh));
  return text;
}

/// Upstreams of one instance. In a mapped task group an instance looks only at those of its own
/// index among its group's members. Source: TriggerRuleDep of Airflow 3.3.2.
UpstreamCounts counts_for(const Run& run, TaskIndex task, int map_index) {
  const Node& node = run.nodes[task];
  if (map_index < 0 || !run.plan->tasks[task].has_group_mates) return node.up;
  UpstreamCounts up;
  const std::string& group = run.dag->task(task).map->group;
  for (const TaskIndex u : run.dag->upstream(task)) {
    const Task& upstream = run.dag->task(u);
    const Node& its = run.nodes[u];
    const bool is_mate = upstream.map && upstream.map->group == group && its.is_expanded();
    if (is_mate) {
      const auto at = static_cast<std::size_t>(map_index);
      if (at < its.items.size()) up.add(its.items[at].state, upstream.is_setup);
      continue;
    }
    for (const InstanceRow& item : its.items) up.add(item.state, upstream.is_setup);
  }
  return up;
}

}  // namespace

RuleDecision judge(const World::State&, const Run& run, TaskIndex task, int map_index) {
  const Node& node = run.nodes[task];
  if (is_left_out(run, task, map_index)) return {Kind::Set, Skipped};
  const UpstreamCounts up = counts_for(run, task, map_index);
  const RuleDecision decision =
      evaluate(run.dag->task(task).trigger_rule, up, node.setups, map_index);
  if (decision.kind != Kind::Run) return decision;
  for (const TaskIndex b : run.plan->tasks[task].between)
    if (run.nodes[b].unfinished > 0) return {Kind::Wait, None};
  return decision;
}

bool past_allows(const World::State& state, const Run& run, TaskIndex index, Why why) {
  const Task& task = run.dag->task(index);
  if (!task.depends_on_past && !task.wait_for_downstream) return true;
  const PreviousRun previous = previous_run(state, run);
  if (!previous.active && !previous.finished) return true;
  const std::string& past_id =
      previous.active ? previous.active->row.run_id : previous.finished->row.run_id;
  const auto check = [&](const std::string& id, GateKind kind) {
    const auto its = past_state(previous, id);
    // A task that the run before did not have yet is in its own first run.
    if (!its) return task.ignore_first_depends_on_past || id != task.id;
    return *its == Success || *its == Skipped ||
           (why && (explain(why, kind, id,
                            fmt::format("waits for '{}' of run '{}', which is {}; needs success or "
                                        "skipped",
                                        id, past_id, to_text(*its)),
                            {}, "mark or clear it there"),
                    false));
  };
  bool allows = check(task.id, GateKind::DependsOnPast);
  if (task.wait_for_downstream)
    for (const TaskIndex d : run.dag->downstream(index)) {
      if (!allows && !why) break;
      allows = check(run.dag->task(d).id, GateKind::WaitForDownstream) && allows;
    }
  return allows;
}

bool need_is_met(const World::State& state, const Run& run, const Need& need, Instant now,
                 Why why) {
  const auto found = state.past.find({need.dag, need.task});
  if (found != state.past.end() && covers(found->second, run, need, now)) return true;
  if (why) {
    const std::string subject = need.task.empty() ? need.dag : need.dag + "." + need.task;
    explain(why, GateKind::Needs, subject,
            fmt::format("needs {} of '{}'", wanted_text(run, need), subject), {},
            "it opens when that run succeeds");
  }
  return false;
}

bool needs_are_met(const World::State& state, const Run& run, const std::vector<Need>& needs,
                   Instant now, Why why) {
  bool met = true;
  for (const Need& need : needs) {
    met = need_is_met(state, run, need, now, why) && met;
    if (!met && !why) return false;
  }
  return met;
}

SlotGate slot_gate(const World::State& state, const Run& run, TaskIndex index, Why why) {
  const Node& node = run.nodes[index];
  const Task& task = run.dag->task(index);
  const Line& line = state.lines[node.line];
  SlotGate first = SlotGate::Open;
  const auto closed = [&](SlotGate gate, GateKind kind, const std::string& subject, auto&& sentence,
                          const char* remedy) {
    if (first == SlotGate::Open) first = gate;
    if (why) explain(why, kind, subject, sentence(), {}, remedy);
    return !why;
  };
  const int run_max = run.dag->definition().max_active_tasks;
  if (run.active >= run_max &&
      closed(
          SlotGate::RunActive, GateKind::TaskLimit, "max_active_tasks",
          [&] {
            return fmt::format("{} tasks of this run are active, the most it may have", run.active);
          },
          "raise max_active_tasks"))
    return first;
  if (node.limit && node.limit->active >= *task.max_active &&
      closed(
          SlotGate::TaskLimit, GateKind::TaskLimit, "max_active",
          [&] {
            return fmt::format("'{}' is active {} times over all runs, the most it may be", task.id,
                               node.limit->active);
          },
          "raise max_active"))
    return first;
  for (const auto& limit :
       {task.max_active_per_run, task.map ? task.map->max_active : std::nullopt})
    if (limit && node.active >= *limit &&
        closed(
            SlotGate::RunLimit, GateKind::TaskLimit, "max_active_per_run",
            [&] {
              return fmt::format("{} instances are active in this run, the most it may have",
                                 node.active);
            },
            "raise max_active"))
      return first;
  const PoolState& pool = *line.pool;
  if (!pool.exists || (!pool.is_unlimited() && task.pool_slots > pool.row.slots)) {
    const auto sentence = [&] {
      return pool.exists ? fmt::format("needs {} slots; pool '{}' has {} in all", task.pool_slots,
                                       task.pool, pool.row.slots)
                         : fmt::format("pool '{}' does not exist", task.pool);
    };
    if (closed(SlotGate::TooBig, GateKind::Pool, task.pool, sentence, "make the pool larger"))
      return first;
  } else if (!pool.is_unlimited() && pool.used() + task.pool_slots > pool.row.slots) {
    const auto sentence = [&] {
      return fmt::format("waits for {} of the {} slots of pool '{}': {} are taken", task.pool_slots,
                         pool.row.slots, task.pool, pool.used());
    };
    if (closed(SlotGate::PoolFull, GateKind::Pool, task.pool, sentence, "")) return first;
  }
  if (static_cast<int>(state.tries.size()) >= state.limits.parallelism &&
      closed(
          SlotGate::Parallelism, GateKind::Parallelism, "parallelism",
          [&] {
            return fmt::format("{} tasks are active, the most this installation may have",
                               state.tries.size());
          },
          "raise parallelism"))
    return first;
  if (!line.executor->has_room())
    closed(
        SlotGate::Executor, GateKind::Executor, task.executor,
        [&] {
          return line.executor->is_up
                     ? fmt::format("executor '{}' has no room: {} of {} taken", task.executor,
                                   line.executor->open, line.executor->slots)
                     : fmt::format("executor '{}' is not there", task.executor);
        },
        "start an agent");
  return first;
}

RunGate run_gate(const World::State& state, const Run& run, Instant now, Why why) {
  if (run.row.state != RunState::Queued) return RunGate::NotQueued;
  RunGate first = RunGate::Open;
  const auto closed = [&](RunGate gate, GateKind kind, std::string subject, auto&& sentence,
                          std::optional<Instant> opens_at, const char* remedy) {
    if (first == RunGate::Open) first = gate;
    if (why) explain(why, kind, std::move(subject), sentence(), opens_at, remedy);
    return !why;
  };
  const DagEntry& entry = *run.entry;
  if (entry.is_paused &&
      closed(
          RunGate::Paused, GateKind::DagPaused, entry.id,
          [&] { return fmt::format("DAG '{}' is paused", entry.id); }, {}, "unpause it"))
    return first;
  const auto backfill = state.backfills.find(run.row.backfill);
  const bool in_backfill = run.row.backfill != 0 && backfill != state.backfills.end();
  if (in_backfill && backfill->second.row.is_paused &&
      closed(
          RunGate::BackfillPaused, GateKind::RunWaits, "backfill",
          [&] { return fmt::format("backfill {} is paused", run.row.backfill); }, {}, "resume it"))
    return first;
  if (run.row.run_after > now &&
      closed(
          RunGate::RunAfter, GateKind::RunWaits, "run_after",
          [&] { return fmt::format("starts at {}", to_iso_z(run.row.run_after)); },
          run.row.run_after, ""))
    return first;
  const int running = in_backfill ? backfill->second.running : entry.running;
  const int most =
      in_backfill ? backfill->second.row.max_active_runs : run.dag->definition().max_active_runs;
  if (running >= most && closed(
                             RunGate::Capacity, GateKind::RunWaits, "max_active_runs",
                             [&] {
                               return fmt::format("{} runs are active, the most that {} may have",
                                                  running,
                                                  in_backfill ? "the backfill" : "the DAG");
                             },
                             {}, "raise max_active_runs"))
    return first;
  if (!needs_are_met(state, run, run.dag->definition().needs, now, why) && first == RunGate::Open)
    first = RunGate::Needs;
  return first;
}

}  // namespace etesian
