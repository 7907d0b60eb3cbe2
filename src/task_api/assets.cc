// Assets and their events, as tasks read them.
#include <algorithm>

#include "task_api/ended_try.h"
#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"
#include "task_api/run_context.h"

namespace etesian::task_api {
namespace {

constexpr int kPage = 1000;

/// All rows that `read(paging)` gives, at most `most` of them.
template <class Row, class Read>
Result<std::vector<Row>> all_of(std::size_t most, Paging paging, Read&& read) {
  std::vector<Row> rows;
  for (paging.limit = kPage;; paging.offset += kPage) {
    auto page = read(paging);
    if (!page) return page.error();
    std::move(page->rows.begin(), page->rows.end(), std::back_inserter(rows));
    if (rows.size() >= most || static_cast<int>(page->rows.size()) < kPage) break;
  }
  if (rows.size() > most) rows.resize(most);
  return rows;
}

std::string asset_text(const Asset& asset) {
  return ObjectText()
      .text("name", asset.name)
      .text("uri", asset.uri)
      .text("group", asset.group)
      .raw("extra", asset.extra)
      .take();
}

std::string consumer_text(const RunRow& run) {
  const auto start = run.interval ? std::optional(run.interval->start) : std::nullopt;
  const auto end = run.interval ? std::optional(run.interval->end) : std::nullopt;
  return ObjectText()
      .text("run_id", run.run_id)
      .text("dag_id", run.dag_id)
      .instant("logical_date", run.logical_date)
      .instant("start_date", run.started_at.value_or(run.queued_at))
      .instant("end_date", run.ended_at)
      .text("state", to_text(run.state))
      .instant("data_interval_start", start)
      .instant("data_interval_end", end)
      .null("partition_key")
      .take();
}

std::string list_text(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const std::string& item : items) {
    if (text.size() > 1) text += ',';
    text += item;
  }
  return text + "]";
}

/// Where an event comes from, and its partition.
ObjectText& add_source(ObjectText& text, const AssetEventRow& row) {
  return text.text_or_null("source_task_id", row.task_id)
      .text_or_null("source_dag_id", row.dag_id)
      .text_or_null("source_run_id", row.run_id)
      .number("source_map_index", row.map_index)
      .raw("partition_key", row.partition_key ? quoted(*row.partition_key) : "null");
}

std::string event_text(const AssetEventSummary& event) {
  std::vector<std::string> consumers;
  for (const auto& consumer : event.consumers) consumers.push_back(consumer_text(consumer.run));
  ObjectText text;
  text.number("id", event.row.key)
      .instant("timestamp", event.row.at)
      .raw("extra", event.row.extra)
      .raw("asset", asset_text(event.asset))
      .raw("created_dagruns", list_text(consumers));
  return add_source(text, event.row).take();
}

void answer_events(const CallPtr& call, Store& store, const AssetEventFilter& filter) {
  QueryReader read(call->request());
  const bool is_ascending = !call->request().query_value("ascending") || read.flag("ascending");
  const auto limit = read.maybe_integer("limit").value_or(0);
  const auto events = all_of<AssetEventSummary>(
      limit > 0 ? static_cast<std::size_t>(limit) : std::size_t(-1),
      {.limit = kPage, .offset = 0, .order_by = is_ascending ? "timestamp" : "-timestamp"},
      [&](const Paging& paging) { return store.asset_events(filter, paging); });
  if (!events) return call->answer(failure(events.error()));
  std::vector<std::string> items;
  for (const AssetEventSummary& event : *events) items.push_back(event_text(event));
  call->answer(ok(ObjectText().raw("asset_events", list_text(items)).take()));
}

/// after, before, ascending and limit; an answer when they are wrong.
std::optional<http::Response> read_window(const CallPtr& call, AssetEventFilter& filter,
                                          QueryReader& read) {
  filter.at.gte = read.maybe_instant("after");
  filter.at.lte = read.maybe_instant("before");
  read.flag("ascending");
  read.maybe_integer("limit");
  static_cast<void>(call);
  return read.refusal();
}

Result<std::optional<AssetRow>> find_asset(Store& store, const AssetFilter& filter) {
  const auto page = store.assets(filter, {.limit = 1, .offset = 0, .order_by = {}});
  if (!page) return page.error();
  if (page->rows.empty()) return std::optional<AssetRow>();
  return std::optional(page->rows.front().row);
}

void answer_asset(const CallPtr& call, AssetFilter filter, const std::string& missing) {
  filter.only_active = true;
  call->in_store([=](Store& store) {
    const auto asset = find_asset(store, filter);
    if (!asset) return call->answer(failure(asset.error()));
    call->answer(*asset ? ok(asset_text((*asset)->asset)) : refused(404, "not_found", missing));
  });
}

}  // namespace

void get_asset_by_name(const CallPtr& call) {
  QueryReader read(call->request());
  AssetFilter filter;
  filter.name = read.text("name");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  answer_asset(call, filter, "Asset with name " + *filter.name + " not found");
}

