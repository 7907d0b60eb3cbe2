#include "scheduler/stepper.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace etesian {

using enum TaskState;
using Kind = RuleDecision::Kind;

namespace {

bool may_be_scheduled(TaskState state) {
  return state == None || state == UpForRetry || state == UpForReschedule;
}

}  // namespace

Decision step(World& world, const Event& event, const Moment& moment) {
  return Stepper(world, moment).settle(event);
}

Decision Stepper::settle(const Event& event) {
  std::visit([this](const auto& e) { on(e); }, event);
  settle_agenda();
  while (!s_.ended.empty()) {
    retire_runs();
    settle_agenda();  // What looked back at a run that left may have become possible.
  }
  return std::move(decision_);
}

void Stepper::emit(Change change) {
  world_.apply(change, moment_);
  decision_.changes.push_back(std::move(change));
}

void Stepper::refuse(ErrorCode code, std::string message) {
  decision_.refused = Error{code, std::move(message)};
}

void Stepper::settle_agenda() {
  Agenda& agenda = s_.agenda;
  for (;;) {
    if (!agenda.nodes.empty()) {
      const InstanceKey key = agenda.nodes.front();
      agenda.nodes.pop_front();
      examine(key);
    } else if (!agenda.runs.empty()) {
      const RunKey key = agenda.runs.front();
      agenda.runs.pop_front();
      examine_run(key);
    } else if (!agenda.dags.empty()) {
      const std::string id = std::move(agenda.dags.extract(agenda.dags.begin()).value());
      examine_dag(id);
    } else {
      fill_slots();
      if (agenda.nodes.empty() && agenda.runs.empty() && agenda.dags.empty()) return;
    }
  }
}

void Stepper::retire_runs() {
  for (const RunKey key : std::exchange(s_.ended, {})) {
    Run* run = s_.find(key);
    if (!run || !is_final(run->row.state)) continue;
    s_.retire(*run);
  }
}

void Stepper::move(InstanceRow row, std::string reason) {
  const InstanceRow* old = std::as_const(s_).find(row.key);
  ETESIAN_CHECK(old && (old->state == row.state || may_move(old->state, row.state)));
  if (old->state == Deferred && row.state != Deferred)
    decision_.effects.push_back({kTriggerHost, Effect::Unwatch{resting_try(*old)}});
  InstanceChanged change{old->state, old->try_number, std::move(row), std::move(reason)};
  emit(std::move(change));
}

void Stepper::set_state(const InstanceRow& row, TaskState to, std::string reason) {
  InstanceRow moved = row;
  moved.state = to;
  moved.wake_at.reset();
  moved.contact_lost_since.reset();
  if (is_final(to)) {
    moved.resume.clear();
    if (!moved.started_at) moved.started_at = moment_.now;
    moved.ended_at = moment_.now;
  }
  move(std::move(moved), std::move(reason));
}

void Stepper::skip_or_fail(Run& run, const InstanceKey& key, TaskState state) {
  const InstanceRow& row = *s_.find(key);
  const std::string rule(to_text(run.dag->task(key.task).trigger_rule));
  set_state(row, state, fmt::format("trigger rule {} cannot be met", rule));
}

/// The gates before `scheduled` that the trigger rule does not speak of.
bool Stepper::is_ready(Run& run, TaskIndex task) {
  if (!past_allows(s_, run, task, nullptr)) return false;
  const auto& needs = run.dag->task(task).needs;
  if (needs.empty() || needs_are_met(s_, run, needs, moment_.now, nullptr)) return true;
  for (const Need& need : needs) s_.consumers[need.dag].insert({run.row.key, task});
  return false;
}

void Stepper::examine(const InstanceKey& key) {
  Run* run = s_.find(key.run);
  if (!run) return;
  Node& node = run->nodes[key.task];
  if (key.map_index == kWholeTask) node.is_noted = false;
  if (run->row.state != RunState::Running || run->entry->is_paused || run->forced) return;
  if (node.unfinished == 0) return;
  if (const auto& map = run->dag->task(key.task).map; map && !map->group.empty())
    return examine_member(*run, key);
  const RuleDecision decision = judge(s_, *run, key.task, node.items.front().key.map_index);
  if (decision.kind == Kind::Wait) return;
  if (decision.kind == Kind::Run) {
    if (!is_ready(*run, key.task)) return;
    if (run->dag->task(key.task).map && !expand(*run, key.task)) return;
  }
  if (key.map_index != kWholeTask) {
    if (s_.find(key)) examine_item(*run, key, decision);
    return;
  }
  for (std::size_t i = 0; i < node.items.size(); ++i)
    examine_item(*run, node.items[i].key, decision);
}

/// A task in a mapped group: its instances are there as soon as their number is known, and each
/// follows the instances of its own index.
void Stepper::examine_member(Run& run, const InstanceKey& key) {
  if (!expand(run, key.task)) return;
  const auto judge_one = [&](const InstanceKey& one) {
    if (!may_be_scheduled(s_.find(one)->state)) return;
    const RuleDecision decision = judge(s_, run, one.task, one.map_index);
    if (decision.kind == Kind::Wait) return;
    if (decision.kind == Kind::Run && !is_ready(run, one.task)) return;
    examine_item(run, one, decision);
  };
  if (key.map_index >= 0 && s_.find(key)) return judge_one(key);
  for (std::size_t i = 0; i < run.nodes[key.task].items.size(); ++i)
    judge_one(run.nodes[key.task].items[i].key);
}

