#include "api/marking.h"

#include "api/query.h"

namespace etesian::api {
namespace {

struct Groups {
  std::vector<Chosen> named, changed;
  std::vector<Chosen> cleared;  ///< What is judged again.
};

Choice own_choice(std::optional<std::int32_t> map_index, const std::string& task_or_group) {
  Choice own;
  if (map_index) {
    own.mapped.emplace_back(task_or_group, *map_index);
  } else {
    own.task_ids.push_back(task_or_group);
  }
  return own;
}

Result<Groups> choose(Reading& reading, const RunRow& run, std::optional<std::int32_t> map_index,
                      const std::string& task_or_group, const json::object& body) {
  const Choice own = own_choice(map_index, task_or_group);
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
  const auto runs = runs_around(reading, run, body);
  if (!runs) return runs.error();
  Groups groups;
  for (const auto& each : *runs) {
    auto chosen = choose_in(reading, each, wide);
    if (!chosen) return chosen.error();
    groups.changed.push_back(std::move(*chosen));
    if (!are_cleared) continue;
    auto followers = choose_in(reading, each, below);
    if (!followers) return followers.error();
    for (const auto& key : groups.changed.back().keys) followers->keys.erase(key);
    groups.cleared.push_back(std::move(*followers));
  }
  auto named = choose_in(reading, run, own);
  if (!named) return named.error();
  if (named->keys.empty()) {
    return Error{ErrorCode::NotFound,
                 "The Task Instance with dag_id: `" + run.dag_id + "`, run_id: `" + run.run_id +
                     "`, task_id: `" + task_or_group + "` and map_index: `" +
                     (map_index ? std::to_string(*map_index) : "None") + "` was not found"};
  }
  groups.named.push_back(std::move(*named));
  return groups;
}

}  // namespace

Result<Marking> marking_of(Reading& reading, const RunRow& run,
                           std::optional<std::int32_t> map_index, const std::string& task_or_group,
                           const json::object& body) {
  const auto state = body_text(body, "new_state");
  const auto note = body_text(body, "note");
  if (!state && !note) {
    return Error{ErrorCode::InvalidInput, "Nothing to change: give new_state, note or both"};
  }
  auto groups = choose(reading, run, map_index, task_or_group, body);
  if (!groups) return groups.error();
  const std::string& actor = reading.call.request.user;
  Marking marking;
  if (note) {
    for (const auto& key : keys_of(groups->named)) {
      SetNote event;
      event.run = key.run;
      event.instance = key;
      event.note = *note;
      event.actor = actor;
      marking.events.push_back(std::move(event));
    }
  }
  if (state) {
    MarkInstances event;
    event.keys = keys_of(groups->changed);
    event.to = *task_state_from_text(*state);
    event.actor = actor;
    if (event.keys.empty()) {
      return Error{ErrorCode::Conflict,
                   "Task id " + task_or_group + " is already in " + *state + " state"};
    }
    marking.events.push_back(std::move(event));
    ClearInstances again;
    again.keys = keys_of(groups->cleared);
    again.actor = actor;
    if (!again.keys.empty()) marking.events.push_back(std::move(again));
  }
  marking.named = std::move(groups->named);
  marking.changed = std::move(groups->changed);
  return marking;
}

Result<std::vector<Chosen>> marked_by(Reading& reading, const RunRow& run,
                                      std::optional<std::int32_t> map_index,
                                      const std::string& task_or_group, const json::object& body) {
  auto groups = choose(reading, run, map_index, task_or_group, body);
  if (!groups) return groups.error();
  return body_text(body, "new_state") ? std::move(groups->changed) : std::move(groups->named);
}

}  // namespace etesian::api
