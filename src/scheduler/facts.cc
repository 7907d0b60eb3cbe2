// Facts about runs that came before, and about other DAGs' successes.
#include <algorithm>

#include "scheduler/state.h"

namespace etesian {
namespace {

/// Successes that are kept for one producer: older ones are of no use to a current interval.
constexpr std::size_t kPastMax = 4096;

bool counts_as_past(const Run& run, RunType type) {
  return !run.dag->definition().schedule.catchup || type != RunType::Manual;
}

void remember(std::vector<PastSuccess>& facts, PastSuccess fact) {
  const auto order = [](const PastSuccess& a, const PastSuccess& b) {
    return std::tie(a.interval.start, a.interval.end, a.ended_at) <
           std::tie(b.interval.start, b.interval.end, b.ended_at);
  };
  const auto at = std::upper_bound(facts.begin(), facts.end(), fact, order);
  if (at != facts.begin() && !order(*std::prev(at), fact)) return;  // Known already.
  facts.insert(at, std::move(fact));
  if (facts.size() > kPastMax) facts.erase(facts.begin());
}

void forget(std::vector<PastSuccess>& facts, const Run& run) {
  std::erase_if(facts, [&run](const PastSuccess& fact) {
    return fact.interval == run.row.interval.value_or(DataInterval{}) &&
           fact.logical_date == run.row.logical_date;
  });
}

}  // namespace

void World::State::learn(PastSuccess fact) {
  remember(past[std::pair(fact.dag_id, fact.task_id)], fact);
}

PreviousRun previous_run(const World::State& state, const Run& run) {
  PreviousRun previous;
  if (!run.row.logical_date) return previous;
  for (const RunKey key : run.entry->runs) {
    const Run& other = *state.find(key);
    if (!other.row.logical_date || *other.row.logical_date >= *run.row.logical_date) continue;
    if (!counts_as_past(run, other.row.type)) continue;
    if (!previous.active || *other.row.logical_date > *previous.active->row.logical_date)
      previous.active = &other;
  }
  const auto& finished = run.entry->last_runs;
  for (auto at = finished.lower_bound(*run.row.logical_date); at != finished.begin();) {
    --at;
    if (previous.active && at->first <= *previous.active->row.logical_date) break;
    if (counts_as_past(run, at->second.row.type)) return {nullptr, &at->second};
  }
  return previous;
}

const Run* next_run_after(const World::State& state, const Run& run) {
  const Run* next = nullptr;
  if (!run.row.logical_date || !run.plan->has_past) return next;
  for (const RunKey key : run.entry->runs) {
    const Run& other = *state.find(key);
    if (!other.row.logical_date || *other.row.logical_date <= *run.row.logical_date) continue;
    if (!next || *other.row.logical_date < *next->row.logical_date) next = &other;
  }
  return next;
}

void World::State::remember_success(const Run& run, TaskIndex task) {
  const auto key = std::pair(run.row.dag_id, run.dag->task(task).id);
  if (producers.empty() || !producers.contains(key)) return;
  auto& facts = past[key];
  forget(facts, run);
  const Node& node = run.nodes[task];
  PastSuccess fact{
      key.first, key.second, run.row.interval.value_or(DataInterval{}), run.row.logical_date, {}};
  for (const InstanceRow& item : node.items) {
    if (item.state == TaskState::Removed) continue;
    if (item.state != TaskState::Success) return;
    fact.ended_at = std::max(fact.ended_at, item.ended_at.value_or(Instant{}));
  }
  remember(facts, std::move(fact));
  note_consumers(run.row.dag_id);
}

void World::State::forget_successes(const Run& run) {
  const auto first = past.lower_bound({run.row.dag_id, std::string()});
  for (auto at = first; at != past.end() && at->first.first == run.row.dag_id; ++at)
    forget(at->second, run);
}

void World::State::remember_success(const Run& run) {
  const auto key = std::pair(run.row.dag_id, std::string());
  if (producers.empty() || !producers.contains(key)) return;
  auto& facts = past[key];
  forget(facts, run);
  if (run.row.state != RunState::Success) return;
  remember(facts, {key.first, key.second, run.row.interval.value_or(DataInterval{}),
                   run.row.logical_date, run.row.ended_at.value_or(Instant{})});
  note_consumers(run.row.dag_id);
}

}  // namespace etesian
