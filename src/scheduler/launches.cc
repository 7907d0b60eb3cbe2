// Tries: offered, started, stopped, ended, lost. Every message is fenced by try and launch.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/json.h"
#include "base/time_text.h"
#include "scheduler/branch.h"
#include "scheduler/retry.h"
#include "scheduler/stepper.h"

namespace etesian {
namespace {

using enum TaskState;
using namespace std::chrono_literals;

/// Waiting for an answer: doubled from 5 s up to 5 min.
Duration back_off(int asked) { return std::min<Duration>(5min, 5s * (1 << std::min(asked, 10))); }
constexpr Duration kNoRoomDelay = 5s;
/// A launch that could not be started this often is given up as a loss.
constexpr int kLaunchesMax = 16;

bool is_success(const Outcome& outcome) {
  return outcome.cause == Cause::Exit && outcome.exit_code == 0;
}

bool reports_success(const TryRow& row) {
  if (row.report.empty()) return false;
  const auto report = report_from_json(row.report);
  return report && report->state == Success;
}

}  // namespace

void Stepper::effect(const TryRow& row, decltype(Effect::what) what) {
  decision_.effects.push_back({row.executor, std::move(what)});
}
void Stepper::offer(const TryRow& row) {
  effect(row, Effect::Start{row.instance, row.id, row.launch});
}
void Stepper::send_stop(const TryRow& row) {
  const LaunchId id{row.id, row.launch};
  if (!row.started_at) {
    effect(row, Effect::Revoke{id});
  } else {
    const Run* run = s_.find(row.instance.run);
    effect(row, Effect::Stop{id, run->dag->task(row.instance.task).kill_grace, row.stop->reason});
  }
  OpenTry& open = s_.tries.at(row.id);
  s_.set_ask_at(open, moment_.uptime + 15s + back_off(open.asked++));
}

void Stepper::inquire(OpenTry& open) {
  effect(open.row, Effect::Inquire{{open.row.id, open.row.launch}});
  s_.set_ask_at(open, moment_.uptime + back_off(open.asked++));
  const InstanceRow& row = *s_.find(open.row.instance);
  if (row.contact_lost_since) return;
  InstanceRow suspect = row;
  suspect.contact_lost_since = moment_.now;
  move(std::move(suspect), "no contact; the executor is asked");
}

void Stepper::on(const ExecutorUp& e) {
  if (e.executor == kTriggerHost) return watch_all();
  ExecutorState& executor = s_.executors[e.executor];
  executor.is_up = true;
  executor.session = e.session;
  executor.host = e.host;
  executor.slots = e.slots;
  executor.down_reason.clear();
  std::vector<Uuid> ids;
  for (const auto& [id, open] : s_.tries)
    if (open.row.executor == e.executor) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const Uuid& id : ids) {
    OpenTry& open = s_.tries.at(id);
    open.asked = 0;
    if (open.row.session != e.session) {
      inquire(open);
    } else if (open.row.stop) {
      send_stop(open.row);
    } else if (!open.row.started_at && !open.is_offer_due) {
      offer(open.row);  // A known launch is never started again: repeating is safe.
      s_.set_ask_at(open, moment_.uptime + s_.limits.queue_timeout);
    } else if (open.row.started_at) {
      inquire(open);
    }
  }
}

void Stepper::on(const ExecutorDown& e) {
  if (e.executor == kTriggerHost) return;  // Whatever rests goes on resting.
  ExecutorState& executor = s_.executors[e.executor];
  if (executor.session != e.session) return;
  executor.is_up = false;
  executor.down_reason = e.reason;
  std::vector<Uuid> ids;
  for (const auto& [id, open] : s_.tries)
    if (open.row.executor == e.executor) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  for (const Uuid& id : ids) {
    OpenTry& open = s_.tries.at(id);
    s_.set_ask_at(open, Duration{0});
    open.is_offer_due = false;
    const InstanceRow& row = *s_.find(open.row.instance);
    if (row.contact_lost_since) continue;
    InstanceRow suspect = row;
    suspect.contact_lost_since = moment_.now;
    move(std::move(suspect), fmt::format("executor '{}' is away: {}", e.executor, e.reason));
  }
}

