// Human in the loop: what a task asks a person.
#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

std::string texts_text(const std::vector<std::string>& texts) { return texts_to_json(texts); }

/// Null counts as absent.
const json::array* list_or_null(BodyReader& read, const json::object& body, std::string_view name) {
  const json::value* value = body.if_contains(name);
  return value == nullptr || value->is_null() ? nullptr : read.maybe_list(name);
}

std::vector<std::string> texts_in(BodyReader& read, std::string_view name,
                                  const json::array* list) {
  std::vector<std::string> texts;
  if (list == nullptr) return texts;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if ((*list)[i].is_string()) {
      texts.emplace_back((*list)[i].get_string());
      continue;
    }
    json::array at = read.location(name);
    at.emplace_back(i);
    read.mistakes().add("string_type", std::move(at), "Input should be a valid string", (*list)[i]);
  }
  return texts;
}

/// A list that must hold something.
std::vector<std::string> options_in(BodyReader& read, std::string_view name) {
  const json::array* list = read.list(name);
  if (list != nullptr && list->empty())
    read.mistakes().add("too_short", read.location(name),
                        "List should have at least 1 item after validation, not 0", *list);
  return texts_in(read, name, list);
}

std::vector<HumanInput::Person> people_in(BodyReader& read, const json::object& body) {
  std::vector<HumanInput::Person> people;
  const json::array* list = list_or_null(read, body, "assigned_users");
  if (list == nullptr) return people;
  for (std::size_t i = 0; i < list->size(); ++i) {
    HumanInput::Person person;
    for (auto [name, into] : {std::pair("id", &person.id), std::pair("name", &person.name)}) {
      const auto* object = (*list)[i].if_object();
      const auto* value = object != nullptr ? object->if_contains(name) : nullptr;
      if (value != nullptr && value->is_string()) {
        *into = value->get_string();
        continue;
      }
      json::array at = read.location("assigned_users");
      at.emplace_back(i);
      at.emplace_back(name);
      read.mistakes().add(value == nullptr ? "missing" : "string_type", std::move(at),
                          value == nullptr ? "Field required" : "Input should be a valid string",
                          (*list)[i]);
    }
    people.push_back(std::move(person));
  }
  return people;
}

/// These bodies may hold more than is read.
void allow_all(BodyReader& read, const json::object& body) {
  for (const auto& member : body) read.knows(member.key());
}

std::string object_text(const Call& call, std::string_view name) {
  const auto members = raw_members(call.request().body);
  const auto found = members.find(name);
  return found == members.end() || found->second == "null" ? "{}" : std::string(found->second);
}

http::Response no_such_detail() {
  return refused(404, "not_found",
                 "HITLDetail not found. This happens most likely due to clearing task instance "
                 "before receiving response.");
}

std::string question_text(const Call& call, const HumanInput& asked) {
  return ObjectText()
      .text("ti_id", to_text(call.token().try_id))
      .raw("options", texts_text(asked.options))
      .text("subject", asked.subject)
      .raw("body", asked.body ? quoted(*asked.body) : "null")
      .raw("defaults", asked.defaults ? texts_text(*asked.defaults) : "null")
      .boolean("multiple", asked.is_multiple)
      .raw("params", asked.params)
      .raw("assigned_users", people_to_json(asked.assigned))
      .take();
}

std::string answer_text(const HumanInput& asked) {
  const auto& answer = asked.answer;
  std::string person = "null";
  if (answer && answer->by)
    person = ObjectText().text("id", answer->by->id).text("name", answer->by->name).take();
  return ObjectText()
      .boolean("response_received", answer.has_value())
      .raw("responded_by_user", person)
      .instant("responded_at", answer ? std::optional(answer->at) : std::nullopt)
      .raw("chosen_options", answer ? texts_text(answer->chosen) : "[]")
      .raw("params_input", answer ? answer->params_input : "{}")
      .take();
}

/// Answers with what `write` makes of the question of the token's try number.
void answer_with(const CallPtr& call, std::function<http::Response(const HumanInput&)> write) {
  call->in_store([call, write = std::move(write)](Store& store) {
    const auto tries = store.tries(call->instance());
    if (!tries) return call->answer(failure(tries.error()));
    const auto asked = store.human_inputs(call->instance());
    if (!asked) return call->answer(failure(asked.error()));
    for (const TryRow& own : *tries) {
      if (own.id != call->token().try_id) continue;
      for (const HumanInput& row : *asked)
        if (row.try_number == own.number) return call->answer(write(row));
    }
    call->answer(no_such_detail());
  });
}

}  // namespace

void ask_human(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  BodyReader read(body);
  AskHuman event;
  event.try_id = call->token().try_id;
  HumanInput& asked = event.question;
  read.text("ti_id");
  asked.options = options_in(read, "options");
  asked.subject = read.text("subject");
  asked.body = read.maybe_text("body");
  if (const auto* defaults = list_or_null(read, body, "defaults"))
    asked.defaults = texts_in(read, "defaults", defaults);
  asked.is_multiple = read.flag("multiple");
  if (const auto* params = body.if_contains("params"); params != nullptr && !params->is_null())
    read.object("params");
  asked.params = object_text(*call, "params");
  asked.assigned = people_in(read, body);
  allow_all(read, body);
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->submit(event, [call](const CommandDone&) {
    answer_with(call, [call](const HumanInput& row) {
      http::Response response = ok(question_text(*call, row));
      response.status = 201;
      return response;
    });
  });
}

void answer_human(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  BodyReader read(body);
  AnswerHuman event;
  event.key = call->instance();
  read.text("ti_id");
  event.chosen = options_in(read, "chosen_options");
  read.object("params_input");
  event.params_input = object_text(*call, "params_input");
  allow_all(read, body);
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->submit(
      event,
      [call](const CommandDone&) {
        answer_with(call, [](const HumanInput& row) { return ok(answer_text(row)); });
      },
      [call](const Error& error) {
        if (error.code == ErrorCode::NotFound) return call->answer(no_such_detail());
        if (error.code == ErrorCode::Conflict)
          return call->answer(
              http::error_response(409, "Human-in-the-loop detail for Task Instance with id " +
                                            to_text(call->token().try_id) + " already exists."));
        if (error.code == ErrorCode::InvalidInput)
          return call->answer(http::error_response(400, error.message));
        call->answer(failure(error));
      });
}

void get_human_answer(const CallPtr& call) {
  answer_with(call, [](const HumanInput& row) { return ok(answer_text(row)); });
}

}  // namespace etesian::task_api
