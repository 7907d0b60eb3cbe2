// Lists with filters, order and pages.
#include <variant>

#include "store/sqlite/rows.h"
#include "store/sqlite/sqlite_store.h"

namespace etesian::sqlite {
namespace {

/// FROM and WHERE of a list, with the values of its conditions.
class Selection {
 public:
  explicit Selection(Sql from) : from_(from) { from_ += " WHERE TRUE"; }

  /// `condition` begins with " AND" and holds one '?'.
  template <class T>
  void where(Sql condition, const std::optional<T>& value) {
    if (value) add(condition, *value);
  }
  template <class T>
  void where(Sql condition, const T& value) {
    add(condition, value);
  }
  /// `column` begins with " AND" and ends with "IN (". No values: no condition.
  template <class T>
  void where_in(Sql column, const std::vector<T>& values) {
    if (values.empty()) return;
    from_ += column;
    for (std::size_t i = 0; i < values.size(); ++i) {
      from_ += i == 0 ? Sql("?") : Sql(", ?");
      push(values[i]);
    }
    from_ += ")";
  }
  struct Bounds {
    Sql gte, gt, lte, lt;
  };
  void where_within(const Bounds& bounds, const TimeRange& range) {
    where(bounds.gte, range.gte);
    where(bounds.gt, range.gt);
    where(bounds.lte, range.lte);
    where(bounds.lt, range.lt);
  }

  std::int64_t count(Database& db) const {
    JoinedSql sql = Sql("SELECT count(*) FROM ");
    sql += from_;
    Statement s = db.make(sql);
    bind_all(s);
    s.step();
    return s.integer(0);
  }
  /// What breaks ties, in the order's direction.
  struct KeyText {
    Sql ascending, descending;
  };
  Statement page(Database& db, Sql columns, JoinedSql order, const Paging& paging) const {
    JoinedSql sql = Sql("SELECT ");
    sql += columns;
    sql += " FROM ";
    sql += from_;
    sql += " ORDER BY ";
    sql += order;
    sql += " LIMIT ? OFFSET ?";
    Statement s = db.make(sql);
    bind_all(s);
    s.bind(paging.limit, paging.offset);
    return s;
  }

 private:
  template <class T>
  void add(Sql condition, const T& value) {
    from_ += condition;
    push(value);
  }
  void push(const std::string& value) { values_.emplace_back(value); }
  void push(Instant value) { values_.emplace_back(value.time_since_epoch().count()); }
  void push(std::int64_t value) { values_.emplace_back(value); }
  void push(std::int32_t value) { values_.emplace_back(std::int64_t{value}); }
  void push(bool value) { values_.emplace_back(std::int64_t{value}); }
  void push(RunState value) { values_.emplace_back(static_cast<std::int64_t>(value)); }
  void push(RunType value) { values_.emplace_back(static_cast<std::int64_t>(value)); }
  void push(TaskState value) { values_.emplace_back(static_cast<std::int64_t>(value)); }
  void bind_all(Statement& s) const {
    for (const auto& value : values_) std::visit([&s](const auto& v) { s.bind(v); }, value);
  }

  JoinedSql from_;
  std::vector<std::variant<std::int64_t, std::string>> values_;
};

#define ETESIAN_BOUNDS(column)                                                                   \
  Selection::Bounds {                                                                            \
    " AND " column " >= ?", " AND " column " > ?", " AND " column " <= ?", " AND " column " < ?" \
  }

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

/// Counts, then reads the page with `read(statement)`.
template <class Row, class Column, class Read>
Result<Listing<Row>> list(Database& db, const Selection& selection, const Paging& paging,
                          Sql columns, Selection::KeyText key, Read&& read) {
  const auto order = order_from<Column>(paging);
  if (!order) return order.error();
  JoinedSql order_text = text_of(order->column);
  order_text += order->is_descending ? Sql(" DESC, ") : Sql(", ");
  order_text += order->is_descending ? key.descending : key.ascending;
  return guarded("list", [&] {
    Listing<Row> listing;
    listing.total = selection.count(db);
    Statement s = selection.page(db, columns, order_text, paging);
    while (s.step()) listing.rows.push_back(read(s));
    return listing;
  });
}

}  // namespace

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
  Selection selection(
      "dag_run r JOIN dag d ON d.key = r.dag JOIN dag_version v ON v.key = r.version "
      "JOIN task_instance i ON i.run = r.key "
      "LEFT JOIN dag_task k ON k.version = r.version AND k.task = i.task");
  selection.where(" AND r.dag = (SELECT key FROM dag WHERE dag_id = ?)", filter.dag_id);
  selection.where(" AND r.run_id = ?", filter.run_id);
  selection.where(" AND k.task_id = ?", filter.task_id);
  selection.where_in(" AND i.state IN (", filter.states);
  selection.where(" AND i.map_index = ?", filter.map_index);
  selection.where_in(" AND k.pool IN (", filter.pools);
  selection.where_within(ETESIAN_BOUNDS("r.logical_date"), filter.logical_date);
  selection.where_within(ETESIAN_BOUNDS("i.started_at"), filter.started_at);
  selection.where_within(ETESIAN_BOUNDS("i.ended_at"), filter.ended_at);
  const auto read = [this](const Statement& s) {
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
        db_.kept("SELECT json FROM map_argument WHERE run = ? AND task = ? AND map_index = ?")
            .bind(key.run, key.task, key.map_index);
    while (argument.step()) summary.map_arguments = argument.text(0);
    Statement& last = db_.kept("SELECT " ETESIAN_TRY_COLUMNS " FROM " ETESIAN_TRY_TABLES
                               " WHERE t.run = ? AND t.task = ? AND t.map_index = ? "
                               "ORDER BY t.number DESC, t.queued_at DESC, t.id DESC LIMIT 1")
                          .bind(key.run, key.task, key.map_index);
    while (last.step()) summary.last_try = try_from(last, 0);
    return summary;
  };
  return list<InstanceSummary, InstanceColumn>(
      db_, selection, paging,
      ETESIAN_INSTANCE_COLUMNS
      ", d.dag_id, r.run_id, k.task_id, v.version, r.logical_date, r.run_after",
      {"i.run, i.task, i.map_index", "i.run DESC, i.task DESC, i.map_index DESC"}, read);
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