void Stepper::mark_started(const OpenTry& open, std::optional<int> pid, std::string host,
                           Instant at, LogPlace log) {
  TryRow row = open.row;
  const bool is_new = !row.started_at;
  if (is_new) row.started_at = at;
  if (pid) row.pid = *pid, row.host = std::move(host), row.log = log;
  InstanceRow instance = *s_.find(row.instance);
  if (is_new || pid) emit(TryChanged{row});
  OpenTry& now_open = s_.tries.at(row.id);
  now_open.asked = 0;
  if (!row.stop) s_.set_ask_at(now_open, Duration{0});
  if (is_new) {
    instance.state = row.stop && row.stop->then == None ? Restarting : Running;
    if (instance.resume.empty() || !instance.started_at) instance.started_at = at;
    if (!instance.first_started_at) instance.first_started_at = at;
    instance.contact_lost_since.reset();
    move(std::move(instance), pid ? "started" : "the executor says that it runs");
    if (row.stop) send_stop(row);
  } else if (instance.contact_lost_since) {
    instance.contact_lost_since.reset();
    move(std::move(instance), "in contact again");
  }
}

void Stepper::on(const LaunchStarted& e) {
  const auto found = s_.tries.find(e.id.try_id);
  if (found == s_.tries.end() || found->second.row.launch != e.id.launch) return;
  const TryRow& row = found->second.row;
  if (row.started_at && row.pid == e.pid) return mark_started(found->second, {}, {}, e.at, {});
  mark_started(found->second, e.pid, e.host, e.at, e.log);
}

void Stepper::on(const LaunchAlive& e) {
  const auto found = s_.tries.find(e.id.try_id);
  if (found == s_.tries.end() || found->second.row.launch != e.id.launch) return;
  mark_started(found->second, {}, {}, moment_.now, {});
}

void Stepper::on(const LaunchNotStarted& e) {
  using NotStarted = LaunchNotStarted::Why;
  const auto found = s_.tries.find(e.id.try_id);
  if (found == s_.tries.end() || found->second.row.launch != e.id.launch) return;
  OpenTry& open = found->second;
  const ExecutorState& executor = s_.executors[open.row.executor];
  // After a change of session the old agent's claim may be gone with its host: lost, never "never
  // started". The same goes for a launch that was seen running.
  if (e.why == NotStarted::WrongSession || open.row.started_at ||
      (e.why == NotStarted::NeverReceived && executor.is_up &&
       executor.session != open.row.session)) {
    Outcome lost;
    lost.cause = Cause::Lost;
    lost.message = e.message.empty() ? "its agent's session is over" : e.message;
    return finish(open, std::move(lost));
  }
  if (open.row.stop) return drained_before_start(open);
  if (e.why == NotStarted::NoRoom) {
    open.is_offer_due = true;
    s_.set_ask_at(open, moment_.uptime + kNoRoomDelay);
    return;
  }
  offer_again(open, e.message);
}

/// A host that is full, or cannot write, is waited for however long that takes.
void Stepper::offer_again(const OpenTry& open, std::string message) {
  if (open.row.launch >= kLaunchesMax && !open.is_offer_due) {
    Outcome lost;
    lost.cause = Cause::QueueTimeout;
    lost.message = fmt::format("not started after {} offers: {}", open.row.launch, message);
    return finish(open, std::move(lost));
  }
  TryRow row = open.row;
  row.launch += 1;
  const ExecutorState& executor = s_.executors[row.executor];
  if (executor.is_up) row.session = executor.session;
  InstanceRow instance = *s_.find(row.instance);
  emit(TryChanged{row});
  if (instance.contact_lost_since) {
    instance.contact_lost_since.reset();
    move(std::move(instance), "was not started; offered again");
  }
  offer(row);
}

