// Human in the loop: what tasks ask people, and the answers.
#include <algorithm>
#include <charconv>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/schema.h"

namespace etesian::api {
namespace {

json::object person_json(const HumanInput::Person& person) {
  return {{"id", person.id}, {"name", person.name}};
}

json::array texts_json(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

/// Params as Airflow shows them: a plain value stands for one without description and schema.
json::object params_json(const std::string& params) {
  json::object shown;
  const json::value parsed = json_or_text(params);
  if (!parsed.is_object()) return shown;
  for (const auto& [name, param] : parsed.get_object()) {
    const json::object* object = param.if_object();
    const bool is_described = object != nullptr && object->contains("description") &&
                              object->contains("schema") && object->contains("value");
    shown[name] =
        is_described ? param
                     : json::value(json::object{
                           {"value", param}, {"description", nullptr}, {"schema", json::object{}}});
  }
  return shown;
}

json::object question_json(const HumanInput& asked, json::object instance) {
  json::array assigned;
  for (const auto& person : asked.assigned) assigned.push_back(person_json(person));
  const auto& answer = asked.answer;
  json::object out{
      {"options", texts_json(asked.options)},
      {"subject", asked.subject},
      {"body", asked.body ? json::value(*asked.body) : json::value(nullptr)},
      {"defaults", asked.defaults ? json::value(texts_json(*asked.defaults)) : nullptr},
      {"multiple", asked.is_multiple},
      {"params", params_json(asked.params)},
      {"assigned_users", std::move(assigned)},
      {"created_at", instant_json(asked.asked_at)},
      {"responded_by_user", answer && answer->by ? json::value(person_json(*answer->by)) : nullptr},
      {"responded_at", answer ? instant_json(answer->at) : nullptr},
      {"chosen_options", answer ? json::value(texts_json(answer->chosen)) : nullptr},
      {"params_input", answer ? json_or_text(answer->params_input) : json::object{}},
      {"response_received", answer.has_value()}};
  out["task_instance"] = std::move(instance);
  return out;
}

/// {dag_id}, {dag_run_id}, {task_id}, {map_index}. Errors: NotFound, in Airflow's words.
Result<InstanceSummary> find_asking(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return index.error();
  auto instance = find_instance(reading, *index);
  if (instance || instance.error().code != ErrorCode::NotFound) return instance;
  const Call& call = reading.call;
  return Error{ErrorCode::NotFound,
               "The Task Instance with dag_id: `" + call.param("dag_id") + "`, run_id: `" +
                   call.param("dag_run_id") + "`, task_id: `" + call.param("task_id") +
                   "` and map_index: `" + std::to_string(*index) + "` was not found"};
}

http::Response asks_nothing(const InstanceSummary& instance) {
  const std::string id = instance.last_try ? to_text(instance.last_try->id) : instance.task_id;
  return http::error_response(
      404, "Human-in-the-loop detail does not exist for Task Instance with id " + id);
}

/// The question of the instance's present try; nullopt: it asks nothing.
Result<std::optional<HumanInput>> current_question(Reading& reading,
                                                   const InstanceSummary& instance) {
  const auto rows = reading.store.human_inputs(instance.row.key);
  if (!rows) return rows.error();
  for (const HumanInput& row : *rows)
    if (is_current(row, instance.row)) return std::optional(row);
  return std::optional<HumanInput>();
}

http::Response question_response(Reading& reading, const HumanInput& asked,
                                 const InstanceSummary& instance) {
  const auto version = version_of(reading, instance.dag_id, instance.dag_version);
  return ok(question_json(asked, instance_json(instance, version.get())));
}

http::Response answer_response(Reading& reading) {
  const auto instance = find_asking(reading);
  if (!instance) return refusal(instance.error());
  const auto rows = reading.store.human_inputs(instance->row.key);
  if (!rows) return refusal(rows.error());
  if (rows->empty() || !rows->back().answer) return asks_nothing(*instance);
  const HumanInput::Answer& answer = *rows->back().answer;
  return ok(
      json::object{{"responded_by", answer.by ? json::value(person_json(*answer.by)) : nullptr},
                   {"responded_at", instant_json(answer.at)},
                   {"chosen_options", texts_json(answer.chosen)},
                   {"params_input", json_or_text(answer.params_input)}});
}

HumanInputFilter filter_of(const Call& call) {
  const http::Request& request = call.request;
  HumanInputFilter filter;
  filter.dag_id = unless_all(call.param("dag_id"));
  filter.run_id = unless_all(call.param("dag_run_id"));
  filter.task_id = request.query_value("task_id");
  filter.dag_id_contains = query_pattern(request, "dag_id_pattern");
  filter.task_id_contains = query_pattern(request, "task_id_pattern");
  filter.subject_contains = query_pattern(request, "subject_search");
  filter.body_contains = query_pattern(request, "body_search");
  if (const auto index = query_number(request, "map_index"))
    filter.map_index = static_cast<std::int32_t>(*index);
  for (const auto& text : request.query_values("state"))
    if (const auto state = task_state_from_text(text == "no_status" ? "none" : text))
      filter.states.push_back(*state);
  filter.is_answered = query_flag(request, "response_received");
  filter.answered_by_ids = request.query_values("responded_by_user_id");
  filter.answered_by_names = request.query_values("responded_by_user_name");
  filter.asked_at = query_range(request, "created_at");
  return filter;
}

}  // namespace

Next list_human_inputs(Reading& reading) {
  const auto page =
      reading.store.human_inputs(filter_of(reading.call), query_paging(reading.call.request));
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& row : page->rows) {
    const auto version = version_of(reading, row.instance.dag_id, row.instance.dag_version);
    rows.push_back(question_json(row.row, instance_json(row.instance, version.get())));
  }
  return listing("hitl_details", std::move(rows), page->total);
}

Next get_human_input(Reading& reading) {
  const auto instance = find_asking(reading);
  if (!instance) return refusal(instance.error());
  const auto asked = current_question(reading, *instance);
  if (!asked) return refusal(asked.error());
  if (!*asked) return asks_nothing(*instance);
  return question_response(reading, **asked, *instance);
}

Next get_human_input_try(Reading& reading) {
  const auto instance = find_asking(reading);
  if (!instance) return refusal(instance.error());
  const auto tries = reading.store.tries(instance->row.key);
  if (!tries) return refusal(tries.error());
  const auto rows = reading.store.human_inputs(instance->row.key);
  if (!rows) return refusal(rows.error());
  const std::string& wanted = reading.call.param("try_number");
  for (const HumanInput& row : *rows) {
    if (std::to_string(row.try_number) != wanted) continue;
    const auto spans = try_spans(instance->row, *tries);
    const auto span = std::find_if(spans.begin(), spans.end(), [&](const TrySpan& each) {
      return each.number == row.try_number;
    });
    if (span == spans.end()) break;
    const auto version = version_of(reading, instance->dag_id, instance->dag_version);
    return ok(question_json(row, try_json(*span, *instance, version.get())));
  }
  return asks_nothing(*instance);
}

Next answer_human_input(Reading& reading) {
  const auto instance = find_asking(reading);
  if (!instance) return refusal(instance.error());
  const auto asked = current_question(reading, *instance);
  if (!asked) return refusal(asked.error());
  if (!*asked) return asks_nothing(*instance);
  const json::object& body = reading.call.body;
  AnswerHuman event;
  event.key = instance->row.key;
  for (const json::value& option : body.at("chosen_options").as_array())
    event.chosen.emplace_back(option.as_string());
  if (event.chosen.empty())
    return unprocessable({"body", "chosen_options"}, "too_short",
                         "List should have at least 1 item after validation, not 0");
  if (const auto* params = body.if_contains("params_input"))
    event.params_input = json::serialize(*params);
  const std::string& user = reading.call.request.user;
  event.by = HumanInput::Person{user, user};
  return Command{{event},
                 [](Reading& later, const CommandDone&) -> Next { return answer_response(later); }};
}

}  // namespace etesian::api
