// Assets, their events, and the queues of the DAGs that wait for them.
#include <algorithm>
#include <charconv>
#include <set>

#include "api/handlers.h"
#include "api/json_asset.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/query.h"
#include "api/schema.h"

namespace etesian::api {
namespace {

std::optional<std::int64_t> number_from(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// {asset_id}; a response when it is not a number.
std::variant<AssetKey, http::Response> asset_key_of(const Call& call) {
  if (const auto key = number_from(call.param("asset_id"))) return *key;
  return unprocessable({"path", "asset_id"}, "int_parsing",
                       "Input should be a valid integer, unable to parse string as an integer");
}

template <class Row>
Result<std::optional<Row>> first_of(Result<Listing<Row>> page) {
  if (!page) return page.error();
  if (page->rows.empty()) return std::optional<Row>();
  return std::optional(std::move(page->rows.front()));
}
const Paging kOne{.limit = 1, .offset = 0, .order_by = {}};

http::Response events_response(const Listing<AssetEventSummary>& page) {
  json::array rows;
  for (const auto& event : page.rows) rows.push_back(asset_event_json(event));
  return listing("asset_events", std::move(rows), page.total);
}

http::Response queue_response(const std::vector<AssetQueueRow>& queue,
                              const std::optional<Instant>& before) {
  json::array rows;
  for (const auto& row : queue)
    if (!before || row.queued_at < *before) rows.push_back(queued_event_json(row));
  const auto total = static_cast<std::int64_t>(rows.size());
  return listing("queued_events", std::move(rows), total);
}

Next clear_queue(const Call& call, std::optional<std::string> dag_id,
                 std::optional<AssetKey> asset) {
  ClearAssetQueue event;
  event.dag_id = std::move(dag_id);
  event.asset = asset;
  event.before = query_instant(call.request, "before");
  event.actor = call.request.user;
  return Command{{event}, [](Reading&, const CommandDone&) -> Next { return no_content(); }};
}

/// The queue that a request is about; what it says when nothing is in it.
struct QueuePlace {
  std::optional<std::string> dag_id;
  std::optional<AssetKey> asset;
};

Next read_queue(Reading& reading, const QueuePlace& place) {
  const auto queue = reading.store.asset_queue(place.dag_id, place.asset);
  if (!queue) return refusal(queue.error());
  return queue_response(*queue, query_instant(reading.call.request, "before"));
}

/// Clears what is queued; 404 with `nothing` when nothing is.
Next delete_queue(Reading& reading, const QueuePlace& place, const std::string& nothing) {
  const auto queue = reading.store.asset_queue(place.dag_id, place.asset);
  if (!queue) return refusal(queue.error());
  const auto before = query_instant(reading.call.request, "before");
  const bool is_empty = std::none_of(queue->begin(), queue->end(), [&](const AssetQueueRow& row) {
    return !before || row.queued_at < *before;
  });
  if (is_empty) return http::error_response(404, nothing);
  return clear_queue(reading.call, place.dag_id, place.asset);
}

/// The only DAG whose tasks write the asset.
Result<std::string> materializer_of(Reading& reading, AssetKey key) {
  AssetFilter filter;
  filter.key = key;
  const auto asset = first_of(reading.store.assets(filter, kOne));
  if (!asset) return asset.error();
  std::set<std::string> dags;
  if (*asset)
    for (const AssetReference& task : (*asset)->producing_tasks) dags.insert(task.dag_id);
  const std::string id = std::to_string(key);
  if (dags.empty()) return Error{ErrorCode::NotFound, "No Dag materializes asset with ID: " + id};
  if (dags.size() > 1)
    return Error{ErrorCode::Conflict, "More than one Dag materializes asset with ID: " + id};
  return *dags.begin();
}

}  // namespace

Next list_assets(Reading& reading) {
  const http::Request& request = reading.call.request;
  AssetFilter filter;
  filter.name_contains = query_pattern(request, "name_pattern");
  filter.name_prefix = request.query_value("name_prefix_pattern");
  filter.uri_contains = query_pattern(request, "uri_pattern");
  filter.uri_prefix = request.query_value("uri_prefix_pattern");
  filter.dag_ids = request.query_values("dag_ids");
  filter.only_active = query_flag(request, "only_active").value_or(true);
  const auto page = reading.store.assets(filter, query_paging(request));
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& row : page->rows) rows.push_back(asset_json(row));
  return listing("assets", std::move(rows), page->total);
}

Next get_asset(Reading& reading) {
  const auto key = asset_key_of(reading.call);
  if (const auto* bad = std::get_if<http::Response>(&key)) return *bad;
  AssetFilter filter;
  filter.key = std::get<AssetKey>(key);
  const auto asset = first_of(reading.store.assets(filter, kOne));
  if (!asset) return refusal(asset.error());
  if (!*asset)
    return http::error_response(
        404, "The Asset with ID: `" + std::to_string(*filter.key) + "` was not found");
  return ok(asset_json(**asset));
}

Next list_asset_aliases(Reading& reading) {
  const http::Request& request = reading.call.request;
  AssetAliasFilter filter;
  filter.name_contains = query_pattern(request, "name_pattern");
  filter.name_prefix = request.query_value("name_prefix_pattern");
  const auto page = reading.store.asset_aliases(filter, query_paging(request));
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& row : page->rows) rows.push_back(asset_alias_json(row));
  return listing("asset_aliases", std::move(rows), page->total);
}

