#include "loader/when.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <set>

#include "base/time_text.h"
#include "base/time_zone.h"
#include "timetable/timetable.h"

namespace etesian {
namespace {

constexpr std::size_t kDatesMax = 10'000;

std::optional<Instant> read_instant(const YamlNode& node, std::string_view what,
                                    const std::string& zone, Report& report) {
  const auto text = text_of(node, what, report);
  if (!text) return std::nullopt;
  std::string problem;
  const auto instant = instant_in_zone(*text, zone, problem);
  if (!instant)
    report.error(
        node, fmt::format("'{}' must be a date or a time, not {}: {}", what, shown(node), problem),
        "write for example 2024-03-09 or 2024-03-09T02:30");
  return instant;
}

/// Reports what is wrong with one cron expression; the place is inside the text where it is known.
void check_cron(const YamlNode& node, const CronSchedule& schedule, Report& report) {
  CronSchedule one;
  one.expressions = {node.text};
  one.dst = schedule.dst;
  const auto compiled = Timetable::compile(Schedule{one, {}, {}, false, {}});
  if (compiled) return;
  std::string message = compiled.error().message;
  int column = 0;
  static const RE2 kPlace(R"((?:column|position|character) (\d+))");
  const bool has_place = RE2::PartialMatch(message, kPlace, &column) && column >= 1;
  const Mark place =
      has_place ? report.place(node, static_cast<std::size_t>(column - 1)) : node.start;
  report.add(Severity::Error, place,
             has_place ? 1 : std::max(1, node.end.column - node.start.column), std::move(message),
             "five fields: minute hour day month weekday, or a preset such as @daily");
}

bool is_manual(const YamlNode& node) {
  return node.is_null() || node.text == "@manual" || node.text == "manual";
}

/// "previous", "none" or a length before the fire time.
void read_data_interval(Section& section, IntervalRule& rule, Duration& length) {
  const YamlNode* node = section.get("data_interval");
  if (!node) return;
  rule = node->text == "previous" ? IntervalRule::SincePrevious : IntervalRule::Trigger;
  if (!node->is_scalar() || (node->text != "previous" && node->text != "none")) {
    if (const auto v =
            node->is_scalar() ? duration_from_text(node->text) : Error{ErrorCode::InvalidInput, ""})
      length = *v;
    else
      section.report().error(
          *node, fmt::format("'data_interval' must be previous, none or a length of time, not {}",
                             shown(*node)));
  }
}

void read_cron(Section& section, const std::vector<const YamlNode*>& nodes, When& when) {
  Report& report = section.report();
  CronSchedule cron;
  cron.timezone = when.timezone;
  cron.dst = when.dst;
  read_data_interval(section, cron.interval, cron.trigger_interval);
  std::vector<std::string> texts;
  for (const YamlNode* node : nodes) {
    texts.push_back(node->text);
    const bool is_special =
        node->text == "@once" || node->text == "@continuous" || is_manual(*node);
    if (!is_special) {
      check_cron(*node, cron, report);
      cron.expressions.push_back(node->text);
    } else if (nodes.size() > 1) {
      report.error(*node, fmt::format("'{}' cannot be one of several expressions", node->text));
    } else if (node->text == "@once") {
      when.schedule.kind = OnceSchedule{};
    } else if (node->text == "@continuous") {
      when.schedule.kind = ContinuousSchedule{};
    }
  }
  if (!cron.expressions.empty()) when.schedule.kind = std::move(cron);
  for (const std::string& text : texts)
    when.schedule_text += (when.schedule_text.empty() ? "" : " | ") + text;
}

void read_dates(const YamlNode& node, When& when, Report& report) {
  DatesSchedule schedule;
  if (!node.is_sequence() || node.items.empty() || node.items.size() > kDatesMax) {
    report.error(node, fmt::format("'dates' must be a list of 1 to {} dates", kDatesMax));
    return;
  }
  for (const YamlNode& item : node.items)
    if (const auto at = read_instant(item, "dates", when.timezone, report))
      schedule.dates.push_back(*at);
  std::sort(schedule.dates.begin(), schedule.dates.end());
  schedule.dates.erase(std::unique(schedule.dates.begin(), schedule.dates.end()),
                       schedule.dates.end());
  when.schedule_text = fmt::format("{} dates", schedule.dates.size());
  when.schedule.kind = std::move(schedule);
}

void read_kind(Section& section, When& when) {
  Report& report = section.report();
  const YamlNode* cron = section.get("cron");
  const YamlNode* every = section.get("every");
  const YamlNode* dates = section.get("dates");
  const YamlNode* extra = cron && every ? section.key_node("every") : nullptr;
  if ((cron || every) && dates) extra = section.key_node("dates");
  if (extra) report.error(*extra, "only one of 'cron', 'every' and 'dates' can be given");
  if (cron && !is_manual(*cron)) {
    read_cron(section, section.texts("cron"), when);
  } else if (every) {
    IntervalSchedule schedule;
    read_data_interval(section, schedule.interval, schedule.trigger_interval);
    if (const auto v = duration_of(*every, "every", report)) {
      if (*v < std::chrono::seconds(1)) report.error(*every, "'every' must be at least one second");
      schedule.every = *v;
      when.schedule_text = "every " + to_text(*v);
      when.schedule.kind = schedule;
    }
  } else if (dates) {
    read_dates(*dates, when, report);
  }
  const YamlNode* interval = section.get("data_interval");
  if (interval && !cron && !every)
    report.error(*section.key_node("data_interval"), "'data_interval' needs 'cron' or 'every'");
}

void read_holidays(const YamlNode& node, When& when, const ReadCalendar& read_calendar,
                   Report& report) {
  Section section(node, "'holidays'", report);
  HolidayRule rule;
  if (const auto v = section.choice("do", {"exclude", "shift_forward", "shift_backward"}))
    rule.action = static_cast<HolidayRule::Action>(*v);
  if (const auto v = section.flag("weekends")) rule.weekends = *v;
  const YamlNode* calendar = section.get("calendar");
  if (calendar) {
    if (const auto name = text_of(*calendar, "calendar", report)) {
      const auto text = read_calendar(*name);
      const auto days = text ? calendar_days(*text) : text.error();
      if (days)
        rule.days = *days;
      else
        report.error(*calendar, days.error().message,
                     "a name below 'calendars' of etesian.yaml, or a file beside this one");
    }
  } else if (!rule.weekends) {
    report.error(node, "'holidays' needs a 'calendar', or 'weekends: true'");
  }
  section.finish();
  when.schedule.holidays = std::move(rule);
}

void read_zone_and_dst(Section& section, When& when) {
  Report& report = section.report();
  if (const YamlNode* node = section.get("timezone"))
    if (const auto name = text_of(*node, "timezone", report)) {
      const auto zone = TimeZone::find(*name);
      if (zone)
        when.timezone = *name;
      else
        report.error(*node, zone.error().message,
                     "names are those of the tz database: Asia/Seoul, Europe/Berlin");
    }
  const YamlNode* dst = section.get("dst");
  if (!dst) return;
  if (dst->is_scalar()) {
    const auto policy = dst_policy_named(dst->text);
    if (policy)
      when.dst = *policy;
    else
      report.error(*dst, policy.error().message);
    return;
  }
  Section parts(*dst, "'dst'", report);
  if (const auto v = parts.choice("gap", {"skip", "at_transition", "shift"}))
    when.dst.gap = static_cast<DstGap>(*v);
  if (const auto v = parts.choice("fold", {"first", "second", "both"}))
    when.dst.fold = static_cast<DstFold>(*v);
  parts.finish();
}

/// Mistakes that only the whole schedule shows.
void check_schedule(const YamlNode& node, const When& when, Report& report) {
  const Schedule& schedule = when.schedule;
  if (schedule.start && schedule.end && *schedule.end < *schedule.start)
    report.error(*node.find("end"), "'end' is before 'start'");
  if (schedule.catchup && !schedule.start &&
      !std::holds_alternative<ManualSchedule>(schedule.kind) &&
      !std::holds_alternative<DatesSchedule>(schedule.kind))
    if (const YamlNode* catchup = node.find("catchup"))
      report.error(*catchup, "'catchup' needs 'start': the first run to catch up on");
  if (report.has_errors()) return;
  const auto compiled = Timetable::compile(schedule);
  if (!compiled) report.error(node, compiled.error().message);
}

}  // namespace

std::optional<Instant> instant_in_zone(const std::string& text, const std::string& zone,
                                       std::string& problem) {
  const auto at = instant_from_text(text);
  if (!at) {
    problem = at.error().message;
    return std::nullopt;
  }
  static const RE2 kHasOffset(R"(.*[T ].*([Zz]|[+-]\d\d(:?\d\d)?)\s*)");
  if (RE2::FullMatch(text, kHasOffset)) return *at;
  const auto found = TimeZone::find(zone);
  if (!found) return *at;  // the unknown zone is reported where it is written
  const auto wall = std::chrono::floor<std::chrono::seconds>(*at);
  const auto meaning = found->meaning_of(LocalTime(wall.time_since_epoch()));
  if (meaning.kind == TimeZone::Meaning::Kind::Gap) return meaning.transition;
  return *at - meaning.before;
}

Result<std::vector<std::string>> calendar_days(const std::string& text) {
  static const RE2 kLine(R"(\s*(\d{4}-\d\d-\d\d)?(\s.*|#.*|,.*)?)");
  std::set<std::string> days;
  int number = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    ++number;
    std::string day, rest;
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    const bool is_read = RE2::FullMatch(line, kLine, &day, &rest);
    const bool is_comment = day.empty() && (rest.find_first_not_of(" \t\r") == std::string::npos ||
                                            rest[rest.find_first_not_of(" \t\r")] == '#');
    if (is_read && is_comment) continue;
    if (!is_read || day.empty() || !instant_from_text(day))
      return Error{ErrorCode::InvalidInput,
                   fmt::format("calendar line {}: '{}' does not begin with a date", number,
                               line.substr(0, 40))};
    days.insert(day);
  }
  return std::vector<std::string>(days.begin(), days.end());
}

