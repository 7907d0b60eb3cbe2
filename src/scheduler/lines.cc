// Waiting lines: scheduled tasks in the order in which they take slots.
#include <algorithm>

#include "base/check.h"
#include "scheduler/state.h"

namespace etesian {
namespace {

using Part = std::set<std::pair<int, TaskIndex>>;

Part& part_of(Run& run, std::uint32_t line) {
  for (auto& [index, part] : run.waiting)
    if (index == line) return part;
  return run.waiting.emplace_back(line, Part{}).second;
}

}  // namespace

std::uint32_t World::State::line(const std::string& pool_name, const std::string& executor) {
  const auto [found, is_new] = line_of.try_emplace({pool_name, executor}, 0);
  if (is_new) {
    found->second = static_cast<std::uint32_t>(lines.size());
    lines.push_back({pool_name, executor, &pool(pool_name), &executors[executor], {}});
  }
  return found->second;
}

LineKey World::State::head_of(const Run& run, const Part& part) const {
  return {-part.begin()->first, run.row.run_after, run.row.key, part.begin()->second};
}

void World::State::join_line(Run& run, TaskIndex task) {
  Node& node = run.nodes[task];
  Part& part = part_of(run, node.line);
  const std::pair<int, TaskIndex> key{-run.dag->priority_weight(task), task};
  const bool leads = part.empty() || key < *part.begin();
  auto& heads = lines[node.line].heads;
  if (leads && !run.is_withdrawn && !part.empty()) heads.erase(head_of(run, part));
  part.insert(key);
  if (leads && !run.is_withdrawn) heads.insert(head_of(run, part));
  node.place = Place::Line;
}

void World::State::leave_line(Run& run, TaskIndex task) {
  Node& node = run.nodes[task];
  if (node.place == Place::Line) {
    Part& part = part_of(run, node.line);
    const std::pair<int, TaskIndex> key{-run.dag->priority_weight(task), task};
    auto& heads = lines[node.line].heads;
    const bool leads = key == *part.begin();
    if (leads && !run.is_withdrawn) heads.erase(head_of(run, part));
    part.erase(key);
    if (leads && !run.is_withdrawn && !part.empty()) heads.insert(head_of(run, part));
  }
  node.place = Place::Nowhere;
}

void World::State::park(Run& run, TaskIndex task, Place place) {
  leave_line(run, task);
  Node& node = run.nodes[task];
  node.place = place;
  if (place == Place::TaskLimit) node.limit->parked.emplace_back(run.row.key, task);
  if (place == Place::TooBig) lines[node.line].pool->too_big.emplace_back(run.row.key, task);
}

void World::State::put_back(std::vector<std::pair<RunKey, TaskIndex>>& parked) {
  for (const auto& [key, task] : std::exchange(parked, {})) {
    Run* run = find(key);
    if (!run) continue;
    const Place place = run->nodes[task].place;
    if (place == Place::TaskLimit || place == Place::TooBig) join_line(*run, task);
  }
}

void World::State::update_withdrawal(Run& run) {
  const bool withdrawn = run.row.state != RunState::Running || run.entry->is_paused ||
                         run.active >= run.dag->definition().max_active_tasks;
  if (withdrawn == run.is_withdrawn) return;
  run.is_withdrawn = withdrawn;
  for (const auto& [line, part] : run.waiting) {
    if (part.empty()) continue;
    if (withdrawn)
      lines[line].heads.erase(head_of(run, part));
    else
      lines[line].heads.insert(head_of(run, part));
  }
}

}  // namespace etesian