void Stepper::on(const LaunchEnded& e) {
  const auto found = s_.tries.find(e.id.try_id);
  if (found != s_.tries.end() && found->second.row.launch == e.id.launch)
    return finish(found->second, e.outcome);
  // Its end is known already, or it is older than what is known: the record may go.
  // The event does not say whose it is; an executor that does not know the launch ignores it.
  for (const auto& [name, executor] : s_.executors)
    decision_.effects.push_back({name, Effect::Acknowledge{e.id}});
}

void Stepper::finish(const OpenTry& open, Outcome outcome) {
  InstanceRow row = *s_.find(open.row.instance);
  if (outcome.ended_at == Instant{}) outcome.ended_at = moment_.now;
  if (!row.started_at && outcome.started_at != Instant{}) row.started_at = outcome.started_at;
  if (!row.first_started_at) row.first_started_at = row.started_at;
  row.ended_at = outcome.ended_at;
  const bool is_worker =
      open.row.worker != kNativeLane &&
      s_.find(row.key.run)->dag->task(row.key.task).run.kind == Command::Kind::Worker;
  const bool succeeded = is_worker ? reports_success(open.row) : is_success(outcome);
  if (!is_worker && succeeded && !outcome.output.empty() && !parse_json(outcome.output)) {
    outcome.cause = Cause::OutputInvalid;
    outcome.message = "its output is not JSON";
  }
  const auto& stop = open.row.stop;
  if (stop && (stop->overrules_success || !succeeded)) {
    const std::string reason = stop->reason;
    if (stop->then == UpForRetry) return fail(open, std::move(outcome), std::move(row));
    const bool is_cleared = stop->then == None;
    row.state = is_cleared ? None : stop->then;
    if (is_cleared) row = cleared(*s_.find(row.key.run), std::move(row));
    return close(open, std::move(outcome), std::move(row), reason);
  }
  if (is_worker) return finish_worker(open, std::move(outcome), std::move(row));
  if (is_success(outcome)) return succeed(open, std::move(outcome), std::move(row));
  if (is_infrastructure(outcome.cause)) return lose(open, std::move(outcome), std::move(row));
  const Task& task = s_.find(row.key.run)->dag->task(row.key.task);
  if (outcome.cause == Cause::Exit && std::find(task.skip_on_exit.begin(), task.skip_on_exit.end(),
                                                outcome.exit_code) != task.skip_on_exit.end()) {
    if (task.decides == Decides::ShortCircuit) {
      outcome.output = "false";
      return succeed(open, std::move(outcome), std::move(row));
    }
    row.state = Skipped;
    const std::string reason = fmt::format("exit code {} means skipped", outcome.exit_code);
    return close(open, std::move(outcome), std::move(row), reason);
  }
  fail(open, std::move(outcome), std::move(row));
}

void Stepper::succeed(const OpenTry& open, Outcome outcome, InstanceRow row) {
  Run& run = *s_.find(row.key.run);
  const Task& task = run.dag->task(row.key.task);
  const InstanceKey key = row.key;
  if (task.decides == Decides::Branch) {
    const auto choice =
        skipped_by(*run.dag, key.task, outcome.output.empty() ? nullptr : &outcome.output);
    if (!choice) {
      outcome.message = choice.error().message;
      row.state = Failed;
      const std::string reason = outcome.message;
      return close(open, std::move(outcome), std::move(row), reason);
    }
  }
  if (!outcome.output.empty()) emit(OutputStored{key, "return_value", outcome.output});
  row.state = Success;
  close(open, std::move(outcome), std::move(row), "exit code 0");
  if (task.decides != Decides::Nothing) apply_choice(run, key);
}

void Stepper::apply_choice(Run& run, const InstanceKey& decider) {
  const std::string* output = world_.output(decider, "return_value");
  const auto skipped = skipped_by(*run.dag, decider.task, output);
  if (!skipped) return;
  const std::string reason = fmt::format("not chosen by '{}'", run.dag->task(decider.task).id);
  for (const TaskIndex task : *skipped)
    for (std::size_t i = 0; i < run.nodes[task].items.size(); ++i) {
      const InstanceRow& row = run.nodes[task].items[i];
      if (row.state == None || row.state == Scheduled) set_state(row, Skipped, reason);
    }
}

