// Reads of one thing, and of small whole tables.
#include "store/change_kind.h"
#include "store/sqlite/rows.h"
#include "store/sqlite/sqlite_store.h"

namespace etesian::sqlite {

DagSummary dag_summary(Database& db, Key version_key) {
  Statement& s =
      db.kept(
            "SELECT d.dag_id, v.version, v.canonical, v.folder, v.relative_file, v.source, "
            "v.description, v.owner, v.schedule_text, d.is_paused, d.is_removed, v.number, "
            "d.first_seen, CASE WHEN d.version = v.key THEN d.last_changed ELSE v.created_at END "
            "FROM dag_version v JOIN dag d ON d.key = v.dag WHERE v.key = ?")
          .bind(version_key);
  if (!s.step()) throw Failure{{ErrorCode::NotFound, "there is no such dag version"}};
  DagSummary row;
  row.dag_id = s.text(0);
  row.version = s.text(1);
  row.canonical = s.text(2);
  row.folder = s.text(3);
  row.relative_file = s.text(4);
  row.source = s.text(5);
  row.description = s.text(6);
  row.owner = s.text(7);
  row.schedule_text = s.text(8);
  row.is_paused = s.small(9) != 0;
  row.is_removed = s.small(10) != 0;
  row.version_number = s.small(11);
  row.first_seen = s.instant(12);
  row.last_changed = s.instant(13);
  s.reset();
  Statement& tags =
      db.kept("SELECT tag FROM dag_tag WHERE version = ? ORDER BY position").bind(version_key);
  while (tags.step()) row.tags.push_back(tags.text(0));
  return row;
}

namespace {

Failure no_dag(const std::string& dag_id) {
  return Failure{{ErrorCode::NotFound, fmt::format("there is no dag '{}'", dag_id)}};
}

}  // namespace

Result<DagSummary> SqliteStore::dag(const std::string& dag_id) {
  return guarded("read dag", [&] {
    Statement& s = db_.kept("SELECT version FROM dag WHERE dag_id = ?").bind(dag_id);
    if (!s.step()) throw no_dag(dag_id);
    const Key version = s.integer(0);
    s.reset();
    return dag_summary(db_, version);
  });
}

Result<DagSummary> SqliteStore::dag_version(const std::string& dag_id, const std::string& version) {
  return guarded("read dag version", [&] {
    const auto dag = names_.dag(dag_id);
    if (!dag) throw no_dag(dag_id);
    const auto key = names_.version(*dag, version);
    if (!key)
      throw Failure{
          {ErrorCode::NotFound, fmt::format("dag '{}' has no version '{}'", dag_id, version)}};
    return dag_summary(db_, *key);
  });
}

Result<std::vector<DagSummary>> SqliteStore::dag_versions(const std::string& dag_id) {
  return guarded("read dag versions", [&] {
    const auto dag = names_.dag(dag_id);
    if (!dag) throw no_dag(dag_id);
    std::vector<DagSummary> rows;
    Statement s = db_.make(Sql("SELECT key FROM dag_version WHERE dag = ? ORDER BY number"));
    s.bind(*dag);
    while (s.step()) rows.push_back(dag_summary(db_, s.integer(0)));
    return rows;
  });
}

Result<std::vector<RunRow>> SqliteStore::newest_successes() {
  return guarded("read newest successes", [&] {
    std::vector<RunRow> rows;
    Statement& s =
        db_.kept("SELECT " ETESIAN_RUN_COLUMNS " FROM " ETESIAN_RUN_TABLES
                 " WHERE r.key IN (SELECT (SELECT key FROM dag_run WHERE dag = a.key AND state = ? "
                 "AND logical_date IS NOT NULL ORDER BY logical_date DESC LIMIT 1) FROM dag a)")
            .bind(RunState::Success);
    while (s.step()) rows.push_back(run_from(s, 0));
    s.reset();
    return rows;
  });
}

Result<RunRow> SqliteStore::run(const std::string& dag_id, const std::string& run_id) {
  return guarded("read run", [&] {
    Statement& s = db_.kept("SELECT " ETESIAN_RUN_COLUMNS " FROM " ETESIAN_RUN_TABLES
                            " WHERE d.dag_id = ? AND r.run_id = ?")
                       .bind(dag_id, run_id);
    if (!s.step())
      throw Failure{
          {ErrorCode::NotFound, fmt::format("there is no run '{}' of dag '{}'", run_id, dag_id)}};
    RunRow row = run_from(s, 0);
    s.reset();
    return row;
  });
}

Result<std::vector<InstanceRow>> SqliteStore::instances_of(RunKey run) {
  return guarded("read task instances", [&] {
    std::vector<InstanceRow> rows;
    Statement& s = db_.kept("SELECT " ETESIAN_INSTANCE_COLUMNS
                            " FROM task_instance i WHERE i.run = ? ORDER BY task, map_index")
                       .bind(run);
    while (s.step()) rows.push_back(instance_from(s, 0));
    return rows;
  });
}

Result<std::vector<TryRow>> SqliteStore::tries(const InstanceKey& key) {
  return guarded("read tries", [&] {
    std::vector<TryRow> rows;
    Statement& s = db_.kept("SELECT " ETESIAN_TRY_COLUMNS " FROM " ETESIAN_TRY_TABLES
                            " WHERE t.run = ? AND t.task = ? AND t.map_index = ? "
                            "ORDER BY t.number, t.queued_at, t.id")
                       .bind(key.run, key.task, key.map_index);
    while (s.step()) rows.push_back(try_from(s, 0));
    return rows;
  });
}

Result<std::vector<OutputRow>> SqliteStore::outputs(const std::string& dag_id,
                                                    const std::string& run_id,
                                                    const std::string& task_id) {
  return guarded("read outputs", [&] {
    std::vector<OutputRow> rows;
    Statement& s = db_.kept(
                          "SELECT o.run, o.task, o.map_index, o.name, o.json, o.at FROM dag d "
                          "JOIN dag_run r ON r.dag = d.key "
                          "JOIN dag_task k ON k.version = r.version "
                          "JOIN output o ON o.run = r.key AND o.task = k.task "
                          "WHERE d.dag_id = ? AND r.run_id = ? AND k.task_id = ? "
                          "ORDER BY o.map_index, o.name")
                       .bind(dag_id, run_id, task_id);
    while (s.step())
      rows.push_back({{s.integer(0), static_cast<TaskIndex>(s.integer(1)), s.small(2)},
                      dag_id,
                      run_id,
                      task_id,
                      s.text(3),
                      s.text(4),
                      s.instant(5)});
    return rows;
  });
}

Result<std::vector<PoolRow>> SqliteStore::pools() {
  return guarded("read pools", [&] {
    std::vector<PoolRow> rows;
    Statement& s =
        db_.kept("SELECT name, slots, description, include_deferred FROM pool ORDER BY name");
    while (s.step()) rows.push_back({s.text(0), s.small(1), s.text(2), s.small(3) != 0});
    return rows;
  });
}

Result<std::vector<VariableRow>> SqliteStore::variables() {
  return guarded("read variables", [&] {
    std::vector<VariableRow> rows;
    Statement& s = db_.kept("SELECT key, sealed_value, description FROM variable ORDER BY key");
    while (s.step()) rows.push_back({s.text(0), s.text(1), s.text(2)});
    return rows;
  });
}

Result<std::vector<ConnectionRow>> SqliteStore::connections() {
  return guarded("read connections", [&] {
    std::vector<ConnectionRow> rows;
    Statement& s = db_.kept(
        "SELECT id, type, description, host, schema, login, sealed_password, sealed_extra, port "
        "FROM connection ORDER BY id");
    while (s.step())
      rows.push_back({s.text(0), s.text(1), s.text(2), s.text(3), s.text(4), s.text(5), s.text(6),
                      s.text(7), s.small(8)});
    return rows;
  });
}

Result<std::vector<ChangeRecord>> SqliteStore::changes(Sequence after, std::size_t count_max) {
  return guarded("read changes", [&] {
    std::vector<ChangeRecord> rows;
    Statement& s =
        db_.kept(
               "SELECT c.sequence, c.at, c.kind, d.dag_id, coalesce(r.run_id, g.run_id), "
               "k.task_id, "
               "c.map_index, c.old_state, c.new_state, c.try_number, c.reason FROM change c "
               "LEFT JOIN dag_run r ON r.key = c.run LEFT JOIN removed_run g ON g.run = c.run "
               "LEFT JOIN dag d ON d.key = coalesce(c.dag, r.dag, g.dag) "
               "LEFT JOIN dag_task k ON k.version = coalesce(r.version, g.version) AND k.task = "
               "c.task "
               "WHERE c.sequence > ? ORDER BY c.sequence LIMIT ?")
            .bind(after, std::uint64_t{count_max});
    while (s.step()) {
      const auto kind = s.as<ChangeKind>(2);
      ChangeRecord& row = rows.emplace_back();
      row.sequence = static_cast<Sequence>(s.integer(0));
      row.at = s.instant(1);
      row.kind = kind_text(kind);
      row.dag_id = s.text(3);
      row.run_id = s.text(4);
      row.task_id = s.text(5);
      row.map_index = s.is_null(6) ? -1 : s.small(6);
      row.from = state_text(kind, s.is_null(7) ? kNoState : s.small(7));
      row.to = outcome_text(kind, s.is_null(8) ? kNoState : s.small(8));
      row.try_number = s.small(9);
      row.reason = s.text(10);
    }
    return rows;
  });
}

}  // namespace etesian::sqlite
