#pragma once
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/file.h"
#include "base/time_text.h"
#include "base/time_zone.h"
#include "timetable/timetable.h"

namespace etesian::test {

inline Instant at(std::string_view text) { return *instant_from_text(text); }

inline std::string golden(const std::string& name) {
  return *read_file(std::string(ETESIAN_SOURCE_DIR) + "/tests/golden/oracle/" + name);
}

struct CronCase {
  std::string expression;
  std::string zone = "UTC";
  DstPolicy dst = *dst_policy_named("first");
};

inline Schedule schedule_of(const CronCase& c) {
  CronSchedule cron;
  cron.expressions = {c.expression};
  cron.timezone = c.zone;
  cron.dst = c.dst;
  Schedule schedule;
  schedule.kind = cron;
  return schedule;
}

/// "2024-03-09T07:00Z" as the vector file writes it.
inline std::string short_text(Instant t) { return to_iso_z(t).substr(0, 16) + "Z"; }

inline std::string note_text(FireTime::Note note) {
  switch (note) {
    case FireTime::Note::None: return "";
    case FireTime::Note::FirstPass: return " (first pass)";
    case FireTime::Note::SecondPass: return " (second pass)";
    case FireTime::Note::MovedByDst: return " (moved by DST)";
    case FireTime::Note::MovedByHoliday: return " (moved by holiday)";
  }
  return "";
}

/// The next fire times in the form of the vector file, or the error's message.
inline std::string fires(const Schedule& schedule, std::string_view after, std::size_t count) {
  const auto timetable = Timetable::compile(schedule);
  if (!timetable) return timetable.error().message;
  std::string out;
  for (const FireTime& fire : timetable->fire_times(at(after), count))
    out += (out.empty() ? "" : ", ") + short_text(fire.at);
  return out;
}

}  // namespace etesian::test
