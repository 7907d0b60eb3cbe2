// What else a worker asks about its own task instance.
#include <algorithm>

#include "task_api/ended_try.h"
#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

struct TaskName {
  std::string id;
  std::int32_t map_index = -1;
};

/// The members of "tasks": "id" or ["id", map index].
std::vector<TaskName> task_names(BodyReader& read) {
  std::vector<TaskName> names;
  const json::array* tasks = read.list("tasks");
  if (tasks == nullptr) return names;
  for (std::size_t i = 0; i < tasks->size(); ++i) {
    const json::value& task = (*tasks)[i];
    const auto* pair = task.if_array();
    if (task.is_string()) {
      names.push_back({std::string(task.get_string()), -1});
    } else if (pair != nullptr && pair->size() == 2 && (*pair)[0].is_string() &&
               (*pair)[1].is_int64()) {
      names.push_back({std::string((*pair)[0].get_string()),
                       static_cast<std::int32_t>((*pair)[1].get_int64())});
    } else {
      json::array at = read.location("tasks");
      at.emplace_back(i);
      read.mistakes().add("string_type", std::move(at),
                          "Input should be a valid string or a pair of a string and an integer",
                          task);
    }
  }
  return names;
}

/// Calls `then` with the ended launch, or answers 404.
void with_ended(const CallPtr& call, std::function<void(const EndedTry&)> then) {
  call->in_store([call, then = std::move(then)](Store& store) {
    const auto ended = find_ended(store, *call);
    if (!ended) return call->answer(failure(ended.error()));
    if (!*ended) return call->answer(no_such_instance());
    then(**ended);
  });
}

/// The run of the token, finished ones too. NotFound: it was removed.
Result<RunRow> own_run(Store& store, const Call& call) {
  RunFilter filter;
  filter.key = call.token().run;
  const auto runs = store.runs(filter, {.limit = 1, .offset = 0, .order_by = {}});
  if (!runs) return runs.error();
  if (runs->rows.empty()) return Error{ErrorCode::NotFound, "Dag run was not found"};
  return runs->rows.front();
}

}  // namespace

void set_rendered_map_index(const CallPtr& call) {
  Mistakes mistakes;
  const std::string& body = call->request().body;
  const auto value = parse_json(body);
  if (body.empty())
    mistakes.add("missing", {"body"}, "Field required", nullptr);
  else if (!value)
    mistakes.add("json_invalid", {"body"}, "JSON decode error", json::object());
  else if (!value->is_string())
    mistakes.add("string_type", {"body"}, "Input should be a valid string", *value);
  if (!mistakes.is_empty()) return call->answer(mistakes.response());
  const std::string text(value->get_string());
  if (text.empty())
    return call->answer(http::error_response(422, "rendered_map_index cannot be empty"));
  call->submit(
      SetRenderedMapIndex{call->instance(), text},
      [call](const CommandDone&) { call->answer(nothing(204)); },
      [call](const Error& error) {
        call->answer(error.code == ErrorCode::NotFound
                         ? http::error_response(404, "Task Instance not found")
                         : failure(error));
      });
}

void skip_downstream(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  BodyReader read(body);
  const auto names = task_names(read);
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_world([=](const World& world, const Moment&) {
    const RunKey run = call->token().run;
    const auto dag = world.dag_of(run);
    // Of a run that is over nothing is left to be skipped.
    if (!dag) return with_ended(call, [call](const EndedTry&) { call->answer(nothing(204)); });
    SkipInstances event;
    for (const TaskName& name : names)
      if (const auto task = dag->find(name.id)) event.keys.push_back({run, *task, name.map_index});
    if (event.keys.empty()) return call->answer(nothing(204));
    call->submit(event, [call](const CommandDone&) { call->answer(nothing(204)); });
  });
}

void previous_successful_run(const CallPtr& call) {
  call->in_store([call](Store& store) {
    const auto run = own_run(store, *call);
    if (!run && run.error().code != ErrorCode::NotFound) return call->answer(failure(run.error()));
    std::optional<RunRow> previous;
    if (run && run->logical_date) {
      RunFilter filter;
      filter.dag_id = run->dag_id;
      filter.states = {RunState::Success};
      filter.logical_date.lt = run->logical_date;
      const auto found = store.runs(filter, {.limit = 1, .offset = 0, .order_by = "-logical_date"});
      if (!found) return call->answer(failure(found.error()));
      if (!found->rows.empty()) previous = found->rows.front();
    }
    const auto interval = previous ? previous->interval : std::nullopt;
    call->answer(
        ok(ObjectText()
               .instant("data_interval_start",
                        interval ? std::optional(interval->start) : std::nullopt)
               .instant("data_interval_end", interval ? std::optional(interval->end) : std::nullopt)
               .instant("start_date", previous ? previous->started_at : std::nullopt)
               .instant("end_date", previous ? previous->ended_at : std::nullopt)
               .take()));
  });
}

/// When this try began, if it was put off since. The query's try_number is that of the first try,
/// which the official server does not look at: its rows belong to the current one.
void reschedule_start_date(const CallPtr& call) {
  call->in_store([call](Store& store) {
    const auto tries = store.tries(call->instance());
    if (!tries) return call->answer(failure(tries.error()));
    const auto own = std::find_if(tries->begin(), tries->end(), [&](const TryRow& row) {
      return row.id == call->token().try_id;
    });
    if (own == tries->end()) return call->answer(ok("null"));
    for (const TryRow& row : *tries)
      if (row.number == own->number && row.final_state == TaskState::UpForReschedule)
        return call->answer(ok(instant_text(row.started_at)));
    call->answer(ok("null"));
  });
}

}  // namespace etesian::task_api
