#include "api/handlers.h"
#include "api/query.h"
#include "api/select_runs.h"

namespace etesian::api {
namespace {

struct Marked {
  std::vector<Chosen> chosen;   ///< What gets a new state.
  std::vector<Chosen> cleared;  ///< What is judged again.
  std::vector<Chosen> noted;    ///< What gets a note: the named task's own instances.
};

Result<Marked> choose(Reading& reading, const std::string& task_or_group) {
  const auto run = find_run(reading);
  if (!run) return run.error();
  const auto index = map_index_of(reading.call);
  if (!index) return index.error();
  const json::object& body = reading.call.body;
  Choice own;
  if (*index >= 0) {
    own.mapped.emplace_back(task_or_group, *index);
  } else {
    own.task_ids.push_back(task_or_group);
  }
  Choice wide = own;
  wide.upstream = body_flag(body, "include_upstream").value_or(false);
  const auto state = body_text(body, "new_state");
  const bool has_followers = body_flag(body, "include_downstream").value_or(false);
  // Airflow marks the followers failed and then clears whatever failed below: they run again.
  const bool are_cleared = has_followers && state == "failed";
  wide.downstream = has_followers && !are_cleared;
  if (state) wide.unless_state = task_state_from_text(*state);
  Choice below = own;
  below.downstream = true;
  const auto runs = runs_around(reading, *run, body);
  if (!runs) return runs.error();
  Marked marked;
  for (const auto& each : *runs) {
    auto chosen = choose_in(reading, each, wide);
    if (!chosen) return chosen.error();
    marked.chosen.push_back(std::move(*chosen));
    if (!are_cleared) continue;
    auto followers = choose_in(reading, each, below);
    if (!followers) return followers.error();
    for (const auto& key : marked.chosen.back().keys) followers->keys.erase(key);
    marked.cleared.push_back(std::move(*followers));
  }
  auto noted = choose_in(reading, *run, own);
  if (!noted) return noted.error();
  if (noted->keys.empty()) {
    return Error{ErrorCode::NotFound, "The Task Instance with task_id: `" + task_or_group +
                                          "` and map_index: `" + std::to_string(*index) +
                                          "` was not found"};
  }
  marked.noted.push_back(std::move(*noted));
  return marked;
}

Next patch(Reading& reading, const std::string& task_or_group) {
  auto marked = choose(reading, task_or_group);
  if (!marked) return refusal(marked.error());
  const json::object& body = reading.call.body;
  const auto state = body_text(body, "new_state");
  const auto note = body_text(body, "note");
  if (!state && !note) {
    return refusal({ErrorCode::InvalidInput, "Nothing to change: give new_state, note or both"});
  }
  Command command;
  if (note) {
    for (const auto& key : keys_of(marked->noted)) {
      SetNote event;
      event.run = key.run;
      event.instance = key;
      event.note = *note;
      event.actor = reading.call.request.user;
      command.events.push_back(std::move(event));
    }
  }
  if (state) {
    MarkInstances event;
    event.keys = keys_of(marked->chosen);
    event.to = *task_state_from_text(*state);
    event.actor = reading.call.request.user;
    if (event.keys.empty()) {
      return http::error_response(
          409, "Task id " + task_or_group + " is already in " + *state + " state");
    }
    command.events.push_back(std::move(event));
    ClearInstances again;
    again.keys = keys_of(marked->cleared);
    again.actor = reading.call.request.user;
    if (!again.keys.empty()) command.events.push_back(std::move(again));
  }
  auto touched = state ? std::move(marked->chosen) : std::move(marked->noted);
  command.answer = [touched = std::move(touched)](Reading& later, const CommandDone&) -> Next {
    return chosen_response(later, touched);
  };
  return command;
}

Next dry_run(Reading& reading, const std::string& task_or_group) {
  const auto marked = choose(reading, task_or_group);
  if (!marked) return refusal(marked.error());
  return chosen_response(reading, marked->chosen);
}

}  // namespace

Next patch_instance(Reading& reading) { return patch(reading, reading.call.param("task_id")); }
Next patch_group(Reading& reading) { return patch(reading, reading.call.param("group_id")); }
Next patch_instance_dry_run(Reading& reading) {
  return dry_run(reading, reading.call.param("task_id"));
}
Next patch_group_dry_run(Reading& reading) {
  return dry_run(reading, reading.call.param("group_id"));
}

Next kill_instance(Reading& reading) {
  auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  if (const auto given = body_number(reading.call.body, "map_index")) {
    index = static_cast<std::int32_t>(*given);
  }
  const auto instance = find_instance(reading, *index);
  if (!instance) return refusal(instance.error());
  KillInstance event;
  event.key = instance->row.key;
  event.may_retry = body_flag(reading.call.body, "may_retry").value_or(false);
  event.actor = reading.call.request.user;
  return Command{{event}, [wanted = *index](Reading& later, const CommandDone&) -> Next {
                   const auto run = find_run(later);
                   if (!run) return refusal(run.error());
                   const auto after = find_instance(later, wanted);
                   if (!after) return refusal(after.error());
                   return chosen_response(later, {Chosen{*run, {after->row.key}}});
                 }};
}

}  // namespace etesian::api
