#include "base/time_text.h"

#include <gtest/gtest.h>

namespace etesian {
namespace {

std::string read_instant(std::string_view text) {
  const auto t = instant_from_text(text);
  return t ? to_iso(*t) : t.error().message;
}

TEST(Instants, are_printed_as_python_prints_them) {
  EXPECT_EQ(to_iso(*instant_from_text("2024-08-15T05:01:43Z")), "2024-08-15T05:01:43+00:00");
  EXPECT_EQ(to_iso(*instant_from_text("2024-08-15T05:01:43.5Z")),
            "2024-08-15T05:01:43.500000+00:00");
  EXPECT_EQ(to_iso_z(*instant_from_text("1969-12-31T23:59:59.000001")),
            "1969-12-31T23:59:59.000001Z");
}

TEST(Instants, are_read_in_the_forms_people_write) {
  EXPECT_EQ(read_instant("2013-01-01"), "2013-01-01T00:00:00+00:00");
  EXPECT_EQ(read_instant("2024-03-09T00:00Z"), "2024-03-09T00:00:00+00:00");
  EXPECT_EQ(read_instant("2024-03-09 10:20:30.25+09:00"), "2024-03-09T01:20:30.250000+00:00");
  EXPECT_EQ(read_instant("2024-03-09T10:20-0330"), "2024-03-09T13:50:00+00:00");
  EXPECT_EQ(read_instant("2024-02-29T10:20+01"), "2024-02-29T09:20:00+00:00");
}

TEST(Instants, that_do_not_exist_are_refused_with_the_reason) {
  EXPECT_EQ(read_instant("2023-02-29"),
            "read time '2023-02-29': there is no such day; write it like 2024-03-09T00:00Z");
  EXPECT_EQ(read_instant("2023-02-28T24:00"),
            "read time '2023-02-28T24:00': the time of day is not hh:mm or hh:mm:ss; write it like "
            "2024-03-09T00:00Z");
  for (const char* text : {"", "tomorrow", "2024-1-1", "2024-01-01T", "2024-01-01T00:00:00.",
                           "2024-01-01T00:00+25:00", "2024-01-01T00:00Zx", "2024-01-01X00:00"})
    EXPECT_FALSE(instant_from_text(text)) << text;
}

TEST(Durations, are_read_and_printed_with_units) {
  const auto round_trip = [](std::string_view text) {
    const auto d = duration_from_text(text);
    return d ? to_text(*d) : d.error().message;
  };
  EXPECT_EQ(round_trip("30s"), "30s");
  EXPECT_EQ(round_trip("90"), "90s");
  EXPECT_EQ(round_trip("60m"), "1h");
  EXPECT_EQ(round_trip("1h30m"), "90m");
  EXPECT_EQ(round_trip("14d"), "2w");
  EXPECT_EQ(round_trip("1.5s"), "1500ms");
  EXPECT_EQ(round_trip("1d1us"), "1d1us");
  EXPECT_EQ(round_trip("0"), "0s");
  EXPECT_EQ(
      round_trip("5 m"),
      "read length of time '5 m': there is no unit ''; write it like 30s, 10m, 6h, 1d or 1h30m");
  for (const char* text : {"", "-5s", "5x", "s", "1h30", "101000w", "99999999999999999999", "1.s"})
    EXPECT_FALSE(duration_from_text(text)) << text;
}

}  // namespace
}  // namespace etesian
