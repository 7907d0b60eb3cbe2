#pragma once
// How the lists of the store are asked for: filters, order, page.
#include <string>
#include <variant>
#include <vector>

#include "store/order.h"
#include "store/sqlite/sqlite_store.h"

namespace etesian::sqlite {

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
  /// `column` begins with " AND" and ends with "IN (", which `end` closes. No values: no condition.
  template <class T>
  void where_in(Sql column, const std::vector<T>& values, Sql end = ")") {
    if (values.empty()) return;
    from_ += column;
    for (std::size_t i = 0; i < values.size(); ++i) {
      from_ += i == 0 ? Sql("?") : Sql(", ?");
      push(values[i]);
    }
    from_ += end;
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

/// Texts of the columns that a list can be ordered by.
Sql text_of(DagColumn column);
Sql text_of(RunColumn column);
Sql text_of(InstanceColumn column);
Sql text_of(BackfillColumn column);
Sql text_of(AuditColumn column);
Sql text_of(HumanInputColumn column);
Sql text_of(AssetColumn column);
Sql text_of(AssetAliasColumn column);
Sql text_of(AssetEventColumn column);

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

}  // namespace etesian::sqlite
