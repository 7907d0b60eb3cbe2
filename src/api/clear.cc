#include "api/handlers.h"
#include "api/json_run.h"
#include "api/query.h"
#include "api/schema.h"
#include "api/select_runs.h"

namespace etesian::api {
namespace {

ClearInstances clear_event(const Call& call, const std::vector<Chosen>& chosen) {
  ClearInstances event;
  event.keys = keys_of(chosen);
  event.actor = call.request.user;
  return event;
}

void add_note(Command& command, const Call& call, const std::vector<RunKey>& runs) {
  const auto note = body_text(call.body, "note");
  if (!note) return;
  for (const RunKey run : runs) {
    SetNote event;
    event.run = run;
    event.note = *note;
    event.actor = call.request.user;
    command.events.push_back(std::move(event));
  }
}

Choice choice_of(const json::object& body) {
  Choice choice;
  const auto flag = [&](std::string_view name, std::optional<bool> absent) {
    return body_flag(body, name).value_or(absent.value_or(false));
  };
  choice.upstream = flag("include_upstream", false);
  choice.downstream = flag("include_downstream", false);
  choice.only_failed = flag("only_failed", true);
  choice.only_running = flag("only_running", false);
  choice.with_setups = true;
  if (const auto* ids = body.if_contains("task_ids"); ids != nullptr && ids->is_array()) {
    for (const auto& id : ids->get_array()) {
      if (id.is_string()) {
        choice.task_ids.emplace_back(id.get_string());
        continue;
      }
      const auto& pair = id.get_array();
      const std::int64_t index = pair[1].get_int64();
      choice.mapped.emplace_back(std::string(pair[0].get_string()),
                                 static_cast<std::int32_t>(index));
    }
  }
  return choice;
}

/// The runs that a clearTaskInstances body is about.
Result<std::vector<RunRow>> runs_to_clear(Reading& reading) {
  const json::object& body = reading.call.body;
  const std::string& dag_id = reading.call.param("dag_id");
  if (const auto run_id = body_text(body, "dag_run_id")) {
    const auto run = reading.store.run(dag_id, *run_id);
    if (!run) {
      if (run.error().code != ErrorCode::NotFound) return run.error();
      return Error{ErrorCode::NotFound, "Dag Run id " + *run_id + " not found in dag " + dag_id};
    }
    return runs_around(reading, *run, body);
  }
  RunFilter filter;
  filter.dag_id = dag_id;
  filter.logical_date.gte = body_instant(body, "start_date");
  filter.logical_date.lte = body_instant(body, "end_date");
  std::vector<RunRow> runs;
  auto done = for_each_run(reading, filter, [&](const RunRow& run) -> Result<Done> {
    runs.push_back(run);
    return Done{};
  });
  if (!done) return done.error();
  return runs;
}

bool holds_running(Reading& reading, const std::vector<Chosen>& chosen) {
  for (const auto& one : chosen) {
    const auto rows = reading.store.instances_of(one.run.key);
    if (!rows) continue;
    for (const auto& row : *rows) {
      if (row.state == TaskState::Running && one.keys.count(row.key) != 0) return true;
    }
  }
  return false;
}

}  // namespace

Next clear_run(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  Choice choice;
  choice.only_failed = body_flag(reading.call.body, "only_failed").value_or(false);
  auto one = choose_in(reading, *run, choice);
  if (!one) return refusal(one.error());
  const std::vector<Chosen> chosen{std::move(*one)};
  if (body_flag(reading.call.body, "dry_run").value_or(true)) {
    return chosen_response(reading, chosen);
  }
  Command command;
  if (!chosen.front().keys.empty()) command.events.push_back(clear_event(reading.call, chosen));
  add_note(command, reading.call, {run->key});
  command.answer = [](Reading& later, const CommandDone&) { return get_run(later); };
  return command;
}

Next clear_runs(Reading& reading) {
  const json::object& body = reading.call.body;
  const std::string& path_dag = reading.call.param("dag_id");
  for (const auto* name : {"partition_key", "partition_date_start", "partition_date_end"}) {
    if (body_text(body, name)) {
      return refusal({ErrorCode::InvalidInput, std::string(name) + ": no Dag has partitions"});
    }
  }
  const auto* named = body.if_contains("dag_runs");
  if (named == nullptr || named->get_array().empty()) {
    return unprocessable({"body"}, "value_error",
                         "Value error, Exactly one of dag_runs (non-empty), partition_key, or a "
                         "partition date window (partition_date_start / partition_date_end) must "
                         "be provided.");
  }
  Choice choice;
  choice.only_failed = body_flag(body, "only_failed").value_or(false);
  std::vector<Chosen> chosen;
  for (const auto& entry : named->get_array()) {
    const std::string dag_id = body_text(entry.get_object(), "dag_id").value_or(path_dag);
    const std::string run_id = *body_text(entry.get_object(), "dag_run_id");
    if (dag_id == "~" || (path_dag != "~" && dag_id != path_dag)) {
      return refusal({ErrorCode::InvalidInput,
                      dag_id == "~" ? "When the URL dag_id is '~', every entry must provide a "
                                      "concrete dag_id (missing on dag_run_id: '" +
                                          run_id + "')."
                                    : "Entry dag_id '" + dag_id +
                                          "' does not match the URL dag_id '" + path_dag + "'."});
    }
    const auto run = reading.store.run(dag_id, run_id);
    if (!run) {
      if (run.error().code != ErrorCode::NotFound) return refusal(run.error());
      return http::error_response(404, "The DagRun with dag_id: `" + dag_id + "` and run_id: `" +
                                           run_id + "` was not found");
    }
    auto one = choose_in(reading, *run, choice);
    if (!one) return refusal(one.error());
    chosen.push_back(std::move(*one));
  }
  if (body_flag(body, "dry_run").value_or(true)) return chosen_response(reading, chosen);
  Command command;
  std::vector<RunKey> runs;
  for (const auto& one : chosen) {
    runs.push_back(one.run.key);
    if (!one.keys.empty()) command.events.push_back(clear_event(reading.call, {one}));
  }
  add_note(command, reading.call, runs);
  command.answer = [chosen](Reading& later, const CommandDone&) -> Next {
    json::array rows;
    for (const auto& one : chosen) {
      const auto run = later.store.run(one.run.dag_id, one.run.run_id);
      if (!run) return refusal(run.error());
      rows.push_back(run_json(*run, version_of(later, run->dag_id, run->dag_version).get()));
    }
    const auto total = static_cast<std::int64_t>(rows.size());
    return listing("dag_runs", std::move(rows), total);
  };
  return command;
}

Next clear_instances(Reading& reading) {
  if (const auto dag = find_dag(reading); !dag) return refusal(dag.error());
  const auto runs = runs_to_clear(reading);
  if (!runs) return refusal(runs.error());
  const json::object& body = reading.call.body;
  const Choice choice = choice_of(body);
  std::vector<Chosen> chosen;
  for (const auto& run : *runs) {
    auto one = choose_in(reading, run, choice);
    if (!one) return refusal(one.error());
    if (!one->keys.empty()) chosen.push_back(std::move(*one));
  }
  if (body_flag(body, "dry_run").value_or(true) || chosen.empty()) {
    return chosen_response(reading, chosen);
  }
  if (body_flag(body, "prevent_running_task").value_or(false) && holds_running(reading, chosen)) {
    return http::error_response(409, "A task instance to clear is running");
  }
  Command command;
  command.events.push_back(clear_event(reading.call, chosen));
  if (const auto note = body_text(body, "note")) {
    for (const auto& key : keys_of(chosen)) {
      SetNote event;
      event.run = key.run;
      event.instance = key;
      event.note = *note;
      event.actor = reading.call.request.user;
      command.events.push_back(std::move(event));
    }
  }
  command.answer = [chosen](Reading& later, const CommandDone&) -> Next {
    return chosen_response(later, chosen);
  };
  return command;
}

}  // namespace etesian::api
