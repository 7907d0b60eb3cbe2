#include "template/moment.h"

#include <fmt/format.h>

#include <algorithm>

namespace etesian::templates {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::seconds;

constexpr std::int64_t YearMin = 1, YearMax = 9999;

Instant bound(std::int64_t year) {
  return std::chrono::sys_days(std::chrono::year(static_cast<int>(year)) / 1 / 1);
}

Error out_of_range() { return {ErrorCode::InvalidInput, "the date leaves the years 1 to 9999"}; }

Result<Moment> in_range(Moment moment) {
  if (moment.at < bound(YearMin) || moment.at >= bound(YearMax + 1)) return out_of_range();
  return moment;
}

Instant wall_of(const Moment& moment) {
  if (moment.form != Moment::Form::Aware) return moment.at;
  return moment.at + moment.zone.offset_at(moment.at);
}

Moment with_wall(Moment moment, Instant wall) {
  if (moment.form != Moment::Form::Aware) return moment.at = wall, moment;
  const auto whole = floor<seconds>(wall);
  const TimeZone::Meaning meaning = moment.zone.meaning_of(LocalTime(whole.time_since_epoch()));
  const bool gap = meaning.kind == TimeZone::Meaning::Kind::Gap;
  // A reading in a gap counts on from before it; the second of two equal readings is taken.
  moment.at = wall - (gap ? meaning.before : meaning.after);
  return moment;
}

/// False on overflow.
bool add_scaled(std::int64_t& total, std::int64_t count, std::int64_t unit) {
  std::int64_t scaled = 0;
  return !__builtin_mul_overflow(count, unit, &scaled) &&
         !__builtin_add_overflow(total, scaled, &total);
}

}  // namespace

Parts parts_of(const Moment& moment) {
  const Instant wall = wall_of(moment);
  const auto day = floor<days>(wall);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(wall - day);
  Parts p;
  p.year = static_cast<int>(date.year());
  p.month = static_cast<unsigned>(date.month());
  p.day = static_cast<unsigned>(date.day());
  p.hour = static_cast<int>(time.hours().count());
  p.minute = static_cast<int>(time.minutes().count());
  p.second = static_cast<int>(time.seconds().count());
  p.microsecond = static_cast<int>(time.subseconds().count());
  p.weekday = static_cast<int>(std::chrono::weekday(day).iso_encoding()) - 1;
  p.yearday = static_cast<int>((day - std::chrono::sys_days(date.year() / 1 / 1)).count()) + 1;
  return p;
}

Result<Instant> instant_from_parts(const Parts& parts) {
  if (parts.year < YearMin || parts.year > YearMax) return out_of_range();
  const auto date =
      std::chrono::year(parts.year) / static_cast<int>(parts.month) / static_cast<int>(parts.day);
  if (!date.ok()) return Error{ErrorCode::InvalidInput, "this day does not exist in the calendar"};
  const auto within = [](int value, int limit) { return value >= 0 && value < limit; };
  if (!within(parts.hour, 24) || !within(parts.minute, 60) || !within(parts.second, 60) ||
      !within(parts.microsecond, 1'000'000)) {
    return Error{ErrorCode::InvalidInput, "this time of day does not exist"};
  }
  return std::chrono::sys_days(date) + std::chrono::hours(parts.hour) +
         std::chrono::minutes(parts.minute) + seconds(parts.second) + Duration(parts.microsecond);
}

std::optional<Delta> delta_from(const Shift& shift) {
  std::int64_t micros = shift.microseconds;
  const bool fits = add_scaled(micros, shift.seconds, 1'000'000) &&
                    add_scaled(micros, shift.minutes, 60'000'000) &&
                    add_scaled(micros, shift.hours, 3'600'000'000) &&
                    add_scaled(micros, shift.days, 86'400'000'000) &&
                    add_scaled(micros, shift.weeks, 7 * 86'400'000'000);
  return fits ? std::optional(Delta(micros)) : std::nullopt;
}

Result<Moment> moved(const Moment& moment, Delta by) {
  Moment out = moment;
  // A date moves by whole days.
  const Delta step = moment.form == Moment::Form::Date ? Delta(floor<days>(by)) : by;
  std::int64_t at = 0;
  if (__builtin_add_overflow(moment.at.time_since_epoch().count(), step.count(), &at))
    return out_of_range();
  out.at = Instant(Duration(at));
  return in_range(out);
}

Result<Moment> shifted(const Moment& moment, const Shift& shift) {
  Shift rest = shift;
  rest.years = rest.months = 0;
  const auto delta = delta_from(rest);
  std::int64_t months = shift.months;
  if (!delta || !add_scaled(months, shift.years, 12)) return out_of_range();
  if (months == 0 && shift.weeks == 0 && shift.days == 0) return moved(moment, *delta);

  const Instant wall = wall_of(moment);
  const auto day = floor<days>(wall);
  const std::chrono::year_month_day date(day);
  std::int64_t month = static_cast<int>(date.year()) * 12 +
                       static_cast<std::int64_t>(static_cast<unsigned>(date.month())) - 1;
  if (__builtin_add_overflow(month, months, &month)) return out_of_range();
  if (month < YearMin * 12 || month >= (YearMax + 1) * 12) return out_of_range();
  const auto first = std::chrono::year(static_cast<int>(month / 12)) /
                     std::chrono::month(static_cast<unsigned>(month % 12 + 1));
  const auto last = (first / std::chrono::last).day();
  const Instant target = std::chrono::sys_days(first / std::min(date.day(), last)) + (wall - day);
  Moment probe = moment;
  probe.form = Moment::Form::Naive;
  probe.at = target;
  const auto moved_wall = moved(probe, *delta);
  if (!moved_wall) return moved_wall.error();
  return in_range(with_wall(moment, moved_wall->at));
}

std::string iso_text(const Moment& moment, char separator) {
  const Parts p = parts_of(moment);
  std::string out = fmt::format("{:04}-{:02}-{:02}", p.year, p.month, p.day);
  if (moment.form == Moment::Form::Date) return out;
  out += fmt::format("{}{:02}:{:02}:{:02}", separator, p.hour, p.minute, p.second);
  if (p.microsecond != 0) out += fmt::format(".{:06}", p.microsecond);
  if (moment.form == Moment::Form::Naive) return out;
  const auto offset = moment.zone.offset_at(moment.at).count();
  const auto size = std::abs(offset);
  out += fmt::format("{}{:02}:{:02}", offset < 0 ? '-' : '+', size / 3600, size / 60 % 60);
  if (size % 60 != 0) out += fmt::format(":{:02}", size % 60);
  return out;
}

std::string delta_text(Delta delta) {
  const auto whole = floor<days>(delta);
  const std::chrono::hh_mm_ss time(delta - whole);
  std::string out;
  if (whole.count() != 0)
    out = fmt::format("{} day{}, ", whole.count(), std::abs(whole.count()) == 1 ? "" : "s");
  out += fmt::format("{}:{:02}:{:02}", time.hours().count(), time.minutes().count(),
                     time.seconds().count());
  if (time.subseconds().count() != 0) out += fmt::format(".{:06}", time.subseconds().count());
  return out;
}

}  // namespace etesian::templates
