#include <algorithm>

#include "api/dag_facts.h"
#include "api/handlers.h"
#include "api/json_common.h"
#include "api/json_dag.h"
#include "api/lookup.h"
#include "api/query.h"
#include "base/time_text.h"

namespace etesian::api {
namespace {

Next one_dag(Reading& reading, json::object (*as_json)(const DagFacts&)) {
  auto summary = find_dag(reading);
  if (!summary) return refusal(summary.error());
  auto facts = std::make_shared<DagFacts>(
      facts_of(reading, std::move(*summary), BrokenDags(reading.service())));
  return WorldPart([facts, as_json](const World& world, const Moment&) {
    add_world(*facts, world);
    return ok(as_json(*facts));
  });
}

json::value seconds_json(Duration length) { return std::chrono::duration<double>(length).count(); }

void add_edge(json::array& edges, const World& world, const std::string& dag_id,
              const std::string& task_id, const Need& need) {
  constexpr std::string_view covers[] = {"data_interval", "logical_date", "latest"};
  const auto producer = world.dag(need.dag);
  const bool is_known =
      producer != nullptr && (need.task.empty() || producer->find(need.task).has_value());
  edges.push_back(
      json::object{{"dag_id", dag_id},
                   {"task_id", text_or_null(task_id)},
                   {"needs_dag_id", need.dag},
                   {"needs_task_id", text_or_null(need.task)},
                   {"covers", covers[static_cast<std::size_t>(need.covers)]},
                   {"offset_s", seconds_json(need.offset)},
                   {"fresh_s", need.fresh ? seconds_json(*need.fresh) : json::value(nullptr)},
                   {"is_known", is_known}});
}

}  // namespace

Next get_dag(Reading& reading) { return one_dag(reading, dag_json); }
Next get_dag_details(Reading& reading) { return one_dag(reading, dag_details_json); }

Next patch_dag(Reading& reading) {
  const auto summary = find_dag(reading);
  if (!summary) return refusal(summary.error());
  const auto mask = reading.call.request.query_values("update_mask");
  if (!mask.empty() && mask != std::vector<std::string>{"is_paused"}) {
    return http::error_response(400, "Only `is_paused` field can be updated through the REST API");
  }
  SetPaused event;
  event.dag_id = summary->dag_id;
  event.actor = reading.call.request.user;
  event.is_paused = *body_flag(reading.call.body, "is_paused");
  return Command{{event}, [](Reading& later, const CommandDone&) { return get_dag(later); }};
}

/// Its runs and all that they left. The DAG itself stays as long as its file does: Airflow finds it
/// again with the next parse.
Next delete_dag(Reading& reading) {
  const auto summary = find_dag(reading);
  if (!summary) {
    if (summary.error().code != ErrorCode::NotFound) return refusal(summary.error());
    return http::error_response(404,
                                "Dag with id: " + reading.call.param("dag_id") + " was not found");
  }
  RunFilter filter;
  filter.dag_id = summary->dag_id;
  Command command;
  bool is_busy = false;
  auto done = for_each_run(reading, filter, [&](const RunRow& run) -> Result<Done> {
    is_busy = is_busy || run.state == RunState::Running;
    RemoveRun event;
    event.run = run.key;
    event.actor = reading.call.request.user;
    command.events.push_back(std::move(event));
    return Done{};
  });
  if (!done) return refusal(done.error());
  if (is_busy) {
    return http::error_response(
        409, "Task instances of dag with id: '" + summary->dag_id + "' are still running");
  }
  command.answer = [](Reading&, const CommandDone&) -> Next { return no_content(); };
  return command;
}

/// Files are parsed when they change; all that is asked for is done already.
Next reparse_file(Reading& reading) {
  DagFilter filter;
  filter.include_removed = true;
  for (Paging paging{.limit = 1000, .offset = 0, .order_by = {}};; paging.offset += paging.limit) {
    const auto page = reading.store.dags(filter, paging);
    if (!page) return refusal(page.error());
    for (const auto& row : page->rows) {
      if (file_token(*reading.service().dags.of(row), row) == reading.call.param("file_token")) {
        return created(nullptr);
      }
    }
    if (paging.offset + paging.limit >= page->total) break;
  }
  return http::error_response(404, "File not found");
}

Next list_dag_versions(Reading& reading) {
  if (const auto dag = find_dag(reading); !dag) return refusal(dag.error());
  const auto versions = reading.store.dag_versions(reading.call.param("dag_id"));
  if (!versions) return refusal(versions.error());
  const Paging paging = query_paging(reading.call.request);
  json::array rows;
  for (std::size_t i = static_cast<std::size_t>(paging.offset);
       i < versions->size() && rows.size() < static_cast<std::size_t>(paging.limit); ++i) {
    rows.push_back(dag_version_json(*reading.service().dags.of((*versions)[i])));
  }
  return listing("dag_versions", std::move(rows), static_cast<std::int64_t>(versions->size()));
}

Next get_dag_version(Reading& reading) {
  const auto versions = reading.store.dag_versions(reading.call.param("dag_id"));
  if (!versions) return refusal(versions.error());
  const std::string& number = reading.call.param("version_number");
  for (const auto& version : *versions) {
    if (std::to_string(version.version_number) == number) {
      return ok(dag_version_json(*reading.service().dags.of(version)));
    }
  }
  return http::error_response(404, "The DagVersion with dag_id: `" + reading.call.param("dag_id") +
                                       "` and version_number: `" + number + "` was not found");
}

Next get_dag_source(Reading& reading) {
  auto dag = find_dag(reading);
  if (!dag) return refusal(dag.error());
  if (const auto wanted = query_number(reading.call.request, "version_number")) {
    auto versions = reading.store.dag_versions(dag->dag_id);
    if (!versions) return refusal(versions.error());
    const auto found =
        std::find_if(versions->begin(), versions->end(),
                     [&](const DagSummary& version) { return version.version_number == *wanted; });
    if (found == versions->end()) {
      return http::error_response(404, "No version " + std::to_string(*wanted) + " of this Dag");
    }
    *dag = std::move(*found);
  }
  const auto accept = reading.call.request.header("accept").value_or("");
  if (accept.starts_with("text/plain")) {
    http::Response response;
    response.body = dag->source;
    response.content_type = "text/plain; charset=utf-8";
    return response;
  }
  return ok(json::object{{"content", dag->source},
                         {"dag_id", dag->dag_id},
                         {"version_number", dag->version_number},
                         {"dag_display_name", dag->dag_id}});
}

Next get_dag_stats(Reading& reading) {
  const auto wanted = reading.call.request.query_values("dag_ids");
  const auto page = reading.store.dags({}, {.limit = 1000, .offset = 0, .order_by = {}});
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& dag : page->rows) {
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), dag.dag_id) == wanted.end()) {
      continue;
    }
    json::array stats;
    for (const auto state :
         {RunState::Queued, RunState::Running, RunState::Success, RunState::Failed}) {
      RunFilter filter;
      filter.dag_id = dag.dag_id;
      filter.states = {state};
      const auto runs = reading.store.runs(filter, {.limit = 1, .offset = 0, .order_by = {}});
      if (!runs) return refusal(runs.error());
      stats.push_back(json::object{{"state", to_text(state)}, {"count", runs->total}});
    }
    rows.push_back(json::object{
        {"dag_id", dag.dag_id}, {"dag_display_name", dag.dag_id}, {"stats", std::move(stats)}});
  }
  const auto total = static_cast<std::int64_t>(rows.size());
  return listing("dags", std::move(rows), total);
}

