// Reads of questions to people, and of assets.
#include "store/sqlite/rows.h"
#include "store/sqlite/selection.h"

namespace etesian::sqlite {

Sql text_of(HumanInputColumn column) {
  switch (column) {
    case HumanInputColumn::Key: break;
    case HumanInputColumn::Subject: return "h.subject";
    case HumanInputColumn::AskedAt: return "h.asked_at";
    case HumanInputColumn::AnsweredAt: return "h.answered_at";
    case HumanInputColumn::AnsweredById: return "h.answered_by";
    case HumanInputColumn::AnsweredByName: return "h.answered_by_name";
    case HumanInputColumn::DagId: return "d.dag_id";
    case HumanInputColumn::RunId: return "r.run_id";
    case HumanInputColumn::TaskId: return "k.task_id";
    case HumanInputColumn::RunAfter: return "r.run_after";
    case HumanInputColumn::RenderedMapIndex: return "i.rendered_map_index";
    case HumanInputColumn::State: return "i.state";
  }
  return "h.run";
}

Sql text_of(AssetColumn column) {
  switch (column) {
    case AssetColumn::Key: break;
    case AssetColumn::Name: return "a.name";
    case AssetColumn::Uri: return "a.uri";
    case AssetColumn::CreatedAt: return "a.created_at";
    case AssetColumn::UpdatedAt: return "a.updated_at";
  }
  return "a.key";
}

Sql text_of(AssetAliasColumn column) {
  return column == AssetAliasColumn::Name ? Sql("l.name") : Sql("l.key");
}

Sql text_of(AssetEventColumn column) {
  switch (column) {
    case AssetEventColumn::At: break;
    case AssetEventColumn::DagId: return "e.dag_id";
    case AssetEventColumn::RunId: return "e.run_id";
    case AssetEventColumn::TaskId: return "e.task_id";
    case AssetEventColumn::MapIndex: return "e.map_index";
  }
  return "e.at";
}

namespace {

AssetAliasRow alias_from(const Statement& s) { return {s.integer(0), {s.text(1), s.text(2)}}; }

void read_references(Database& db, AssetSummary& summary) {
  Statement& s = db.kept(
                       "SELECT f.kind, d.dag_id, f.task_id, f.created_at, f.updated_at "
                       "FROM asset_reference f JOIN dag d ON d.key = f.dag WHERE f.asset = ? "
                       "ORDER BY d.dag_id, f.kind, f.task_id")
                     .bind(summary.row.key);
  while (s.step()) {
    const AssetReference reference{s.text(1), s.text(2), s.instant(3), s.instant(4)};
    switch (s.as<ReferenceKind>(0)) {
      case ReferenceKind::Schedule: summary.scheduled_dags.push_back(reference); break;
      case ReferenceKind::Inlet: summary.consuming_tasks.push_back(reference); break;
      case ReferenceKind::Outlet: summary.producing_tasks.push_back(reference); break;
    }
  }
}

AssetSummary asset_summary(Database& db, const Statement& row) {
  AssetSummary summary;
  summary.row = asset_from(row, 0);
  read_references(db, summary);
  Statement& aliases =
      db.kept(
            "SELECT l.key, l.name, l.alias_group FROM asset_alias_asset b "
            "JOIN asset_alias l ON l.key = b.alias WHERE b.asset = ? ORDER BY l.key")
          .bind(summary.row.key);
  while (aliases.step()) summary.aliases.push_back(alias_from(aliases));
  Statement& last =
      db.kept("SELECT key, at FROM asset_event WHERE asset = ? ORDER BY key DESC LIMIT 1")
          .bind(summary.row.key);
  while (last.step()) {
    summary.last_event = last.integer(0);
    summary.last_event_at = last.instant(1);
  }
  return summary;
}

constexpr int kEventColumnCount = 9;

AssetEventSummary event_summary(Database& db, const Statement& s) {
  AssetEventSummary summary;
  AssetEventRow& row = summary.row;
  row.key = s.integer(0);
  row.asset = s.integer(1);
  row.at = s.instant(2);
  row.extra = s.text(3);
  row.dag_id = s.text(4);
  row.run_id = s.text(5);
  row.task_id = s.text(6);
  row.map_index = s.small(7);
  if (!s.is_null(8)) row.partition_key = s.text(8);
  summary.asset = asset_from(s, kEventColumnCount).asset;
  Statement& aliases =
      db.kept(
            "SELECT l.key, l.name, l.alias_group FROM asset_event_alias v "
            "JOIN asset_alias l ON l.key = v.alias WHERE v.event = ? ORDER BY l.key")
          .bind(row.key);
  while (aliases.step()) {
    const AssetAliasRow alias = alias_from(aliases);
    row.aliases.push_back(alias.key);
    summary.alias_names.push_back(alias.alias.name);
  }
  Statement& runs = db.kept("SELECT " ETESIAN_RUN_COLUMNS
                            ", (SELECT max(event) FROM consumed_event WHERE run = r.key) = c.event "
                            "FROM consumed_event c JOIN " ETESIAN_RUN_TABLES
                            " WHERE r.key = c.run AND c.event = ? ORDER BY r.key")
                        .bind(row.key);
  while (runs.step())
    summary.consumers.push_back({run_from(runs, 0), runs.small(kRunColumnCount) != 0});
  return summary;
}

}  // namespace

Result<Listing<HumanInputSummary>> SqliteStore::human_inputs(const HumanInputFilter& filter,
                                                             const Paging& paging) {
  Selection selection(ETESIAN_SUMMARY_TABLES
                      " JOIN human_input h ON h.run = i.run AND h.task = i.task AND "
                      "h.map_index = i.map_index AND h.try_number = i.try_number");
  selection.where(" AND i.state <> ?", TaskState::None);
  selection.where(" AND i.state <> ?", TaskState::UpForRetry);
  selection.where(" AND r.dag = (SELECT key FROM dag WHERE dag_id = ?)", filter.dag_id);
  selection.where(" AND r.run_id = ?", filter.run_id);
  selection.where(" AND k.task_id = ?", filter.task_id);
  selection.where(" AND instr(lower(d.dag_id), lower(?)) > 0", filter.dag_id_contains);
  selection.where(" AND instr(lower(k.task_id), lower(?)) > 0", filter.task_id_contains);
  selection.where(" AND instr(lower(h.subject), lower(?)) > 0", filter.subject_contains);
  selection.where(" AND instr(lower(h.body), lower(?)) > 0", filter.body_contains);
  selection.where(" AND i.map_index = ?", filter.map_index);
  selection.where_in(" AND i.state IN (", filter.states);
  selection.where(" AND (h.answered_at IS NOT NULL) = ?", filter.is_answered);
  selection.where_in(" AND h.answered_by IN (", filter.answered_by_ids);
  selection.where_in(" AND h.answered_by_name IN (", filter.answered_by_names);
  selection.where_within(ETESIAN_BOUNDS("h.asked_at"), filter.asked_at);
  return list<HumanInputSummary, HumanInputColumn>(
      db_, selection, paging, ETESIAN_SUMMARY_COLUMNS ", " ETESIAN_HUMAN_INPUT_COLUMNS,
      {"h.run, h.task, h.map_index", "h.run DESC, h.task DESC, h.map_index DESC"},
      [this](const Statement& s) {
        return HumanInputSummary{human_input_from(s, kSummaryColumnCount),
                                 instance_summary(db_, s)};
      });
}

Result<std::optional<std::string>> SqliteStore::state_value(const StatePlace& place,
                                                            const std::string& key, Instant now) {
  return guarded("read state", [&] {
    Statement& s =
        db_.kept(
               "SELECT json FROM state_value WHERE asset = ? AND run = ? AND task = ? AND "
               "map_index = ? AND key = ? AND (expires_at IS NULL OR expires_at > ?)")
            .bind(place.asset, place.instance.run, place.instance.task, place.instance.map_index,
                  key, now);
    std::optional<std::string> found;
    if (s.step()) found = s.text(0);
    s.reset();
    return found;
  });
}

Result<std::vector<HumanInput>> SqliteStore::human_inputs(const InstanceKey& key) {
  return guarded("read human inputs", [&] {
    std::vector<HumanInput> rows;
    Statement& s =
        db_.kept("SELECT " ETESIAN_HUMAN_INPUT_COLUMNS
                 " FROM human_input h WHERE h.run = ? AND h.task = ? AND h.map_index = ? "
                 "ORDER BY h.try_number")
            .bind(key.run, key.task, key.map_index);
    while (s.step()) rows.push_back(human_input_from(s, 0));
    return rows;
  });
}

Result<Listing<AssetSummary>> SqliteStore::assets(const AssetFilter& filter, const Paging& paging) {
  Selection selection("asset a");
  selection.where(" AND a.key = ?", filter.key);
  selection.where(" AND a.name = ?", filter.name);
  selection.where(" AND a.uri = ?", filter.uri);
  selection.where(
      " AND a.key IN (SELECT b.asset FROM asset_alias_asset b JOIN asset_alias l ON "
      "l.key = b.alias WHERE l.name = ?)",
      filter.alias);
  selection.where(" AND instr(lower(a.name), lower(?)) > 0", filter.name_contains);
  selection.where(" AND instr(a.name, ?) = 1", filter.name_prefix);
  selection.where(" AND instr(lower(a.uri), lower(?)) > 0", filter.uri_contains);
  selection.where(" AND instr(a.uri, ?) = 1", filter.uri_prefix);
  selection.where_in(
      " AND a.key IN (SELECT f.asset FROM asset_reference f JOIN dag d ON d.key = f.dag "
      "WHERE d.dag_id IN (",
      filter.dag_ids, "))");
  if (filter.only_active) selection.where(" AND a.is_active = ?", true);
  return list<AssetSummary, AssetColumn>(
      db_, selection, paging, ETESIAN_ASSET_COLUMNS, {"a.key", "a.key DESC"},
      [this](const Statement& s) { return asset_summary(db_, s); });
}

Result<Listing<AssetAliasRow>> SqliteStore::asset_aliases(const AssetAliasFilter& filter,
                                                          const Paging& paging) {
  Selection selection("asset_alias l");
  selection.where(" AND l.key = ?", filter.key);
  selection.where(" AND instr(lower(l.name), lower(?)) > 0", filter.name_contains);
  selection.where(" AND instr(l.name, ?) = 1", filter.name_prefix);
  return list<AssetAliasRow, AssetAliasColumn>(
      db_, selection, paging, "l.key, l.name, l.alias_group", {"l.key", "l.key DESC"}, alias_from);
}

Result<Listing<AssetEventSummary>> SqliteStore::asset_events(const AssetEventFilter& filter,
                                                             const Paging& paging) {
  Selection selection("asset_event e JOIN asset a ON a.key = e.asset");
  selection.where(" AND e.key = ?", filter.key);
  selection.where(" AND e.asset = ?", filter.asset);
  selection.where(
      " AND e.key IN (SELECT v.event FROM asset_event_alias v JOIN asset_alias l ON "
      "l.key = v.alias WHERE l.name = ?)",
      filter.alias);
  selection.where(" AND e.dag_id = ?", filter.dag_id);
  selection.where(" AND e.run_id = ?", filter.run_id);
  selection.where(" AND e.task_id = ?", filter.task_id);
  selection.where(" AND e.map_index = ?", filter.map_index);
  selection.where(" AND instr(lower(a.name), lower(?)) > 0", filter.name_contains);
  selection.where(" AND instr(a.name, ?) = 1", filter.name_prefix);
  selection.where(" AND e.key IN (SELECT event FROM consumed_event WHERE run = ?)",
                  filter.consumed_by);
  selection.where_within(ETESIAN_BOUNDS("e.at"), filter.at);
  return list<AssetEventSummary, AssetEventColumn>(
      db_, selection, paging,
      "e.key, e.asset, e.at, e.extra, e.dag_id, e.run_id, e.task_id, e.map_index, "
      "e.partition_key, " ETESIAN_ASSET_COLUMNS,
      {"e.key", "e.key DESC"}, [this](const Statement& s) { return event_summary(db_, s); });
}

Result<std::vector<AssetQueueRow>> SqliteStore::asset_queue(
    const std::optional<std::string>& dag_id, const std::optional<AssetKey>& asset) {
  return guarded("read asset queue", [&] {
    std::vector<AssetQueueRow> rows;
    Statement& s = db_.kept(
                          "SELECT d.dag_id, q.asset, q.event, q.queued_at FROM asset_queue q "
                          "JOIN dag d ON d.key = q.dag WHERE (?1 IS NULL OR d.dag_id = ?1) "
                          "AND (?2 IS NULL OR q.asset = ?2) ORDER BY d.dag_id, q.asset")
                       .bind(dag_id, asset);
    while (s.step()) rows.push_back({s.text(0), s.integer(1), s.integer(2), s.instant(3)});
    return rows;
  });
}

}  // namespace etesian::sqlite
