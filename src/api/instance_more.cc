// What else there is to a task instance: why it waits in Airflow's words, and its links.
#include <algorithm>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/lookup.h"
#include "scheduler/gates.h"

namespace etesian::api {
namespace {

/// The name of Airflow's dependency (airflow/ti_deps) that a gate stands for.
std::string_view dependency_of(GateKind kind) {
  switch (kind) {
    case GateKind::DagPaused: return "Dag Not Paused";
    case GateKind::RunWaits:
    case GateKind::RunFinished: return "Dagrun Running";
    case GateKind::Upstream: return "Trigger Rule";
    case GateKind::DependsOnPast:
    case GateKind::WaitForDownstream: return "Previous Dagrun State";
    case GateKind::Needs: return "Needs";
    case GateKind::RetryAt: return "Not In Retry Period";
    case GateKind::MappedLength: return "Mapped dependencies have succeeded";
    case GateKind::Pool: return "Pool Slots Available";
    case GateKind::TaskLimit: return "Task Concurrency";
    case GateKind::Parallelism: return "Task Instance Slots Available";
    case GateKind::Deferred:
    case GateKind::Human: return "Task Instance State";
    case GateKind::Executor: return "Executor";
  }
  return "Executor";
}

}  // namespace

Next list_dependencies(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  const auto instance = find_instance(reading, *index);
  if (!instance) return refusal(instance.error());
  return WorldPart([row = instance->row](const World& world, const Moment& moment) {
    const auto now = world.instance(row.key);
    const bool waits = now && (now->state == TaskState::None || now->state == TaskState::Scheduled);
    std::vector<std::pair<std::string_view, std::string>> all;
    if (waits) {
      for (const auto& gate : gates(world, row.key, moment)) {
        all.emplace_back(dependency_of(gate.kind), gate.sentence);
      }
    }
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    json::array rows;
    for (auto& [name, reason] : all) {
      rows.push_back(json::object{{"name", name}, {"reason", std::move(reason)}});
    }
    return ok(json::object{{"dependencies", std::move(rows)}});
  });
}

Next list_links(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  const auto instance = find_instance(reading, *index);
  if (!instance) return refusal(instance.error());
  const auto version = version_of(reading, instance->dag_id, instance->dag_version);
  json::object links;
  const auto task =
      version && version->airflow ? version->dag->find(instance->task_id) : std::nullopt;
  if (task) {
    const AirflowTaskFacts& facts = version->airflow->tasks[*task];
    OutputFilter filter;
    filter.dag_id = instance->dag_id;
    filter.run_id = instance->run_id;
    filter.task_id = instance->task_id;
    filter.map_index = *index;
    for (std::size_t i = 0; i < facts.link_names.size(); ++i) {
      filter.name = facts.link_keys[i];
      const auto rows = reading.store.outputs(filter);
      if (!rows) return refusal(rows.error());
      json::value link;
      if (!rows->empty()) link = json_or_text(rows->front().json);
      const bool is_there = link.is_string() && !link.get_string().empty();
      links[facts.link_names[i]] = is_there ? link : json::value(nullptr);
    }
  }
  const auto total = static_cast<std::int64_t>(links.size());
  return ok(json::object{{"extra_links", std::move(links)}, {"total_entries", total}});
}

Next get_external_log_url(Reading&) {
  return http::error_response(400, "Task log handler does not support external logs.");
}

}  // namespace etesian::api
