#include <algorithm>
#include <set>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/json_dag.h"
#include "api/lookup.h"
#include "api/query.h"
#include "base/time_text.h"

namespace etesian::api {
namespace {

std::set<std::string> broken_dags(const Service& service) {
  std::set<std::string> ids;
  for (const auto& error : service.engine.import_errors()) ids.insert(error.dag_id);
  return ids;
}

DagFacts facts_of(Reading& reading, DagSummary summary, const std::set<std::string>& broken) {
  DagFacts facts;
  facts.version = reading.service().dags.of(summary);
  facts.has_import_errors = broken.count(summary.dag_id) != 0;
  facts.summary = std::move(summary);
  facts.summary.source.clear();
  facts.summary.canonical.clear();
  return facts;
}

void add_world(DagFacts& facts, const World& world) {
  facts.next_run = world.next_run(facts.summary.dag_id);
  facts.active_runs = world.active_runs(facts.summary.dag_id).size();
}

Next one_dag(Reading& reading, json::object (*as_json)(const DagFacts&)) {
  auto summary = find_dag(reading);
  if (!summary) return refusal(summary.error());
  auto facts = std::make_shared<DagFacts>(
      facts_of(reading, std::move(*summary), broken_dags(reading.service())));
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

Next list_dags(Reading& reading) {
  const http::Request& request = reading.call.request;
  DagFilter filter;
  filter.id_contains = query_pattern(request, "dag_id_pattern");
  filter.owner = request.query_value("owners");
  filter.tag = request.query_value("tags");
  filter.is_paused = query_flag(request, "paused");
  filter.include_removed = !query_flag(request, "exclude_stale").value_or(true);
  auto page = reading.store.dags(filter, query_paging(request));
  if (!page) return refusal(page.error());
  const auto broken = broken_dags(reading.service());
  auto all = std::make_shared<std::vector<DagFacts>>();
  for (auto& row : page->rows) all->push_back(facts_of(reading, std::move(row), broken));
  return WorldPart([all, total = page->total](const World& world, const Moment&) {
    json::array rows;
    for (auto& facts : *all) {
      add_world(facts, world);
      rows.push_back(dag_json(facts));
    }
    return listing("dags", std::move(rows), total);
  });
}

Next get_dag(Reading& reading) { return one_dag(reading, dag_json); }
Next get_dag_details(Reading& reading) { return one_dag(reading, dag_details_json); }

Next patch_dag(Reading& reading) {
  const auto summary = find_dag(reading);
  if (!summary) return refusal(summary.error());
  SetPaused event;
  event.dag_id = summary->dag_id;
  event.actor = reading.call.request.user;
  event.is_paused = *body_flag(reading.call.body, "is_paused");
  return Command{{event}, [](Reading& later, const CommandDone&) { return get_dag(later); }};
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
  for (TaskIndex i = 0; i < dag.tasks().size(); ++i) rows.push_back(task_json(dag, i));
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
  return ok(task_json(dag, *index));
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