Next list_tasks(Reading& reading) {
  const auto version = find_current(reading);
  if (!version) return refusal(version.error());
  const Dag& dag = *(*version)->dag;
  json::array rows;
  for (TaskIndex i = 0; i < dag.tasks().size(); ++i) rows.push_back(task_json(**version, i));
  const auto total = static_cast<std::int64_t>(rows.size());
  return listing("tasks", std::move(rows), total);
}

Next get_task(Reading& reading) {
  const auto version = find_current(reading);
  if (!version) return refusal(version.error());
  const Dag& dag = *(*version)->dag;
  const auto index = dag.find(reading.call.param("task_id"));
  if (!index) {
    return http::error_response(404,
                                "Task with id " + reading.call.param("task_id") + " was not found");
  }
  return ok(task_json(**version, *index));
}

Next get_needs(Reading&) {
  return WorldPart([](const World& world, const Moment&) {
    json::array ids, edges;
    for (const auto& dag_id : world.dag_ids()) {
      const auto dag = world.dag(dag_id);
      if (dag == nullptr) continue;
      ids.push_back(json::string(dag_id));
      for (const auto& need : dag->definition().needs) add_edge(edges, world, dag_id, {}, need);
      for (const auto& task : dag->tasks()) {
        for (const auto& need : task.needs) add_edge(edges, world, dag_id, task.id, need);
      }
    }
    const auto total = static_cast<std::int64_t>(edges.size());
    return ok(json::object{
        {"dags", std::move(ids)}, {"edges", std::move(edges)}, {"total_entries", total}});
  });
}

}  // namespace etesian::api
