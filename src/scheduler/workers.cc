// What the workers of Airflow tasks say: hello, reports, outputs; and how tasks rest and go on.
#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "scheduler/retry.h"
#include "scheduler/stepper.h"

namespace etesian {
namespace {

using enum TaskState;

json::object object_from(const std::string& text) {
  auto value = parse_json(text);
  return value && value->is_object() ? std::move(value->get_object()) : json::object{};
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// A wait for an instant needs nobody to watch it. Source: DateTimeTrigger of the standard
/// provider, which TimeDeltaTrigger and the time sensors are too once they are serialised.
struct TimeWait {
  Instant until{};
  json::value event;
  bool ends_task = false;
};
std::optional<TimeWait> time_wait(const json::object& resume) {
  const std::string classpath = text_of(resume, "classpath");
  if (classpath != "airflow.providers.standard.triggers.temporal.DateTimeTrigger" &&
      classpath != "airflow.providers.standard.triggers.temporal.TimeDeltaTrigger")
    return std::nullopt;
  try {
    const json::object& kwargs = resume.at("kwargs").as_object();
    const json::value& moment = kwargs.at("moment");
    TimeWait wait;
    const double seconds = moment.at("__data__").at("timestamp").to_number<double>();
    wait.until = Instant(Duration(static_cast<std::int64_t>(seconds * 1e6)));
    wait.event = moment;
    if (const auto* ends = kwargs.if_contains("end_from_trigger"))
      wait.ends_task = ends->is_bool() && ends->get_bool();
    return wait;
  } catch (const std::exception&) {
    return std::nullopt;  // Another shape: the trigger host runs it.
  }
}

std::string next_kwargs_with(const json::object& resume, std::string_view name, json::value value) {
  json::object next;
  if (const auto* kwargs = resume.if_contains("next_kwargs"); kwargs && kwargs->is_object())
    next = kwargs->get_object();
  next[name] = std::move(value);
  return json::serialize(next);
}

}  // namespace

Uuid resting_try(const InstanceRow& row) {
  if (!is_resting(row.state) || row.resume.empty()) return {};
  return uuid_from_text(text_of(object_from(row.resume), "id"));
}

void Stepper::on(const WorkerStarted& e) {
  const auto found = s_.tries.find(e.try_id);
  if (found == s_.tries.end()) return refuse(ErrorCode::NotFound, "start: no such open try");
  if (found->second.row.worker == e.worker) return;
  if (!found->second.row.worker.empty())
    return refuse(ErrorCode::Conflict,
                  fmt::format("start: it runs already, as '{}'", found->second.row.worker));
  if (found->second.row.stop)
    return refuse(ErrorCode::Conflict,
                  fmt::format("start: it is to be stopped: {}", found->second.row.stop->reason));
  mark_started(found->second, {}, {}, e.at, {});
  TryRow row = s_.tries.at(e.try_id).row;
  row.worker = e.worker;
  emit(TryChanged{std::move(row)});
}

void Stepper::on(const WorkerReported& e) {
  const auto found = s_.tries.find(e.try_id);
  if (found == s_.tries.end()) return refuse(ErrorCode::NotFound, "report: no such open try");
  TryRow row = found->second.row;
  if (row.worker.empty()) return refuse(ErrorCode::Conflict, "report: it has not started");
  if (row.stop && row.stop->overrules_success)
    return refuse(ErrorCode::Conflict,
                  fmt::format("report: it is to be stopped: {}", row.stop->reason));
  if (!row.report.empty()) {
    const auto earlier = report_from_json(row.report);
    if (earlier && earlier->state == e.report.state) return;
    return refuse(ErrorCode::Conflict, "report: it has reported already");
  }
  row.report = to_json_text(e.report);
  const InstanceKey key = row.instance;
  emit(TryChanged{std::move(row)});
  if (e.rendered_map_index) on(SetRenderedMapIndex{key, *e.rendered_map_index});
}

void Stepper::on(const WorkerRendered& e) {
  const auto found = s_.tries.find(e.try_id);
  if (found == s_.tries.end()) return refuse(ErrorCode::NotFound, "rendered: no such open try");
  TryRow row = found->second.row;
  if (row.rendered == e.fields) return;
  row.rendered = e.fields;
  emit(TryChanged{std::move(row)});
}

void Stepper::on(const OutputPushed& e) {
  if (!std::as_const(s_).find(e.key))
    return refuse(ErrorCode::NotFound, "push: no such task instance");
  emit(OutputStored{e.key, e.name, e.json, e.length});
}

void Stepper::on(const OutputDropped& e) {
  if (!std::as_const(s_).find(e.key))
    return refuse(ErrorCode::NotFound, "drop: no such task instance");
  emit(OutputsRemoved{e.key, e.name});
}

bool Stepper::has_place(const StatePlace& place) const {
  if (place.asset != 0) return s_.assets.rows.contains(place.asset);
  return std::as_const(s_).find(place.instance) != nullptr;
}

void Stepper::on(const SetState& e) {
  if (!has_place(e.place)) return refuse(ErrorCode::NotFound, "set state: its owner is gone");
  emit(StateStored{e.place, e.key, e.json, e.expires_at});
}

void Stepper::on(const DropState& e) {
  if (!has_place(e.place)) return refuse(ErrorCode::NotFound, "drop state: its owner is gone");
  emit(StateRemoved{e.place, e.key});
}

void Stepper::on(const SkipInstances& e) {
  for (const InstanceKey& key : e.keys) {
    const InstanceRow* row = std::as_const(s_).find(key);
    if (!row || row->state == Running || row->state == Success || row->state == Failed) continue;
    const std::string reason = "skipped by a task above it";
    if (row->open_try.is_nil() && row->state != Skipped)
      set_state(*row, Skipped, reason);
    else if (!row->open_try.is_nil())
      order_stop(*row, {Skipped, true, std::nullopt, reason});
  }
}

void Stepper::on(const SetRenderedMapIndex& e) {
  const InstanceRow* found = std::as_const(s_).find(e.key);
  if (!found) return refuse(ErrorCode::NotFound, "set rendered map index: no such task instance");
  if (found->rendered_map_index == e.text) return;
  InstanceRow row = *found;
  row.rendered_map_index = e.text;
  move(std::move(row), "rendered map index");
}

void Stepper::finish_worker(const OpenTry& open, Outcome outcome, InstanceRow row) {
  const auto report = open.row.report.empty() ? std::optional<WorkerReport>()
                                              : [&]() -> std::optional<WorkerReport> {
    auto read = report_from_json(open.row.report);
    if (!read) return std::nullopt;
    return std::move(*read);
  }();
  if (!report) {
    if (is_infrastructure(outcome.cause)) return lose(open, std::move(outcome), std::move(row));
    if (outcome.cause == Cause::Exit && open.row.worker.empty()) {
      // Not a line of the user's code has run: the installation failed, not the task.
      outcome.cause = Cause::Lost;
      outcome.message = "the worker never started the task; its log says more";
      return lose(open, std::move(outcome), std::move(row));
    }
    if (outcome.cause == Cause::Exit) outcome.message = "the worker ended without a report";
    row.resume.clear();
    const InstanceKey key = row.key;
    const Uuid try_id = open.row.id;
    const std::string reason = outcome.message;
    fail(open, std::move(outcome), std::move(row));
    return call_back(*s_.find(key.run), key, try_id, reason);
  }
  row.ended_at = report->ended_at;
  if (is_resting(report->state)) return rest(open, std::move(outcome), std::move(row), *report);
  row.resume.clear();
  row.state = report->state;
  const Run& run = *s_.find(row.key.run);
  std::string reason = fmt::format("reported {}", to_text(report->state));
  if (!report->reason.empty()) reason += ": " + report->reason;
  if (report->state == UpForRetry) {
    if (run.forced) {
      row.state = Failed;
    } else {
      const Task& task = run.dag->task(row.key.task);
      row.wake_at = report->ended_at +
                    report->retry_delay.value_or(airflow_retry_delay(
                        task.retry, run.row.dag_id, task.id, run.row.logical_date, row.try_number));
    }
  }
  const InstanceRow ended = row;
  close(open, std::move(outcome), std::move(row), std::move(reason));
  if (ended.state == Success) emit_asset_events(ended.key, report->outlets);
  if (ended.state == Failed && run.dag->definition().fail_fast) stop_others_after(ended);
}

void Stepper::call_back(const Run& run, const InstanceKey& key, const Uuid& try_id,
                        const std::string& reason) {
  const auto& airflow = run.dag->task(key.task).airflow;
  const InstanceRow& row = *std::as_const(s_).find(key);
  const bool is_failure = row.state == Failed;
  if (!airflow || (!is_failure && row.state != UpForRetry)) return;
  if (!(is_failure ? airflow->has_failure_callback : airflow->has_retry_callback)) return;
  decision_.effects.push_back(
      {kTriggerHost, Effect::Callback{run.dag, run.row, Effect::Callback::Of::Task, row, try_id,
                                      is_failure, reason}});
}

void Stepper::rest(const OpenTry& open, Outcome outcome, InstanceRow row,
                   const WorkerReport& report) {
  row.state = report.state;
  row.ended_at.reset();
  row.wake_at = report.wake_at;
  row.resume = report.resume;
  if (report.state == UpForReschedule) row.reschedules += 1;
  if (report.state == Deferred) {
    const auto wait = time_wait(object_from(row.resume));
    if (wait && (!row.wake_at || wait->until <= *row.wake_at)) row.wake_at = wait->until;
  }
  const InstanceKey key = row.key;
  close(open, std::move(outcome), std::move(row),
        fmt::format("reported {}", to_text(report.state)));
  if (report.state == Deferred) watch(*s_.find(key));
  if (report.state == AwaitingInput) await_input(key);
}

void Stepper::watch(const InstanceRow& row) {
  if (row.state != Deferred || time_wait(object_from(row.resume))) return;
  const Run& run = *std::as_const(s_).find(row.key.run);
  decision_.effects.push_back(
      {kTriggerHost, Effect::Watch{row.key, resting_try(row), row.resume, row.wake_at, run.dag,
                                   run.row, row.try_number}});
}

void Stepper::watch_all() {
  for (const auto& [key, run] : s_.runs) {
    if (run->states[static_cast<std::size_t>(Deferred)] == 0) continue;
    for (const Node& node : run->nodes)
      for (const InstanceRow& item : node.items) watch(item);
  }
}

/// The time that an instance was put off to has come.
void Stepper::wake(const InstanceKey& key) {
  const InstanceRow* found = std::as_const(s_).find(key);
  if (found && found->state == AwaitingInput) return end_wait_for_input(InstanceRow(*found));
  if (!found || found->state != Deferred) return s_.note(key);
  const InstanceRow row = *found;
  const json::object resume_with = object_from(row.resume);
  const auto wait = time_wait(resume_with);
  if (!wait || wait->until > moment_.now)
    return resume(row, R"({"error":"Trigger timeout"})", true, "what it waits for took too long");
  if (wait->ends_task) return on(EndInstance{key, resting_try(row), Success, {}});
  resume(row, next_kwargs_with(resume_with, "event", wait->event), false, "its time has come");
}

void Stepper::resume(const InstanceRow& row, std::string next_kwargs, bool failed,
                     std::string reason) {
  json::object resume_with = object_from(row.resume);
  resume_with.erase("classpath");
  resume_with.erase("kwargs");
  if (failed) resume_with["next_method"] = "__fail__";
  resume_with["next_kwargs"] = object_from(next_kwargs);
  InstanceRow moved = row;
  moved.state = Scheduled;
  moved.scheduled_at = moment_.now;
  moved.wake_at.reset();
  moved.resume = json::serialize(resume_with);
  move(std::move(moved), std::move(reason));
}

void Stepper::resume_with_event(const InstanceRow& row, const std::string& event,
                                std::string reason) {
  auto value = parse_json(event);
  resume(row,
         next_kwargs_with(object_from(row.resume), "event", value ? std::move(*value) : nullptr),
         false, std::move(reason));
}

void Stepper::on(const ResumeInstance& e) {
  const InstanceRow* row = std::as_const(s_).find(e.key);
  if (!row || resting_try(*row) != e.try_id || e.try_id.is_nil()) return;
  resume(InstanceRow(*row), e.next_kwargs, e.failed,
         e.failed ? "its trigger failed" : "what it waited for happened");
}

void Stepper::on(const EndInstance& e) {
  const InstanceRow* found = std::as_const(s_).find(e.key);
  if (!found || resting_try(*found) != e.try_id || e.try_id.is_nil()) return;
  InstanceRow row = *found;
  const Run& run = *s_.find(row.key.run);
  const Task& task = run.dag->task(row.key.task);
  const bool is_retried = e.to == Failed && !run.forced && has_retries_left(row);
  if (is_retried) {
    row.state = UpForRetry;
    row.wake_at = moment_.now + airflow_retry_delay(task.retry, run.row.dag_id, task.id,
                                                    run.row.logical_date, row.try_number);
    row.resume.clear();
    move(std::move(row), "its trigger says that it failed");
    return call_back(run, e.key, e.try_id, "its trigger says that it failed");
  }
  for (const auto& [name, json_text] : e.outputs) emit(OutputStored{e.key, name, json_text, {}});
  set_state(row, e.to, fmt::format("its trigger says {}", to_text(e.to)));
  call_back(run, e.key, e.try_id, "its trigger says that it failed");
  if (e.to == Failed && run.dag->definition().fail_fast)
    stop_others_after(*std::as_const(s_).find(e.key));
}

}  // namespace etesian
