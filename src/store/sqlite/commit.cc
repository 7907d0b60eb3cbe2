#include "store/sqlite/commit.h"

#include <fmt/format.h>

#include "base/check.h"
#include "store/first_rows.h"

namespace etesian::sqlite {
namespace {

/// The run of a change that is about a whole run.
InstanceKey whole(RunKey run) { return {run, 0, kWholeRun}; }

/// The instance whose state it is; none for an asset's.
std::optional<InstanceKey> owner_of(const StatePlace& place) {
  return place.asset == 0 ? std::optional(place.instance) : std::nullopt;
}

std::optional<Instant> start_of(const std::optional<DataInterval>& interval) {
  if (!interval) return std::nullopt;
  return interval->start;
}
std::optional<Instant> end_of(const std::optional<DataInterval>& interval) {
  if (!interval) return std::nullopt;
  return interval->end;
}

}  // namespace

Refusal CommitGroup::refuse(std::string_view why) const {
  return Refusal{{Error{ErrorCode::Conflict, fmt::format("{}: {}", to_text(*current_), why)}}};
}

void CommitGroup::expect_one_row(int changed_rows, std::string_view why) const {
  if (changed_rows != 1) throw refuse(why);
}

Key CommitGroup::dag_key(const std::string& dag_id) {
  const auto key = names_.dag(dag_id);
  if (!key) throw refuse("there is no such dag");
  return *key;
}

void CommitGroup::add(const Store::Item& item) {
  at_ = item.at;
  current_ = &item.change;
  try {
    std::visit([this](const auto& change) { write(change); }, item.change);
  } catch (const Refusal&) {
    throw;
  } catch (const Failure& failure) {
    // A broken UNIQUE or REFERENCES clause says nothing of the change that broke it.
    if (failure.error.code == ErrorCode::Conflict) throw refuse(failure.error.message);
    throw;
  }
}

void CommitGroup::append(const Record& record) {
  std::optional<std::int64_t> run, task, map_index;
  if (record.instance) {
    run = record.instance->run;
    if (record.instance->map_index != kWholeRun) {
      task = record.instance->task;
      map_index = record.instance->map_index;
    }
  }
  const auto state = [](int s) { return s == kNoState ? std::optional<int>() : s; };
  Statement& statement =
      db_.kept("INSERT INTO change VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
          .bind(last_sequence_ + 1, at_, record.kind, record.dag, run, task, map_index,
                state(record.from), state(record.to), record.try_number);
  if (record.reason.empty())
    statement.bind(nullptr);
  else
    statement.bind(record.reason);
  statement.run();
  ++last_sequence_;
}

// ---- DAGs ----

void CommitGroup::write(const DagChanged& change) {
  const DagDefinition& text = change.dag->definition();
  std::optional<Key> dag = names_.dag(text.id);
  if (!dag) {
    db_.kept(
           "INSERT INTO dag(dag_id, is_paused, is_removed, first_seen, last_changed) "
           "VALUES(?, ?, 0, ?, ?)")
        .bind(text.id, change.is_paused, at_, at_)
        .run();
    dag = names_.dag(text.id);
  }
  const Key version = names_.add_version(*dag, *change.dag, at_);
  // What the version's hash does not cover may have moved: the folder, comments in the source.
  db_.kept("UPDATE dag_version SET folder = ?, relative_file = ?, source = ? WHERE key = ?")
      .bind(text.folder, text.relative_file, text.source, version)
      .run();
  db_.kept("UPDATE dag SET version = ?, is_removed = 0, last_changed = ? WHERE key = ?")
      .bind(version, at_, *dag)
      .run();
  write_references(*dag, text);
  append({.kind = ChangeKind::DagChanged, .dag = dag, .reason = text.version});
}

void CommitGroup::write(const DagRemoved& change) {
  const Key dag = dag_key(change.dag_id);
  db_.kept("UPDATE dag SET is_removed = 1, last_changed = ? WHERE key = ?").bind(at_, dag).run();
  db_.kept("DELETE FROM asset_reference WHERE dag = ?").bind(dag).run();
  append({.kind = ChangeKind::DagRemoved, .dag = dag});
}

void CommitGroup::write(const DagPaused& change) {
  const Key dag = dag_key(change.dag_id);
  db_.kept("UPDATE dag SET is_paused = ? WHERE key = ?").bind(change.is_paused, dag).run();
  append({.kind = change.is_paused ? ChangeKind::DagPaused : ChangeKind::DagUnpaused, .dag = dag});
}

void CommitGroup::write(const CursorMoved& change) {
  const Key dag = dag_key(change.dag_id);
  db_.kept(
         "UPDATE dag SET cursor_run_after = ?, cursor_logical_date = ?, cursor_start = ?, "
         "cursor_end = ? WHERE key = ?")
      .bind(change.run_after, change.logical_date, change.interval.start, change.interval.end, dag)
      .run();
  append({.kind = ChangeKind::CursorMoved, .dag = dag});
}

// ---- runs ----

void CommitGroup::write(const RunCreated& change) {
  const RunRow& row = change.row;
  const Key dag = dag_key(row.dag_id);
  const Key version = names_.add_version(dag, *change.dag, at_);
  db_.kept("INSERT INTO dag_run VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(row.key, dag, row.run_id, version, row.type, row.state, row.logical_date,
            start_of(row.interval), end_of(row.interval), row.run_after, row.queued_at,
            row.started_at, row.ended_at, row.conf, row.note, row.triggered_by, row.backfill,
            row.clear_count)
      .run();
  if (!is_final(row.state)) db_.kept("INSERT INTO active_run VALUES(?)").bind(row.key).run();
  append({.kind = ChangeKind::Run,
          .dag = dag,
          .instance = whole(row.key),
          .to = static_cast<int>(row.state)});
  for (TaskIndex i = 0; i < change.dag->tasks().size(); ++i) {
    const InstanceRow& created =
        created_.emplace_back(first_row({row.key, i, -1}, change.dag->task(i)));
    instance_at_.emplace(created.key, instances_.size());
    instances_.push_back({&created, nullptr});
  }
}

void CommitGroup::write(const RunChanged& change) {
  const RunRow& row = change.row;
  const Key dag = dag_key(row.dag_id);
  const auto version = names_.version(dag, row.dag_version);
  if (!version) throw refuse("there is no such version of its dag");
  const int changed =
      db_.kept(
             "UPDATE dag_run SET version = ?, type = ?, state = ?, logical_date = ?, "
             "interval_start = ?, interval_end = ?, run_after = ?, queued_at = ?, started_at = ?, "
             "ended_at = ?, conf = ?, note = ?, triggered_by = ?, backfill = ?, clear_count = ? "
             "WHERE key = ? AND state = ?")
          .bind(*version, row.type, row.state, row.logical_date, start_of(row.interval),
                end_of(row.interval), row.run_after, row.queued_at, row.started_at, row.ended_at,
                row.conf, row.note, row.triggered_by, row.backfill, row.clear_count, row.key,
                change.from)
          .run();
  expect_one_row(changed, "the run has another state, or is gone");
  if (is_final(row.state) && !is_final(change.from))
    db_.kept("DELETE FROM active_run WHERE run = ?").bind(row.key).run();
  if (!is_final(row.state) && is_final(change.from))
    db_.kept("INSERT INTO active_run VALUES(?)").bind(row.key).run();
  append({.kind = ChangeKind::Run,
          .dag = dag,
          .instance = whole(row.key),
          .from = static_cast<int>(change.from),
          .to = static_cast<int>(row.state),
          .reason = change.reason});
}

void CommitGroup::write(const RunRemoved& change) {
  flush();
  expect_one_row(
      db_.kept(
             "INSERT INTO removed_run SELECT key, dag, run_id, version FROM dag_run WHERE key = ?")
          .bind(change.run)
          .run(),
      "there is no such run");
  db_.kept("DELETE FROM output WHERE run = ?").bind(change.run).run();
  db_.kept("DELETE FROM state_value WHERE asset = 0 AND run = ?").bind(change.run).run();
  db_.kept("DELETE FROM human_input WHERE run = ?").bind(change.run).run();
  db_.kept("DELETE FROM consumed_event WHERE run = ?").bind(change.run).run();
  db_.kept("DELETE FROM map_argument WHERE run = ?").bind(change.run).run();
  db_.kept("DELETE FROM try WHERE run = ?").bind(change.run).run();
  db_.kept("DELETE FROM task_instance WHERE run = ?").bind(change.run).run();
  db_.kept("DELETE FROM active_run WHERE run = ?").bind(change.run).run();
  db_.kept("DELETE FROM dag_run WHERE key = ?").bind(change.run).run();
  append({.kind = ChangeKind::RunRemoved, .instance = whole(change.run)});
}

// ---- task instances ----

void CommitGroup::shrink(const TaskExpanded& change) {
  Statement surplus = db_.make(
      Sql("SELECT map_index, state, try_number FROM task_instance "
          "WHERE run = ? AND task = ? AND map_index >= ? AND state <> ? ORDER BY map_index"));
  surplus.bind(change.key.run, change.key.task, change.count, TaskState::Removed);
  while (surplus.step())
    append({.kind = ChangeKind::Instance,
            .instance = InstanceKey{change.key.run, change.key.task, surplus.small(0)},
            .from = surplus.small(1),
            .to = static_cast<int>(TaskState::Removed),
            .try_number = surplus.small(2),
            .reason = "not mapped any more"});
  db_.kept("UPDATE task_instance SET state = ? WHERE run = ? AND task = ? AND map_index >= ?")
      .bind(TaskState::Removed, change.key.run, change.key.task, change.count)
      .run();
}

void CommitGroup::write(const TaskExpanded& change) {
  flush();
  const InstanceKey& key = change.key;
  Statement& retries =
      db_.kept(
             "SELECT k.retries FROM dag_run r JOIN dag_task k ON k.version = r.version "
             "WHERE r.key = ? AND k.task = ?")
          .bind(key.run, key.task);
  if (!retries.step()) throw refuse("there is no such task");
  const int max_tries = retries.small(0);
  retries.reset();
  db_.kept("DELETE FROM task_instance WHERE run = ? AND task = ? AND map_index = -1")
      .bind(key.run, key.task)
      .run();
  append({.kind = ChangeKind::Expanded, .instance = key, .try_number = change.count});
  db_.kept("DELETE FROM map_argument WHERE run = ? AND task = ?").bind(key.run, key.task).run();
  for (std::int32_t i = 0; i < change.count; ++i) {
    db_.kept(
           "INSERT OR IGNORE INTO task_instance(run, task, map_index, state, try_number, "
           "max_tries, "
           "losses, note, rendered_map_index) VALUES(?, ?, ?, 0, 0, ?, 0, '', '')")
        .bind(key.run, key.task, i, max_tries)
        .run();
    const auto at = static_cast<std::size_t>(i);
    if (at < change.arguments.size())
      db_.kept("INSERT INTO map_argument VALUES(?, ?, ?, ?)")
          .bind(key.run, key.task, i, change.arguments[at])
          .run();
  }
  // What an earlier, smaller number had taken away is there again.
  db_.kept(
         "UPDATE task_instance SET state = ? "
         "WHERE run = ? AND task = ? AND map_index < ? AND state = ?")
      .bind(TaskState::None, key.run, key.task, change.count, TaskState::Removed)
      .run();
  shrink(change);
}

void CommitGroup::write(const InstanceChanged& change) {
  const auto [at, is_first] = instance_at_.try_emplace(change.row.key, instances_.size());
  if (is_first) {
    instances_.push_back({&change.row, &change});
  } else {
    InstanceWrite& pending = instances_[at->second];
    if (pending.row->state != change.from || pending.row->try_number != change.from_try)
      throw refuse("the task instance has another state or try");
    pending.row = &change.row;
  }
  append({.kind = ChangeKind::Instance,
          .instance = change.row.key,
          .from = static_cast<int>(change.from),
          .to = static_cast<int>(change.row.state),
          .try_number = change.row.try_number,
          .reason = change.reason});
}

void CommitGroup::write(const TryOpened& change) {
  if (!try_at_.try_emplace(change.row.id, tries_.size()).second)
    throw refuse("the try exists already");
  tries_.push_back({&change.row, true});
}

void CommitGroup::write(const TryChanged& change) {
  const auto [at, is_first] = try_at_.try_emplace(change.row.id, tries_.size());
  if (is_first)
    tries_.push_back({&change.row, false});
  else
    tries_[at->second].row = &change.row;
}

// ---- outputs ----

void CommitGroup::write(const OutputStored& change) {
  const InstanceKey& key = change.key;
  db_.kept("INSERT OR REPLACE INTO output VALUES(?, ?, ?, ?, ?, ?, ?)")
      .bind(key.run, key.task, key.map_index, change.name, change.json, at_, change.length)
      .run();
  append({.kind = ChangeKind::OutputStored, .instance = key, .reason = change.name});
}

void CommitGroup::write(const OutputsRemoved& change) {
  const InstanceKey& key = change.key;
  db_.kept(
         "DELETE FROM output WHERE run = ?1 AND task = ?2 AND map_index = ?3 "
         "AND (?4 = '' OR name = ?4)")
      .bind(key.run, key.task, key.map_index, change.name)
      .run();
  append({.kind = ChangeKind::OutputsRemoved, .instance = key, .reason = change.name});
}

void CommitGroup::write(const StateStored& change) {
  const InstanceKey& of = change.place.instance;
  db_.kept("INSERT OR REPLACE INTO state_value VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(change.place.asset, of.run, of.task, of.map_index, change.key, change.json, at_,
            change.expires_at)
      .run();
  append(
      {.kind = ChangeKind::StateStored, .instance = owner_of(change.place), .reason = change.key});
}

void CommitGroup::write(const StateRemoved& change) {
  const InstanceKey& of = change.place.instance;
  db_.kept(
         "DELETE FROM state_value WHERE asset = ?1 AND run = ?2 AND task = ?3 AND map_index = ?4 "
         "AND (?5 = '' OR key = ?5)")
      .bind(change.place.asset, of.run, of.task, of.map_index, change.key)
      .run();
  append(
      {.kind = ChangeKind::StateRemoved, .instance = owner_of(change.place), .reason = change.key});
}

// ---- what users set ----

void CommitGroup::write(const PoolChanged& change) {
  const PoolRow& row = change.row;
  db_.kept("INSERT OR REPLACE INTO pool VALUES(?, ?, ?, ?)")
      .bind(row.name, row.slots, row.description, row.include_deferred)
      .run();
  append({.kind = ChangeKind::PoolChanged, .reason = row.name});
}

void CommitGroup::write(const PoolRemoved& change) {
  expect_one_row(db_.kept("DELETE FROM pool WHERE name = ? AND name <> 'default_pool'")
                     .bind(change.name)
                     .run(),
                 "there is no such pool that can be removed");
  append({.kind = ChangeKind::PoolRemoved, .reason = change.name});
}

void CommitGroup::write(const VariableChanged& change) {
  const VariableRow& row = change.row;
  db_.kept("INSERT OR REPLACE INTO variable VALUES(?, ?, ?)")
      .bind(row.key, row.sealed_value, row.description)
      .run();
  append({.kind = ChangeKind::VariableChanged, .reason = row.key});
}

void CommitGroup::write(const VariableRemoved& change) {
  expect_one_row(db_.kept("DELETE FROM variable WHERE key = ?").bind(change.key).run(),
                 "there is no such variable");
  append({.kind = ChangeKind::VariableRemoved, .reason = change.key});
}

void CommitGroup::write(const ConnectionChanged& change) {
  const ConnectionRow& row = change.row;
  db_.kept("INSERT OR REPLACE INTO connection VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(row.id, row.type, row.description, row.host, row.schema, row.login, row.sealed_password,
            row.sealed_extra, row.port)
      .run();
  append({.kind = ChangeKind::ConnectionChanged, .reason = row.id});
}

void CommitGroup::write(const ConnectionRemoved& change) {
  expect_one_row(db_.kept("DELETE FROM connection WHERE id = ?").bind(change.id).run(),
                 "there is no such connection");
  append({.kind = ChangeKind::ConnectionRemoved, .reason = change.id});
}

void CommitGroup::write(const BackfillChanged& change) {
  const BackfillRow& row = change.row;
  db_.kept("INSERT OR REPLACE INTO backfill VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(row.key, row.dag_id, row.from, row.to, row.max_active_runs, row.is_paused,
            row.run_backwards, row.reprocess, row.conf, row.created_at, row.completed_at,
            row.created_by)
      .run();
  append({.kind = ChangeKind::BackfillChanged, .dag = names_.dag(row.dag_id)});
}

void CommitGroup::write(const Audited& change) {
  db_.kept(
         "INSERT INTO audit(at, actor, event, dag_id, run_id, task_id, map_index, details) "
         "VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(change.at, change.actor, change.event, change.dag_id, change.run_id, change.task_id,
            change.map_index, change.details)
      .run();
  append({.kind = ChangeKind::Audited, .dag = names_.dag(change.dag_id), .reason = change.event});
}

}  // namespace etesian::sqlite
