#include <charconv>

#include "api/handlers.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/query.h"

namespace etesian::api {
namespace {

InstanceFilter filter_of(const Call& call) {
  const http::Request& request = call.request;
  InstanceFilter filter;
  filter.dag_id = unless_all(call.param("dag_id"));
  filter.run_id = unless_all(call.param("dag_run_id"));
  filter.task_id = request.query_value("task_id");
  for (const auto& text : request.query_values("state")) {
    if (const auto state = task_state_from_text(text == "no_status" ? "none" : text)) {
      filter.states.push_back(*state);
    }
  }
  if (const auto index = query_number(request, "map_index")) {
    filter.map_index = static_cast<std::int32_t>(*index);
  }
  filter.pools = request.query_values("pool");
  filter.logical_date = query_range(request, "logical_date");
  filter.started_at = query_range(request, "start_date");
  filter.ended_at = query_range(request, "end_date");
  return filter;
}

Next list_of(Reading& reading, const InstanceFilter& filter) {
  const auto page = reading.store.instances(filter, query_paging(reading.call.request));
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& row : page->rows) {
    rows.push_back(instance_json(row, version_of(reading, row.dag_id, row.dag_version).get()));
  }
  return listing("task_instances", std::move(rows), page->total);
}

struct Tries {
  InstanceSummary instance;
  std::shared_ptr<const DagVersion> version;
  std::vector<TryRow> rows;
};

Result<Tries> find_tries(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return index.error();
  auto instance = find_instance(reading, *index);
  if (!instance) return instance.error();
  auto rows = reading.store.tries(instance->row.key);
  if (!rows) return rows.error();
  auto version = version_of(reading, instance->dag_id, instance->dag_version);
  return Tries{std::move(*instance), std::move(version), std::move(*rows)};
}

}  // namespace

Next list_instances(Reading& reading) {
  const InstanceFilter filter = filter_of(reading.call);
  if (filter.dag_id && filter.run_id) {
    if (const auto run = find_run(reading); !run) return refusal(run.error());
  } else if (filter.dag_id) {
    if (const auto dag = find_dag(reading); !dag) return refusal(dag.error());
  }
  return list_of(reading, filter);
}

Next list_mapped_instances(Reading& reading) {
  InstanceFilter filter = filter_of(reading.call);
  if (const auto run = find_run(reading); !run) return refusal(run.error());
  filter.task_id = reading.call.param("task_id");
  return list_of(reading, filter);
}

Next get_instance(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  const auto instance = find_instance(reading, *index);
  if (!instance) return refusal(instance.error());
  return ok(
      instance_json(*instance, version_of(reading, instance->dag_id, instance->dag_version).get()));
}

Next list_tries(Reading& reading) {
  const auto tries = find_tries(reading);
  if (!tries) return refusal(tries.error());
  json::array rows;
  for (const auto& row : tries->rows) {
    rows.push_back(try_json(row, tries->instance, tries->version.get()));
  }
  const auto total = static_cast<std::int64_t>(rows.size());
  return listing("task_instances", std::move(rows), total);
}

Next get_try(Reading& reading) {
  const auto tries = find_tries(reading);
  if (!tries) return refusal(tries.error());
  const std::string& number = reading.call.param("task_try_number");
  for (auto row = tries->rows.rbegin(); row != tries->rows.rend(); ++row) {
    if (std::to_string(row->number) == number) {
      return ok(try_json(*row, tries->instance, tries->version.get()));
    }
  }
  return http::error_response(404, "The Task Instance has no try_number: `" + number + "`");
}

}  // namespace etesian::api
