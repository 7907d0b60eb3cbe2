// Tasks that ask a person: the question, the answer, and the deadline without one.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "scheduler/stepper.h"

namespace etesian {
namespace {

using enum TaskState;

/// datetime.datetime in UTC as the SDK's serde reads it. Source: airflow/sdk/serde, version 2 of
/// its datetime serializer.
json::value serde_datetime(Instant at) {
  const json::array utc{"UTC", "pendulum.tz.timezone.Timezone", 1, true};
  const double seconds = std::chrono::duration<double>(at.time_since_epoch()).count();
  return json::object{
      {"__classname__", "datetime.datetime"},
      {"__version__", 2},
      {"__data__", json::object{{"timestamp", seconds},
                                {"tz", json::object{{"__classname__", "builtins.tuple"},
                                                    {"__version__", 1},
                                                    {"__data__", utc}}}}}};
}

json::object object_from(const std::string& text) {
  auto value = parse_json(text);
  return value && value->is_object() ? std::move(value->get_object()) : json::object{};
}

/// What the operator's execute_complete reads. Source: HITLDetail.as_resume_event_payload.
std::string event_of(const HumanInput::Answer& answer, bool is_timed_out) {
  json::object event;
  event["chosen_options"] = json::array(answer.chosen.begin(), answer.chosen.end());
  event["params_input"] = object_from(answer.params_input);
  event["responded_at"] = serde_datetime(answer.at);
  event["responded_by_user"] =
      answer.by ? json::value(json::object{{"id", answer.by->id}, {"name", answer.by->name}})
                : json::value(nullptr);
  event["timedout"] = is_timed_out;
  return json::serialize(event);
}

/// Values of the params where nobody gave any.
std::string values_of(const std::string& params) {
  json::object values;
  for (const auto& [name, param] : object_from(params)) {
    const json::object* described = param.if_object();
    const json::value* value = described ? described->if_contains("value") : nullptr;
    values[name] = value ? *value : param;
  }
  return json::serialize(values);
}

/// Keys that would make the SDK read a plain dictionary as an object of a class. Source:
/// airflow/sdk/serde, CLASSNAME and SCHEMA_ID.
bool has_reserved_key(const json::value& value) {
  if (const json::array* array = value.if_array())
    return std::any_of(array->begin(), array->end(), has_reserved_key);
  const json::object* object = value.if_object();
  if (!object) return false;
  return std::any_of(object->begin(), object->end(), [](const auto& member) {
    return member.key() == "__classname__" || member.key() == "__id__" ||
           has_reserved_key(member.value());
  });
}

std::string quoted(const std::set<std::string>& texts) {
  std::vector<std::string> shown;
  for (const std::string& text : texts) shown.push_back("'" + text + "'");
  return fmt::format("[{}]", fmt::join(shown, ", "));
}

/// In the words of Airflow's API.
std::optional<Error> mistake_in(const AnswerHuman& answer, const HumanInput& asked) {
  if (asked.answer)
    return Error{ErrorCode::Conflict,
                 fmt::format("Human-in-the-loop detail has already been updated for Task Instance "
                             "with id {} and is not allowed to write again.",
                             to_text(asked.try_id))};
  if (answer.by && !asked.assigned.empty() &&
      std::none_of(asked.assigned.begin(), asked.assigned.end(),
                   [&](const HumanInput::Person& one) { return one.id == answer.by->id; }))
    return Error{ErrorCode::Denied, fmt::format("User={} (id={}) is not a respondent for the task.",
                                                answer.by->name, answer.by->id)};
  const std::set<std::string> allowed(asked.options.begin(), asked.options.end());
  std::set<std::string> unknown;
  for (const std::string& option : answer.chosen)
    if (!allowed.contains(option)) unknown.insert(option);
  if (!unknown.empty())
    return Error{ErrorCode::InvalidInput, fmt::format("Invalid options {}; allowed options are {}.",
                                                      quoted(unknown), quoted(allowed))};
  if (answer.chosen.size() > 1 && !asked.is_multiple)
    return Error{ErrorCode::InvalidInput,
                 "Multiple options chosen but this Human-in-the-loop task accepts only a single "
                 "option."};
  if (const auto given = parse_json(answer.params_input); !given || has_reserved_key(*given))
    return Error{ErrorCode::InvalidInput, "params_input holds a key that is reserved."};
  return std::nullopt;
}

}  // namespace

/// The question of the instance's present try, or null.
const HumanInput* Stepper::question_of(const InstanceRow& row) const {
  const Run& run = *std::as_const(s_).find(row.key.run);
  const auto found = run.questions.find({row.key.task, row.key.map_index});
  return found != run.questions.end() && is_current(found->second, row) ? &found->second : nullptr;
}

void Stepper::on(const AskHuman& e) {
  const auto found = s_.tries.find(e.try_id);
  if (found == s_.tries.end()) return refuse(ErrorCode::NotFound, "ask: no such open try");
  const TryRow& open = found->second.row;
  const HumanInput* earlier = question_of(*std::as_const(s_).find(open.instance));
  HumanInput row = earlier ? *earlier : e.question;
  if (earlier && (!earlier->answer || earlier->try_id == e.try_id)) return;
  row.answer.reset();
  if (!earlier) {
    row.instance = open.instance;
    row.try_number = open.number;
    row.asked_at = moment_.now;
  }
  row.try_id = e.try_id;
  emit(HumanInputChanged{std::move(row)});
}

void Stepper::on(const AnswerHuman& e) {
  const InstanceRow* row = std::as_const(s_).find(e.key);
  const HumanInput* asked = row ? question_of(*row) : nullptr;
  if (!asked) return refuse(ErrorCode::NotFound, "answer: the task instance asks nothing");
  if (auto mistake = mistake_in(e, *asked)) {
    decision_.refused = std::move(mistake);
    return;
  }
  HumanInput answered = *asked;
  answered.answer = HumanInput::Answer{e.chosen, e.params_input, e.by, moment_.now};
  const std::string event = event_of(*answered.answer, false);
  emit(HumanInputChanged{std::move(answered)});
  if (!e.by) return;
  audit(e.by->id, "update_hitl_detail", e.key);
  // One that waits already goes on; one that is about to does when it comes to rest.
  if (row->state == AwaitingInput || row->state == Deferred)
    resume_with_event(InstanceRow(*row), event, fmt::format("answered by {}", e.by->name));
}

/// The task rests until it is answered; perhaps it was, before it came to rest.
void Stepper::await_input(const InstanceKey& key) {
  const InstanceRow row = *std::as_const(s_).find(key);
  const HumanInput* asked = question_of(row);
  if (asked && asked->answer)
    resume_with_event(row, event_of(*asked->answer, false), "answered before it came to rest");
}

/// The deadline has passed. Source: SchedulerJobRunner.check_awaiting_input_timeouts.
void Stepper::end_wait_for_input(const InstanceRow& row) {
  const HumanInput* asked = question_of(row);
  if (!asked || !asked->defaults) {
    static constexpr const char* kTimeout =
        R"({"error":"The Human-in-the-loop response timeout has passed without a response.",)"
        R"("error_type":"timeout"})";
    return resume_with_event(row, kTimeout, "nobody answered in time");
  }
  HumanInput answered = *asked;
  answered.answer =
      HumanInput::Answer{*asked->defaults, values_of(asked->params), std::nullopt, moment_.now};
  const std::string event = event_of(*answered.answer, true);
  emit(HumanInputChanged{std::move(answered)});
  resume_with_event(row, event, "nobody answered in time: the defaults are chosen");
}

}  // namespace etesian
