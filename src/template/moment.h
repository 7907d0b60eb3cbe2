#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/time_zone.h"

namespace etesian::templates {

using Delta = Duration;

/// A date or a date-time as Python knows them.
struct Moment {
  enum class Form { Aware, Naive, Date };
  Instant at{};  ///< For Naive and Date: the wall reading as if it were UTC.
  TimeZone zone = TimeZone::utc();
  Form form = Form::Aware;
};

/// The parts of a wall reading.
struct Parts {
  int year = 1970;
  unsigned month = 1, day = 1;
  int hour = 0, minute = 0, second = 0, microsecond = 0;
  int weekday = 0;  ///< Monday = 0.
  int yearday = 1;  ///< January 1 = 1.
};
Parts parts_of(const Moment& moment);
/// Errors: InvalidInput (month 13, February 30, year outside 1 to 9999).
Result<Instant> instant_from_parts(const Parts& parts);

/// What `add` and `subtract` take. Years to days move the calendar, the rest moves elapsed time;
/// together with a calendar part everything moves the calendar (as pendulum does).
struct Shift {
  std::int64_t years = 0, months = 0, weeks = 0, days = 0;
  std::int64_t hours = 0, minutes = 0, seconds = 0, microseconds = 0;
};
/// The last day of the month replaces one that does not exist; a wall reading in a gap moves
/// forward. Errors: InvalidInput (year outside 1 to 9999).
Result<Moment> shifted(const Moment& moment, const Shift& shift);
/// Errors: InvalidInput (year outside 1 to 9999).
Result<Moment> moved(const Moment& moment, Delta by);
/// nullopt on overflow.
std::optional<Delta> delta_from(const Shift& shift);

/// Python's isoformat() with `separator` between date and time.
std::string iso_text(const Moment& moment, char separator = 'T');
/// Python's str(timedelta): "1 day, 2:00:00".
std::string delta_text(Delta delta);
/// C locale's strftime with Python's %f and glibc's '-' flag. Errors: InvalidInput (unknown code).
Result<std::string> format_moment(const Moment& moment, std::string_view format);
/// Naive, or aware where %z is read. Errors: InvalidInput. Never repeats the text, which may be
/// secret.
Result<Moment> moment_from_text(std::string_view text, std::string_view format);

}  // namespace etesian::templates
