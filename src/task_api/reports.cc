// PATCH …/state: how a worker says that its try ended, or rests.
#include "task_api/ended_try.h"
#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

using enum TaskState;

constexpr std::size_t kReasonLengthMax = 500;

http::Response cannot_report(TaskState previous) {
  return refused(409, "invalid_state", "TI was not in the running state so it cannot be updated",
                 ",\"previous_state\":" + state_text(previous));
}

/// The first characters of UTF-8 text.
std::string first_characters(const std::string& text, std::size_t count) {
  std::size_t end = 0;
  for (; end < text.size(); ++end)
    if ((text[end] & 0xc0) != 0x80 && count-- == 0) break;
  return text.substr(0, end);
}

std::string_view or_empty_object(
    const std::map<std::string, std::string_view, std::less<>>& members, std::string_view name) {
  const auto found = members.find(name);
  return found == members.end() ? "{}" : found->second;
}

/// Lists of asset events as they came; empty when there is none.
std::string outlets_text(const json::object& body, const std::string& body_text) {
  const auto has_any = [&](std::string_view name) {
    const auto* list = body.if_contains(name);
    return list != nullptr && list->is_array() && !list->get_array().empty();
  };
  if (!has_any("task_outlets") && !has_any("outlet_events")) return {};
  const auto members = raw_members(body_text);
  ObjectText text;
  for (const std::string_view name : {"task_outlets", "outlet_events"})
    if (has_any(name)) text.raw(name, members.at(std::string(name)));
  return text.take();
}

void check_outlets(BodyReader& read) {
  if (const auto* outlets = read.maybe_list("task_outlets"))
    for (std::size_t i = 0; i < outlets->size(); ++i) {
      const auto* outlet = (*outlets)[i].if_object();
      if (outlet != nullptr && outlet->contains("type")) continue;
      json::array at = read.location("task_outlets");
      at.emplace_back(i);
      if (outlet != nullptr) at.emplace_back("type");
      read.mistakes().add(outlet != nullptr ? "missing" : "model_attributes_type", std::move(at),
                          outlet != nullptr ? "Field required" : "Input should be an object",
                          (*outlets)[i]);
    }
  if (const auto* events = read.maybe_list("outlet_events"))
    for (std::size_t i = 0; i < events->size(); ++i) {
      if ((*events)[i].is_object()) continue;
      json::array at = read.location("outlet_events");
      at.emplace_back(i);
      read.mistakes().add("dict_type", std::move(at), "Input should be a valid dictionary",
                          (*events)[i]);
    }
}

/// The members that a state has besides "state" and "rendered_map_index".
void read_details(const Call& call, TaskState state, const json::object& body, BodyReader& read,
                  WorkerReport& report) {
  const std::string& body_text = call.request().body;
  const auto after = [&](std::optional<Duration> length) -> std::optional<Instant> {
    return length ? std::optional(call.now() + *length) : std::nullopt;
  };
  switch (state) {
    case Success:
      report.ended_at = read.instant("end_date");
      check_outlets(read);
      report.outlets = outlets_text(body, body_text);
      return;
    case UpForRetry:
      report.ended_at = read.instant("end_date");
      if (const auto delay = read.maybe_number("retry_delay_seconds"))
        report.retry_delay = Duration(
            static_cast<std::int64_t>(std::min(std::max(*delay, 0.0), 86400.0 * 36500) * 1e6));
      report.reason =
          first_characters(read.maybe_text("retry_reason").value_or(""), kReasonLengthMax);
      return;
    case UpForReschedule:
      report.wake_at = read.instant("reschedule_date");
      report.ended_at = read.instant("end_date");
      return;
    case Deferred: {
      ObjectText resume;
      resume.text("id", to_text(call.token().try_id)).text("classpath", read.text("classpath"));
      read.object_or_text("trigger_kwargs");
      report.wake_at = after(read.maybe_duration("trigger_timeout"));
      const auto queue = read.maybe_text("queue");
      const std::string next_method = read.text("next_method");
      read.object("next_kwargs");
      const auto members = raw_members(body_text);
      report.resume = resume.raw("kwargs", or_empty_object(members, "trigger_kwargs"))
                          .text("next_method", next_method)
                          .raw("next_kwargs", or_empty_object(members, "next_kwargs"))
                          .raw("queue", queue ? quoted(*queue) : "null")
                          .take();
      return;
    }
    case AwaitingInput:
      report.wake_at = after(read.maybe_duration("timeout"));
      report.resume =
          ObjectText()
              .text("id", to_text(call.token().try_id))
              .text("next_method", read.text("next_method"))
              .raw("next_kwargs", or_empty_object(raw_members(body_text), "next_kwargs"))
              .take();
      read.object("next_kwargs");
      return;
    default: report.ended_at = read.instant("end_date");
  }
}

