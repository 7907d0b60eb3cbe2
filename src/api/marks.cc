#include "api/bulk.h"
#include "api/handlers.h"
#include "api/marking.h"
#include "api/query.h"

namespace etesian::api {
namespace {

struct Target {
  RunRow run;
  std::optional<std::int32_t> map_index;
};

Result<Target> target_of(Reading& reading) {
  auto run = find_run(reading);
  if (!run) return run.error();
  const auto index = map_index_of(reading.call);
  if (!index) return index.error();
  return Target{std::move(*run), *index >= 0 ? std::optional(*index) : std::nullopt};
}

enum class Shows { Named, Changed };

Next patch(Reading& reading, const std::string& task_or_group, Shows shows) {
  const auto target = target_of(reading);
  if (!target) return refusal(target.error());
  const json::object body = masked(reading.call);
  auto marking = marking_of(reading, target->run, target->map_index, task_or_group, body);
  if (!marking) return refusal(marking.error());
  // What still runs is stopped first; an answer shows at once what it will be, as Airflow's does.
  const auto state = body_text(body, "new_state");
  auto shown =
      state && shows == Shows::Changed ? std::move(marking->changed) : std::move(marking->named);
  return Command{std::move(marking->events),
                 [shown = std::move(shown), state](Reading& later, const CommandDone&) -> Next {
                   return chosen_response(later, shown, state);
                 }};
}

Next dry_run(Reading& reading, const std::string& task_or_group) {
  const auto target = target_of(reading);
  if (!target) return refusal(target.error());
  const auto chosen =
      marked_by(reading, target->run, target->map_index, task_or_group, reading.call.body);
  if (!chosen) return refusal(chosen.error());
  return chosen_response(reading, *chosen);
}

}  // namespace

Next patch_instance(Reading& reading) {
  return patch(reading, reading.call.param("task_id"), Shows::Named);
}
Next patch_group(Reading& reading) {
  return patch(reading, reading.call.param("group_id"), Shows::Changed);
}
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
