// Runs: made when due, started when there is room, ended when their leaves say so.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/time_text.h"
#include "scheduler/stepper.h"

namespace etesian {
namespace {

using enum TaskState;
using Kind = RuleDecision::Kind;
/// Between two runs of a @continuous DAG that end in the instant in which they start.
constexpr Duration kContinuousPause = std::chrono::seconds(1);
constexpr TaskIndex kNoTask = std::numeric_limits<TaskIndex>::max();

std::optional<RunSlot> last_slot(const DagEntry& entry) {
  if (!entry.cursor) return std::nullopt;
  return RunSlot{entry.cursor->run_after, entry.cursor->logical_date, entry.cursor->interval};
}

/// Equal to the reader too: the version says nothing of comments and of where the file lies.
bool is_same(const Dag& one, const Dag& other) {
  const DagDefinition& a = one.definition();
  const DagDefinition& b = other.definition();
  return a.version == b.version && a.folder == b.folder && a.relative_file == b.relative_file &&
         a.source == b.source;
}

}  // namespace

void Stepper::on(const DagLoaded& e) {
  const auto found = s_.dags.find(e.dag->id());
  const bool is_known = found != s_.dags.end();
  if (is_known && found->second.dag && is_same(*found->second.dag, *e.dag)) return;
  const auto before = is_known ? found->second.dag : nullptr;
  register_assets(e.dag->definition());
  emit(DagChanged{e.dag,
                  is_known ? found->second.is_paused : e.dag->definition().paused_on_creation});
  update_active(before ? &before->definition() : nullptr, &e.dag->definition());
  start_waiting_for_assets(e.dag->id());
}

void Stepper::on(const DagGone& e) {
  const auto before = world_.dag(e.dag_id);
  if (!before) return;
  emit(DagRemoved{e.dag_id});
  update_active(&before->definition(), nullptr);
}

void Stepper::on(const TimeReached&) {
  while (!s_.sleepers.empty() && s_.sleepers.begin()->first <= moment_.now) {
    const InstanceKey key = s_.sleepers.begin()->second;
    s_.sleepers.erase(s_.sleepers.begin());
    wake(key);
  }
  while (!s_.run_timers.empty() && s_.run_timers.begin()->first <= moment_.now) {
    if (Run* run = s_.find(s_.run_timers.begin()->second)) {
      s_.note_run(*run);
      s_.agenda.dags.insert(run->row.dag_id);
    }
    s_.run_timers.erase(s_.run_timers.begin());
  }
  while (!s_.dag_timers.empty() && s_.dag_timers.begin()->first <= moment_.now)
    s_.agenda.dags.insert(s_.dag_timers.extract(s_.dag_timers.begin()).value().second);
  while (!s_.try_timers.empty() && s_.try_timers.begin()->first <= moment_.uptime) {
    OpenTry& open = s_.tries.at(s_.try_timers.begin()->second);
    s_.set_ask_at(open, Duration{0});
    if (open.is_offer_due)
      offer_again(open, "no room");
    else if (open.row.stop && open.row.session == s_.executors[open.row.executor].session)
      send_stop(open.row);
    else
      inquire(open);
  }
}

Run& Stepper::create_run(RunRow row, const std::shared_ptr<const Dag>& dag) {
  row.key = s_.next_run_key;
  row.dag_id = dag->id();
  row.dag_version = dag->version();
  row.queued_at = moment_.now;
  const RunKey key = row.key;
  emit(RunCreated{std::move(row), dag});
  Run& run = *s_.find(key);
  expand_literals(run);
  return run;
}

void Stepper::examine_dag(const std::string& dag_id) {
  DagEntry& entry = s_.entry(dag_id);
  make_scheduled_runs(entry);
  make_asset_run(entry);
  start_runs(entry);
  finish_backfills(dag_id);
}

void Stepper::make_scheduled_runs(DagEntry& entry) {
  if (!entry.dag || !entry.timetable || entry.timetable->is_manual()) return;
  const DagDefinition& definition = entry.dag->definition();
  const bool is_continuous = entry.timetable->is_continuous();
  const int most = is_continuous ? 1 : definition.max_active_runs;
  for (int& made = made_[entry.id];;) {
    if (entry.next) s_.dag_timers.erase({entry.next->run_after, entry.id});
    auto next = entry.timetable->next_run(last_slot(entry), moment_.now);
    // Without catch-up a date is no longer ahead in the moment in which it is due.
    const bool was_due = entry.next && entry.next->run_after <= moment_.now;
    if (!was_due || (next && next->run_after <= moment_.now)) entry.next = std::move(next);
    if (!entry.next || entry.is_paused) return;
    const RunSlot slot = *entry.next;
    if (slot.run_after > moment_.now || made == s_.limits.catchup_runs_per_step) {
      s_.dag_timers.insert({slot.run_after, entry.id});
      return;
    }
    if (is_continuous && entry.cursor && slot.interval.end <= entry.cursor->interval.end) {
      s_.dag_timers.insert({entry.cursor->interval.end + kContinuousPause, entry.id});
      return;
    }
    ++made;
    CursorMoved cursor{entry.id, slot.run_after, slot.logical_date, slot.interval};
    // A changed schedule may lead back to a date, or an instant, that had its run.
    const bool had_its_run = entry.cursor && (slot.logical_date <= entry.cursor->logical_date ||
                                              slot.run_after <= entry.cursor->run_after);
    if (had_its_run)
      cursor.logical_date = std::max(cursor.logical_date, entry.cursor->logical_date);
    if (had_its_run || entry.dates_ahead.contains(slot.logical_date)) {
      move_cursor(entry, cursor);
      continue;
    }
    if (entry.unfinished >= most) {
      if (is_continuous || definition.overlap == Overlap::Wait) return;
      if (definition.overlap == Overlap::Skip) {
        move_cursor(entry, cursor);
        continue;
      }
      cancel_oldest(entry, most);
    }
    move_cursor(entry, cursor);
    RunRow row;
    row.type = RunType::Scheduled;
    row.logical_date = slot.logical_date;
    row.interval = slot.interval;
    row.run_after = slot.run_after;
    row.run_id = make_run_id(row.type, row.run_after, row.logical_date, random_);
    create_run(std::move(row), entry.dag);
  }
}

void Stepper::move_cursor(DagEntry& entry, const CursorMoved& cursor) {
  entry.next.reset();
  emit(cursor);
}

/// Makes room for one more run. Those that are being stopped already do not count.
void Stepper::cancel_oldest(DagEntry& entry, int most) {
  std::vector<Run*> staying;
  for (const RunKey key : entry.runs) {
    Run& run = *s_.find(key);
    if (run.row.backfill == 0 && !run.forced && !is_final(run.row.state)) staying.push_back(&run);
  }
  if (static_cast<int>(staying.size()) < most) return;
  stop_run(*staying.front(), RunState::Failed, Failed, Skipped, false,
           "cancelled for a newer run (overlap: cancel_oldest)");
}

void Stepper::start_runs(DagEntry& entry) {
  if (entry.is_paused) return;
  // A run that starts leaves the set that is walked.
  for (auto at = entry.queued.begin(); at != entry.queued.end();) {
    const auto place = *at;
    if (!try_start(*s_.find(place.second))) break;
    at = entry.queued.upper_bound(place);
  }
  for (auto& [key, backfill] : s_.backfills) {
    if (backfill.row.dag_id != entry.id || backfill.row.is_paused) continue;
    for (auto at = backfill.queued.begin(); at != backfill.queued.end();) {
      const RunKey run = *at;
      if (!try_start(*s_.find(run))) break;
      at = backfill.queued.upper_bound(run);
    }
  }
}

/// False: the runs behind it cannot start either.
bool Stepper::try_start(Run& run) {
  switch (run_gate(s_, run, moment_.now, nullptr)) {
    case RunGate::RunAfter: s_.run_timers.insert({run.row.run_after, run.row.key}); return false;
    case RunGate::Needs:
      for (const Need& need : run.dag->definition().needs)
        s_.consumers[need.dag].insert({run.row.key, kNoTask});
      return true;
    case RunGate::Open: break;
    default: return false;
  }
  RunRow row = run.row;
  row.state = RunState::Running;
  row.started_at = moment_.now;
  emit(RunChanged{RunState::Queued, std::move(row), "started"});
  return true;
}

void Stepper::examine_run(RunKey key) {
  Run* run = s_.find(key);
  if (!run) return;
  run->is_noted = false;
  if (is_final(run->row.state)) return;
  if (run->forced) {
    if (run->unfinished == 0) end_run(*run, *run->forced, "stopped");
    return;
  }
  if (run->row.state != RunState::Running) return;
  if (run->unfinished == 0) {
    bool failed = false;
    for (const TaskIndex leaf : run->dag->leaves())
      for (const InstanceRow& item : run->nodes[leaf].items)
        failed = failed || item.state == Failed || item.state == UpstreamFailed;
    const RunState state = failed ? RunState::Failed : RunState::Success;
    call_back(*run, state, failed ? "task_failure" : "success");
    return end_run(*run, state, failed ? "a task that ends the run failed" : "all tasks ended");
  }
  if (const auto timeout = run->dag->definition().run_timeout) {
    const Instant at = run->row.started_at.value_or(moment_.now) + *timeout;
    if (at <= moment_.now) call_back(*run, RunState::Failed, "timed_out");
    if (at <= moment_.now)
      return stop_run(*run, RunState::Failed, Skipped, Skipped, false,
                      fmt::format("run timeout of {}", to_text(*timeout)));
    s_.run_timers.insert({at, key});
  }
  if (!is_deadlocked(*run)) return;
  call_back(*run, RunState::Failed, "all_tasks_deadlocked");
  end_run(*run, RunState::Failed, "deadlock: no task can run any more");
}

void Stepper::call_back(const Run& run, RunState state, const char* reason) {
  const auto& airflow = run.dag->definition().airflow;
  const bool is_failure = state == RunState::Failed;
  if (!airflow || !(is_failure ? airflow->has_failure_callback : airflow->has_success_callback))
    return;
  Effect::Callback call{run.dag, run.row, Effect::Callback::Of::Dag, {}, {}, is_failure, reason};
  call.run.state = state;
  call.run.ended_at = moment_.now;
  // The context of the callback names the task instance that ended last.
  for (const Node& node : run.nodes)
    for (const InstanceRow& item : node.items)
      if (item.ended_at && (!call.instance || *item.ended_at >= *call.instance->ended_at))
        call.instance = item;
  decision_.effects.push_back({kTriggerHost, std::move(call)});
}

/// Nothing is under way, and what is left waits for upstreams that have all ended.
bool Stepper::is_deadlocked(const Run& run) const {
  if (run.states[static_cast<std::size_t>(None)] != run.unfinished || run.entry->is_paused)
    return false;
  std::vector<bool> is_stuck(run.nodes.size());
  for (TaskIndex i = 0; i < run.nodes.size(); ++i) {
    const Node& node = run.nodes[i];
    if (node.unfinished == 0) continue;
    if (judge(s_, run, i, node.items.front().key.map_index).kind != Kind::Wait) return false;
    is_stuck[i] = true;
    for (const TaskIndex u : run.dag->upstream(i))
      if (run.nodes[u].unfinished > 0 && !is_stuck[u]) return false;
  }
  return true;
}

void Stepper::end_run(Run& run, RunState state, const std::string& reason) {
  RunRow row = run.row;
  const RunState from = row.state;
  row.state = state;
  row.ended_at = moment_.now;
  emit(RunChanged{from, std::move(row), reason});
}

void Stepper::stop_run(Run& run, RunState state, TaskState running, TaskState waiting, bool by_user,
                       const std::string& reason) {
  bool has_open = false;
  for (Node& node : run.nodes)
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const InstanceRow& row = node.items[i];
      if (is_final(row.state)) continue;
      if (row.open_try.is_nil()) {
        set_state(row, waiting, reason);
        continue;
      }
      has_open = true;
      order_stop(row, {running, by_user, state, reason});
    }
  if (!has_open) end_run(run, state, reason);
}

void Stepper::stop_others_after(const InstanceRow& failed) {
  Run& run = *s_.find(failed.key.run);
  const std::string reason =
      fmt::format("fail_fast: '{}' failed", run.dag->task(failed.key.task).id);
  for (TaskIndex t = 0; t < run.nodes.size(); ++t) {
    if (run.dag->task(t).is_teardown) continue;
    for (std::size_t i = 0; i < run.nodes[t].items.size(); ++i) {
      const InstanceRow& row = run.nodes[t].items[i];
      if (is_final(row.state)) continue;
      if (row.open_try.is_nil())
        set_state(row, Skipped, reason);
      else
        order_stop(row, {Failed, false, std::nullopt, reason});
    }
  }
}

}  // namespace etesian
