#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "store/sqlite/rows.h"
#include "store/sqlite/sqlite_store.h"

namespace etesian::sqlite {
namespace {

/// Builds each DAG version once; a version that cannot be built becomes one problem.
class DagShelf {
 public:
  DagShelf(Database& db, Names& names, const Store::DagBuilder& build)
      : db_(db), names_(names), build_(build) {}

  Result<std::shared_ptr<const Dag>> get(Key version_key) {
    const auto known = built_.find(version_key);
    if (known != built_.end()) return known->second;
    auto dag = build_(dag_summary(db_, version_key));
    return built_.emplace(version_key, std::move(dag)).first->second;
  }
  Result<std::shared_ptr<const Dag>> get(const RunRow& run) {
    const auto dag = names_.dag(run.dag_id);
    return get(*names_.version(*dag, run.dag_version));
  }

 private:
  Database& db_;
  Names& names_;
  const Store::DagBuilder& build_;
  std::map<Key, Result<std::shared_ptr<const Dag>>> built_;
};

void read_rows_of(Database& db, StoredState::ActiveRun& run) {
  const RunKey key = run.row.key;
  Statement& instances = db.kept("SELECT " ETESIAN_INSTANCE_COLUMNS
                                 " FROM task_instance i WHERE i.run = ? ORDER BY task, map_index")
                             .bind(key);
  while (instances.step()) run.instances.push_back(instance_from(instances, 0));
  Statement& arguments =
      db.kept(
            "SELECT task, map_index, json FROM map_argument WHERE run = ? ORDER BY task, map_index")
          .bind(key);
  while (arguments.step())
    run.map_arguments.emplace_back(
        InstanceKey{key, static_cast<TaskIndex>(arguments.integer(0)), arguments.small(1)},
        arguments.text(2));
  Statement& outputs = db.kept(
                             "SELECT task, map_index, name, json, length FROM output WHERE run = ? "
                             "ORDER BY task, map_index, name")
                           .bind(key);
  while (outputs.step())
    run.outputs.push_back({{key, static_cast<TaskIndex>(outputs.integer(0)), outputs.small(1)},
                           outputs.text(2),
                           outputs.text(3),
                           outputs.is_null(4) ? std::nullopt : std::optional(outputs.small(4))});
  Statement& questions =
      db.kept("SELECT " ETESIAN_HUMAN_INPUT_COLUMNS
              " FROM human_input h WHERE h.run = ? ORDER BY h.task, h.map_index, h.try_number")
          .bind(key);
  while (questions.step()) run.questions.push_back(human_input_from(questions, 0));
}

void load_assets(Database& db, StoredState& state) {
  Statement assets = db.make(Sql("SELECT " ETESIAN_ASSET_COLUMNS " FROM asset a ORDER BY a.key"));
  while (assets.step()) state.assets.push_back(asset_from(assets, 0));
  Statement aliases = db.make(Sql("SELECT key, name, alias_group FROM asset_alias ORDER BY key"));
  while (aliases.step())
    state.aliases.push_back({aliases.integer(0), {aliases.text(1), aliases.text(2)}});
  Statement bound =
      db.make(Sql("SELECT alias, asset FROM asset_alias_asset ORDER BY alias, asset"));
  while (bound.step()) state.alias_assets.push_back({bound.integer(0), bound.integer(1)});
  Statement next =
      db.make(Sql("SELECT 1 + coalesce((SELECT max(key) FROM asset), 0), "
                  "1 + coalesce((SELECT max(key) FROM asset_alias), 0), "
                  "1 + coalesce((SELECT max(key) FROM asset_event), 0)"));
  next.step();
  state.next_asset_key = next.integer(0);
  state.next_alias_key = next.integer(1);
  state.next_asset_event_key = next.integer(2);
}

void load_dags(Database& db, DagShelf& shelf, StoredState& state,
               std::vector<std::string>& problems) {
  Statement s = db.make(
      Sql("SELECT dag_id, version, is_paused, is_removed, cursor_run_after, cursor_logical_date, "
          "cursor_start, cursor_end, asset_cursor FROM dag ORDER BY dag_id"));
  while (s.step()) {
    StoredState::DagState& dag = state.dags.emplace_back();
    dag.dag_id = s.text(0);
    dag.is_paused = s.small(2) != 0;
    dag.is_removed = s.small(3) != 0;
    if (!s.is_null(4))
      dag.cursor =
          CursorMoved{dag.dag_id, s.instant(4), s.instant(5), {s.instant(6), s.instant(7)}};
    if (!s.is_null(8)) dag.asset_cursor = s.integer(8);
    Statement& ahead =
        db.kept(
              "SELECT logical_date FROM dag_run WHERE dag = (SELECT key FROM dag WHERE "
              "dag_id = ?) AND logical_date > ? ORDER BY logical_date")
            .bind(dag.dag_id, dag.cursor ? dag.cursor->logical_date : Instant::min());
    while (ahead.step()) dag.dates_ahead.push_back(ahead.instant(0));
    if (dag.is_removed) continue;
    const auto built = shelf.get(s.integer(1));
    if (built)
      dag.dag = *built;
    else
      problems.push_back(fmt::format("load dag '{}': {}", dag.dag_id, built.error().message));
  }
}

void load_runs(Database& db, DagShelf& shelf, StoredState& state,
               std::vector<std::string>& problems) {
  std::vector<RunRow> rows;
  Statement& active =
      db.kept("SELECT " ETESIAN_RUN_COLUMNS " FROM active_run a JOIN " ETESIAN_RUN_TABLES
              " WHERE r.key = a.run ORDER BY a.run");
  while (active.step()) rows.push_back(run_from(active, 0));
  for (RunRow& row : rows) {
    const auto dag = shelf.get(row);
    if (!dag) {
      problems.push_back(
          fmt::format("load run '{}/{}': {}", row.dag_id, row.run_id, dag.error().message));
      continue;
    }
    StoredState::ActiveRun& run = state.runs.emplace_back();
    run.row = std::move(row);
    run.dag = *dag;
    read_rows_of(db, run);
    Statement& tries = db.kept("SELECT " ETESIAN_TRY_COLUMNS " FROM " ETESIAN_TRY_TABLES
                               " WHERE t.run = ? AND t.cause IS NULL ORDER BY t.run, t.task, "
                               "t.map_index, t.number, t.id")
                           .bind(run.row.key);
    while (tries.step()) state.open_tries.push_back(try_from(tries, 0));
  }
}

/// One success row: interval start and end, logical date, end.
PastSuccess success_from(const Statement& s, const std::pair<std::string, std::string>& producer) {
  PastSuccess success{producer.first, producer.second, {}, s.maybe_instant(2), s.instant(3)};
  if (!s.is_null(0)) success.interval = {s.instant(0), s.instant(1)};
  return success;
}

void load_past(Database& db, const PastNeeds& needs, StoredState& state) {
  for (const auto& producer : needs.producers) {
    Statement& s =
        producer.second.empty()
            ? db.kept(
                    "SELECT * FROM (SELECT r.interval_start, r.interval_end, r.logical_date, "
                    "coalesce(r.ended_at, 0), r.key FROM dag_run r "
                    "WHERE r.dag = (SELECT key FROM dag WHERE dag_id = ?) AND r.state = ? "
                    "ORDER BY r.key DESC LIMIT ?) ORDER BY key")
                  .bind(producer.first, RunState::Success, PastNeeds::kSuccessesMax)
            : db.kept(
                    "SELECT * FROM (SELECT r.interval_start, r.interval_end, r.logical_date, "
                    "coalesce(max(i.ended_at), 0), r.key FROM dag_run r "
                    "JOIN dag_task k ON k.version = r.version AND k.task_id = ?2 "
                    "JOIN task_instance i ON i.run = r.key AND i.task = k.task AND i.state <> ?4 "
                    "WHERE r.dag = (SELECT key FROM dag WHERE dag_id = ?1) "
                    "GROUP BY r.key HAVING min(i.state = ?3) ORDER BY r.key DESC LIMIT ?5) ORDER "
                    "BY key")
                  .bind(producer.first, producer.second, TaskState::Success, TaskState::Removed,
                        PastNeeds::kSuccessesMax);
    while (s.step()) state.past.push_back(success_from(s, producer));
  }
}

/// The newest finished run before `date`, and the newest of all.
std::vector<RunRow> last_runs_of(Database& db, const std::string& dag_id,
                                 const std::set<Instant>& looked_back_from) {
  std::map<Instant, RunRow> last;
  std::vector<std::optional<Instant>> ends(looked_back_from.begin(), looked_back_from.end());
  ends.emplace_back();
  for (const std::optional<Instant>& end : ends) {
    Statement& s = db.kept("SELECT " ETESIAN_RUN_COLUMNS " FROM " ETESIAN_RUN_TABLES
                           " WHERE d.dag_id = ?1 AND r.state >= ?2 AND r.logical_date IS NOT NULL "
                           "AND (?3 IS NULL OR r.logical_date < ?3) "
                           "ORDER BY r.logical_date DESC LIMIT 1")
                       .bind(dag_id, RunState::Success, end);
    if (s.step()) {
      RunRow row = run_from(s, 0);
      const Instant date = *row.logical_date;
      last.emplace(date, std::move(row));
    }
    s.reset();
  }
  std::vector<RunRow> rows;
  for (auto& [date, row] : last) rows.push_back(std::move(row));
  return rows;
}

void load_last_runs(Database& db, DagShelf& shelf, const PastNeeds& needs, StoredState& state) {
  std::map<std::string, std::set<Instant>> active;
  for (const StoredState::ActiveRun& run : state.runs)
    if (run.row.logical_date) active[run.row.dag_id].insert(*run.row.logical_date);
  for (const std::string& dag_id : needs.last_runs)
    for (RunRow& row : last_runs_of(db, dag_id, active[dag_id])) {
      StoredState::ActiveRun run;
      run.row = std::move(row);
      const auto dag = shelf.get(run.row);
      if (!dag) continue;
      run.dag = *dag;
      read_rows_of(db, run);
      state.last_runs.push_back(std::move(run));
    }
}

}  // namespace

Result<StoredState> SqliteStore::load(const DagBuilder& build, std::vector<std::string>& problems) {
  return guarded("load", [&] {
    StoredState state;
    DagShelf shelf(db_, names_, build);
    load_dags(db_, shelf, state, problems);
    load_runs(db_, shelf, state, problems);
    const PastNeeds needs = past_needs(state.dags);
    load_past(db_, needs, state);
    load_last_runs(db_, shelf, needs, state);
    load_assets(db_, state);
    if (auto rows = asset_queue({}, {}))
      state.asset_queue = *std::move(rows);
    else
      throw Failure{rows.error()};
    if (auto rows = pools())
      state.pools = *std::move(rows);
    else
      throw Failure{rows.error()};
    Statement& backfills = db_.kept("SELECT " ETESIAN_BACKFILL_COLUMNS
                                    " FROM backfill WHERE completed_at IS NULL ORDER BY key");
    while (backfills.step()) state.backfills.push_back(backfill_from(backfills, 0));
    Statement& next = db_.kept(
        "SELECT 1 + max(coalesce((SELECT max(key) FROM dag_run), 0), "
        "coalesce((SELECT max(run) FROM removed_run), 0)), "
        "1 + coalesce((SELECT max(key) FROM backfill), 0)");
    next.step();
    state.next_run_key = next.integer(0);
    state.next_backfill_key = next.integer(1);
    next.reset();
    return state;
  });
}

Result<StoredState::ActiveRun> SqliteStore::revive(RunKey key, const DagBuilder& build) {
  return guarded("revive run", [&] {
    StoredState::ActiveRun run;
    Statement& s =
        db_.kept("SELECT " ETESIAN_RUN_COLUMNS " FROM " ETESIAN_RUN_TABLES " WHERE r.key = ?")
            .bind(key);
    if (!s.step()) throw Failure{{ErrorCode::NotFound, fmt::format("there is no run {}", key)}};
    run.row = run_from(s, 0);
    s.reset();
    DagShelf shelf(db_, names_, build);
    const auto dag = shelf.get(run.row);
    if (!dag) throw Failure{dag.error()};
    run.dag = *dag;
    read_rows_of(db_, run);
    return run;
  });
}

}  // namespace etesian::sqlite
