// Assets: who names them, what happens to them, and which runs that makes.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/json.h"
#include "scheduler/stepper.h"

namespace etesian {
namespace {

AssetRegistry::Id id_of(const Asset& asset) { return {asset.name, asset.uri}; }
AssetRegistry::Id id_of(const AssetUse& use) { return {use.name, use.uri}; }

/// Whether every asset that the condition asks for is in the queue.
bool is_met(const AssetCondition& condition, const AssetRegistry& assets,
            const std::map<AssetKey, AssetQueueRow>& queue) {
  const auto holds = [&](const AssetCondition& part) { return is_met(part, assets, queue); };
  switch (condition.kind) {
    case AssetCondition::Kind::All:
      return std::all_of(condition.parts.begin(), condition.parts.end(), holds);
    case AssetCondition::Kind::Any:
      return std::any_of(condition.parts.begin(), condition.parts.end(), holds);
    case AssetCondition::Kind::Use: break;
  }
  const auto keys = assets.assets_of(condition.use);
  return std::any_of(keys.begin(), keys.end(),
                     [&queue](AssetKey key) { return queue.contains(key); });
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}
std::string object_text(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_object() ? json::serialize(*value) : "{}";
}
json::array list_of(const json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_array() ? value->get_array() : json::array{};
}

/// One entry of "outlet_events": what the task says of an event of an asset.
struct Said {
  AssetRegistry::Id asset;
  std::string alias;  ///< Empty: of an asset that stands among its outlets.
  std::string asset_extra, extra;
  std::optional<std::string> partition_key;
};
std::vector<Said> said_in(const json::object& outlets) {
  std::vector<Said> all;
  for (const json::value& each : list_of(outlets, "outlet_events")) {
    const json::object* event = each.if_object();
    const json::value* key = event ? event->if_contains("dest_asset_key") : nullptr;
    if (!key || !key->is_object()) continue;
    Said& said = all.emplace_back();
    said.asset = {text_of(key->get_object(), "name"), text_of(key->get_object(), "uri")};
    said.alias = text_of(*event, "source_alias_name");
    said.asset_extra = object_text(*event, "dest_asset_extra");
    said.extra = object_text(*event, "extra");
    if (std::string partition = text_of(*event, "partition_key"); !partition.empty())
      said.partition_key = std::move(partition);
  }
  return all;
}

std::optional<AssetUse> use_from(const json::object& profile) {
  const std::string type = text_of(profile, "type");
  AssetUse use{AssetUse::Kind::Asset, text_of(profile, "name"), text_of(profile, "uri")};
  if (type == "AssetAlias")
    use.kind = AssetUse::Kind::Alias;
  else if (type == "AssetNameRef")
    use.kind = AssetUse::Kind::NameRef;
  else if (type == "AssetUriRef")
    use.kind = AssetUse::Kind::UriRef;
  else if (type != "Asset")
    return std::nullopt;
  return use;
}

}  // namespace

// ---- the registry ----

const AssetRow* AssetRegistry::find(const Id& id) const {
  const auto key = keys.find(id);
  return key == keys.end() ? nullptr : &rows.at(key->second);
}

const AssetRow* AssetRegistry::active_named(const std::string& name) const {
  const auto same = by_name.find(name);
  if (same == by_name.end()) return nullptr;
  for (const AssetKey key : same->second)
    if (const AssetRow& row = rows.at(key); row.is_active) return &row;
  return nullptr;
}

const AssetRow* AssetRegistry::active_at(const std::string& uri) const {
  const auto same = by_uri.find(uri);
  if (same == by_uri.end()) return nullptr;
  for (const AssetKey key : same->second)
    if (const AssetRow& row = rows.at(key); row.is_active) return &row;
  return nullptr;
}

bool AssetRegistry::is_referenced(const AssetRow& row) const {
  return mentions.contains(id_of(row.asset)) || bound.contains(row.key);
}

std::vector<AssetKey> AssetRegistry::assets_of(const AssetUse& use) const {
  const auto only = [](const AssetRow* row) {
    return row ? std::vector<AssetKey>{row->key} : std::vector<AssetKey>{};
  };
  switch (use.kind) {
    case AssetUse::Kind::Asset: return only(find(id_of(use)));
    case AssetUse::Kind::NameRef: return only(active_named(use.name));
    case AssetUse::Kind::UriRef: return only(active_at(use.uri));
    case AssetUse::Kind::Alias: break;
  }
  const auto alias = aliases.find(use.name);
  if (alias == aliases.end()) return {};
  return {alias->second.assets.begin(), alias->second.assets.end()};
}

void AssetRegistry::set(AssetRow row) {
  next_key = std::max(next_key, row.key + 1);
  keys[id_of(row.asset)] = row.key;
  by_name[row.asset.name].insert(row.key);
  by_uri[row.asset.uri].insert(row.key);
  rows[row.key] = std::move(row);
}

void AssetRegistry::set_alias(AssetAliasRow row) {
  next_alias_key = std::max(next_alias_key, row.key + 1);
  alias_names[row.key] = row.alias.name;
  aliases[row.alias.name].row = row;
}

void AssetRegistry::bind(AssetAliasKey alias, AssetKey asset) {
  if (aliases.at(alias_names.at(alias)).assets.insert(asset).second) ++bound[asset];
}

void AssetRegistry::count(const DagDefinition& definition, int by) {
  const auto mention = [&](const AssetUse& use) {
    if (use.kind != AssetUse::Kind::Asset) return;
    const auto at = mentions.try_emplace(id_of(use), 0).first;
    if ((at->second += by) == 0) mentions.erase(at);
  };
  for (const Task& task : definition.tasks) {
    for (const AssetUse& use : task.inlets) mention(use);
    for (const AssetUse& use : task.outlets) mention(use);
  }
  if (!definition.schedule_assets) return;
  for (const AssetUse& use : uses_of(*definition.schedule_assets)) {
    mention(use);
    auto& dags = waiting[use];
    if (by > 0)
      dags.insert(definition.id);
    else
      dags.erase(definition.id);
    if (dags.empty()) waiting.erase(use);
  }
}

// ---- DAGs come and go ----

AssetKey Stepper::add_asset(Asset asset) {
  const AssetKey key = s_.assets.next_key;
  emit(AssetChanged{{key, std::move(asset), false, moment_.now, moment_.now}});
  return key;
}

void Stepper::register_assets(const DagDefinition& definition) {
  for (const Asset& asset : definition.assets) {
    const AssetRow* known = s_.assets.find(id_of(asset));
    if (!known) {
      add_asset(asset);
    } else if (known->asset != asset) {
      AssetRow row = *known;
      row.asset = asset;
      row.updated_at = moment_.now;
      emit(AssetChanged{std::move(row)});
    }
  }
  for (const AssetAlias& alias : definition.aliases) {
    const auto known = s_.assets.aliases.find(alias.name);
    if (known == s_.assets.aliases.end())
      emit(AssetAliasChanged{{s_.assets.next_alias_key, alias}});
    else if (known->second.row.alias != alias)
      emit(AssetAliasChanged{{known->second.row.key, alias}});
  }
}

void Stepper::update_active(const DagDefinition* before, const DagDefinition* after) {
  std::set<AssetKey> changed;
  for (const DagDefinition* definition : {before, after}) {
    if (!definition) continue;
    for (const Asset& asset : definition->assets)
      if (const AssetRow* row = s_.assets.find(id_of(asset))) changed.insert(row->key);
  }
  for (const AssetKey key : changed) update_active(AssetRow(s_.assets.rows.at(key)));
}

/// Who is active stays so while something names it. Source:
/// SchedulerJobRunner._update_asset_orphanage.
void Stepper::update_active(const AssetRow& changed) {
  AssetRegistry& assets = s_.assets;
  const auto set_active = [&](AssetKey key, bool is_active) {
    AssetRow row = assets.rows.at(key);
    row.is_active = is_active;
    row.updated_at = moment_.now;
    emit(AssetChanged{std::move(row)});
  };
  if (changed.is_active && !assets.is_referenced(changed)) set_active(changed.key, false);
  std::set<AssetKey> rivals = assets.by_name.at(changed.asset.name);
  rivals.insert(assets.by_uri.at(changed.asset.uri).begin(),
                assets.by_uri.at(changed.asset.uri).end());
  for (const AssetKey key : rivals) {
    const AssetRow& row = assets.rows.at(key);
    if (!row.is_active && assets.is_referenced(row) && !assets.active_named(row.asset.name) &&
        !assets.active_at(row.asset.uri))
      set_active(key, true);
  }
  for (const AssetUse& use : {AssetUse{AssetUse::Kind::NameRef, changed.asset.name, ""},
                              AssetUse{AssetUse::Kind::UriRef, "", changed.asset.uri}})
    if (const auto dags = assets.waiting.find(use); dags != assets.waiting.end())
      s_.agenda.dags.insert(dags->second.begin(), dags->second.end());
}

/// Without catch-up a DAG's first run for assets leaves out the events from before it waited for
/// them; not so one that waits for aliases and references only. Source:
/// SchedulerJobRunner._create_dag_runs_asset_triggered.
void Stepper::start_waiting_for_assets(const std::string& dag_id) {
  DagEntry& entry = s_.entry(dag_id);
  const auto& condition = entry.dag->definition().schedule_assets;
  if (!condition) {
    const auto stale = entry.asset_queue;
    for (const auto& [asset, row] : stale) emit(AssetUnqueued{dag_id, asset});
    return;
  }
  if (entry.asset_cursor) return;
  const auto uses = uses_of(*condition);
  const bool names_assets = std::any_of(uses.begin(), uses.end(), [](const AssetUse& use) {
    return use.kind == AssetUse::Kind::Asset;
  });
  const bool skips_past = names_assets && !entry.dag->definition().schedule.catchup;
  emit(AssetCursorMoved{dag_id, skips_past ? s_.assets.next_event_key - 1 : 0});
}

// ---- events ----

/// What an event brings besides its asset.
struct Stepper::AssetNews {
  std::string extra = "{}";
  std::optional<std::string> partition_key;
  std::optional<InstanceKey> source;
  std::set<std::string> aliases;
};

/// Source: AssetManager.register_asset_change.
AssetEventKey Stepper::add_asset_event(AssetKey asset, AssetNews news) {
  AssetRegistry& assets = s_.assets;
  AssetEventRow event;
  event.key = assets.next_event_key;
  event.asset = asset;
  event.at = moment_.now;
  event.extra = std::move(news.extra);
  event.partition_key = news.partition_key;
  if (news.source) {
    const Run& run = *s_.find(news.source->run);
    event.dag_id = run.row.dag_id;
    event.run_id = run.row.run_id;
    event.task_id = run.dag->task(news.source->task).id;
    event.map_index = news.source->map_index;
  }
  for (const std::string& name : news.aliases) {
    if (!assets.aliases.contains(name))
      emit(AssetAliasChanged{{assets.next_alias_key, {name, ""}}});
    const AssetRegistry::Alias& alias = assets.aliases.at(name);
    event.aliases.push_back(alias.row.key);
    if (!alias.assets.contains(asset)) emit(AssetAliasBound{alias.row.key, asset});
  }
  if (!news.aliases.empty() && !assets.rows.at(asset).is_active)
    update_active(AssetRow(assets.rows.at(asset)));
  const AssetEventKey key = event.key;
  emit(AssetEventAdded{std::move(event)});
  if (news.partition_key) return key;  // Of interest for partitioned schedules only.

  const Asset& its = assets.rows.at(asset).asset;
  std::vector<AssetUse> uses = {{AssetUse::Kind::Asset, its.name, its.uri},
                                {AssetUse::Kind::NameRef, its.name, ""},
                                {AssetUse::Kind::UriRef, "", its.uri}};
  for (const std::string& name : news.aliases) uses.push_back({AssetUse::Kind::Alias, name, ""});
  std::set<std::string> dags;
  for (const AssetUse& use : uses)
    if (const auto found = assets.waiting.find(use); found != assets.waiting.end())
      dags.insert(found->second.begin(), found->second.end());
  for (const std::string& dag_id : dags) {
    const DagEntry& entry = s_.entry(dag_id);
    if (entry.is_paused || entry.asset_queue.contains(asset)) continue;
    emit(AssetQueued{{dag_id, asset, key, moment_.now}});
  }
  return key;
}

/// Source: TaskInstance.register_asset_changes_in_db.
void Stepper::emit_asset_events(const InstanceKey& key, const std::string& outlets) {
  const auto parsed = outlets.empty() ? Result<json::value>(json::object{}) : parse_json(outlets);
  if (!parsed || !parsed->is_object()) return;
  const std::vector<Said> said = said_in(parsed->get_object());
  std::set<std::string> aliases;
  for (const json::value& each : list_of(parsed->get_object(), "task_outlets")) {
    const auto use = each.is_object() ? use_from(each.get_object()) : std::nullopt;
    if (!use) continue;
    if (use->kind == AssetUse::Kind::Alias) {
      aliases.insert(use->name);
      continue;
    }
    for (const AssetKey asset : s_.assets.assets_of(*use)) {
      const AssetRow row = s_.assets.rows.at(asset);
      if (!row.is_active) continue;
      bool is_told = false;
      for (const Said& one : said) {
        if (!one.alias.empty() || one.asset != id_of(row.asset)) continue;
        is_told = true;
        add_asset_event(asset, {one.extra, one.partition_key, key, {}});
      }
      if (!is_told) add_asset_event(asset, {"{}", {}, key, {}});
    }
  }
  // Equal events that came through several aliases are one.
  std::map<std::tuple<AssetRegistry::Id, std::string, std::string>, std::set<std::string>> through;
  for (const Said& one : said)
    if (aliases.contains(one.alias))
      through[{one.asset, one.asset_extra, one.extra}].insert(one.alias);
  for (const auto& [what, names] : through) {
    const auto& [id, asset_extra, extra] = what;
    const AssetRow* known = s_.assets.find(id);
    const AssetKey asset =
        known ? known->key : add_asset({id.first, id.second, "asset", asset_extra});
    add_asset_event(asset, {extra, {}, key, names});
  }
}

void Stepper::on(const CreateAssetEvent& e) {
  if (!s_.assets.rows.contains(e.asset))
    return refuse(ErrorCode::NotFound, fmt::format("Asset with ID: `{}` was not found", e.asset));
  decision_.asset_event = add_asset_event(e.asset, {e.extra, e.partition_key, {}, {}});
  audit(e.actor, "create_asset_event", "");
}

void Stepper::on(const ClearAssetQueue& e) {
  std::vector<AssetUnqueued> cleared;
  for (const auto& [id, entry] : s_.dags) {
    if (e.dag_id && *e.dag_id != id) continue;
    for (const auto& [asset, row] : entry.asset_queue)
      if ((!e.asset || *e.asset == asset) && (!e.before || row.queued_at < *e.before))
        cleared.push_back({id, asset});
  }
  if (cleared.empty()) return refuse(ErrorCode::NotFound, "clear asset queue: nothing is queued");
  for (AssetUnqueued& one : cleared) emit(std::move(one));
  audit(e.actor, "delete_asset_queued_events", e.dag_id.value_or(""));
}

// ---- runs ----

/// Source: DagModel.dags_needing_dagruns, SchedulerJobRunner._create_dag_runs_asset_triggered.
void Stepper::make_asset_run(DagEntry& entry) {
  if (!entry.dag || entry.is_paused || entry.asset_queue.empty()) return;
  const DagDefinition& definition = entry.dag->definition();
  if (!definition.schedule_assets || entry.unfinished >= definition.max_active_runs) return;
  if (!is_met(*definition.schedule_assets, s_.assets, entry.asset_queue)) return;
  const auto queue = entry.asset_queue;
  RunRow row;
  row.type = RunType::AssetTriggered;
  AssetEventsConsumed consumed;
  consumed.after = entry.asset_cursor.value_or(0);
  for (const auto& [asset, queued] : queue) {
    row.run_after = std::max(row.run_after, queued.queued_at);
    consumed.until = std::max(consumed.until, queued.event);
  }
  // References are left out, as they are in Airflow: only assets and aliases are linked to runs.
  for (const AssetUse& use : uses_of(*definition.schedule_assets)) {
    if (use.kind == AssetUse::Kind::Asset)
      for (const AssetKey key : s_.assets.assets_of(use)) consumed.assets.push_back(key);
    if (use.kind == AssetUse::Kind::Alias)
      if (const auto alias = s_.assets.aliases.find(use.name); alias != s_.assets.aliases.end())
        consumed.aliases.push_back(alias->second.row.key);
  }
  row.run_id = make_run_id(row.type, row.run_after, std::nullopt, random_);
  consumed.run = create_run(std::move(row), entry.dag).row.key;
  const AssetEventKey until = consumed.until;
  emit(std::move(consumed));
  if (until > entry.asset_cursor.value_or(-1)) emit(AssetCursorMoved{entry.id, until});
  for (const auto& [asset, queued] : queue) emit(AssetUnqueued{entry.id, asset});
}

}  // namespace etesian
