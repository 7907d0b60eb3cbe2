// Lists with filters, order and pages.
#include "store/sqlite/rows.h"
#include "store/sqlite/selection.h"

namespace etesian::sqlite {

Sql text_of(DagColumn column) {
  switch (column) {
    case DagColumn::Id: break;
    case DagColumn::FirstSeen: return "d.first_seen";
    case DagColumn::LastChanged: return "d.last_changed";
  }
  return "d.dag_id";
}

Sql text_of(RunColumn column) {
  switch (column) {
    case RunColumn::Key: break;
    case RunColumn::DagId: return "d.dag_id";
    case RunColumn::RunId: return "r.run_id";
    case RunColumn::State: return "r.state";
    case RunColumn::Type: return "r.type";
    case RunColumn::LogicalDate: return "r.logical_date";
    case RunColumn::RunAfter: return "r.run_after";
    case RunColumn::QueuedAt: return "r.queued_at";
    case RunColumn::StartedAt: return "r.started_at";
    case RunColumn::EndedAt: return "r.ended_at";
  }
  return "r.key";
}

Sql text_of(InstanceColumn column) {
  switch (column) {
    case InstanceColumn::Key: break;
    case InstanceColumn::DagId: return "d.dag_id";
    case InstanceColumn::RunId: return "r.run_id";
    case InstanceColumn::TaskId: return "k.task_id";
    case InstanceColumn::MapIndex: return "i.map_index";
    case InstanceColumn::State: return "i.state";
    case InstanceColumn::TryNumber: return "i.try_number";
    case InstanceColumn::LogicalDate: return "r.logical_date";
    case InstanceColumn::RunAfter: return "r.run_after";
    case InstanceColumn::StartedAt: return "i.started_at";
    case InstanceColumn::EndedAt: return "i.ended_at";
    case InstanceColumn::Elapsed: return "(i.ended_at - i.started_at)";
  }
  return "i.run";
}

Sql text_of(BackfillColumn column) {
  switch (column) {
    case BackfillColumn::Key: break;
    case BackfillColumn::DagId: return "dag_id";
    case BackfillColumn::From: return "from_date";
    case BackfillColumn::To: return "to_date";
    case BackfillColumn::CreatedAt: return "created_at";
    case BackfillColumn::CompletedAt: return "completed_at";
  }
  return "key";
}

Sql text_of(AuditColumn column) {
  switch (column) {
    case AuditColumn::Id: break;
    case AuditColumn::At: return "at";
    case AuditColumn::Actor: return "actor";
    case AuditColumn::Event: return "event";
    case AuditColumn::DagId: return "dag_id";
    case AuditColumn::RunId: return "run_id";
    case AuditColumn::TaskId: return "task_id";
  }
  return "id";
}

InstanceSummary instance_summary(Database& db, const Statement& s) {
  InstanceSummary summary;
  summary.row = instance_from(s, 0);
  summary.dag_id = s.text(kInstanceColumnCount);
  summary.run_id = s.text(kInstanceColumnCount + 1);
  summary.task_id = s.text(kInstanceColumnCount + 2);
  summary.dag_version = s.text(kInstanceColumnCount + 3);
  summary.logical_date = s.maybe_instant(kInstanceColumnCount + 4);
  summary.run_after = s.instant(kInstanceColumnCount + 5);
  const InstanceKey& key = summary.row.key;
  Statement& argument =
      db.kept("SELECT json FROM map_argument WHERE run = ? AND task = ? AND map_index = ?")
          .bind(key.run, key.task, key.map_index);
  while (argument.step()) summary.map_arguments = argument.text(0);
  Statement& last = db.kept("SELECT " ETESIAN_TRY_COLUMNS " FROM " ETESIAN_TRY_TABLES
                            " WHERE t.run = ? AND t.task = ? AND t.map_index = ? "
                            "ORDER BY t.number DESC, t.queued_at DESC, t.id DESC LIMIT 1")
                        .bind(key.run, key.task, key.map_index);
  while (last.step()) summary.last_try = try_from(last, 0);
  return summary;
}

Result<Listing<DagSummary>> SqliteStore::dags(const DagFilter& filter, const Paging& paging) {
  Selection selection("dag d JOIN dag_version v ON v.key = d.version");
  selection.where(" AND instr(lower(d.dag_id), lower(?)) > 0", filter.id_contains);
  selection.where(" AND v.owner = ?", filter.owner);
  selection.where(" AND EXISTS(SELECT 1 FROM dag_tag g WHERE g.version = d.version AND g.tag = ?)",
                  filter.tag);
  selection.where(" AND d.is_paused = ?", filter.is_paused);
  if (!filter.include_removed) selection.where(" AND d.is_removed = ?", false);
  return list<DagSummary, DagColumn>(
      db_, selection, paging, "v.key", {"d.dag_id", "d.dag_id DESC"},
      [this](const Statement& s) { return dag_summary(db_, s.integer(0)); });
}

Result<Listing<RunRow>> SqliteStore::runs(const RunFilter& filter, const Paging& paging) {
  Selection selection(ETESIAN_RUN_TABLES);
  selection.where(" AND r.key = ?", filter.key);
  selection.where(" AND r.dag = (SELECT key FROM dag WHERE dag_id = ?)", filter.dag_id);
  selection.where_in(" AND r.state IN (", filter.states);
  selection.where_in(" AND r.type IN (", filter.types);
  selection.where(" AND instr(lower(r.run_id), lower(?)) > 0", filter.run_id_contains);
  selection.where(" AND r.triggered_by = ?", filter.triggered_by);
  selection.where(" AND r.backfill = ?", filter.backfill);
  selection.where_within(ETESIAN_BOUNDS("r.logical_date"), filter.logical_date);
  selection.where_within(ETESIAN_BOUNDS("r.run_after"), filter.run_after);
  selection.where_within(ETESIAN_BOUNDS("r.started_at"), filter.started_at);
  selection.where_within(ETESIAN_BOUNDS("r.ended_at"), filter.ended_at);
  return list<RunRow, RunColumn>(db_, selection, paging, ETESIAN_RUN_COLUMNS,
                                 {"r.key", "r.key DESC"},
                                 [](const Statement& s) { return run_from(s, 0); });
}

Result<Listing<InstanceSummary>> SqliteStore::instances(const InstanceFilter& filter,
                                                        const Paging& paging) {
  Selection selection(ETESIAN_SUMMARY_TABLES);
  selection.where(" AND r.dag = (SELECT key FROM dag WHERE dag_id = ?)", filter.dag_id);
  selection.where(" AND r.run_id = ?", filter.run_id);
  selection.where(" AND k.task_id = ?", filter.task_id);
  selection.where_in(" AND i.state IN (", filter.states);
  selection.where(" AND i.map_index = ?", filter.map_index);
  selection.where_in(" AND k.pool IN (", filter.pools);
  selection.where_within(ETESIAN_BOUNDS("r.logical_date"), filter.logical_date);
  selection.where_within(ETESIAN_BOUNDS("i.started_at"), filter.started_at);
  selection.where_within(ETESIAN_BOUNDS("i.ended_at"), filter.ended_at);
  return list<InstanceSummary, InstanceColumn>(
      db_, selection, paging, ETESIAN_SUMMARY_COLUMNS,
      {"i.run, i.task, i.map_index", "i.run DESC, i.task DESC, i.map_index DESC"},
      [this](const Statement& s) { return instance_summary(db_, s); });
}

Result<std::vector<OutputRow>> SqliteStore::outputs(const OutputFilter& filter) {
  Selection selection(
      "dag_run r JOIN dag_task k ON k.version = r.version "
      "JOIN output o ON o.run = r.key AND o.task = k.task");
  selection.where(" AND r.dag = (SELECT key FROM dag WHERE dag_id = ?)", filter.dag_id);
  selection.where(" AND r.run_id = ?", filter.run_id);
  selection.where(" AND coalesce(r.logical_date, r.run_after) <= ?", filter.date_lte);
  selection.where(" AND k.task_id = ?", filter.task_id);
  selection.where(" AND o.map_index = ?", filter.map_index);
  selection.where(" AND o.name = ?", filter.name);
  return guarded("read outputs", [&] {
    std::vector<OutputRow> rows;
    Statement s = selection.page(
        db_,
        filter.has_values
            ? Sql("o.run, o.task, o.map_index, r.run_id, k.task_id, o.name, o.at, o.json")
            : Sql("o.run, o.task, o.map_index, r.run_id, k.task_id, o.name, o.at, ''"),
        Sql("coalesce(r.logical_date, r.run_after) DESC, r.key DESC, o.task, o.map_index, o.name"),
        {.limit = filter.limit, .offset = filter.offset, .order_by = {}});
    while (s.step())
      rows.push_back({{s.integer(0), static_cast<TaskIndex>(s.integer(1)), s.small(2)},
                      filter.dag_id,
                      s.text(3),
                      s.text(4),
                      s.text(5),
                      s.text(7),
                      s.instant(6)});
    return rows;
  });
}

Result<Listing<BackfillRow>> SqliteStore::backfills(const std::optional<std::string>& dag_id,
                                                    const Paging& paging) {
  Selection selection("backfill");
  selection.where(" AND dag_id = ?", dag_id);
  return list<BackfillRow, BackfillColumn>(db_, selection, paging, ETESIAN_BACKFILL_COLUMNS,
                                           {"key", "key DESC"},
                                           [](const Statement& s) { return backfill_from(s, 0); });
}

Result<Listing<AuditRow>> SqliteStore::audit(const AuditFilter& filter, const Paging& paging) {
  Selection selection("audit");
  selection.where(" AND dag_id = ?", filter.dag_id);
  selection.where(" AND run_id = ?", filter.run_id);
  selection.where(" AND task_id = ?", filter.task_id);
  selection.where(" AND event = ?", filter.event);
  selection.where(" AND actor = ?", filter.actor);
  selection.where_within(ETESIAN_BOUNDS("at"), filter.at);
  return list<AuditRow, AuditColumn>(
      db_, selection, paging, "id, at, actor, event, dag_id, run_id, task_id, details, map_index",
      {"id", "id DESC"}, [](const Statement& s) {
        return AuditRow{s.integer(0), Audited{s.instant(1), s.text(2), s.text(3), s.text(4),
                                              s.text(5), s.text(6), s.text(7), s.small(8)}};
      });
}

}  // namespace etesian::sqlite
