#include "scheduler/gates.h"

#include <fmt/format.h>

#include <array>

#include "base/time_text.h"
#include "scheduler/predicates.h"

namespace etesian {
namespace {

using enum TaskState;

std::string upstream_sentence(const Run& run, TaskIndex up, TriggerRule rule) {
  const Node& node = run.nodes[up];
  const InstanceRow* shown = &node.items.front();
  int left = 0;
  for (const InstanceRow& item : node.items) {
    if (is_final(item.state)) continue;
    if (left++ == 0) shown = &item;
  }
  std::string how(to_text(shown->state));
  if (shown->state == None) how = "not started";
  if (shown->state == Running && shown->started_at)
    how = fmt::format("running since {}", to_iso_z(*shown->started_at));
  if (node.items.size() > 1) how += fmt::format("; {} of {} unfinished", left, node.items.size());
  return fmt::format("waits for '{}' ({}); trigger rule {}", run.dag->task(up).id, how,
                     to_text(rule));
}

void explain_upstream(const Run& run, TaskIndex task, std::vector<Gate>& gates) {
  const TriggerRule rule = run.dag->task(task).trigger_rule;
  const auto add = [&](TaskIndex up) {
    if (run.nodes[up].unfinished == 0) return;
    for (const Gate& gate : gates)
      if (gate.kind == GateKind::Upstream && gate.subject == run.dag->task(up).id) return;
    gates.push_back(
        {GateKind::Upstream, run.dag->task(up).id, upstream_sentence(run, up, rule), {}, {}});
  };
  const std::size_t before = gates.size();
  for (const TaskIndex up : run.dag->upstream(task)) add(up);
  for (const TaskIndex up : run.plan->tasks[task].setups) add(up);
  for (const TaskIndex up : run.plan->tasks[task].between) add(up);
  if (gates.size() == before)
    gates.push_back({GateKind::Upstream,
                     run.dag->task(task).id,
                     fmt::format("trigger rule {} can no longer be met", to_text(rule)),
                     {},
                     "clear or mark an upstream"});
}

void explain_mapping(const Run& run, TaskIndex task, std::vector<Gate>& gates) {
  for (const TaskIndex source : run.plan->tasks[task].sources)
    if (run.nodes[source].unfinished > 0)
      gates.push_back({GateKind::MappedLength,
                       run.dag->task(source).id,
                       fmt::format("the output of '{}' decides the number of instances",
                                   run.dag->task(source).id),
                       {},
                       {}});
}

/// Nothing of it runs: what will wake it, and when at the latest.
void explain_rest(const Run& run, const InstanceRow& row, std::vector<Gate>& gates) {
  const bool asks = row.state == AwaitingInput;
  std::string sentence = asks ? "waits for a person's answer" : "waits for what it was deferred to";
  const auto asked = run.questions.find({row.key.task, row.key.map_index});
  if (asks && asked != run.questions.end() && is_current(asked->second, row))
    sentence += fmt::format(" to '{}'", asked->second.subject);
  if (row.wake_at) sentence += fmt::format(", until {}", to_iso_z(*row.wake_at));
  gates.push_back({asks ? GateKind::Human : GateKind::Deferred, run.dag->task(row.key.task).id,
                   std::move(sentence), row.wake_at, asks ? "answer it" : ""});
}

}  // namespace

std::string_view to_text(GateKind kind) {
  static constexpr std::array<std::string_view, 15> kNames = {
      "dag_paused",          "run_waits",   "run_finished", "upstream",      "depends_on_past",
      "wait_for_downstream", "needs",       "retry_at",     "mapped_length", "pool",
      "task_limit",          "parallelism", "executor",     "deferred",      "human"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::vector<Gate> gates(const World& world, const InstanceKey& key, const Moment& moment) {
  const World::State& s = world.state();
  const Run* run = s.find(key.run);
  std::vector<Gate> gates;
  const InstanceRow* row = s.find(key);
  if (!run || !row) {
    gates.push_back({GateKind::RunFinished, "run", "its run is not active", {}, "clear it"});
    return gates;
  }
  if (row->state == Deferred || row->state == AwaitingInput) {
    explain_rest(*run, *row, gates);
    return gates;
  }
  if (row->state != None && row->state != UpForRetry && row->state != UpForReschedule &&
      row->state != Scheduled)
    return gates;
  if (run->forced || is_final(run->row.state)) {
    gates.push_back(
        {GateKind::RunFinished, run->row.run_id, "its run is stopped or ended", {}, "clear it"});
    return gates;
  }
  run_gate(s, *run, moment.now, &gates);
  if (run->row.state == RunState::Running && run->entry->is_paused)
    gates.push_back({GateKind::DagPaused,
                     run->entry->id,
                     fmt::format("DAG '{}' is paused", run->entry->id),
                     {},
                     "unpause it"});
  if (row->state == Scheduled) {
    slot_gate(s, *run, key.task, &gates);
    const Line& line = s.lines[run->nodes[key.task].line];
    if (gates.empty() && !line.heads.empty())
      gates.push_back({GateKind::Pool, line.pool_name, "waits behind others in line", {}, {}});
    return gates;
  }
  const RuleDecision decision = judge(s, *run, key.task, key.map_index);
  if (decision.kind == RuleDecision::Kind::Wait) explain_upstream(*run, key.task, gates);
  past_allows(s, *run, key.task, &gates);
  needs_are_met(s, *run, run->dag->task(key.task).needs, moment.now, &gates);
  if (row->wake_at && *row->wake_at > moment.now)
    gates.push_back(
        {GateKind::RetryAt,
         run->dag->task(key.task).id,
         fmt::format("{} at {}", row->state == UpForReschedule ? "looks again" : "retries",
                     to_iso_z(*row->wake_at)),
         row->wake_at,
         {}});
  if (run->dag->task(key.task).map && !run->nodes[key.task].is_expanded())
    explain_mapping(*run, key.task, gates);
  return gates;
}

std::vector<Gate> gates(const World& world, RunKey key, const Moment& moment) {
  std::vector<Gate> gates;
  if (const Run* run = world.state().find(key)) run_gate(world.state(), *run, moment.now, &gates);
  return gates;
}

}  // namespace etesian
