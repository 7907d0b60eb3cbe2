// The hot rows of a group: task instances and tries.
#include <algorithm>
#include <tuple>

#include "store/sqlite/commit.h"

namespace etesian::sqlite {

void CommitGroup::flush() {
  flush_instances();
  flush_tries();
}

void CommitGroup::flush_instances() {
  std::sort(instances_.begin(), instances_.end(),
            [](const auto& a, const auto& b) { return a.row->key < b.row->key; });
  for (const InstanceWrite& write : instances_)
    write.first ? update_instance(write) : insert_instance(*write.row);
  instances_.clear();
  instance_at_.clear();
}

void CommitGroup::flush_tries() {
  const auto key = [](const TryWrite& w) {
    return std::tie(w.row->instance, w.row->number, w.row->id);
  };
  std::sort(tries_.begin(), tries_.end(),
            [&key](const auto& a, const auto& b) { return key(a) < key(b); });
  for (const TryWrite& write : tries_)
    write.is_new ? insert_try(*write.row) : update_try(*write.row);
  tries_.clear();
  try_at_.clear();
}

void CommitGroup::insert_instance(const InstanceRow& row) {
  db_.kept(
         "INSERT INTO task_instance VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
         "?)")
      .bind(row.key.run, row.key.task, row.key.map_index, row.state, row.try_number, row.max_tries,
            row.infrastructure_losses, row.scheduled_at, row.queued_at, row.started_at,
            row.ended_at, row.first_started_at, row.wake_at, row.contact_lost_since, row.open_try,
            row.note, row.rendered_map_index, row.resume, row.reschedules)
      .run();
}

void CommitGroup::update_instance(const InstanceWrite& write) {
  const InstanceRow& row = *write.row;
  const int changed =
      db_.kept(
             "UPDATE task_instance SET state = ?, try_number = ?, max_tries = ?, losses = ?, "
             "scheduled_at = ?, queued_at = ?, started_at = ?, ended_at = ?, first_started_at = ?, "
             "wake_at = ?, contact_lost_since = ?, open_try = ?, note = ?, rendered_map_index = ?, "
             "resume = ?, reschedules = ? "
             "WHERE run = ? AND task = ? AND map_index = ? AND state = ? AND try_number = ?")
          .bind(row.state, row.try_number, row.max_tries, row.infrastructure_losses,
                row.scheduled_at, row.queued_at, row.started_at, row.ended_at, row.first_started_at,
                row.wake_at, row.contact_lost_since, row.open_try, row.note, row.rendered_map_index,
                row.resume, row.reschedules, row.key.run, row.key.task, row.key.map_index,
                write.first->from, write.first->from_try)
          .run();
  if (changed == 1) return;
  const Change expectation = *write.first;
  current_ = &expectation;
  throw refuse("the task instance has another state or try, or is gone");
}

void CommitGroup::insert_try(const TryRow& row) {
  db_.kept(
         "INSERT INTO try(run, task, map_index, number, id, launch, worker, pid, queued_at, "
         "started_at, final_state, log_segment, log_offset) "
         "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bind(row.instance.run, row.instance.task, row.instance.map_index, row.number, row.id,
            row.launch, names_.worker(row), row.pid, row.queued_at, row.started_at, row.final_state,
            row.log.segment, row.log.offset)
      .run();
  if (row.stop) update_stop(row);
  update_words(row);
  if (row.outcome) update_try(row);
}

void CommitGroup::update_try(const TryRow& row) {
  const InstanceKey& key = row.instance;
  Statement& statement =
      row.outcome
          ? db_.kept(
                "UPDATE try SET launch = ?, worker = ?, pid = ?, queued_at = ?, started_at = ?, "
                "final_state = ?, log_segment = ?, log_offset = ?, cause = ?, exit_code = ?, "
                "raw_status = ?, message = ?, log_matched = ?, outcome_started_at = ?, "
                "outcome_ended_at = ?, log_lines = ?, log_bytes = ?, log_hash = ?, log_cut = ?, "
                "outcome_segment = ?, outcome_offset = ? "
                "WHERE run = ? AND task = ? AND map_index = ? AND number = ? AND id = ?")
          : db_.kept(
                "UPDATE try SET launch = ?, worker = ?, pid = ?, queued_at = ?, started_at = ?, "
                "final_state = ?, log_segment = ?, log_offset = ? "
                "WHERE run = ? AND task = ? AND map_index = ? AND number = ? AND id = ?");
  statement.bind(row.launch, names_.worker(row), row.pid, row.queued_at, row.started_at,
                 row.final_state, row.log.segment, row.log.offset);
  if (row.outcome) {
    const Outcome& outcome = *row.outcome;
    statement.bind(outcome.cause, outcome.exit_code, outcome.raw_status, outcome.message,
                   outcome.log_matched, outcome.started_at, outcome.ended_at, outcome.log_lines,
                   outcome.log_bytes, outcome.log_hash, outcome.log_cut, outcome.log.segment,
                   outcome.log.offset);
  }
  const int changed = statement.bind(key.run, key.task, key.map_index, row.number, row.id).run();
  if (changed != 1) {
    const Change missing = TryChanged{row};
    current_ = &missing;
    throw refuse("there is no such try");
  }
  if (row.stop) update_stop(row);
  update_words(row);
}

/// What an SDK worker said; native tries have nothing of it.
void CommitGroup::update_words(const TryRow& row) {
  if (row.worker.empty() && row.report.empty() && row.rendered.empty()) return;
  const InstanceKey& key = row.instance;
  db_.kept(
         "UPDATE try SET sdk_worker = ?, report = ?, rendered = ? "
         "WHERE run = ? AND task = ? AND map_index = ? AND number = ? AND id = ?")
      .bind(row.worker, row.report, row.rendered, key.run, key.task, key.map_index, row.number,
            row.id)
      .run();
}

void CommitGroup::update_stop(const TryRow& row) {
  const StopOrder& stop = *row.stop;
  const InstanceKey& key = row.instance;
  db_.kept(
         "UPDATE try SET stop_then = ?, stop_overrules = ?, stop_run_then = ?, stop_reason = ? "
         "WHERE run = ? AND task = ? AND map_index = ? AND number = ? AND id = ?")
      .bind(stop.then, stop.overrules_success, stop.run_then, stop.reason, key.run, key.task,
            key.map_index, row.number, row.id)
      .run();
}

}  // namespace etesian::sqlite
