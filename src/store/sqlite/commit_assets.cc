// Questions to people, and assets.
#include "store/sqlite/commit.h"
#include "store/sqlite/rows.h"

namespace etesian::sqlite {

void CommitGroup::write(const HumanInputChanged& change) {
  const HumanInput& row = change.row;
  const auto& answer = row.answer;
  std::optional<Instant> answered_at;
  std::optional<std::string> by_id, by_name, chosen, params_input, defaults;
  if (row.defaults) defaults = texts_to_json(*row.defaults);
  if (answer) {
    answered_at = answer->at;
    chosen = texts_to_json(answer->chosen);
    params_input = answer->params_input;
    if (answer->by) by_id = answer->by->id, by_name = answer->by->name;
  }
  const std::string options = texts_to_json(row.options), assigned = people_to_json(row.assigned);
  db_.kept(
         "INSERT OR REPLACE INTO human_input VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
         "?, ?, ?)")
      .bind(row.instance.run, row.instance.task, row.instance.map_index, row.try_number, row.try_id,
            options, row.subject, row.body, defaults, row.is_multiple, row.params, assigned,
            row.asked_at, answered_at, by_id, by_name, chosen, params_input)
      .run();
  append({.kind = kind_of(change),
          .instance = row.instance,
          .try_number = row.try_number,
          .reason = answer ? (answer->by ? answer->by->name : std::string_view()) : row.subject});
}

/// Who names which asset, as of the current version. What stays keeps its first instant.
void CommitGroup::write_references(Key dag, const DagDefinition& definition) {
  db_.kept("UPDATE asset_reference SET updated_at = -1 WHERE dag = ?").bind(dag).run();
  const auto refer = [&](ReferenceKind kind, const std::string& task_id, const AssetUse& use) {
    if (use.kind != AssetUse::Kind::Asset) return;
    db_.kept(
           "INSERT INTO asset_reference SELECT ?1, ?2, ?3, key, ?4, ?4 FROM asset "
           "WHERE name = ?5 AND uri = ?6 "
           "ON CONFLICT(dag, kind, task_id, asset) DO UPDATE SET updated_at = excluded.updated_at")
        .bind(dag, kind, task_id, at_, use.name, use.uri)
        .run();
  };
  if (definition.schedule_assets)
    for (const AssetUse& use : uses_of(*definition.schedule_assets))
      refer(ReferenceKind::Schedule, "", use);
  for (const Task& task : definition.tasks) {
    for (const AssetUse& use : task.inlets) refer(ReferenceKind::Inlet, task.id, use);
    for (const AssetUse& use : task.outlets) refer(ReferenceKind::Outlet, task.id, use);
  }
  db_.kept("DELETE FROM asset_reference WHERE dag = ? AND updated_at = -1").bind(dag).run();
}

void CommitGroup::write(const AssetChanged& change) {
  const AssetRow& row = change.row;
  db_.kept(
         "INSERT INTO asset VALUES(?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(key) DO UPDATE SET "
         "asset_group = excluded.asset_group, extra = excluded.extra, "
         "is_active = excluded.is_active, updated_at = excluded.updated_at")
      .bind(row.key, row.asset.name, row.asset.uri, row.asset.group, row.asset.extra, row.is_active,
            row.created_at, row.updated_at)
      .run();
  append({.kind = ChangeKind::AssetChanged, .reason = row.asset.name});
}

void CommitGroup::write(const AssetAliasChanged& change) {
  const AssetAliasRow& row = change.row;
  db_.kept(
         "INSERT INTO asset_alias VALUES(?, ?, ?) ON CONFLICT(key) DO UPDATE SET "
         "alias_group = excluded.alias_group")
      .bind(row.key, row.alias.name, row.alias.group)
      .run();
  append({.kind = ChangeKind::AssetAliasChanged, .reason = row.alias.name});
}

void CommitGroup::write(const AssetAliasBound& change) {
  db_.kept("INSERT INTO asset_alias_asset VALUES(?, ?)").bind(change.alias, change.asset).run();
  append({.kind = ChangeKind::AssetAliasBound});
}

void CommitGroup::write(const AssetEventAdded& change) {
  const AssetEventRow& row = change.row;
  const auto source = [&row](const std::string& text) {
    return row.dag_id.empty() ? std::nullopt : std::optional(text);
  };
  const auto dag_id = source(row.dag_id), run_id = source(row.run_id),
             task_id = source(row.task_id);
  db_.kept("INSERT INTO asset_event VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(row.key, row.asset, row.at, row.extra, dag_id, run_id, task_id, row.map_index,
            row.partition_key)
      .run();
  for (const AssetAliasKey alias : row.aliases)
    db_.kept("INSERT INTO asset_event_alias VALUES(?, ?)").bind(alias, row.key).run();
  std::optional<Key> dag;
  if (dag_id) dag = names_.dag(*dag_id);
  append({.kind = ChangeKind::AssetEventAdded, .dag = dag});
}

void CommitGroup::write(const AssetQueued& change) {
  const AssetQueueRow& row = change.row;
  const Key dag = dag_key(row.dag_id);
  db_.kept("INSERT INTO asset_queue VALUES(?, ?, ?, ?)")
      .bind(dag, row.asset, row.event, row.queued_at)
      .run();
  append({.kind = ChangeKind::AssetQueued, .dag = dag});
}

void CommitGroup::write(const AssetUnqueued& change) {
  const Key dag = dag_key(change.dag_id);
  expect_one_row(
      db_.kept("DELETE FROM asset_queue WHERE dag = ? AND asset = ?").bind(dag, change.asset).run(),
      "it is not queued");
  append({.kind = ChangeKind::AssetUnqueued, .dag = dag});
}

void CommitGroup::write(const AssetCursorMoved& change) {
  const Key dag = dag_key(change.dag_id);
  db_.kept("UPDATE dag SET asset_cursor = ? WHERE key = ?").bind(change.event, dag).run();
  append({.kind = ChangeKind::AssetCursorMoved, .dag = dag});
}

void CommitGroup::write(const AssetEventsConsumed& change) {
  for (const AssetKey asset : change.assets)
    db_.kept(
           "INSERT OR IGNORE INTO consumed_event SELECT ?, key FROM asset_event "
           "WHERE asset = ? AND key > ? AND key <= ?")
        .bind(change.run, asset, change.after, change.until)
        .run();
  for (const AssetAliasKey alias : change.aliases)
    db_.kept(
           "INSERT OR IGNORE INTO consumed_event SELECT ?, event FROM asset_event_alias "
           "WHERE alias = ? AND event > ? AND event <= ?")
        .bind(change.run, alias, change.after, change.until)
        .run();
  append(
      {.kind = ChangeKind::AssetEventsConsumed, .instance = InstanceKey{change.run, 0, kWholeRun}});
}

}  // namespace etesian::sqlite