void get_asset_by_uri(const CallPtr& call) {
  QueryReader read(call->request());
  AssetFilter filter;
  filter.uri = read.text("uri");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  answer_asset(call, filter, "Asset with URI " + *filter.uri + " not found");
}

void get_assets_by_alias(const CallPtr& call) {
  QueryReader read(call->request());
  AssetFilter filter;
  filter.alias = read.text("alias_name");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_store([=](Store& store) {
    const auto assets =
        all_of<AssetSummary>(std::size_t(-1), {.limit = kPage, .offset = 0, .order_by = {}},
                             [&](const Paging& paging) { return store.assets(filter, paging); });
    if (!assets) return call->answer(failure(assets.error()));
    std::vector<std::string> items;
    for (const AssetSummary& asset : *assets) items.push_back(asset_text(asset.row.asset));
    call->answer(ok(list_text(items)));
  });
}

void get_events_by_asset(const CallPtr& call) {
  QueryReader read(call->request());
  const std::string name = read.text("name"), uri = read.text("uri");
  AssetEventFilter filter;
  if (auto bad = read_window(call, filter, read)) return call->answer(std::move(*bad));
  if (name.empty() && uri.empty())
    return call->answer(refused(400, "Missing parameter", "name and uri cannot both be None"));
  AssetFilter wanted;
  if (!name.empty()) wanted.name = name;
  if (!uri.empty()) wanted.uri = uri;
  wanted.only_active = name.empty() || uri.empty();
  call->in_store([call, wanted, filter](Store& store) {
    const auto asset = find_asset(store, wanted);
    if (!asset) return call->answer(failure(asset.error()));
    if (!*asset) return call->answer(ok(R"({"asset_events":[]})"));
    AssetEventFilter its = filter;
    its.asset = (*asset)->key;
    answer_events(call, store, its);
  });
}

void get_events_by_alias(const CallPtr& call) {
  QueryReader read(call->request());
  AssetEventFilter filter;
  filter.alias = read.text("name");
  if (auto bad = read_window(call, filter, read)) return call->answer(std::move(*bad));
  call->in_store([call, filter](Store& store) { answer_events(call, store, filter); });
}

void validate_inlets_and_outlets(const CallPtr& call) {
  call->in_world([call](const World& world, const Moment&) {
    std::vector<AssetUse> uses;
    if (const auto dag = world.dag_of(call->token().run)) {
      const Task& task = dag->task(call->token().task);
      for (const auto& each : {task.inlets, task.outlets})
        std::copy_if(each.begin(), each.end(), std::back_inserter(uses),
                     [](const AssetUse& use) { return use.kind == AssetUse::Kind::Asset; });
    }
    const bool is_open = world.open_try(call->token().try_id) != nullptr;
    call->in_store([call, uses, is_open](Store& store) {
      if (!is_open) {
        const auto ended = find_ended(store, *call);
        if (!ended) return call->answer(failure(ended.error()));
        if (!*ended) return call->answer(no_such_instance());
      }
      std::vector<std::string> inactive;
      for (const AssetUse& use : uses) {
        AssetFilter filter;
        filter.name = use.name;
        filter.uri = use.uri;
        filter.only_active = true;
        const auto asset = find_asset(store, filter);
        if (!asset) return call->answer(failure(asset.error()));
        if (*asset) continue;
        const std::string profile =
            ObjectText().text("name", use.name).text("uri", use.uri).text("type", "Asset").take();
        if (std::find(inactive.begin(), inactive.end(), profile) == inactive.end())
          inactive.push_back(profile);
      }
      call->answer(ok(ObjectText().raw("inactive_assets", list_text(inactive)).take()));
    });
  });
}

Result<std::string> consumed_asset_events(Store& store, const RunRow& run) {
  if (run.type != RunType::AssetTriggered) return std::string("[]");
  AssetEventFilter filter;
  filter.consumed_by = run.key;
  const auto events = all_of<AssetEventSummary>(
      std::size_t(-1), {.limit = kPage, .offset = 0, .order_by = {}},
      [&](const Paging& paging) { return store.asset_events(filter, paging); });
  if (!events) return events.error();
  std::vector<std::string> items;
  for (const AssetEventSummary& event : *events) {
    std::vector<std::string> aliases;
    for (const std::string& name : event.alias_names)
      aliases.push_back(ObjectText().text("name", name).take());
    ObjectText text;
    text.raw("asset", ObjectText()
                          .text("name", event.asset.name)
                          .text("uri", event.asset.uri)
                          .raw("extra", event.asset.extra)
                          .take())
        .raw("extra", event.row.extra)
        .raw("source_aliases", list_text(aliases))
        .instant("timestamp", event.row.at);
    items.push_back(add_source(text, event.row).take());
  }
  return list_text(items);
}

}  // namespace etesian::task_api
