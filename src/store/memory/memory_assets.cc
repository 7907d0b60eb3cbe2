// Questions to people, and assets.
#include "store/memory/filters.h"
#include "store/memory/memory_store.h"

namespace etesian::memory {

// ---- writing ----

void MemoryStore::write(const HumanInputChanged& change) {
  const HumanInput& row = change.row;
  ChangeRecord made = record_of(kind_of(change), row.instance);
  made.try_number = row.try_number;
  if (!row.answer)
    made.reason = row.subject;
  else if (row.answer->by)
    made.reason = row.answer->by->name;
  record(std::move(made));
  put(questions_, {row.instance, row.try_number}, row);
}

void MemoryStore::write(const StateStored& change) {
  record(record_of(ChangeKind::StateStored, change.place, change.key));
  put(states_, {change.place, change.key}, change);
}

void MemoryStore::write(const StateRemoved& change) {
  record(record_of(ChangeKind::StateRemoved, change.place, change.key));
  drop_where(states_, [&change](const auto& known) {
    return known.first == change.place && (change.key.empty() || known.second == change.key);
  });
}

Result<std::optional<std::string>> MemoryStore::state_value(const StatePlace& place,
                                                            const std::string& key, Instant now) {
  const auto found = states_.find({place, key});
  if (found == states_.end()) return std::optional<std::string>();
  const StateStored& known = found->second;
  if (known.expires_at && *known.expires_at <= now) return std::optional<std::string>();
  return std::optional(known.json);
}

/// Who names which asset, as of the current version. What stays keeps its first instant.
void MemoryStore::refer(DagEntry& entry, const DagDefinition& definition) const {
  const auto earlier = std::exchange(entry.references, {});
  const auto add = [&](char kind, const std::string& task_id, const AssetUse& use) {
    for (const auto& [key, row] : assets_) {
      if (use.kind != AssetUse::Kind::Asset || row.asset.name != use.name ||
          row.asset.uri != use.uri)
        continue;
      const Reference reference{kind, task_id, key};
      const auto known = earlier.find(reference);
      entry.references[reference] = {definition.id, task_id,
                                     known == earlier.end() ? at_ : known->second.created_at, at_};
    }
  };
  if (definition.schedule_assets)
    for (const AssetUse& use : uses_of(*definition.schedule_assets)) add('s', "", use);
  for (const Task& task : definition.tasks) {
    for (const AssetUse& use : task.inlets) add('i', task.id, use);
    for (const AssetUse& use : task.outlets) add('o', task.id, use);
  }
}

void MemoryStore::write(const AssetChanged& change) {
  AssetRow row = change.row;
  const auto known = assets_.find(row.key);
  for (const auto& [key, other] : assets_)
    if (key != row.key && other.asset.name == row.asset.name && other.asset.uri == row.asset.uri)
      throw Refusal{"the asset exists already"};
  if (known != assets_.end()) {
    row.asset.name = known->second.asset.name;
    row.asset.uri = known->second.asset.uri;
    row.created_at = known->second.created_at;
  }
  record(record_of(ChangeKind::AssetChanged, change.row.asset.name));
  put(assets_, row.key, row);
}

void MemoryStore::write(const AssetAliasChanged& change) {
  for (const auto& [key, other] : aliases_)
    if (key != change.row.key && other.alias.name == change.row.alias.name)
      throw Refusal{"the alias exists already"};
  record(record_of(ChangeKind::AssetAliasChanged, change.row.alias.name));
  put(aliases_, change.row.key, change.row);
}

void MemoryStore::write(const AssetAliasBound& change) {
  if (!aliases_.contains(change.alias) || !assets_.contains(change.asset))
    throw Refusal{"there is no such alias or asset"};
  const auto known = alias_assets_.find(change.alias);
  auto assets = known == alias_assets_.end() ? std::set<AssetKey>() : known->second;
  if (!assets.insert(change.asset).second) throw Refusal{"the alias leads there already"};
  record(record_of(ChangeKind::AssetAliasBound, ""));
  put(alias_assets_, change.alias, std::move(assets));
}

void MemoryStore::write(const AssetEventAdded& change) {
  const AssetEventRow& row = change.row;
  if (events_.contains(row.key)) throw Refusal{"the key exists already"};
  if (!assets_.contains(row.asset)) throw Refusal{"there is no such asset"};
  for (const AssetAliasKey alias : row.aliases)
    if (!aliases_.contains(alias)) throw Refusal{"there is no such alias"};
  ChangeRecord made = record_of(ChangeKind::AssetEventAdded, "");
  if (dags_.contains(row.dag_id)) made.dag_id = row.dag_id;
  record(std::move(made));
  put(events_, row.key, row);
}

void MemoryStore::write(const AssetQueued& change) {
  const AssetQueueRow& row = change.row;
  expect_dag(row.dag_id);
  if (!events_.contains(row.event) || !assets_.contains(row.asset))
    throw Refusal{"there is no such event or asset"};
  if (queue_.contains({row.dag_id, row.asset})) throw Refusal{"it is queued already"};
  ChangeRecord made = record_of(ChangeKind::AssetQueued, "");
  made.dag_id = row.dag_id;
  record(std::move(made));
  put(queue_, {row.dag_id, row.asset}, row);
}

void MemoryStore::write(const AssetUnqueued& change) {
  expect_dag(change.dag_id);
  if (!queue_.contains({change.dag_id, change.asset})) throw Refusal{"it is not queued"};
  ChangeRecord made = record_of(ChangeKind::AssetUnqueued, "");
  made.dag_id = change.dag_id;
  record(std::move(made));
  drop(queue_, {change.dag_id, change.asset});
}

void MemoryStore::write(const AssetCursorMoved& change) {
  DagEntry entry = expect_dag(change.dag_id);
  entry.asset_cursor = change.event;
  put(dags_, change.dag_id, std::move(entry));
  ChangeRecord made = record_of(ChangeKind::AssetCursorMoved, "");
  made.dag_id = change.dag_id;
  record(std::move(made));
}

void MemoryStore::write(const AssetEventsConsumed& change) {
  const auto is_one_of = [](const auto& keys, std::int64_t key) {
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  };
  ChangeRecord made = record_of(ChangeKind::AssetEventsConsumed, expect_run(change.run));
  const auto known = consumed_.find(change.run);
  auto consumed = known == consumed_.end() ? std::set<AssetEventKey>() : known->second;
  for (auto at = events_.upper_bound(change.after);
       at != events_.end() && at->first <= change.until; ++at) {
    const AssetEventRow& event = at->second;
    const bool is_through_alias =
        std::any_of(event.aliases.begin(), event.aliases.end(),
                    [&](AssetAliasKey alias) { return is_one_of(change.aliases, alias); });
    if (is_through_alias || is_one_of(change.assets, event.asset)) consumed.insert(at->first);
  }
  record(std::move(made));
  put(consumed_, change.run, std::move(consumed));
}

// ---- reading ----

namespace {

bool is_less(HumanInputColumn column, const HumanInputSummary& a, const HumanInputSummary& b) {
  const auto answered = [](const HumanInputSummary& s) {
    return s.row.answer ? std::optional(s.row.answer->at) : std::nullopt;
  };
  const auto by = [](const HumanInputSummary& s) {
    return s.row.answer ? s.row.answer->by : std::nullopt;
  };
  const auto id = [&](const HumanInputSummary& s) { return by(s) ? by(s)->id : ""; };
  const auto name = [&](const HumanInputSummary& s) { return by(s) ? by(s)->name : ""; };
  switch (column) {
    case HumanInputColumn::Key: break;
    case HumanInputColumn::Subject: return a.row.subject < b.row.subject;
    case HumanInputColumn::AskedAt: return a.row.asked_at < b.row.asked_at;
    case HumanInputColumn::AnsweredAt: return answered(a) < answered(b);
    case HumanInputColumn::AnsweredById: return id(a) < id(b);
    case HumanInputColumn::AnsweredByName: return name(a) < name(b);
    case HumanInputColumn::DagId: return a.instance.dag_id < b.instance.dag_id;
    case HumanInputColumn::RunId: return a.instance.run_id < b.instance.run_id;
    case HumanInputColumn::TaskId: return a.instance.task_id < b.instance.task_id;
    case HumanInputColumn::RunAfter: return a.instance.run_after < b.instance.run_after;
    case HumanInputColumn::RenderedMapIndex:
      return a.instance.row.rendered_map_index < b.instance.row.rendered_map_index;
    case HumanInputColumn::State: return a.instance.row.state < b.instance.row.state;
  }
  return a.row.instance < b.row.instance;
}

bool is_less(AssetColumn column, const AssetSummary& a, const AssetSummary& b) {
  switch (column) {
    case AssetColumn::Key: break;
    case AssetColumn::Name: return a.row.asset.name < b.row.asset.name;
    case AssetColumn::Uri: return a.row.asset.uri < b.row.asset.uri;
    case AssetColumn::CreatedAt: return a.row.created_at < b.row.created_at;
    case AssetColumn::UpdatedAt: return a.row.updated_at < b.row.updated_at;
  }
  return a.row.key < b.row.key;
}

bool is_less(AssetEventColumn column, const AssetEventSummary& a, const AssetEventSummary& b) {
  switch (column) {
    case AssetEventColumn::At: break;
    case AssetEventColumn::DagId: return a.row.dag_id < b.row.dag_id;
    case AssetEventColumn::RunId: return a.row.run_id < b.row.run_id;
    case AssetEventColumn::TaskId: return a.row.task_id < b.row.task_id;
    case AssetEventColumn::MapIndex: return a.row.map_index < b.row.map_index;
  }
  return a.row.at < b.row.at;
}

bool begins(const std::string& text, const std::optional<std::string>& prefix) {
  return !prefix || text.starts_with(*prefix);
}

/// Who answered, when one of `wanted` is asked for.
bool is_answered_by(const std::optional<HumanInput::Answer>& answer,
                    const std::vector<std::string>& wanted, std::string HumanInput::Person::*part) {
  if (wanted.empty()) return true;
  return answer && answer->by && is_among(wanted, (*answer->by).*part);
}

}  // namespace

Result<Listing<HumanInputSummary>> MemoryStore::human_inputs(const HumanInputFilter& filter,
                                                             const Paging& paging) {
  std::vector<HumanInputSummary> rows;
  for (const auto& [key, asked] : questions_) {
    const auto instance = instances_.find(key.first);
    if (instance == instances_.end() || !is_current(asked, instance->second)) continue;
    const InstanceSummary summary = instance_summary(instance->second);
    if (!is(filter.dag_id, summary.dag_id) || !is(filter.run_id, summary.run_id) ||
        !is(filter.task_id, summary.task_id) || !contains(summary.dag_id, filter.dag_id_contains) ||
        !contains(summary.task_id, filter.task_id_contains) ||
        !contains(asked.subject, filter.subject_contains) ||
        (filter.body_contains && (!asked.body || !contains(*asked.body, filter.body_contains))) ||
        !is(filter.map_index, key.first.map_index) || !is_among(filter.states, summary.row.state) ||
        !is(filter.is_answered, asked.answer.has_value()) ||
        !is_answered_by(asked.answer, filter.answered_by_ids, &HumanInput::Person::id) ||
        !is_answered_by(asked.answer, filter.answered_by_names, &HumanInput::Person::name) ||
        !is_within(filter.asked_at, asked.asked_at))
      continue;
    rows.push_back({asked, summary});
  }
  return sorted_page<HumanInputColumn>(
      std::move(rows), paging,
      [](HumanInputColumn column, const auto& a, const auto& b) { return is_less(column, a, b); });
}

Result<std::vector<HumanInput>> MemoryStore::human_inputs(const InstanceKey& key) {
  std::vector<HumanInput> rows;
  for (auto at = questions_.lower_bound({key, 0}); at != questions_.end() && at->first.first == key;
       ++at)
    rows.push_back(at->second);
  return rows;
}

AssetSummary MemoryStore::asset_summary(const AssetRow& row) const {
  AssetSummary summary;
  summary.row = row;
  for (const auto& [id, entry] : dags_)
    for (const auto& [reference, of] : entry.references) {
      if (std::get<AssetKey>(reference) != row.key) continue;
      switch (std::get<char>(reference)) {
        case 's': summary.scheduled_dags.push_back(of); break;
        case 'i': summary.consuming_tasks.push_back(of); break;
        default: summary.producing_tasks.push_back(of); break;
      }
    }
  for (const auto& [alias, assets] : alias_assets_)
    if (assets.contains(row.key)) summary.aliases.push_back(aliases_.at(alias));
  for (auto at = events_.rbegin(); at != events_.rend() && !summary.last_event; ++at) {
    if (at->second.asset != row.key) continue;
    summary.last_event = at->first;
    summary.last_event_at = at->second.at;
  }
  return summary;
}

Result<Listing<AssetSummary>> MemoryStore::assets(const AssetFilter& filter, const Paging& paging) {
  std::vector<AssetSummary> rows;
  for (const auto& [key, row] : assets_) {
    const Asset& asset = row.asset;
    if (!is(filter.key, key) || !is(filter.name, asset.name) || !is(filter.uri, asset.uri) ||
        !contains(asset.name, filter.name_contains) || !begins(asset.name, filter.name_prefix) ||
        !contains(asset.uri, filter.uri_contains) || !begins(asset.uri, filter.uri_prefix) ||
        (filter.only_active && !row.is_active))
      continue;
    AssetSummary summary = asset_summary(row);
    const auto names_it = [&](const AssetReference& reference) {
      return is_among(filter.dag_ids, reference.dag_id);
    };
    const auto any = [&](const std::vector<AssetReference>& references) {
      return std::any_of(references.begin(), references.end(), names_it);
    };
    if (!filter.dag_ids.empty() && !any(summary.scheduled_dags) && !any(summary.producing_tasks) &&
        !any(summary.consuming_tasks))
      continue;
    if (filter.alias &&
        std::none_of(summary.aliases.begin(), summary.aliases.end(),
                     [&](const AssetAliasRow& alias) { return alias.alias.name == *filter.alias; }))
      continue;
    rows.push_back(std::move(summary));
  }
  return sorted_page<AssetColumn>(
      std::move(rows), paging,
      [](AssetColumn column, const auto& a, const auto& b) { return is_less(column, a, b); });
}

Result<Listing<AssetAliasRow>> MemoryStore::asset_aliases(const AssetAliasFilter& filter,
                                                          const Paging& paging) {
  std::vector<AssetAliasRow> rows;
  for (const auto& [key, row] : aliases_)
    if (is(filter.key, key) && contains(row.alias.name, filter.name_contains) &&
        begins(row.alias.name, filter.name_prefix))
      rows.push_back(row);
  return sorted_page<AssetAliasColumn>(
      std::move(rows), paging,
      [](AssetAliasColumn column, const AssetAliasRow& a, const AssetAliasRow& b) {
        return column == AssetAliasColumn::Name ? a.alias.name < b.alias.name : a.key < b.key;
      });
}

AssetEventSummary MemoryStore::event_summary(const AssetEventRow& row) const {
  AssetEventSummary summary;
  summary.row = row;
  std::sort(summary.row.aliases.begin(), summary.row.aliases.end());
  summary.asset = assets_.at(row.asset).asset;
  for (const AssetAliasKey alias : summary.row.aliases)
    summary.alias_names.push_back(aliases_.at(alias).alias.name);
  for (const auto& [run, events] : consumed_)
    if (events.contains(row.key))
      summary.consumers.push_back({runs_.at(run), *events.rbegin() == row.key});
  return summary;
}

Result<Listing<AssetEventSummary>> MemoryStore::asset_events(const AssetEventFilter& filter,
                                                             const Paging& paging) {
  std::vector<AssetEventSummary> rows;
  for (const auto& [key, event] : events_) {
    AssetEventSummary summary = event_summary(event);
    const auto& names = summary.alias_names;
    const auto consumed = consumed_.find(filter.consumed_by.value_or(0));
    if (!is(filter.key, key) || !is(filter.asset, event.asset) ||
        (filter.alias && std::find(names.begin(), names.end(), *filter.alias) == names.end()) ||
        !is(filter.dag_id, event.dag_id) || !is(filter.run_id, event.run_id) ||
        !is(filter.task_id, event.task_id) || !is(filter.map_index, event.map_index) ||
        !contains(summary.asset.name, filter.name_contains) ||
        !begins(summary.asset.name, filter.name_prefix) ||
        (filter.consumed_by && (consumed == consumed_.end() || !consumed->second.contains(key))) ||
        !is_within(filter.at, event.at))
      continue;
    rows.push_back(std::move(summary));
  }
  return sorted_page<AssetEventColumn>(
      std::move(rows), paging,
      [](AssetEventColumn column, const auto& a, const auto& b) { return is_less(column, a, b); });
}

Result<std::vector<AssetQueueRow>> MemoryStore::asset_queue(
    const std::optional<std::string>& dag_id, const std::optional<AssetKey>& asset) {
  std::vector<AssetQueueRow> rows;
  for (const auto& [key, row] : queue_)
    if (is(dag_id, row.dag_id) && is(asset, row.asset)) rows.push_back(row);
  return rows;
}

}  // namespace etesian::memory