std::optional<TaskState> reportable(const json::object& body) {
  const auto* text = body.if_contains("state");
  if (text == nullptr || !text->is_string()) return std::nullopt;
  const auto state = task_state_from_text(std::string_view(text->get_string()));
  if (!state || !(is_final(*state) || is_resting(*state) || *state == UpForRetry))
    return std::nullopt;
  return state;
}

/// The name that Pydantic's errors give to the branch of the union.
std::string_view tag_of(TaskState state) {
  const bool has_own = state == Success || !is_final(state);
  return has_own ? to_text(state) : "_terminal_";
}

http::Response no_such_state(const json::object& body) {
  Mistakes mistakes;
  const auto* state = body.if_contains("state");
  if (state == nullptr)
    mistakes.add("missing", {"body", "state"}, "Field required", body);
  else
    mistakes.add("enum", {"body", "state"},
                 "Input should be 'success', 'failed', 'skipped', 'removed', 'upstream_failed', "
                 "'deferred', 'up_for_reschedule', 'up_for_retry' or 'awaiting_input'",
                 *state);
  return mistakes.response();
}

/// The try is over for the engine: the repetition of a report whose answer was lost, or nonsense.
void report_of_ended(const CallPtr& call, TaskState state) {
  call->in_store([=](Store& store) {
    const auto ended = find_ended(store, *call);
    if (!ended) return call->answer(failure(ended.error()));
    if (*ended && (*ended)->has_state(state)) return call->answer(nothing(200));
    if (!*ended || (*ended)->is_archived) return call->answer(no_such_instance());
    call->answer(cannot_report((*ended)->row.final_state));
  });
}

void refuse_report(const CallPtr& call, TaskState state, const Error& error) {
  call->in_world([=](const World& world, const Moment&) {
    const TryRow* open = world.open_try(call->token().try_id);
    if (open == nullptr) return report_of_ended(call, state);
    const TaskState reported = reported_state(*open);
    if (open->stop && open->stop->overrules_success) {
      const TaskState now = state_of(*open->stop);
      return call->answer(now == state ? nothing(200) : cannot_report(now));
    }
    if (reported != None) return call->answer(cannot_report(reported));
    if (!open->worker.empty()) return call->answer(failure(error));
    const auto instance = world.instance(call->instance());
    call->answer(cannot_report(instance ? instance->state : None));
  });
}

}  // namespace

void report_state(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  const auto state = reportable(body);
  if (!state) return call->answer(no_such_state(body));
  BodyReader read(body, tag_of(*state));
  WorkerReported event;
  event.try_id = call->token().try_id;
  event.report.state = *state;
  event.report.ended_at = call->now();
  read.knows("state");
  read_details(*call, *state, body, read, event.report);
  if (*state != UpForReschedule) event.rendered_map_index = read.maybe_text("rendered_map_index");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_world([=](const World& world, const Moment&) {
    const TryRow* open = world.open_try(call->token().try_id);
    const bool is_repeated = open != nullptr && reported_state(*open) == *state;
    call->submit(
        event, [=](const CommandDone&) { call->answer(nothing(is_repeated ? 200 : 204)); },
        [=](const Error& error) { refuse_report(call, *state, error); });
  });
}

}  // namespace etesian::task_api
