#include "api/json_asset.h"

#include "api/json_common.h"

namespace etesian::api {
namespace {

json::array references_json(const std::vector<AssetReference>& references) {
  json::array out;
  for (const AssetReference& each : references) {
    json::object one{{"dag_id", each.dag_id}};
    if (!each.task_id.empty()) one["task_id"] = each.task_id;
    one["created_at"] = instant_json(each.created_at);
    one["updated_at"] = instant_json(each.updated_at);
    out.push_back(std::move(one));
  }
  return out;
}

json::object consumer_json(const AssetEventSummary::Consumer& consumer) {
  const RunRow& run = consumer.run;
  return {{"run_id", run.run_id},
          {"dag_id", run.dag_id},
          {"logical_date", instant_json(run.logical_date)},
          {"start_date", instant_json(run.started_at.value_or(run.queued_at))},
          {"end_date", instant_json(run.ended_at)},
          {"state", to_text(run.state)},
          {"data_interval_start", run.interval ? instant_json(run.interval->start) : nullptr},
          {"data_interval_end", run.interval ? instant_json(run.interval->end) : nullptr},
          {"partition_key", nullptr},
          {"triggering", consumer.is_triggering}};
}

}  // namespace

json::object asset_alias_json(const AssetAliasRow& row) {
  return {{"id", row.key}, {"name", row.alias.name}, {"group", row.alias.group}};
}

json::object asset_json(const AssetSummary& summary) {
  const AssetRow& row = summary.row;
  json::array aliases;
  for (const AssetAliasRow& alias : summary.aliases) aliases.push_back(asset_alias_json(alias));
  return {{"id", row.key},
          {"name", row.asset.name},
          {"uri", row.asset.uri},
          {"group", row.asset.group},
          {"extra", json_or_text(row.asset.extra)},
          {"created_at", instant_json(row.created_at)},
          {"updated_at", instant_json(row.updated_at)},
          {"scheduled_dags", references_json(summary.scheduled_dags)},
          {"producing_tasks", references_json(summary.producing_tasks)},
          {"consuming_tasks", references_json(summary.consuming_tasks)},
          {"aliases", std::move(aliases)},
          {"watchers", json::array{}},
          {"last_asset_event",
           json::object{{"id", summary.last_event ? json::value(*summary.last_event) : nullptr},
                        {"timestamp", instant_json(summary.last_event_at)}}}};
}

json::object asset_event_json(const AssetEventSummary& event) {
  const AssetEventRow& row = event.row;
  json::array consumers;
  for (const auto& consumer : event.consumers) consumers.push_back(consumer_json(consumer));
  return {{"id", row.key},
          {"asset_id", row.asset},
          {"uri", event.asset.uri},
          {"name", event.asset.name},
          {"group", event.asset.group},
          {"extra", json_or_text(row.extra)},
          {"source_task_id", text_or_null(row.task_id)},
          {"source_dag_id", text_or_null(row.dag_id)},
          {"source_run_id", text_or_null(row.run_id)},
          {"source_map_index", row.map_index},
          {"created_dagruns", std::move(consumers)},
          {"timestamp", instant_json(row.at)},
          {"partition_key", row.partition_key ? json::value(*row.partition_key) : nullptr}};
}

json::object queued_event_json(const AssetQueueRow& row) {
  return {{"dag_id", row.dag_id},
          {"asset_id", row.asset},
          {"created_at", instant_json(row.queued_at)},
          {"dag_display_name", row.dag_id}};
}

}  // namespace etesian::api
