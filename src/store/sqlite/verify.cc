#include <fmt/format.h>

#include "store/change_kind.h"
#include "store/sqlite/sqlite_store.h"

namespace etesian::sqlite {
namespace {

using Findings = std::vector<std::string>;

/// Appends one sentence for each row that `s` gives: its only column, after the invariant's name.
void report(Statement& s, std::string_view invariant, Findings& findings) {
  while (s.step()) findings.push_back(fmt::format("{}: {}", invariant, s.text(0)));
}

void check_file(Database& db, Findings& findings) {
  Statement& whole = db.kept("PRAGMA integrity_check");
  while (whole.step())
    if (whole.text(0) != "ok") findings.push_back("I17: integrity_check: " + whole.text(0));
  Statement& keys = db.kept(
      "SELECT \"table\" || ' row ' || coalesce(rowid, '?') || ' names a missing row of ' || parent "
      "FROM pragma_foreign_key_check");
  report(keys, "I17", findings);
}

void check_runs(Database& db, Findings& findings) {
  report(
      db.kept(
            "SELECT 'run ' || r.key || ' ended, but try ' || t.number || ' of task ' || t.task || "
            "' is open' FROM dag_run r JOIN try t ON t.run = r.key AND t.cause IS NULL "
            "WHERE r.state >= ?")
          .bind(RunState::Success),
      "I6", findings);
  report(db.kept("SELECT 'run ' || r.key || ' ended, but task ' || i.task || ' holds slots' "
                 "FROM dag_run r JOIN task_instance i ON i.run = r.key AND i.state IN (?, ?, ?) "
                 "WHERE r.state >= ?")
             .bind(TaskState::Queued, TaskState::Running, TaskState::Restarting, RunState::Success),
         "I6", findings);
  report(
      db.kept("SELECT 'run ' || r.key || ' and the list of active runs disagree' FROM dag_run r "
              "LEFT JOIN active_run a ON a.run = r.key WHERE (r.state < ?) <> (a.run IS NOT NULL)")
          .bind(RunState::Success),
      "I7", findings);
  report(
      db.kept("SELECT count(*) || ' runs of dag ' || dag || ' have one logical date' FROM dag_run "
              "WHERE logical_date IS NOT NULL GROUP BY dag, logical_date HAVING count(*) > 1"),
      "I9", findings);
}

void check_tries(Database& db, Findings& findings) {
  report(db.kept("SELECT 'the tries of run ' || run || ' task ' || task || '[' || map_index || "
                 "'] are numbered ' || group_concat(number) FROM (SELECT DISTINCT run, task, "
                 "map_index, number FROM try ORDER BY run, task, map_index, number) "
                 "GROUP BY run, task, map_index HAVING max(number) - min(number) + 1 <> count(*)"),
         "I10", findings);
  report(db.kept(
             "SELECT 'run ' || run || ' task ' || task || '[' || map_index || '] has ' || count(*) "
             "|| ' open tries' FROM try WHERE cause IS NULL GROUP BY run, task, map_index "
             "HAVING count(*) > 1"),
         "I1", findings);
  report(db.kept("SELECT 'run ' || i.run || ' task ' || i.task || '[' || i.map_index || "
                 "'] names an open try that is not open' FROM task_instance i LEFT JOIN try t "
                 "ON t.run = i.run AND t.task = i.task AND t.map_index = i.map_index "
                 "AND t.id = i.open_try AND t.cause IS NULL "
                 "WHERE i.open_try IS NOT NULL AND t.id IS NULL"),
         "I7", findings);
}

/// Replaying the changes gives the current states, and each one starts where the one before ended.
void check_replay(Database& db, Findings& findings) {
  report(
      db.kept("SELECT 'run ' || r.key || ' has state ' || r.state || ', its changes say ' || "
              "coalesce(c.new_state, 'nothing') FROM dag_run r LEFT JOIN (SELECT run, new_state, "
              "max(sequence) FROM change WHERE kind = ? GROUP BY run) c ON c.run = r.key "
              "WHERE r.state IS NOT c.new_state")
          .bind(ChangeKind::Run),
      "I15", findings);
  report(
      db.kept(
            "SELECT 'run ' || i.run || ' task ' || i.task || '[' || i.map_index || '] has state ' "
            "|| i.state || ', its changes say ' || coalesce(c.new_state, 0) FROM task_instance i "
            "LEFT JOIN (SELECT run, task, map_index, new_state, try_number, max(sequence) "
            "FROM change WHERE kind = ? GROUP BY run, task, map_index) c "
            "ON c.run = i.run AND c.task = i.task AND c.map_index = i.map_index "
            "WHERE i.state <> coalesce(c.new_state, 0) OR i.try_number <> coalesce(c.try_number, "
            "0)")
          .bind(ChangeKind::Instance),
      "I15", findings);
  report(
      db.kept(
            "SELECT 'change ' || sequence || ' starts from state ' || coalesce(old_state, 'none') "
            "|| ', the one before ended in ' || coalesce(before, 0) FROM (SELECT sequence, "
            "old_state, kind, lag(new_state) OVER (PARTITION BY kind, run, task, map_index "
            "ORDER BY sequence) AS before FROM change WHERE kind IN (?1, ?2)) "
            "WHERE before IS NOT old_state AND NOT (kind = ?2 AND before IS NULL AND old_state = "
            "0)")
          .bind(ChangeKind::Run, ChangeKind::Instance),
      "I15", findings);
}

}  // namespace

Result<std::vector<std::string>> SqliteStore::verify() {
  return guarded("verify", [&] {
    Findings findings;
    check_file(db_, findings);
    check_runs(db_, findings);
    check_tries(db_, findings);
    check_replay(db_, findings);
    return findings;
  });
}

}  // namespace etesian::sqlite
