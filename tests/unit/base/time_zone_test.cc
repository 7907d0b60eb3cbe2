#include "base/time_zone.h"

#include <gtest/gtest.h>

#include "base/time_text.h"

namespace etesian {
namespace {

Instant at(std::string_view text) { return *instant_from_text(text); }
LocalTime wall(std::string_view text) {
  return LocalTime(std::chrono::floor<std::chrono::seconds>(at(text)).time_since_epoch());
}

std::string meaning(const char* zone, std::string_view text) {
  const auto m = TimeZone::find(zone)->meaning_of(wall(text));
  const auto hours = [](std::chrono::seconds s) { return std::to_string(s.count() / 60) + "m"; };
  switch (m.kind) {
    case TimeZone::Meaning::Kind::Unique: return "unique " + hours(m.before);
    case TimeZone::Meaning::Kind::Gap:
      return "gap " + hours(m.before) + " -> " + hours(m.after) + " at " + to_iso_z(m.transition);
    case TimeZone::Meaning::Kind::Fold:
      return "fold " + hours(m.before) + " -> " + hours(m.after) + " at " + to_iso_z(m.transition);
  }
  return "";
}

TEST(TimeZone, says_what_a_wall_time_means) {
  EXPECT_EQ(meaning("America/New_York", "2024-03-10T01:59:59"), "unique -300m");
  EXPECT_EQ(meaning("America/New_York", "2024-03-10T02:00"),
            "gap -300m -> -240m at 2024-03-10T07:00:00Z");
  EXPECT_EQ(meaning("America/New_York", "2024-03-10T03:00"), "unique -240m");
  EXPECT_EQ(meaning("America/New_York", "2024-11-03T00:59:59"), "unique -240m");
  EXPECT_EQ(meaning("America/New_York", "2024-11-03T01:00"),
            "fold -240m -> -300m at 2024-11-03T06:00:00Z");
  EXPECT_EQ(meaning("America/New_York", "2024-11-03T02:00"), "unique -300m");
  EXPECT_EQ(meaning("Australia/Lord_Howe", "2024-10-06T02:10"),
            "gap 630m -> 660m at 2024-10-05T15:30:00Z");
  EXPECT_EQ(meaning("Pacific/Apia", "2011-12-30T12:00"),
            "gap -600m -> 840m at 2011-12-30T10:00:00Z");
  EXPECT_EQ(meaning("UTC", "2024-03-10T02:00"), "unique 0m");
}

TEST(TimeZone, keeps_daylight_saving_beyond_the_end_of_the_compiled_table) {
  const auto ny = *TimeZone::find("America/New_York");
  EXPECT_EQ(ny.to_iso_local(at("2090-07-01T12:00Z")), "2090-07-01T08:00:00-04:00");
  EXPECT_EQ(ny.to_iso_local(at("2090-12-01T12:00Z")), "2090-12-01T07:00:00-05:00");
  EXPECT_EQ(meaning("America/New_York", "2099-03-08T02:30"),
            "gap -300m -> -240m at 2099-03-08T07:00:00Z");
  EXPECT_EQ(meaning("Australia/Sydney", "2099-04-05T02:30"),
            "fold 660m -> 600m at 2099-04-04T16:00:00Z");
  EXPECT_EQ(meaning("Europe/Dublin", "2099-03-29T01:30"), "gap 0m -> 60m at 2099-03-29T01:00:00Z");
}

TEST(TimeZone, knows_the_stretch_around_an_instant) {
  const auto s = TimeZone::find("Europe/Berlin")->stretch_at(at("2024-05-01"));
  EXPECT_EQ(to_iso_z(s.begin), "2024-03-31T01:00:00Z");
  EXPECT_EQ(to_iso_z(s.end), "2024-10-27T01:00:00Z");
  EXPECT_EQ(s.offset, std::chrono::hours(2));
  EXPECT_EQ(s.abbreviation, "CEST");
}

TEST(TimeZone, takes_fixed_offsets) {
  EXPECT_EQ(TimeZone::find("+05:30")->to_iso_local(at("2024-05-01")), "2024-05-01T05:30:00+05:30");
  EXPECT_EQ(TimeZone::find("-03:00")->to_iso_local(at("2024-05-01")), "2024-04-30T21:00:00-03:00");
}

TEST(TimeZone, hints_at_the_zone_that_was_meant) {
  EXPECT_EQ(TimeZone::find("Asia/Soul").error().message,
            "find time zone 'Asia/Soul': there is no such zone; did you mean 'Asia/Seoul'?");
  EXPECT_EQ(TimeZone::find("New_York").error().message,
            "find time zone 'New_York': there is no such zone; did you mean 'America/New_York'?");
  for (const char* name : {"", "../../etc/passwd", "/etc/passwd", "America", "zone.tab", "+9:00"})
    EXPECT_FALSE(TimeZone::find(name)) << name;
}

TEST(TimeZone, database_has_a_version) { EXPECT_FALSE(time_zone_database_version().empty()); }

}  // namespace
}  // namespace etesian