void Stepper::lose(const OpenTry& open, Outcome outcome, InstanceRow row) {
  row.infrastructure_losses += 1;
  std::string reason;
  if (row.infrastructure_losses > s_.limits.infrastructure_retries) {
    row.state = Failed;
    reason = fmt::format("lost {} times ({}): given up", row.infrastructure_losses,
                         to_text(outcome.cause));
  } else {
    const Duration delay = loss_delay(row.infrastructure_losses);
    row.state = UpForRetry;
    row.wake_at = moment_.now + delay;
    reason =
        fmt::format("{}: {}; next in {}", to_text(outcome.cause), outcome.message, to_text(delay));
  }
  close(open, std::move(outcome), std::move(row), std::move(reason));
}

void Stepper::fail(const OpenTry& open, Outcome outcome, InstanceRow row) {
  Run& run = *s_.find(row.key.run);
  const Task& task = run.dag->task(row.key.task);
  const RetryDecision decision =
      decide_retry(task, run.row.dag_id, run.row, row, outcome, moment_.now);
  row.state = decision.retry && !run.forced ? UpForRetry : Failed;
  if (row.state == UpForRetry) row.wake_at = moment_.now + decision.delay;
  const InstanceRow failed = row;
  close(open, std::move(outcome), std::move(row), decision.reason);
  if (failed.state == Failed && run.dag->definition().fail_fast) stop_others_after(failed);
}

void Stepper::close(const OpenTry& open, Outcome outcome, InstanceRow row, std::string reason) {
  TryRow ended = open.row;
  const bool has_record = !is_infrastructure(outcome.cause);
  if (outcome.log.segment != 0) ended.log = outcome.log;
  ended.final_state = row.state == None ? Failed : row.state;
  ended.outcome = std::move(outcome);
  row.open_try = {};
  row.contact_lost_since.reset();
  const bool is_cleared = row.state == None;
  const InstanceKey key = row.key;
  emit(TryChanged{ended});
  move(std::move(row), std::move(reason));
  if (is_cleared && s_.find(key.run)->outputs.contains({key.task, key.map_index}))
    emit(OutputsRemoved{key, {}});
  if (has_record) effect(ended, Effect::Acknowledge{{ended.id, ended.launch}});
}

void Stepper::drained_before_start(const OpenTry& open) {
  InstanceRow row = *s_.find(open.row.instance);
  Outcome outcome;
  outcome.cause = Cause::Killed;
  outcome.message = open.row.stop->reason;
  outcome.ended_at = row.ended_at.emplace(moment_.now);
  if (open.row.stop->then == UpForRetry) return fail(open, std::move(outcome), std::move(row));
  row.state = open.row.stop->then;
  if (row.state == None) row = cleared(*s_.find(row.key.run), std::move(row));
  const std::string reason = open.row.stop->reason;
  close(open, std::move(outcome), std::move(row), reason);
}

void Stepper::order_stop(const InstanceRow& row, StopOrder order) {
  TryRow open = s_.tries.at(row.open_try).row;
  // A user's word stands against an automatic one, unless the whole run is being stopped.
  if (open.stop && open.stop->overrules_success && !order.overrules_success && !order.run_then)
    return;
  if (open.stop && open.stop->run_then && !order.run_then) order.run_then = open.stop->run_then;
  open.stop = std::move(order);
  s_.tries.at(open.id).asked = 0;
  const InstanceKey key = row.key;
  const bool restarts = row.state == Running && open.stop->then == None;
  const std::string reason = open.stop->reason;
  emit(TryChanged{open});
  if (restarts) set_state(*s_.find(key), Restarting, reason);
  send_stop(open);
}

InstanceRow Stepper::cleared(const Run& run, InstanceRow row) const {
  const int retries = run.dag->task(row.key.task).retry.times;
  InstanceRow fresh;
  fresh.key = row.key;
  fresh.try_number = row.try_number;
  fresh.max_tries = retries == RetryRule::kForever ? retries : row.try_number + retries;
  fresh.note = std::move(row.note);
  fresh.rendered_map_index = std::move(row.rendered_map_index);
  return fresh;
}

}  // namespace etesian
