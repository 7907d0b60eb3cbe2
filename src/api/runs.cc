#include <fmt/format.h>

#include "api/bulk.h"
#include "api/handlers.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/query.h"

namespace etesian::api {
namespace {

/// With `state` in place of its own, where it is on its way there.
http::Response run_response(Reading& reading, const std::string& dag_id, const std::string& run_id,
                            const std::optional<std::string>& state = std::nullopt) {
  const auto run = reading.store.run(dag_id, run_id);
  if (!run) return refusal(run.error());
  auto out = run_json(*run, version_of(reading, run->dag_id, run->dag_version).get());
  if (state) out["state"] = *state;
  return ok(out);
}

/// The id of a run that was just made: the given one, or that of one of the DAG's newest runs.
Result<std::string> run_id_of(Reading& reading, const std::string& dag_id, RunKey key) {
  if (const auto given = body_text(reading.call.body, "dag_run_id")) return *given;
  RunFilter filter;
  filter.dag_id = dag_id;
  Paging paging{.limit = 20, .offset = 0, .order_by = "-id"};
  while (true) {
    const auto page = reading.store.runs(filter, paging);
    if (!page) return page.error();
    for (const auto& run : page->rows) {
      if (run.key == key) return run.run_id;
    }
    paging.offset += paging.limit;
    if (paging.offset >= page->total) {
      return Error{ErrorCode::NotFound, "The DagRun was removed in the meantime"};
    }
  }
}

std::optional<Error> mistake_in_trigger(const TriggerRun& event, const json::object& body) {
  if (body_instant(body, "data_interval_start").has_value() !=
      body_instant(body, "data_interval_end").has_value()) {
    return Error{ErrorCode::InvalidInput,
                 "Either both data_interval_start and data_interval_end must be provided or both "
                 "must be None"};
  }
  if (event.interval && event.interval->end < event.interval->start) {
    return Error{ErrorCode::InvalidInput, "data_interval_end is before data_interval_start"};
  }
  if (body_text(body, "partition_key")) {
    return Error{ErrorCode::InvalidInput, "partition_key: this Dag has no partitions"};
  }
  if (!event.run_id) return std::nullopt;
  if (auto good = check_run_id(*event.run_id); !good) return good.error();
  if (run_type_of_id(*event.run_id) != RunType::Manual) {
    return Error{
        ErrorCode::InvalidInput,
        fmt::format("The dag_run_id '{}' begins like those of another run type", *event.run_id)};
  }
  return std::nullopt;
}

}  // namespace

Next get_run(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  return ok(run_json(*run, version_of(reading, run->dag_id, run->dag_version).get()));
}

Next trigger_run(Reading& reading) {
  const auto dag = find_dag(reading);
  if (!dag) return refusal(dag.error());
  return start_run(reading, dag->dag_id, RunType::Manual);
}

Next start_run(Reading& reading, const std::string& dag_id, RunType type) {
  const json::object& body = reading.call.body;
  TriggerRun event;
  event.dag_id = dag_id;
  event.type = type;
  event.run_id = body_text(body, "dag_run_id");
  event.logical_date = body_instant(body, "logical_date");
  event.run_after = body_instant(body, "run_after");
  const auto start = body_instant(body, "data_interval_start");
  const auto end = body_instant(body, "data_interval_end");
  if (start && end) event.interval = DataInterval{*start, *end};
  if (const auto* conf = body.if_contains("conf"); conf != nullptr && conf->is_object()) {
    event.conf = json::serialize(*conf);
  }
  event.note = body_text(body, "note").value_or("");
  event.actor = reading.call.request.user;
  if (const auto mistake = mistake_in_trigger(event, body)) return refusal(*mistake);
  return Command{{event}, [dag_id](Reading& later, const CommandDone& done) -> Next {
                   const auto run_id = run_id_of(later, dag_id, done.run);
                   if (!run_id) return refusal(run_id.error());
                   return run_response(later, dag_id, *run_id);
                 }};
}

Next patch_run(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  const json::object body = masked(reading.call);
  const std::string& actor = reading.call.request.user;
  const auto state = body_text(body, "state");
  Command command;
  if (const auto note = body_text(body, "note")) {
    SetNote event;
    event.run = run->key;
    event.note = *note;
    event.actor = actor;
    command.events.push_back(std::move(event));
  }
  if (state) {
    MarkRun event;
    event.run = run->key;
    event.to = *run_state_from_text(*state);
    event.actor = actor;
    command.events.push_back(std::move(event));
  }
  if (command.events.empty()) {
    return refusal({ErrorCode::InvalidInput, "Nothing to change: give state, note or both"});
  }
  // What still runs is stopped first; the answer shows at once what the run will be, as Airflow's.
  command.answer = [state](Reading& later, const CommandDone&) -> Next {
    return run_response(later, later.call.param("dag_id"), later.call.param("dag_run_id"), state);
  };
  return command;
}

Next delete_run(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  RemoveRun event;
  event.run = run->key;
  event.actor = reading.call.request.user;
  return Command{{event}, [](Reading&, const CommandDone&) -> Next { return no_content(); }};
}

}  // namespace etesian::api
