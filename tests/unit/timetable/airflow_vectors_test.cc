#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "base/json.h"
#include "unit/timetable/support.h"

namespace etesian {
namespace {

using test::at;

std::vector<json::object> rows(const std::string& name) {
  std::vector<json::object> out;
  std::istringstream file(test::golden(name));
  for (std::string line; std::getline(file, line);) out.push_back(parse_json(line)->as_object());
  return out;
}

std::string text(const json::value& v) { return std::string(v.as_string()); }

Duration length(const json::value& v) { return std::chrono::seconds(v.to_number<std::int64_t>()); }

CronSchedule cron_schedule(const json::object& timetable) {
  CronSchedule cron;
  if (const auto* expression = timetable.if_contains("expression"))
    cron.expressions = {text(*expression)};
  else
    for (const auto& each : timetable.at("expressions").as_array())
      cron.expressions.push_back(text(each));
  cron.timezone = text(timetable.at("timezone"));
  cron.dst = *dst_policy_named("airflow");
  if (timetable.at("type") == "CronDataIntervalTimetable") return cron;
  cron.interval = IntervalRule::Trigger;
  cron.run_immediately = std::nullopt;
  if (const auto* interval = timetable.if_contains("interval"))
    cron.trigger_interval = length(*interval);
  if (const auto* immediately = timetable.if_contains("run_immediately")) {
    if (immediately->is_number()) cron.run_immediately = length(*immediately);
    if (immediately->is_bool() && immediately->as_bool()) cron.run_immediately = Duration::max();
  }
  return cron;
}

Schedule schedule_of(const json::object& row) {
  const auto& timetable = row.at("timetable").as_object();
  const std::string type = text(timetable.at("type"));
  Schedule schedule;
  if (!row.at("start").is_null()) schedule.start = at(text(row.at("start")));
  if (!row.at("end").is_null()) schedule.end = at(text(row.at("end")));
  schedule.catchup = row.at("catchup").as_bool();
  if (type == "DeltaDataIntervalTimetable") {
    schedule.kind = IntervalSchedule{length(timetable.at("delta"))};
  } else if (type == "DeltaTriggerTimetable") {
    schedule.kind = IntervalSchedule{length(timetable.at("delta")), IntervalRule::Trigger,
                                     length(timetable.at("interval"))};
  } else if (type == "EventsTimetable") {
    DatesSchedule dates;
    for (const auto& date : timetable.at("dates").as_array()) dates.dates.push_back(at(text(date)));
    std::sort(dates.dates.begin(), dates.dates.end());
    dates.restrict_to_dates = timetable.at("restrict_to_events").as_bool();
    schedule.kind = dates;
  } else if (type == "OnceTimetable") {
    schedule.kind = OnceSchedule{};
  } else if (type == "ContinuousTimetable") {
    schedule.kind = ContinuousSchedule{};
  } else if (type != "NullTimetable") {
    schedule.kind = cron_schedule(timetable);
  }
  return schedule;
}

std::string to_text(const RunSlot& slot) {
  return "after " + to_iso_z(slot.run_after) + " date " + to_iso_z(slot.logical_date) + " [" +
         to_iso_z(slot.interval.start) + ", " + to_iso_z(slot.interval.end) + ")";
}

RunSlot slot_of(const json::object& run) {
  return {at(text(run.at("run_after"))),
          at(text(run.at("logical_date"))),
          {at(text(run.at("start"))), at(text(run.at("end")))}};
}

/// Airflow's MultipleCronTriggerTimetable prefers, without catch-up, the newest run that is due by
/// a clock that the recording could not freeze; these rows are checked by its rule on single
/// timetables. Our own timetable uses `now` (see timetable_test.cc).
std::optional<RunSlot> next_by_recording_clock(const std::vector<Timetable>& each,
                                               const std::optional<RunSlot>& last, Instant now) {
  const Instant recorded = at("2026-08-01T00:00Z");
  std::optional<RunSlot> best;
  const auto key = [&](const RunSlot& slot) {
    const auto t = slot.logical_date.time_since_epoch().count();
    return slot.logical_date <= recorded ? -t : t;
  };
  for (const Timetable& timetable : each)
    if (const auto slot = timetable.next_run(last, now); slot && (!best || key(*slot) < key(*best)))
      best = slot;
  return best;
}

std::vector<Timetable> one_for_each_expression(const Schedule& schedule) {
  std::vector<Timetable> out;
  const auto* cron = std::get_if<CronSchedule>(&schedule.kind);
  if (cron == nullptr) return {*Timetable::compile(schedule)};
  for (const std::string& expression : cron->expressions) {
    Schedule single = schedule;
    std::get<CronSchedule>(single.kind).expressions = {expression};
    out.push_back(*Timetable::compile(single));
  }
  return out;
}

/// The recording's tz database had daylight saving in Morocco after 2026, which was given up since.
bool is_known_by_the_database(const json::object& row, Instant run_after) {
  const auto* zone = row.at("timetable").as_object().if_contains("timezone");
  return zone == nullptr || text(*zone) != "Africa/Casablanca" || run_after < at("2026-09-01");
}

std::string runs_of(const json::object& row, const std::vector<RunSlot>& runs) {
  std::string out;
  for (const RunSlot& run : runs)
    if (is_known_by_the_database(row, run.run_after)) out += to_text(run) + "\n";
  return out;
}

void expect_manual_interval(const Timetable& timetable, const json::object& row) {
  const auto& manual = row.at("manual").as_object();
  const Instant run_after = at(text(manual.at("run_after")));
  const DataInterval airflow{at(text(manual.at("start"))), at(text(manual.at("end")))};
  const DataInterval interval = timetable.manual_interval(run_after);
  const bool has_intervals =
      row.at("timetable").as_object().at("type") == "CronDataIntervalTimetable";
  if (has_intervals && (airflow.start >= airflow.end || airflow.end > run_after)) {
    // apache/airflow#70089, where we differ on purpose.
    EXPECT_LT(interval.start, interval.end) << json::serialize(row);
    EXPECT_LE(interval.end, run_after) << json::serialize(row);
    return;
  }
  EXPECT_EQ(to_iso_z(interval.start) + " " + to_iso_z(interval.end),
            to_iso_z(airflow.start) + " " + to_iso_z(airflow.end))
      << "manual run of " << json::serialize(row);
}

TEST(AirflowVectors, timetables_give_the_recorded_runs) {
  std::size_t checked = 0;
  for (const auto& row : rows("timetables.jsonl")) {
    const Schedule schedule = schedule_of(row);
    const auto timetable = Timetable::compile(schedule);
    ASSERT_TRUE(timetable) << timetable.error().message;
    const auto each =
        schedule.catchup ? std::vector{*timetable} : one_for_each_expression(schedule);
    const Instant now = at(text(row.at("now")));
    std::optional<RunSlot> last;
    if (row.at("last").is_object()) last = slot_of(row.at("last").as_object());
    std::vector<RunSlot> expected, got;
    for (const auto& run : row.at("runs").as_array()) expected.push_back(slot_of(run.as_object()));
    while (got.size() < 5) {
      const auto next = next_by_recording_clock(each, last, now);
      if (!next) break;
      if (each.size() == 1) {
        EXPECT_EQ(timetable->next_run(last, now), next);
      }
      got.push_back(*next);
      last = next;
    }
    EXPECT_EQ(runs_of(row, got), runs_of(row, expected)) << json::serialize(row);
    if (row.contains("manual")) expect_manual_interval(*timetable, row);
    ++checked;
  }
  EXPECT_GT(checked, 200U);
}

TEST(AirflowVectors, the_same_expressions_are_accepted) {
  for (const auto& row : rows("cron_checks.jsonl")) {
    const auto timetable = Timetable::compile(test::schedule_of(
        {text(row.at("expression")), text(row.at("timezone")), *dst_policy_named("airflow")}));
    EXPECT_EQ(bool(timetable), row.at("valid").as_bool()) << row;
    if (!timetable || !row.at("valid").as_bool()) continue;
    const auto fires = timetable->fire_times(at("2024-01-01T00:00:30Z") - Duration(1), 1);
    const auto* first = row.if_contains("first");
    EXPECT_EQ(fires.empty() ? "none" : to_iso_z(fires.front().at), first ? text(*first) : "none")
        << row;
  }
}

}  // namespace
}  // namespace etesian
