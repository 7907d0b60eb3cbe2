#include "api/lookup.h"

#include <charconv>

#include "api/json_run.h"

namespace etesian::api {
namespace {

constexpr int PageRows = 1000;

/// The store's error, or a NotFound in words that a client knows.
Error named(const Error& error, std::string not_found) {
  if (error.code != ErrorCode::NotFound) return error;
  return {ErrorCode::NotFound, std::move(not_found)};
}

}  // namespace

Result<DagSummary> find_dag(Reading& reading) {
  const std::string& dag_id = reading.call.param("dag_id");
  auto dag = reading.store.dag(dag_id);
  if (!dag) return named(dag.error(), "The Dag with ID: `" + dag_id + "` was not found");
  return dag;
}

Result<std::shared_ptr<const DagVersion>> find_current(Reading& reading) {
  const auto summary = find_dag(reading);
  if (!summary) return summary.error();
  auto version = reading.service().dags.of(*summary);
  if (version->dag == nullptr) {
    return Error{ErrorCode::Conflict,
                 "The definition of this Dag cannot be read; save its file again"};
  }
  return version;
}

Result<RunRow> find_run(Reading& reading) {
  const std::string& dag_id = reading.call.param("dag_id");
  const std::string& run_id = reading.call.param("dag_run_id");
  auto run = reading.store.run(dag_id, run_id);
  if (!run) {
    return named(run.error(), "The DagRun with dag_id: `" + dag_id + "` and run_id: `" + run_id +
                                  "` was not found");
  }
  return run;
}

Result<InstanceSummary> find_instance(Reading& reading, std::int32_t map_index) {
  const auto run = find_run(reading);
  if (!run) return run.error();
  const std::string& task_id = reading.call.param("task_id");
  InstanceFilter filter;
  filter.dag_id = run->dag_id;
  filter.run_id = run->run_id;
  filter.task_id = task_id;
  auto rows = reading.store.instances(filter, {.limit = PageRows, .offset = 0, .order_by = {}});
  if (!rows) return rows.error();
  if (rows->rows.empty()) {
    return Error{ErrorCode::NotFound, "The Task Instance with dag_id: `" + run->dag_id +
                                          "`, run_id: `" + run->run_id + "` and task_id: `" +
                                          task_id + "` was not found"};
  }
  for (auto& row : rows->rows) {
    if (row.row.key.map_index == map_index) return std::move(row);
  }
  filter.map_index = map_index;
  rows = reading.store.instances(filter, {.limit = 1, .offset = 0, .order_by = {}});
  if (rows && !rows->rows.empty()) return std::move(rows->rows.front());
  if (map_index < 0) {
    return Error{ErrorCode::NotFound,
                 "Task instance is mapped, add the map_index value to the URL"};
  }
  return Error{ErrorCode::NotFound, "The Mapped Task Instance with dag_id: `" + run->dag_id +
                                        "`, run_id: `" + run->run_id + "`, task_id: `" + task_id +
                                        "`, and map_index: `" + std::to_string(map_index) +
                                        "` was not found"};
}

Result<std::int32_t> map_index_of(const Call& call) {
  const auto param = call.request.params.find("map_index");
  const auto text = param != call.request.params.end() ? std::optional(param->second)
                                                       : call.request.query_value("map_index");
  if (!text) return -1;
  std::int32_t index = -1;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), index);
  if (error != std::errc{} || end != text->data() + text->size() || index < -1) {
    return Error{ErrorCode::InvalidInput, "map_index: not a number from -1 on"};
  }
  return index;
}

std::shared_ptr<const DagVersion> version_of(Reading& reading, const std::string& dag_id,
                                             const std::string& version) {
  auto found = reading.service().dags.find(reading.store, dag_id, version);
  return found ? std::move(*found) : nullptr;
}

Result<std::shared_ptr<const Dag>> dag_of_run(Reading& reading, const RunRow& run) {
  const auto version = version_of(reading, run.dag_id, run.dag_version);
  if (version == nullptr || version->dag == nullptr) {
    return Error{ErrorCode::Conflict,
                 "The definition that run `" + run.run_id + "` works with cannot be read any more"};
  }
  return version->dag;
}

std::optional<std::string> unless_all(const std::string& param) {
  return param == "~" ? std::nullopt : std::optional(param);
}

Result<Done> for_each_run(Reading& reading, const RunFilter& filter,
                          const std::function<Result<Done>(const RunRow&)>& each) {
  Paging paging{.limit = PageRows, .offset = 0, .order_by = "logical_date"};
  while (true) {
    const auto page = reading.store.runs(filter, paging);
    if (!page) return page.error();
    for (const auto& run : page->rows) {
      if (auto done = each(run); !done) return done;
    }
    paging.offset += PageRows;
    if (paging.offset >= page->total) return Done{};
  }
}

json::object shown_instance(Reading& reading, InstanceSummary instance) {
  const auto version = version_of(reading, instance.dag_id, instance.dag_version);
  auto& last = instance.last_try;
  if (version != nullptr && version->airflow && last && last->rendered.empty()) {
    const auto tries = reading.store.tries(instance.row.key);
    if (tries) {
      for (const auto& row : *tries) {
        if (!row.rendered.empty()) last->rendered = row.rendered;
      }
    }
  }
  return instance_json(instance, version.get());
}

Result<json::array> instances_json(Reading& reading, const RunRow& run,
                                   const std::set<InstanceKey>& keys) {
  json::array out;
  InstanceFilter filter;
  filter.dag_id = run.dag_id;
  filter.run_id = run.run_id;
  Paging paging{.limit = PageRows, .offset = 0, .order_by = {}};
  while (out.size() < keys.size()) {
    auto page = reading.store.instances(filter, paging);
    if (!page) return page.error();
    for (auto& row : page->rows) {
      if (keys.count(row.row.key) != 0) out.push_back(shown_instance(reading, std::move(row)));
    }
    paging.offset += PageRows;
    if (paging.offset >= page->total) break;
  }
  return out;
}

}  // namespace etesian::api
