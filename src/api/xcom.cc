#include <set>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/query.h"

namespace etesian::api {
namespace {

/// Outputs of {task_id}, or of every task for "~", in task order.
Result<std::vector<OutputRow>> outputs_of(Reading& reading, const RunRow& run) {
  const std::string& task_id = reading.call.param("task_id");
  if (task_id != "~") return reading.store.outputs(run.dag_id, run.run_id, task_id);
  const auto dag = dag_of_run(reading, run);
  if (!dag) return dag.error();
  std::vector<OutputRow> all;
  for (const auto& task : (*dag)->tasks()) {
    auto rows = reading.store.outputs(run.dag_id, run.run_id, task.id);
    if (!rows) return rows.error();
    for (auto& row : *rows) all.push_back(std::move(row));
  }
  return all;
}

}  // namespace

Next list_outputs(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  const auto outputs = outputs_of(reading, *run);
  if (!outputs) return refusal(outputs.error());
  const http::Request& request = reading.call.request;
  const Paging paging = query_paging(request);
  const auto key = request.query_value("xcom_key");
  const auto map_index = query_number(request, "map_index");
  json::array rows;
  std::int64_t total = 0;
  for (const auto& output : *outputs) {
    if (key && output.name != *key) continue;
    if (map_index && output.key.map_index != *map_index) continue;
    const std::int64_t position = total++;
    if (position < paging.offset || position >= paging.offset + paging.limit) continue;
    rows.push_back(output_json(output, *run));
  }
  return listing("xcom_entries", std::move(rows), total);
}

Next get_output(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  const auto outputs = outputs_of(reading, *run);
  if (!outputs) return refusal(outputs.error());
  const std::string& key = reading.call.param("xcom_key");
  for (const auto& output : *outputs) {
    if (output.name != key || output.key.map_index != *index) continue;
    auto out = output_json(output, *run);
    out["value"] = json_or_text(output.json);
    if (query_flag(reading.call.request, "stringify").value_or(false)) out["value"] = output.json;
    return ok(out);
  }
  return http::error_response(404, "XCom entry with key: `" + key + "` not found");
}

}  // namespace etesian::api