Next get_asset_alias(Reading& reading) {
  const std::string& id = reading.call.param("asset_alias_id");
  AssetAliasFilter filter;
  filter.key = number_from(id);
  if (!filter.key)
    return unprocessable({"path", "asset_alias_id"}, "int_parsing",
                         "Input should be a valid integer, unable to parse string as an integer");
  const auto alias = first_of(reading.store.asset_aliases(filter, kOne));
  if (!alias) return refusal(alias.error());
  if (!*alias)
    return http::error_response(404, "The Asset Alias with ID: `" + id + "` was not found");
  return ok(asset_alias_json(**alias));
}

Next list_asset_events(Reading& reading) {
  const http::Request& request = reading.call.request;
  AssetEventFilter filter;
  filter.asset = query_number(request, "asset_id");
  filter.dag_id = request.query_value("source_dag_id");
  filter.task_id = request.query_value("source_task_id");
  filter.run_id = request.query_value("source_run_id");
  if (const auto index = query_number(request, "source_map_index"))
    filter.map_index = static_cast<std::int32_t>(*index);
  filter.name_contains = query_pattern(request, "name_pattern");
  filter.name_prefix = request.query_value("name_prefix_pattern");
  filter.at = query_range(request, "timestamp");
  const auto page = reading.store.asset_events(filter, query_paging(request));
  return page ? events_response(*page) : refusal(page.error());
}

Next create_asset_event(Reading& reading) {
  const json::object& body = reading.call.body;
  CreateAssetEvent event;
  event.asset = *body_number(body, "asset_id");
  event.partition_key = body_text(body, "partition_key");
  if (event.partition_key && event.partition_key->find_first_not_of(" \t\r\n") == std::string::npos)
    return unprocessable({"body", "partition_key"}, "string_pattern_mismatch",
                         "String should match pattern '\\S'");
  json::object extra;
  if (const auto* given = body.if_contains("extra")) extra = given->get_object();
  extra["from_rest_api"] = true;
  event.extra = json::serialize(extra);
  event.actor = reading.call.request.user;
  return Command{{event}, [](Reading& later, const CommandDone& done) -> Next {
                   AssetEventFilter filter;
                   filter.key = done.asset_event;
                   const auto made = first_of(later.store.asset_events(filter, kOne));
                   if (!made) return refusal(made.error());
                   return *made ? ok(asset_event_json(**made))
                                : refusal({ErrorCode::NotFound, "The event is gone"});
                 }};
}

Next materialize_asset(Reading& reading) {
  const auto key = asset_key_of(reading.call);
  if (const auto* bad = std::get_if<http::Response>(&key)) return *bad;
  const auto dag_id = materializer_of(reading, std::get<AssetKey>(key));
  if (!dag_id) return refusal(dag_id.error());
  return start_run(reading, *dag_id, RunType::AssetMaterialization);
}

Next get_asset_queue(Reading& reading) {
  const auto key = asset_key_of(reading.call);
  if (const auto* bad = std::get_if<http::Response>(&key)) return *bad;
  return read_queue(reading, {std::nullopt, std::get<AssetKey>(key)});
}

Next delete_asset_queue(Reading& reading) {
  const auto key = asset_key_of(reading.call);
  if (const auto* bad = std::get_if<http::Response>(&key)) return *bad;
  return delete_queue(
      reading, {std::nullopt, std::get<AssetKey>(key)},
      "Queue event with asset_id: `" + reading.call.param("asset_id") + "` was not found");
}

Next get_dag_queue(Reading& reading) {
  return read_queue(reading, {reading.call.param("dag_id"), std::nullopt});
}

Next delete_dag_queue(Reading& reading) {
  const std::string& dag_id = reading.call.param("dag_id");
  return delete_queue(reading, {dag_id, std::nullopt},
                      "Queue event with dag_id: `" + dag_id + "` was not found");
}

Next get_dag_asset_queue(Reading& reading) {
  const auto key = asset_key_of(reading.call);
  if (const auto* bad = std::get_if<http::Response>(&key)) return *bad;
  const std::string& dag_id = reading.call.param("dag_id");
  const auto queue = reading.store.asset_queue(dag_id, std::get<AssetKey>(key));
  if (!queue) return refusal(queue.error());
  const auto before = query_instant(reading.call.request, "before");
  if (queue->empty() || (before && queue->front().queued_at >= *before))
    return http::error_response(404, "Queued event with dag_id: `" + dag_id + "` and asset_id: `" +
                                         reading.call.param("asset_id") + "` was not found");
  return ok(queued_event_json(queue->front()));
}

Next delete_dag_asset_queue(Reading& reading) {
  const auto key = asset_key_of(reading.call);
  if (const auto* bad = std::get_if<http::Response>(&key)) return *bad;
  const std::string& dag_id = reading.call.param("dag_id");
  return delete_queue(reading, {dag_id, std::get<AssetKey>(key)},
                      "Queued event with dag_id: `" + dag_id + "` and asset_id: `" +
                          reading.call.param("asset_id") + "` was not found");
}

Next list_upstream_asset_events(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  AssetEventFilter filter;
  filter.consumed_by = run->key;
  Listing<AssetEventSummary> all;
  constexpr int kPage = 1000;
  for (Paging paging{.limit = kPage, .offset = 0, .order_by = {}};; paging.offset += kPage) {
    auto page = reading.store.asset_events(filter, paging);
    if (!page) return refusal(page.error());
    all.total = page->total;
    std::move(page->rows.begin(), page->rows.end(), std::back_inserter(all.rows));
    if (std::ssize(all.rows) >= all.total || page->rows.empty()) break;
  }
  return events_response(all);
}

}  // namespace etesian::api
