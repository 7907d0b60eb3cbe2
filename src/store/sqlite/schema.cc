#include "store/sqlite/schema.h"

#include <fmt/format.h>

#include <array>

namespace etesian::sqlite {
namespace {

// Rows of one run lie together: run is the first column of the keys of task_instance, try, output
// and map_argument, which have no other index. Instants are microseconds since 1970. States, types
// and causes are the stored values of model/state.h.
constexpr Sql kFirst = R"(
CREATE TABLE dag(
  key INTEGER PRIMARY KEY, dag_id TEXT NOT NULL UNIQUE, version INTEGER,
  is_paused INTEGER NOT NULL, is_removed INTEGER NOT NULL,
  first_seen INTEGER NOT NULL, last_changed INTEGER NOT NULL,
  cursor_run_after INTEGER, cursor_logical_date INTEGER, cursor_start INTEGER, cursor_end INTEGER);
CREATE TABLE dag_version(
  key INTEGER PRIMARY KEY, dag INTEGER NOT NULL REFERENCES dag(key), number INTEGER NOT NULL,
  version TEXT NOT NULL, canonical TEXT NOT NULL, folder TEXT NOT NULL, relative_file TEXT NOT NULL,
  source TEXT NOT NULL, description TEXT NOT NULL, owner TEXT NOT NULL, schedule_text TEXT NOT NULL,
  created_at INTEGER NOT NULL, UNIQUE(dag, version), UNIQUE(dag, number));
CREATE TABLE dag_tag(
  version INTEGER NOT NULL REFERENCES dag_version(key), position INTEGER NOT NULL, tag TEXT NOT NULL,
  PRIMARY KEY(version, position)) WITHOUT ROWID;
CREATE TABLE dag_task(
  version INTEGER NOT NULL REFERENCES dag_version(key), task INTEGER NOT NULL,
  task_id TEXT NOT NULL, pool TEXT NOT NULL, retries INTEGER NOT NULL,
  PRIMARY KEY(version, task)) WITHOUT ROWID;
CREATE TABLE dag_run(
  key INTEGER PRIMARY KEY, dag INTEGER NOT NULL REFERENCES dag(key), run_id TEXT NOT NULL,
  version INTEGER NOT NULL REFERENCES dag_version(key), type INTEGER NOT NULL, state INTEGER NOT NULL,
  logical_date INTEGER, interval_start INTEGER, interval_end INTEGER,
  run_after INTEGER NOT NULL, queued_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER,
  conf TEXT NOT NULL, note TEXT NOT NULL, triggered_by TEXT NOT NULL,
  backfill INTEGER NOT NULL, clear_count INTEGER NOT NULL, UNIQUE(dag, run_id));
CREATE UNIQUE INDEX dag_run_logical_date ON dag_run(dag, logical_date) WHERE logical_date IS NOT NULL;
CREATE INDEX dag_run_run_after ON dag_run(run_after);
CREATE TABLE active_run(run INTEGER PRIMARY KEY REFERENCES dag_run(key));
CREATE TABLE removed_run(
  run INTEGER PRIMARY KEY, dag INTEGER NOT NULL, run_id TEXT NOT NULL, version INTEGER NOT NULL);
CREATE TABLE task_instance(
  run INTEGER NOT NULL REFERENCES dag_run(key), task INTEGER NOT NULL, map_index INTEGER NOT NULL,
  state INTEGER NOT NULL, try_number INTEGER NOT NULL, max_tries INTEGER NOT NULL,
  losses INTEGER NOT NULL, scheduled_at INTEGER, queued_at INTEGER, started_at INTEGER,
  ended_at INTEGER, first_started_at INTEGER, wake_at INTEGER, contact_lost_since INTEGER,
  open_try BLOB, note TEXT NOT NULL, rendered_map_index TEXT NOT NULL,
  resume TEXT NOT NULL DEFAULT '', reschedules INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(run, task, map_index)) WITHOUT ROWID;
CREATE TABLE map_argument(
  run INTEGER NOT NULL REFERENCES dag_run(key), task INTEGER NOT NULL, map_index INTEGER NOT NULL,
  json TEXT NOT NULL, PRIMARY KEY(run, task, map_index)) WITHOUT ROWID;
CREATE TABLE worker(
  key INTEGER PRIMARY KEY, executor TEXT NOT NULL, session TEXT NOT NULL, host TEXT NOT NULL,
  UNIQUE(executor, session, host));
CREATE TABLE try(
  run INTEGER NOT NULL REFERENCES dag_run(key), task INTEGER NOT NULL, map_index INTEGER NOT NULL,
  number INTEGER NOT NULL, id BLOB NOT NULL, launch INTEGER NOT NULL, worker INTEGER NOT NULL,
  pid INTEGER NOT NULL, queued_at INTEGER NOT NULL, started_at INTEGER, final_state INTEGER NOT NULL,
  log_segment INTEGER NOT NULL, log_offset INTEGER NOT NULL,
  stop_then INTEGER, stop_overrules INTEGER, stop_run_then INTEGER, stop_reason TEXT,
  cause INTEGER, exit_code INTEGER, raw_status INTEGER, message TEXT, log_matched INTEGER,
  outcome_started_at INTEGER, outcome_ended_at INTEGER, log_lines INTEGER, log_bytes INTEGER,
  log_hash TEXT, log_cut INTEGER, outcome_segment INTEGER, outcome_offset INTEGER,
  sdk_worker TEXT, report TEXT, rendered TEXT,
  PRIMARY KEY(run, task, map_index, number, id)) WITHOUT ROWID;
CREATE TABLE output(
  run INTEGER NOT NULL REFERENCES dag_run(key), task INTEGER NOT NULL, map_index INTEGER NOT NULL,
  name TEXT NOT NULL, json TEXT NOT NULL, at INTEGER NOT NULL, length INTEGER,
  PRIMARY KEY(run, task, map_index, name)) WITHOUT ROWID;
CREATE TABLE change(
  sequence INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, dag INTEGER,
  run INTEGER, task INTEGER, map_index INTEGER, old_state INTEGER, new_state INTEGER,
  try_number INTEGER, reason TEXT);
CREATE TABLE pool(
  name TEXT PRIMARY KEY, slots INTEGER NOT NULL, description TEXT NOT NULL,
  include_deferred INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO pool VALUES('default_pool', 128, '', 0);
CREATE TABLE variable(
  key TEXT PRIMARY KEY, sealed_value TEXT NOT NULL, description TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE connection(
  id TEXT PRIMARY KEY, type TEXT NOT NULL, description TEXT NOT NULL, host TEXT NOT NULL,
  schema TEXT NOT NULL, login TEXT NOT NULL, sealed_password TEXT NOT NULL,
  sealed_extra TEXT NOT NULL, port INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE backfill(
  key INTEGER PRIMARY KEY, dag_id TEXT NOT NULL, from_date INTEGER NOT NULL, to_date INTEGER NOT NULL,
  max_active_runs INTEGER NOT NULL, is_paused INTEGER NOT NULL, run_backwards INTEGER NOT NULL,
  reprocess INTEGER NOT NULL, conf TEXT NOT NULL, created_at INTEGER NOT NULL, completed_at INTEGER,
  created_by TEXT NOT NULL);
CREATE TABLE audit(
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, event TEXT NOT NULL,
  dag_id TEXT NOT NULL, run_id TEXT NOT NULL, task_id TEXT NOT NULL, map_index INTEGER NOT NULL,
  details TEXT NOT NULL);
CREATE TABLE user(
  name TEXT PRIMARY KEY, password_hash TEXT NOT NULL, role TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE token(
  token_hash TEXT PRIMARY KEY, user TEXT NOT NULL, purpose TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
)";

// Questions to people, and assets. A question belongs to a try number; an event names its source
// by text, because it outlives its run.
constexpr Sql kInputsAndAssets = R"(
CREATE TABLE human_input(
  run INTEGER NOT NULL REFERENCES dag_run(key), task INTEGER NOT NULL, map_index INTEGER NOT NULL,
  try_number INTEGER NOT NULL, try_id BLOB NOT NULL, options TEXT NOT NULL, subject TEXT NOT NULL,
  body TEXT, defaults TEXT, is_multiple INTEGER NOT NULL, params TEXT NOT NULL,
  assigned TEXT NOT NULL, asked_at INTEGER NOT NULL, answered_at INTEGER, answered_by TEXT,
  answered_by_name TEXT, chosen TEXT, params_input TEXT,
  PRIMARY KEY(run, task, map_index, try_number)) WITHOUT ROWID;
CREATE TABLE asset(
  key INTEGER PRIMARY KEY, name TEXT NOT NULL, uri TEXT NOT NULL, asset_group TEXT NOT NULL,
  extra TEXT NOT NULL, is_active INTEGER NOT NULL, created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, UNIQUE(name, uri));
CREATE TABLE asset_alias(
  key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, alias_group TEXT NOT NULL);
CREATE TABLE asset_alias_asset(
  alias INTEGER NOT NULL REFERENCES asset_alias(key), asset INTEGER NOT NULL REFERENCES asset(key),
  PRIMARY KEY(alias, asset)) WITHOUT ROWID;
CREATE INDEX asset_alias_asset_asset ON asset_alias_asset(asset);
CREATE TABLE asset_reference(
  dag INTEGER NOT NULL REFERENCES dag(key), kind INTEGER NOT NULL, task_id TEXT NOT NULL,
  asset INTEGER NOT NULL REFERENCES asset(key), created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL, PRIMARY KEY(dag, kind, task_id, asset)) WITHOUT ROWID;
CREATE INDEX asset_reference_asset ON asset_reference(asset);
CREATE TABLE asset_event(
  key INTEGER PRIMARY KEY, asset INTEGER NOT NULL REFERENCES asset(key), at INTEGER NOT NULL,
  extra TEXT NOT NULL, dag_id TEXT, run_id TEXT, task_id TEXT, map_index INTEGER NOT NULL,
  partition_key TEXT);
CREATE INDEX asset_event_asset ON asset_event(asset);
CREATE TABLE asset_event_alias(
  alias INTEGER NOT NULL REFERENCES asset_alias(key),
  event INTEGER NOT NULL REFERENCES asset_event(key), PRIMARY KEY(alias, event)) WITHOUT ROWID;
CREATE INDEX asset_event_alias_event ON asset_event_alias(event);
CREATE TABLE asset_queue(
  dag INTEGER NOT NULL REFERENCES dag(key), asset INTEGER NOT NULL REFERENCES asset(key),
  event INTEGER NOT NULL REFERENCES asset_event(key), queued_at INTEGER NOT NULL,
  PRIMARY KEY(dag, asset)) WITHOUT ROWID;
CREATE TABLE consumed_event(
  run INTEGER NOT NULL REFERENCES dag_run(key), event INTEGER NOT NULL REFERENCES asset_event(key),
  PRIMARY KEY(run, event)) WITHOUT ROWID;
CREATE INDEX consumed_event_event ON consumed_event(event);
ALTER TABLE dag ADD COLUMN asset_cursor INTEGER;
)";

/// Of a task instance (asset 0) or of an asset (run 0).
constexpr Sql kStateStore = R"(
CREATE TABLE state_value(
  asset INTEGER NOT NULL, run INTEGER NOT NULL, task INTEGER NOT NULL, map_index INTEGER NOT NULL,
  key TEXT NOT NULL, json TEXT NOT NULL, updated_at INTEGER NOT NULL, expires_at INTEGER,
  PRIMARY KEY(asset, run, task, map_index, key)) WITHOUT ROWID;
)";

/// Steps[i] leads from version i to i + 1. Append only.
constexpr std::array kSteps = {kFirst, kInputsAndAssets, kStateStore};

int version_of(Database& db) {
  Statement& tables =
      db.kept("SELECT count(*), coalesce(sum(name = 'schema_version'), 0) FROM sqlite_schema");
  tables.step();
  const int table_count = tables.small(0);
  const bool is_ours = tables.small(1) == 1;
  tables.reset();
  if (table_count == 0) return 0;
  if (!is_ours)
    throw Failure{
        {ErrorCode::InvalidInput, "it is a database of another program; name a new file"}};
  Statement& version = db.kept("SELECT version FROM schema_version");
  const int found = version.step() ? version.small(0) : 0;
  version.reset();
  return found;
}

}  // namespace

int schema_version() { return static_cast<int>(kSteps.size()); }

void migrate(Database& db) {
  int version = version_of(db);
  if (version > schema_version())
    throw Failure{{ErrorCode::InvalidInput,
                   fmt::format("it has schema version {} of a newer program; this one knows {}",
                               version, schema_version())}};
  for (; version < schema_version(); ++version) {
    Transaction transaction(db);
    if (version == 0)
      db.run(
          "CREATE TABLE schema_version(version INTEGER NOT NULL);"
          "INSERT INTO schema_version VALUES(0)");
    db.run(kSteps[static_cast<std::size_t>(version)]);
    db.kept("UPDATE schema_version SET version = ?").bind(version + 1).run();
    transaction.commit();
  }
}

}  // namespace etesian::sqlite