void Stepper::examine_item(Run& run, const InstanceKey& key, const RuleDecision& decision) {
  const InstanceRow& row = *s_.find(key);
  if (!may_be_scheduled(row.state)) return;
  if (decision.kind == Kind::Set) {
    // `removed` depends on the index of the instance itself.
    const RuleDecision own = judge(s_, run, key.task, key.map_index);
    if (own.kind == Kind::Set) skip_or_fail(run, key, own.state);
    return;
  }
  if (row.wake_at && *row.wake_at > moment_.now) {
    s_.sleepers.insert({*row.wake_at, key});
    return;
  }
  schedule(run, row);
}

void Stepper::schedule(Run& run, const InstanceRow& row) {
  InstanceRow moved = row;
  moved.scheduled_at = moment_.now;
  moved.wake_at.reset();
  moved.ended_at.reset();
  if (!is_resting(row.state)) {
    moved.try_number += 1;
    moved.reschedules = 0;
    moved.started_at.reset();
  }
  // A task without a command has nothing to launch: it takes no slot, as in Airflow.
  if (run.dag->task(row.key.task).run.kind == Command::Kind::Empty) {
    moved.state = Success;
    moved.started_at = moved.ended_at = moment_.now;
    move(std::move(moved), "nothing to run");
    return;
  }
  moved.state = Scheduled;
  move(std::move(moved), "trigger rule met");
}

void Stepper::fill_slots() {
  std::vector<const PoolState*> full;
  for (;;) {
    Line* best = nullptr;
    for (Line& line : s_.lines) {
      if (line.heads.empty() || !line.executor->has_room()) continue;
      if (std::find(full.begin(), full.end(), line.pool) != full.end()) continue;
      if (!best || *line.heads.begin() < *best->heads.begin()) best = &line;
    }
    if (!best || static_cast<int>(s_.tries.size()) >= s_.limits.parallelism) return;
    const LineKey head = *best->heads.begin();
    Run& run = *s_.find(head.run);
    switch (slot_gate(s_, run, head.task, nullptr)) {
      case SlotGate::Open: start(run, head.task); break;
      // Strictly in line: a task that fits the pool is not overtaken for ever by smaller ones.
      case SlotGate::PoolFull: full.push_back(best->pool); break;
      case SlotGate::TooBig: s_.park(run, head.task, Place::TooBig); break;
      case SlotGate::TaskLimit: s_.park(run, head.task, Place::TaskLimit); break;
      case SlotGate::RunLimit: s_.park(run, head.task, Place::RunLimit); break;
      case SlotGate::RunActive:
      case SlotGate::Parallelism:
      case SlotGate::Executor: ETESIAN_CHECK(false);
    }
  }
}

/// A worker would read the file as it is now: in a run of another version it still does.
bool Stepper::is_native(const Run& run, TaskIndex task) const {
  const auto& airflow = run.dag->task(task).airflow;
  return s_.limits.has_native_lane && airflow && airflow->native && run.entry->dag &&
         run.entry->dag->version() == run.dag->version();
}

void Stepper::start(Run& run, TaskIndex task) {
  const Node& node = run.nodes[task];
  const InstanceKey key{run.row.key, task, *node.scheduled.begin()};
  InstanceRow row = *s_.find(key);
  TryRow opened;
  opened.id = make_uuid7(
      std::chrono::duration_cast<std::chrono::milliseconds>(moment_.now.time_since_epoch()).count(),
      random_);
  opened.instance = key;
  opened.number = row.try_number;
  opened.executor = run.dag->task(task).executor;
  opened.session = s_.executors[opened.executor].session;
  opened.queued_at = moment_.now;
  if (is_native(run, task)) {
    opened.worker = kNativeLane;
    if (s_.render_fields) opened.rendered = s_.render_fields(world_, opened);
  }
  row.state = Queued;
  row.queued_at = moment_.now;
  row.open_try = opened.id;
  move(std::move(row), "slot taken");
  const Uuid id = opened.id;
  emit(TryOpened{std::move(opened)});
  offer(s_.tries.at(id).row);
}

void Stepper::audit(const std::string& actor, const std::string& event, const std::string& dag_id,
                    const std::string& run_id, const std::string& task_id, int map_index,
                    const std::string& details) {
  Audited row;
  row.at = moment_.now;
  row.actor = actor;
  row.event = event;
  row.dag_id = dag_id;
  row.run_id = run_id;
  row.task_id = task_id;
  row.map_index = map_index;
  row.details = details;
  emit(std::move(row));
}

void Stepper::audit(const std::string& actor, const std::string& event, const InstanceKey& key,
                    const std::string& details) {
  const Run& run = *s_.find(key.run);
  audit(actor, event, run.row.dag_id, run.row.run_id, run.dag->task(key.task).id, key.map_index,
        details);
}

}  // namespace etesian