std::vector<Need> read_needs(const YamlNode& node, Report& report) {
  std::vector<Need> needs;
  std::vector<const YamlNode*> entries;
  if (node.is_sequence())
    for (const YamlNode& item : node.items) entries.push_back(&item);
  else
    entries.push_back(&node);
  for (const YamlNode* entry : entries) {
    Need need;
    need.line = entry->start.line;
    need.column = entry->start.column;
    if (entry->is_scalar() && !entry->is_null()) {
      need.dag = entry->text;
      needs.push_back(need);
      continue;
    }
    Section section(*entry, "'needs'", report);
    const YamlNode* dag = section.get("dag");
    if (dag) {
      need.line = dag->start.line;
      need.column = dag->start.column;
    }
    need.dag = section.text("dag").value_or("");
    need.task = section.text("task").value_or("");
    if (const auto v = section.choice("covers", {"data_interval", "logical_date", "latest"}))
      need.covers = static_cast<Need::Covers>(*v);
    if (const YamlNode* offset = section.get("offset")) {
      const bool is_back = offset->is_scalar() && offset->text.starts_with('-');
      YamlNode length = *offset;
      if (is_back) length.text.erase(0, 1);
      if (const auto v = duration_of(length, "offset", report)) need.offset = is_back ? -*v : *v;
    }
    if (const auto v = section.duration("fresh")) need.fresh = v;
    if (!dag && (entry->is_mapping() || entry->is_null()))
      report.error(*entry, "'needs' must name a 'dag'", "write {dag: its_id}");
    section.finish();
    if (!need.dag.empty()) needs.push_back(std::move(need));
  }
  return needs;
}

