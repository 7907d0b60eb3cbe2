#include <algorithm>
#include <charconv>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/query.h"
#include "timetable/timetable.h"

namespace etesian::api {
namespace {

/// More runs than this are refused: nobody means them.
constexpr std::size_t RunsMax = 10'000;

Result<BackfillRow> find(Reading& reading, BackfillKey key) {
  Paging paging{.limit = 1000, .offset = 0, .order_by = "-id"};
  while (true) {
    const auto page = reading.store.backfills(std::nullopt, paging);
    if (!page) return page.error();
    for (const auto& row : page->rows) {
      if (row.key == key) return row;
    }
    paging.offset += paging.limit;
    if (paging.offset >= page->total) {
      return Error{ErrorCode::NotFound, "Could not find backfill with id " + std::to_string(key)};
    }
  }
}

Result<BackfillRow> find(Reading& reading) {
  const std::string& text = reading.call.param("backfill_id");
  BackfillKey key = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return Error{ErrorCode::NotFound, "Could not find backfill with this id"};
  }
  return find(reading, key);
}

http::Response backfill_response(Reading& reading, BackfillKey key) {
  const auto row = find(reading, key);
  return row ? ok(backfill_json(*row)) : refusal(row.error());
}

BackfillRow row_of(const Reading& reading) {
  const json::object& body = reading.call.body;
  BackfillRow row;
  row.dag_id = *body_text(body, "dag_id");
  row.from = *body_instant(body, "from_date");
  row.to = *body_instant(body, "to_date");
  row.run_backwards = body_flag(body, "run_backwards").value_or(false);
  const std::string reprocess = body_text(body, "reprocess_behavior").value_or("none");
  row.reprocess = reprocess == "failed"      ? BackfillRow::Reprocess::Failed
                  : reprocess == "completed" ? BackfillRow::Reprocess::Completed
                                             : BackfillRow::Reprocess::None;
  row.max_active_runs = static_cast<int>(
      std::clamp<std::int64_t>(body_number(body, "max_active_runs").value_or(10), -1, 10'000));
  if (const auto* conf = body.if_contains("dag_run_conf"); conf != nullptr && conf->is_object()) {
    row.conf = json::serialize(*conf);
  }
  row.created_by = reading.call.request.user;
  row.created_at = reading.service().engine.clock().now();
  return row;
}

struct Planned {
  BackfillRow row;
  std::vector<RunSlot> slots;  ///< In the order in which the runs are made.
};

/// Checks the request against the DAG and lists the runs that the schedule has in the range.
Result<Planned> plan(Reading& reading) {
  Planned planned{row_of(reading), {}};
  const BackfillRow& row = planned.row;
  const auto summary = reading.store.dag(row.dag_id);
  if (!summary) {
    if (summary.error().code != ErrorCode::NotFound) return summary.error();
    return Error{ErrorCode::NotFound, "Could not find dag " + row.dag_id};
  }
  const auto version = reading.service().dags.of(*summary);
  if (version->dag == nullptr) {
    return Error{ErrorCode::Conflict,
                 "The definition of this Dag cannot be read; save its file again"};
  }
  if (row.to < row.from) return Error{ErrorCode::InvalidInput, "to_date is before from_date"};
  if (row.max_active_runs < 1) {
    return Error{ErrorCode::InvalidInput, "max_active_runs: at least 1"};
  }
  const auto timetable = Timetable::compile(version->dag->definition().schedule);
  if (!timetable) return timetable.error();
  if (timetable->is_manual()) {
    return Error{ErrorCode::InvalidInput,
                 row.dag_id + " has no schedule: there is nothing to backfill"};
  }
  planned.slots = timetable->runs_between(row.from, row.to, RunsMax + 1);
  if (planned.slots.size() > RunsMax) {
    return Error{ErrorCode::InvalidInput, "The range holds more than 10,000 runs; make it shorter"};
  }
  if (row.run_backwards) std::reverse(planned.slots.begin(), planned.slots.end());
  return planned;
}

/// Whether a run that is there already keeps the backfill from making one (Airflow's rule).
bool stands_in_the_way(const RunRow& run, BackfillRow::Reprocess reprocess) {
  if (!is_final(run.state)) return true;
  switch (reprocess) {
    case BackfillRow::Reprocess::None: return true;
    case BackfillRow::Reprocess::Failed: return run.state != RunState::Failed;
    case BackfillRow::Reprocess::Completed: return false;
  }
  return true;
}

Next set(Reading& reading, SetBackfill::To to) {
  const auto row = find(reading);
  if (!row) return refusal(row.error());
  if (row->completed_at) return http::error_response(409, "Backfill is already completed.");
  SetBackfill event;
  event.key = row->key;
  event.to = to;
  event.actor = reading.call.request.user;
  return Command{{event}, [key = row->key](Reading& later, const CommandDone&) -> Next {
                   return backfill_response(later, key);
                 }};
}

}  // namespace

Next list_backfills(Reading& reading) {
  const http::Request& request = reading.call.request;
  const auto page = reading.store.backfills(request.query_value("dag_id"), query_paging(request));
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& row : page->rows) rows.push_back(backfill_json(row));
  return listing("backfills", std::move(rows), page->total);
}

Next get_backfill(Reading& reading) {
  const auto row = find(reading);
  return row ? ok(backfill_json(*row)) : refusal(row.error());
}

Next create_backfill(Reading& reading) {
  const auto planned = plan(reading);
  if (!planned) return refusal(planned.error());
  CreateBackfill event;
  event.row = planned->row;
  return Command{{event}, [](Reading& later, const CommandDone& done) -> Next {
                   return backfill_response(later, done.backfill);
                 }};
}

Next create_backfill_dry_run(Reading& reading) {
  const auto planned = plan(reading);
  if (!planned) return refusal(planned.error());
  RunFilter filter;
  filter.dag_id = planned->row.dag_id;
  filter.logical_date.gte = planned->row.from;
  filter.logical_date.lte = planned->row.to;
  std::set<Instant> taken;
  auto done = for_each_run(reading, filter, [&](const RunRow& run) -> Result<Done> {
    if (run.logical_date && stands_in_the_way(run, planned->row.reprocess)) {
      taken.insert(*run.logical_date);
    }
    return Done{};
  });
  if (!done) return refusal(done.error());
  json::array rows;
  for (const auto& slot : planned->slots) {
    if (taken.count(slot.logical_date) != 0) continue;
    rows.push_back(json::object{{"logical_date", instant_json(slot.logical_date)},
                                {"partition_key", nullptr},
                                {"partition_date", nullptr}});
  }
  const auto total = static_cast<std::int64_t>(rows.size());
  return listing("backfills", std::move(rows), total);
}

Next pause_backfill(Reading& reading) { return set(reading, SetBackfill::To::Pause); }
Next unpause_backfill(Reading& reading) { return set(reading, SetBackfill::To::Resume); }
Next cancel_backfill(Reading& reading) { return set(reading, SetBackfill::To::Cancel); }

}  // namespace etesian::api
