#include "timetable/timetable.h"

#include <gtest/gtest.h>

#include "unit/timetable/support.h"

namespace etesian {
namespace {

using test::at;

std::string error_of(const std::string& expression) {
  const auto timetable = Timetable::compile(test::schedule_of({expression}));
  return timetable ? "accepted" : timetable.error().message;
}

/// The next fire times as a person in the zone reads them, with their notes.
std::string local_fires(const Schedule& schedule, std::string_view after, std::size_t count) {
  const auto& cron = std::get<CronSchedule>(schedule.kind);
  const TimeZone zone = *TimeZone::find(cron.timezone);
  std::string out;
  for (const FireTime& fire : Timetable::compile(schedule)->fire_times(at(after), count))
    out += zone.to_iso_local(fire.at) + test::note_text(fire.note) + "\n";
  return out;
}

Schedule daily(const std::string& expression, const std::string& zone = "UTC",
               const char* policy = "first") {
  return test::schedule_of({expression, zone, *dst_policy_named(policy)});
}

TEST(CronErrors, name_the_field_the_element_and_its_column) {
  EXPECT_EQ(error_of("61 * * * *"),
            "read cron expression '61 * * * *': minute '61' at column 1: is not between 0 and 59");
  EXPECT_EQ(error_of("0 3 * * mon,fun"),
            "read cron expression '0 3 * * mon,fun': day of week 'fun' at column 13: is no number, "
            "name (sun-sat), range, step or nth weekday");
  EXPECT_EQ(error_of("*/0 * * * *"),
            "read cron expression '*/0 * * * *': minute '*/0' at column 1: the step after '/' is "
            "zero");
  EXPECT_EQ(error_of("15/0 * * * *"),
            "read cron expression '15/0 * * * *': minute '15/0' at column 1: the step after '/' is "
            "zero");
  EXPECT_EQ(error_of("0 3 * *"),
            "read cron expression '0 3 * *': it has 4 fields; write minute, hour, day of month, "
            "month and day of week, then optionally second and year");
  EXPECT_EQ(error_of("@dayly"),
            "read cron expression '@dayly': there is no such preset; there are @hourly, @daily, "
            "@midnight, @weekly, @monthly, @quarterly, @yearly and @annually");
  EXPECT_EQ(error_of("0 0 30 2 *"),
            "read cron expression '0 0 30 2 *': it never fires; no day of any year matches");
  EXPECT_EQ(error_of("0 0 1,15W * *"),
            "read cron expression '0 0 1,15W * *': day of month '15w' at column 7: 'W' takes one "
            "day, not a list or range");
}

TEST(Cron, has_last_and_nearest_and_nth_days) {
  const auto fires = [](const char* expression) {
    return test::fires(daily(expression), "2024-02-01T00:00Z", 3);
  };
  EXPECT_EQ(fires("0 0 L * *"), "2024-02-29T00:00Z, 2024-03-31T00:00Z, 2024-04-30T00:00Z");
  EXPECT_EQ(fires("0 0 L-2 * *"), "2024-02-27T00:00Z, 2024-03-29T00:00Z, 2024-04-28T00:00Z");
  EXPECT_EQ(fires("0 0 LW * *"), "2024-02-29T00:00Z, 2024-03-29T00:00Z, 2024-04-30T00:00Z");
  EXPECT_EQ(fires("0 0 15W 6,9 *"), "2024-06-14T00:00Z, 2024-09-16T00:00Z, 2025-06-16T00:00Z");
  EXPECT_EQ(fires("0 0 1W 6 *"), "2024-06-03T00:00Z, 2025-06-02T00:00Z, 2026-06-01T00:00Z");
  EXPECT_EQ(fires("0 0 * * 5L"), "2024-02-23T00:00Z, 2024-03-29T00:00Z, 2024-04-26T00:00Z");
  EXPECT_EQ(fires("0 0 * * L5"), fires("0 0 * * friL"));
  EXPECT_EQ(fires("0 0 * * mon#2"), "2024-02-12T00:00Z, 2024-03-11T00:00Z, 2024-04-08T00:00Z");
}

TEST(Cron, joins_both_day_fields_with_or) {
  EXPECT_EQ(test::fires(daily("0 0 13 * fri"), "2024-09-01T00:00Z", 4),
            "2024-09-06T00:00Z, 2024-09-13T00:00Z, 2024-09-20T00:00Z, 2024-09-27T00:00Z");
  EXPECT_EQ(test::fires(daily("0 0 13 * ?"), "2024-09-01T00:00Z", 2),
            "2024-09-13T00:00Z, 2024-10-13T00:00Z");
}

TEST(Cron, takes_seconds_as_sixth_field) {
  const auto timetable = *Timetable::compile(daily("0 3 * * * */30"));
  std::string out;
  for (const FireTime& fire : timetable.fire_times(at("2024-03-01T00:00Z"), 3))
    out += to_iso_z(fire.at) + " ";
  EXPECT_EQ(out, "2024-03-01T03:00:00Z 2024-03-01T03:00:30Z 2024-03-02T03:00:00Z ");
}

TEST(DaylightSaving, people_are_told_which_pass_and_what_moved) {
  EXPECT_EQ(local_fires(daily("30 2 * * *", "America/New_York"), "2024-03-09T00:00Z", 3),
            "2024-03-09T02:30:00-05:00\n"
            "2024-03-10T03:00:00-04:00 (moved by DST)\n"
            "2024-03-11T02:30:00-04:00\n");
  EXPECT_EQ(local_fires(daily("30 1 * * *", "America/New_York", "both"), "2024-11-02T12:00Z", 3),
            "2024-11-03T01:30:00-04:00 (first pass)\n"
            "2024-11-03T01:30:00-05:00 (second pass)\n"
            "2024-11-04T01:30:00-05:00\n");
  EXPECT_EQ(dst_policy_named("last").error().message,
            "read DST policy 'last': there are first, second, skip, both, debian, airflow");
}

TEST(DaylightSaving, holds_beyond_the_compiled_tables) {
  EXPECT_EQ(local_fires(daily("30 2 * * *", "America/New_York"), "2099-03-07T12:00Z", 2),
            "2099-03-08T03:00:00-04:00 (moved by DST)\n2099-03-09T02:30:00-04:00\n");
}

TEST(Holidays, are_left_out_or_moved_to_the_next_working_day) {
  Schedule schedule = daily("0 9 * * *", "Europe/Berlin");
  schedule.holidays = HolidayRule{HolidayRule::Action::Exclude, {"2024-12-25", "2024-12-26"}, true};
  EXPECT_EQ(local_fires(schedule, "2024-12-24T00:00Z", 3),
            "2024-12-24T09:00:00+01:00\n2024-12-27T09:00:00+01:00\n2024-12-30T09:00:00+01:00\n");

  schedule = daily("0 9 1,25,26 * *", "Europe/Berlin");
  schedule.holidays =
      HolidayRule{HolidayRule::Action::ShiftForward, {"2024-12-25", "2024-12-26"}, true};
  EXPECT_EQ(local_fires(schedule, "2024-11-28T00:00Z", 4),
            "2024-12-02T09:00:00+01:00 (moved by holiday)\n"
            "2024-12-27T09:00:00+01:00 (moved by holiday)\n"
            "2025-01-01T09:00:00+01:00\n"
            "2025-01-27T09:00:00+01:00 (moved by holiday)\n");
  schedule.holidays->action = HolidayRule::Action::ShiftBackward;
  EXPECT_EQ(local_fires(schedule, "2024-11-28T00:00Z", 2),
            "2024-11-29T09:00:00+01:00 (moved by holiday)\n"
            "2024-12-24T09:00:00+01:00 (moved by holiday)\n");
}

TEST(Holidays, two_runs_moved_onto_one_instant_are_one) {
  Schedule schedule = daily("0 9 * * *");
  schedule.holidays = HolidayRule{HolidayRule::Action::ShiftForward, {}, true};
  EXPECT_EQ(test::fires(schedule, "2024-03-08T00:00Z", 3),
            "2024-03-08T09:00Z, 2024-03-11T09:00Z, 2024-03-12T09:00Z");
}

TEST(Holidays, that_are_no_dates_are_refused) {
  Schedule schedule = daily("0 9 * * *");
  schedule.holidays = HolidayRule{HolidayRule::Action::Exclude, {"2024-02-30"}, false};
  EXPECT_EQ(Timetable::compile(schedule).error().message,
            "read holiday '2024-02-30': it is no date; write it like 2024-12-25");
}

TEST(ManualRun, gets_the_last_complete_interval_where_airflow_gives_an_empty_or_future_one) {
  const auto interval = [](const char* expression, const char* run_after) {
    const auto i = Timetable::compile(daily(expression, "America/New_York", "airflow"))
                       ->manual_interval(at(run_after));
    return test::short_text(i.start) + " " + test::short_text(i.end);
  };
  EXPECT_EQ(interval("0 2 * * *", "2024-03-10T07:30Z"), "2024-03-09T07:00Z 2024-03-10T07:00Z");
  EXPECT_EQ(interval("0 1 * * *", "2024-11-03T05:30Z"), "2024-11-01T05:00Z 2024-11-02T05:00Z");
}

TEST(NextRun, without_catch_up_is_the_newest_due_one_of_several_expressions) {
  Schedule schedule = daily("0 3 * * *");
  auto& cron = std::get<CronSchedule>(schedule.kind);
  cron.expressions.push_back("0 5 * * *");
  cron.interval = IntervalRule::Trigger;
  const auto timetable = *Timetable::compile(schedule);
  const auto first = timetable.next_run(std::nullopt, at("2024-03-10T06:00Z"));
  ASSERT_TRUE(first);
  EXPECT_EQ(test::short_text(first->run_after), "2024-03-10T05:00Z");
  const auto second = timetable.next_run(first, at("2024-03-10T06:00Z"));
  ASSERT_TRUE(second);
  EXPECT_EQ(test::short_text(second->run_after), "2024-03-11T03:00Z");
}

TEST(Backfill, makes_the_runs_whose_logical_date_lies_in_the_window) {
  const auto timetable = *Timetable::compile(daily("@daily", "Asia/Seoul"));
  std::string out;
  for (const RunSlot& run :
       timetable.runs_between(at("2024-03-01T00:00+09:00"), at("2024-03-03T00:00+09:00"), 100))
    out += test::short_text(run.logical_date) + " after " + test::short_text(run.run_after) + "\n";
  EXPECT_EQ(out,
            "2024-02-29T15:00Z after 2024-03-01T15:00Z\n"
            "2024-03-01T15:00Z after 2024-03-02T15:00Z\n"
            "2024-03-02T15:00Z after 2024-03-03T15:00Z\n");
  EXPECT_EQ(timetable.runs_between(at("2024-03-01"), at("2024-12-01"), 5).size(), 5U);
}

TEST(FireTimes, end_with_the_schedule) {
  Schedule schedule = daily("0 9 * * *");
  schedule.start = at("2024-03-01T12:00Z");
  schedule.end = at("2024-03-03T09:00Z");
  EXPECT_EQ(test::fires(schedule, "2020-01-01", 9), "2024-03-03T09:00Z, 2024-03-04T09:00Z");
  std::get<CronSchedule>(schedule.kind).interval = IntervalRule::Trigger;
  EXPECT_EQ(test::fires(schedule, "2020-01-01", 9), "2024-03-02T09:00Z, 2024-03-03T09:00Z");
  schedule = {};
  EXPECT_EQ(test::fires(schedule, "2020-01-01", 9), "");
}

TEST(Schedules, that_make_no_sense_are_refused) {
  Schedule schedule;
  schedule.kind = IntervalSchedule{};
  EXPECT_EQ(Timetable::compile(schedule).error().message,
            "read schedule: the interval must be positive, not 0s");
  EXPECT_EQ(Timetable::compile(daily("@daily", "Asia/Soul")).error().code, ErrorCode::InvalidInput);
}

TEST(Descriptions, are_sentences) {
  const auto describe = [](const char* expression) {
    return Timetable::compile(daily(expression, "Asia/Seoul"))->description();
  };
  EXPECT_EQ(describe("0 3 * * *"), "At 03:00, Asia/Seoul");
  EXPECT_EQ(describe("30 2,14 * * mon-fri"), "At 02:30 and 14:30 on Monday to Friday, Asia/Seoul");
  EXPECT_EQ(describe("*/15 * * * *"), "Every 15 minutes, Asia/Seoul");
  EXPECT_EQ(describe("@hourly"), "At minute 0 of every hour, Asia/Seoul");
  EXPECT_EQ(describe("0 0 L 1,7 *"),
            "At 00:00 on the last day of the month in January and July, Asia/Seoul");
  EXPECT_EQ(describe("0 6 * * mon#2"), "At 06:00 on the second Monday, Asia/Seoul");
  EXPECT_EQ(Timetable::compile(Schedule{})->description(), "Manual runs only");
}

}  // namespace
}  // namespace etesian