When read_when(const YamlNode& node, When when, WhenLevel level, const ReadCalendar& read_calendar,
               Report& report) {
  YamlNode shorthand;
  if (!node.is_mapping() && !node.is_null()) {  // when: "0 3 * * *"
    shorthand.kind = YamlNode::Kind::Mapping;
    shorthand.start = node.start;
    YamlNode key;
    key.text = "cron";
    shorthand.items = {key, node};
  }
  const YamlNode& mapping = shorthand.items.empty() ? node : shorthand;
  Section section(mapping, "'when'", report);
  read_zone_and_dst(section, when);
  if (const auto v = section.flag("catchup")) when.schedule.catchup = *v;
  if (const auto v = section.whole("max_active_runs", {1, 1'000'000})) when.max_active_runs = *v;
  if (const auto v = section.choice("overlap", {"wait", "skip", "cancel_oldest"}))
    when.overlap = static_cast<Overlap>(*v);
  if (const auto v = section.duration("run_timeout")) when.run_timeout = v;
  if (const auto v = section.flag("paused")) when.paused = *v;
  if (const YamlNode* holidays = section.get("holidays"))
    read_holidays(*holidays, when, read_calendar, report);
  if (level == WhenLevel::Dag) {
    read_kind(section, when);
    if (const YamlNode* start = section.get("start"))
      when.schedule.start = read_instant(*start, "start", when.timezone, report);
    if (const YamlNode* end = section.get("end"))
      when.schedule.end = read_instant(*end, "end", when.timezone, report);
    if (const YamlNode* needs = section.get("needs")) when.needs = read_needs(*needs, report);
    if (std::holds_alternative<ContinuousSchedule>(when.schedule.kind) &&
        !section.get("max_active_runs"))
      when.max_active_runs = 1;
    if (when.schedule_text.empty()) when.schedule_text = "@manual";
  }
  section.finish();
  if (level == WhenLevel::Dag) check_schedule(mapping, when, report);
  return when;
}

const Homes& when_keys() {
  static const Homes kKeys = [] {
    Homes keys;
    for (const char* key :
         {"cron", "every", "dates", "timezone", "start", "end", "catchup", "dst", "max_active_runs",
          "overlap", "holidays", "needs", "run_timeout", "paused", "data_interval"})
      keys.emplace_back(key, "when");
    return keys;
  }();
  return kKeys;
}

}  // namespace etesian
