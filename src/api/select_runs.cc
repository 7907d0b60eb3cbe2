#include "api/select_runs.h"

#include "api/query.h"

namespace etesian::api {
namespace {

Selection selection_of(const Choice& choice, std::vector<std::string> task_ids) {
  Selection selection;
  selection.task_ids = std::move(task_ids);
  selection.upstream = choice.upstream;
  selection.downstream = choice.downstream;
  selection.only_failed = choice.only_failed;
  selection.only_running = choice.only_running;
  selection.with_setups = choice.with_setups;
  return selection;
}

}  // namespace

Result<Chosen> choose_in(Reading& reading, const RunRow& run, const Choice& choice) {
  const auto dag = dag_of_run(reading, run);
  if (!dag) return dag.error();
  const auto rows = reading.store.instances_of(run.key);
  if (!rows) return rows.error();
  Chosen chosen{run, {}};
  if (!choice.task_ids.empty() || choice.mapped.empty()) {
    const auto keys = select_instances(**dag, *rows, selection_of(choice, choice.task_ids));
    if (!keys) return keys.error();
    chosen.keys.insert(keys->begin(), keys->end());
  }
  for (const auto& [task_id, map_index] : choice.mapped) {
    // One index of a task, but the whole of what stands above and below it.
    const auto spread = select_instances(**dag, *rows, selection_of(choice, {task_id}));
    if (!spread) return spread.error();
    const auto own = (*dag)->find(task_id);
    for (const auto& key : *spread) {
      if (key.task != own || key.map_index == map_index) chosen.keys.insert(key);
    }
  }
  if (choice.unless_state) {
    for (const auto& row : *rows) {
      if (row.state == *choice.unless_state) chosen.keys.erase(row.key);
    }
  }
  return chosen;
}

Result<std::vector<RunRow>> runs_around(Reading& reading, const RunRow& run,
                                        const json::object& body) {
  std::vector<RunRow> runs{run};
  const bool past = body_flag(body, "include_past").value_or(false);
  const bool future = body_flag(body, "include_future").value_or(false);
  if (!run.logical_date || (!past && !future)) return runs;
  RunFilter filter;
  filter.dag_id = run.dag_id;
  if (!past) filter.logical_date.gt = run.logical_date;
  if (!future) filter.logical_date.lt = run.logical_date;
  auto done = for_each_run(reading, filter, [&](const RunRow& other) -> Result<Done> {
    if (other.key != run.key && other.logical_date) runs.push_back(other);
    return Done{};
  });
  if (!done) return done.error();
  return runs;
}

http::Response chosen_response(Reading& reading, const std::vector<Chosen>& chosen,
                               const std::optional<std::string>& state) {
  json::array all;
  for (const auto& one : chosen) {
    auto rows = instances_json(reading, one.run, one.keys);
    if (!rows) return refusal(rows.error());
    for (auto& row : *rows) {
      if (state) row.get_object()["state"] = *state;
      all.push_back(std::move(row));
    }
  }
  const auto total = static_cast<std::int64_t>(all.size());
  return listing("task_instances", std::move(all), total);
}

std::vector<InstanceKey> keys_of(const std::vector<Chosen>& chosen) {
  std::vector<InstanceKey> keys;
  for (const auto& one : chosen) keys.insert(keys.end(), one.keys.begin(), one.keys.end());
  return keys;
}

}  // namespace etesian::api
