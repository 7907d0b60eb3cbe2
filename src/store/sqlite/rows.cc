#include "store/sqlite/rows.h"

namespace etesian::sqlite {

RunRow run_from(const Statement& s, int at) {
  RunRow row;
  row.key = s.integer(at);
  row.dag_id = s.text(at + 1);
  row.run_id = s.text(at + 2);
  row.dag_version = s.text(at + 3);
  row.type = s.as<RunType>(at + 4);
  row.state = s.as<RunState>(at + 5);
  row.logical_date = s.maybe_instant(at + 6);
  if (!s.is_null(at + 7)) row.interval = DataInterval{s.instant(at + 7), s.instant(at + 8)};
  row.run_after = s.instant(at + 9);
  row.queued_at = s.instant(at + 10);
  row.started_at = s.maybe_instant(at + 11);
  row.ended_at = s.maybe_instant(at + 12);
  row.conf = s.text(at + 13);
  row.note = s.text(at + 14);
  row.triggered_by = s.text(at + 15);
  row.backfill = s.integer(at + 16);
  row.clear_count = s.small(at + 17);
  return row;
}

InstanceRow instance_from(const Statement& s, int at) {
  InstanceRow row;
  row.key = {s.integer(at), static_cast<TaskIndex>(s.integer(at + 1)), s.small(at + 2)};
  row.state = s.as<TaskState>(at + 3);
  row.try_number = s.small(at + 4);
  row.max_tries = s.small(at + 5);
  row.infrastructure_losses = s.small(at + 6);
  row.scheduled_at = s.maybe_instant(at + 7);
  row.queued_at = s.maybe_instant(at + 8);
  row.started_at = s.maybe_instant(at + 9);
  row.ended_at = s.maybe_instant(at + 10);
  row.first_started_at = s.maybe_instant(at + 11);
  row.wake_at = s.maybe_instant(at + 12);
  row.contact_lost_since = s.maybe_instant(at + 13);
  row.open_try = s.uuid(at + 14);
  row.note = s.text(at + 15);
  row.rendered_map_index = s.text(at + 16);
  row.resume = s.text(at + 17);
  row.reschedules = s.small(at + 18);
  return row;
}

TryRow try_from(const Statement& s, int at) {
  TryRow row;
  row.instance = {s.integer(at), static_cast<TaskIndex>(s.integer(at + 1)), s.small(at + 2)};
  row.number = s.small(at + 3);
  row.id = s.uuid(at + 4);
  row.launch = s.small(at + 5);
  row.executor = s.text(at + 6);
  row.session = s.text(at + 7);
  row.host = s.text(at + 8);
  row.pid = s.small(at + 9);
  row.queued_at = s.instant(at + 10);
  row.started_at = s.maybe_instant(at + 11);
  row.final_state = s.as<TaskState>(at + 12);
  const auto place = [&s](int column) {
    return LogPlace{static_cast<std::uint64_t>(s.integer(column)),
                    static_cast<std::uint64_t>(s.integer(column + 1))};
  };
  row.log = place(at + 13);
  if (!s.is_null(at + 15)) {
    StopOrder& stop = row.stop.emplace();
    stop.then = s.as<TaskState>(at + 15);
    stop.overrules_success = s.small(at + 16) != 0;
    if (!s.is_null(at + 17)) stop.run_then = s.as<RunState>(at + 17);
    stop.reason = s.text(at + 18);
  }
  if (!s.is_null(at + 32)) row.worker = s.text(at + 32);
  if (!s.is_null(at + 33)) row.report = s.text(at + 33);
  if (!s.is_null(at + 34)) row.rendered = s.text(at + 34);
  if (s.is_null(at + 19)) return row;
  Outcome& outcome = row.outcome.emplace();
  outcome.cause = s.as<Cause>(at + 19);
  outcome.exit_code = s.small(at + 20);
  outcome.raw_status = s.small(at + 21);
  outcome.message = s.text(at + 22);
  outcome.log_matched = s.small(at + 23) != 0;
  outcome.started_at = s.instant(at + 24);
  outcome.ended_at = s.instant(at + 25);
  outcome.log_lines = static_cast<std::uint64_t>(s.integer(at + 26));
  outcome.log_bytes = static_cast<std::uint64_t>(s.integer(at + 27));
  outcome.log_hash = s.text(at + 28);
  outcome.log_cut = s.small(at + 29) != 0;
  outcome.log = place(at + 30);
  return row;
}

BackfillRow backfill_from(const Statement& s, int at) {
  BackfillRow row;
  row.key = s.integer(at);
  row.dag_id = s.text(at + 1);
  row.from = s.instant(at + 2);
  row.to = s.instant(at + 3);
  row.max_active_runs = s.small(at + 4);
  row.is_paused = s.small(at + 5) != 0;
  row.run_backwards = s.small(at + 6) != 0;
  row.reprocess = s.as<BackfillRow::Reprocess>(at + 7);
  row.conf = s.text(at + 8);
  row.created_at = s.instant(at + 9);
  row.completed_at = s.maybe_instant(at + 10);
  row.created_by = s.text(at + 11);
  return row;
}

namespace {

template <class T>
T value_of(Result<T> result) {
  if (!result) throw Failure{result.error()};
  return *std::move(result);
}

}  // namespace

HumanInput human_input_from(const Statement& s, int at) {
  HumanInput row;
  row.instance = {s.integer(at), static_cast<TaskIndex>(s.integer(at + 1)), s.small(at + 2)};
  row.try_number = s.small(at + 3);
  row.try_id = s.uuid(at + 4);
  row.options = value_of(texts_from_json(s.text(at + 5)));
  row.subject = s.text(at + 6);
  if (!s.is_null(at + 7)) row.body = s.text(at + 7);
  if (!s.is_null(at + 8)) row.defaults = value_of(texts_from_json(s.text(at + 8)));
  row.is_multiple = s.small(at + 9) != 0;
  row.params = s.text(at + 10);
  row.assigned = value_of(people_from_json(s.text(at + 11)));
  row.asked_at = s.instant(at + 12);
  if (s.is_null(at + 13)) return row;
  HumanInput::Answer& answer = row.answer.emplace();
  answer.at = s.instant(at + 13);
  if (!s.is_null(at + 14)) answer.by = HumanInput::Person{s.text(at + 14), s.text(at + 15)};
  answer.chosen = value_of(texts_from_json(s.text(at + 16)));
  answer.params_input = s.text(at + 17);
  return row;
}

AssetRow asset_from(const Statement& s, int at) {
  AssetRow row;
  row.key = s.integer(at);
  row.asset = {s.text(at + 1), s.text(at + 2), s.text(at + 3), s.text(at + 4)};
  row.is_active = s.small(at + 5) != 0;
  row.created_at = s.instant(at + 6);
  row.updated_at = s.instant(at + 7);
  return row;
}

}  // namespace etesian::sqlite
