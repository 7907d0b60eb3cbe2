#include "loader/airflow_timetable.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

#include "base/time_text.h"
#include "loader/airflow_json.h"
#include "timetable/timetable.h"

namespace etesian::airflow_json {
namespace {

namespace chrono = std::chrono;

const std::string kOtherwise = "use a cron expression or a timedelta";

/// Source: Airflow 3.3.2, airflow/utils/dates.py, cron_presets.
std::string without_preset(std::string expression) {
  static const std::map<std::string, std::string, std::less<>> kPresets = {
      {"@hourly", "0 * * * *"},  {"@daily", "0 0 * * *"},       {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"}, {"@quarterly", "0 0 1 */3 *"}, {"@yearly", "0 0 1 1 *"}};
  const auto preset = kPresets.find(expression);
  return preset == kPresets.end() ? expression : preset->second;
}

/// A zone's name; a fixed offset is written as its seconds.
std::string zone_name(const json::value& zone) {
  if (zone.is_string()) return std::string(zone.get_string());
  const int seconds = whole(zone, "'timezone'");
  if (seconds == 0) return "UTC";
  if (seconds % 60 != 0)
    refuse(fmt::format("a time zone of {} seconds", seconds), "use an offset of whole minutes");
  const int minutes = std::abs(seconds / 60);
  return fmt::format("{}{:02}:{:02}", seconds < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

/// str(datetime.timedelta) of Python.
std::string timedelta_text(Duration length) {
  const auto days = chrono::floor<chrono::days>(length);
  const Duration rest = length - days;
  const auto seconds = chrono::floor<chrono::seconds>(rest);
  const auto s = seconds.count();
  std::string text;
  if (days.count() != 0)
    text = fmt::format("{} day{}, ", days.count(), std::abs(days.count()) == 1 ? "" : "s");
  text += fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  if (rest != seconds) text += fmt::format(".{:06}", (rest - Duration(seconds)).count());
  return text;
}

struct Step {
  Duration length;
  std::string summary;
};

/// A relativedelta of days and smaller units; larger ones have no fixed length.
Step relative_step(const json::object& delta) {
  constexpr std::array<std::pair<std::string_view, double>, 5> kUnits = {{{"days", 86400.0},
                                                                          {"hours", 3600.0},
                                                                          {"minutes", 60.0},
                                                                          {"seconds", 1.0},
                                                                          {"microseconds", 1e-6}}};
  double seconds = 0;
  std::size_t known = 0;
  std::string shown;
  for (const auto& [unit, factor] : kUnits) {
    const json::value* given = member(delta, unit);
    if (given == nullptr) continue;
    ++known;
    const double n = number(*given, "a relativedelta");
    seconds += n * factor;
    shown += fmt::format("{}{}={:+g}", shown.empty() ? "" : ", ", unit, n);
  }
  if (known != delta.size())
    refuse("a relativedelta of calendar months, years or weekdays", kOtherwise);
  return {length(seconds, "a relativedelta"), "relativedelta(" + shown + ")"};
}

Step step_from(const json::value& delta) {
  if (const json::object* relative = delta.if_object()) return relative_step(*relative);
  const Duration fixed = length(delta, "'delta'");
  return {fixed, timedelta_text(fixed)};
}

Duration interval_of(const json::object& timetable) {
  const json::value* interval = member(timetable, "interval");
  return interval ? step_from(*interval).length : Duration(0);
}

std::optional<Duration> run_immediately(const json::object& timetable) {
  const json::value* given = member(timetable, "run_immediately");
  if (given == nullptr) return std::nullopt;
  if (given->is_bool()) return given->get_bool() ? std::optional(Duration::max()) : std::nullopt;
  return length(*given, "'run_immediately'");
}

AirflowTimetable cron(const json::object& timetable, IntervalRule rule) {
  CronSchedule schedule;
  if (const json::value* several = member(timetable, "expressions")) {
    for (const json::value& each : array(*several, "'expressions'"))
      schedule.expressions.push_back(without_preset(text(each, "an expression")));
  } else {
    schedule.expressions = {
        without_preset(text(required(timetable, "expression", "the timetable"), "'expression'"))};
  }
  schedule.timezone = zone_name(required(timetable, "timezone", "the timetable"));
  schedule.dst = *dst_policy_named("airflow");
  schedule.interval = rule;
  if (rule == IntervalRule::Trigger) {
    schedule.trigger_interval = interval_of(timetable);
    schedule.run_immediately = run_immediately(timetable);
  }
  std::string summary = fmt::format("{}", fmt::join(schedule.expressions, ", "));
  return {std::move(schedule), std::move(summary)};
}

AirflowTimetable even(const json::object& timetable, IntervalRule rule) {
  Step step = step_from(required(timetable, "delta", "the timetable"));
  IntervalSchedule schedule{step.length, rule};
  if (rule == IntervalRule::Trigger) schedule.trigger_interval = interval_of(timetable);
  return {schedule, std::move(step.summary)};
}

AirflowTimetable events(const json::object& timetable) {
  DatesSchedule schedule;
  for (const json::value& date :
       array(required(timetable, "event_dates", "the timetable"), "'event_dates'")) {
    const auto t = instant_from_text(text(date, "an event date"));
    if (!t) malformed("an event date", "is no date: " + t.error().message);
    schedule.dates.push_back(*t);
  }
  std::string summary = fmt::format("{} events", schedule.dates.size());
  if (const json::value* given = member(timetable, "_summary"))
    summary = text(*given, "'_summary'");
  std::sort(schedule.dates.begin(), schedule.dates.end());
  schedule.dates.erase(std::unique(schedule.dates.begin(), schedule.dates.end()),
                       schedule.dates.end());
  const json::value* restricted = member(timetable, "restrict_to_events");
  schedule.restrict_to_dates = restricted && flag(*restricted, "'restrict_to_events'");
  return {std::move(schedule), std::move(summary)};
}

AirflowTimetable asset_or_time(const json::object& timetable) {
  const json::value& time = required(timetable, "timetable", "the timetable");
  // Airflow refuses asset timetables inside; so does the depth of this recursion end at one.
  if (const auto wrapped = unwrap(time); wrapped && wrapped->type.ends_with("AssetOrTimeSchedule"))
    malformed("the timetable", "nests AssetOrTimeSchedule");
  AirflowTimetable inner = timetable_from(time);
  inner.summary = "Asset or " + inner.summary;
  inner.asset_condition = &required(timetable, "asset_condition", "the timetable");
  return inner;
}

AirflowTimetable core_timetable(std::string_view name, const json::object& its) {
  if (name == "trigger.CronTriggerTimetable") return cron(its, IntervalRule::Trigger);
  if (name == "trigger.MultipleCronTriggerTimetable") return cron(its, IntervalRule::Trigger);
  if (name == "interval.CronDataIntervalTimetable") return cron(its, IntervalRule::SincePrevious);
  if (name == "trigger.DeltaTriggerTimetable") return even(its, IntervalRule::Trigger);
  if (name == "interval.DeltaDataIntervalTimetable") return even(its, IntervalRule::SincePrevious);
  if (name == "events.EventsTimetable") return events(its);
  if (name == "simple.NullTimetable") return {ManualSchedule{}, "None"};
  if (name == "simple.OnceTimetable") return {OnceSchedule{}, "@once"};
  if (name == "simple.ContinuousTimetable") return {ContinuousSchedule{}, "@continuous"};
  if (name == "simple.AssetTriggeredTimetable")
    return {ManualSchedule{}, "Asset", &required(its, "asset_condition", "the timetable")};
  if (name == "assets.AssetOrTimeSchedule") return asset_or_time(its);
  if (name == "trigger.CronPartitionTimetable" || name == "simple.PartitionedAssetTimetable" ||
      name == "simple.PartitionedAtRuntime")
    refuse(fmt::format("partitioned timetable ({})", name.substr(name.find('.') + 1)),
           "use a timetable without partitions");
  refuse(fmt::format("timetable {}", name), kOtherwise);
}

}  // namespace

AirflowTimetable timetable_from(const json::value& timetable) {
  constexpr std::string_view kCore = "airflow.timetables.";
  const auto wrapped = unwrap(timetable);
  if (!wrapped) malformed("'timetable'", "is not {\"__type\", \"__var\"}");
  if (!wrapped->type.starts_with(kCore))
    refuse(fmt::format("timetable of a plugin ({})", wrapped->type), kOtherwise);
  return core_timetable(wrapped->type.substr(kCore.size()), object(wrapped->value, "'timetable'"));
}

}  // namespace etesian::airflow_json
