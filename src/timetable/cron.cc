#include "timetable/cron.h"

#include <algorithm>
#include <bit>

namespace etesian {
namespace {

namespace chrono = std::chrono;
using chrono::seconds;

constexpr int kYearsMax = 50;  // croniter's max_years_between_matches

struct TimeOfDay {
  unsigned hour, minute, second;
};

TimeOfDay time_of_day(seconds since_midnight) {
  const auto s = static_cast<unsigned>(since_midnight.count());
  return {s / 3600, s / 60 % 60, s % 60};
}

/// Lowest bit of `bits` at or above `from`; nullopt when there is none.
template <class Bits>
std::optional<unsigned> lowest_from(Bits bits, unsigned from) {
  if (from >= sizeof(Bits) * 8) return std::nullopt;
  const auto rest = static_cast<Bits>(bits >> from << from);
  if (rest == 0) return std::nullopt;
  return static_cast<unsigned>(std::countr_zero(rest));
}

/// Highest bit of `bits` at or below `to`; nullopt when there is none.
template <class Bits>
std::optional<unsigned> highest_to(Bits bits, unsigned to) {
  const unsigned unused = static_cast<unsigned>(sizeof(Bits) * 8) - 1 - to;
  const auto rest = static_cast<Bits>(bits << unused >> unused);
  if (rest == 0) return std::nullopt;
  return static_cast<unsigned>(std::bit_width(rest)) - 1;
}

/// The times of a day, as three independent sets.
struct Times {
  std::uint32_t hours;
  std::uint64_t minutes, seconds;

  std::optional<chrono::seconds> first_from(TimeOfDay t) const {
    if (hours >> t.hour & 1) {
      if (minutes >> t.minute & 1)
        if (const auto s = lowest_from(seconds, t.second)) return at(t.hour, t.minute, *s);
      if (const auto m = lowest_from(minutes, t.minute + 1))
        return at(t.hour, *m, *lowest_from(seconds, 0));
    }
    const auto h = lowest_from(hours, t.hour + 1);
    if (!h) return std::nullopt;
    return at(*h, *lowest_from(minutes, 0), *lowest_from(seconds, 0));
  }

  std::optional<chrono::seconds> last_to(TimeOfDay t) const {
    if (hours >> t.hour & 1) {
      if (minutes >> t.minute & 1)
        if (const auto s = highest_to(seconds, t.second)) return at(t.hour, t.minute, *s);
      if (t.minute > 0)
        if (const auto m = highest_to(minutes, t.minute - 1))
          return at(t.hour, *m, *highest_to(seconds, 59));
    }
    if (t.hour == 0) return std::nullopt;
    const auto h = highest_to(hours, t.hour - 1);
    if (!h) return std::nullopt;
    return at(*h, *highest_to(minutes, 59), *highest_to(seconds, 59));
  }

 private:
  static chrono::seconds at(unsigned hour, unsigned minute, unsigned second) {
    return chrono::seconds(hour * 3600 + minute * 60 + second);
  }
};

unsigned days_in(chrono::year year, chrono::month month) {
  return static_cast<unsigned>((year / month / chrono::last).day());
}

}  // namespace

bool Cron::has_year(int year) const {
  if (!years_) return true;
  const int index = year - kFirstYear;
  return index >= 0 && index < 130 && (*years_)[static_cast<std::size_t>(index)];
}

std::uint32_t Cron::days_by_date(std::uint32_t all, unsigned last, unsigned first_weekday) const {
  if (nearest_) {
    const unsigned day = std::min(*nearest_, last);
    const unsigned weekday = (first_weekday + day - 1) % 7;
    unsigned nearest = day;
    if (weekday == 6) nearest = day > 1 ? day - 1 : day + 2;
    if (weekday == 0) nearest = day < last ? day + 1 : day - 2;
    return 1U << (nearest - 1);
  }
  if (is_any_day_) return all;
  std::uint32_t days = days_ & all;
  for (unsigned n = 0; n < last; ++n)
    if (days_before_last_ >> n & 1) days |= 1U << (last - 1 - n);
  return days;
}

std::uint32_t Cron::days_by_weekday(std::uint32_t all, unsigned last,
                                    unsigned first_weekday) const {
  std::uint32_t days = 0;
  for (unsigned weekday = 0; weekday < 7; ++weekday) {
    const unsigned first = (weekday + 7 - first_weekday) % 7 + 1;
    if (!has_nth_) {
      constexpr std::uint32_t kEverySeventh = 1U | 1U << 7 | 1U << 14 | 1U << 21 | 1U << 28;
      if (weekdays_ >> weekday & 1) days |= kEverySeventh << (first - 1);
      continue;
    }
    for (unsigned n = 1; n <= 5; ++n)
      if (nth_[weekday] >> n & 1)
        days |= static_cast<std::uint32_t>(1ULL << (first - 1 + 7 * (n - 1)));
    if (nth_[weekday] & 1) days |= 1U << (first - 1 + (last - first) / 7 * 7);
  }
  return days & all;
}

std::uint32_t Cron::days_of(chrono::year year, chrono::month month) const {
  const unsigned last = days_in(year, month);
  const auto all = static_cast<std::uint32_t>((1ULL << last) - 1);
  const unsigned first_weekday = chrono::weekday(chrono::sys_days(year / month / 1)).c_encoding();
  const std::uint32_t by_date = days_by_date(all, last, first_weekday);
  if (is_any_day_ || is_any_weekday_) {
    const bool is_weekday_free = is_any_weekday_ && !has_nth_;
    return is_weekday_free ? by_date : by_date & days_by_weekday(all, last, first_weekday);
  }
  // Both day fields are given: either may match. 'W' and '#' stay attached to both sides, so that
  // the other field then only repeats what they say (croniter's reading).
  const std::uint32_t by_weekday = days_by_weekday(all, last, first_weekday);
  if (has_nth_) return nearest_ ? by_date & by_weekday : by_weekday;
  return nearest_ ? by_date : by_date | by_weekday;
}

std::optional<LocalTime> Cron::next(LocalTime wall) const {
  const Times times{hours_, minutes_, seconds_};
  const LocalTime from = wall + seconds(1);
  const auto from_day = chrono::floor<chrono::days>(from);
  const Date date(from_day);
  unsigned first_day = static_cast<unsigned>(date.day());
  const auto today = times.first_from(time_of_day(from - from_day));
  const int year_max = static_cast<int>(date.year()) + kYearsMax;
  unsigned month = static_cast<unsigned>(date.month());
  for (int y = static_cast<int>(date.year()); y <= year_max; ++y, month = 1, first_day = 1) {
    if (!has_year(y)) continue;
    const chrono::year year(y);
    for (; month <= 12; ++month, first_day = 1) {
      if (!(months_ >> month & 1)) continue;
      std::uint32_t days = days_of(year, chrono::month(month)) >> (first_day - 1)
                                                                      << (first_day - 1);
      for (; days != 0; days &= days - 1) {
        const auto day = static_cast<unsigned>(std::countr_zero(days)) + 1;
        const auto midnight = chrono::sys_days(year / chrono::month(month) / chrono::day(day));
        const auto time = midnight == from_day ? today : times.first_from({0, 0, 0});
        if (time) return midnight + *time;
      }
    }
  }
  return std::nullopt;
}

std::optional<LocalTime> Cron::prev(LocalTime wall) const {
  const Times times{hours_, minutes_, seconds_};
  const LocalTime from = wall - seconds(1);
  const auto from_day = chrono::floor<chrono::days>(from);
  const Date date(from_day);
  unsigned last_day = static_cast<unsigned>(date.day());
  const auto today = times.last_to(time_of_day(from - from_day));
  const int year_min = static_cast<int>(date.year()) - kYearsMax;
  unsigned month = static_cast<unsigned>(date.month());
  for (int y = static_cast<int>(date.year()); y >= year_min; --y, month = 12, last_day = 31) {
    if (!has_year(y)) continue;
    const chrono::year year(y);
    for (; month >= 1; --month, last_day = 31) {
      if (!(months_ >> month & 1)) continue;
      auto days = static_cast<std::uint32_t>(days_of(year, chrono::month(month)) &
                                             ((1ULL << last_day) - 1));
      while (days != 0) {
        const auto day = static_cast<unsigned>(std::bit_width(days));
        days &= ~(1U << (day - 1));
        const auto midnight = chrono::sys_days(year / chrono::month(month) / chrono::day(day));
        const auto time = midnight == from_day ? today : times.last_to({23, 59, 59});
        if (time) return midnight + *time;
      }
    }
  }
  return std::nullopt;
}

bool Cron::matches(LocalTime wall) const {
  const auto midnight = chrono::floor<chrono::days>(wall);
  const TimeOfDay time = time_of_day(wall - midnight);
  if (!(minutes_ >> time.minute & 1) || !(hours_ >> time.hour & 1)) return false;
  if (!(seconds_ >> time.second & 1)) return false;
  const Date date(midnight);
  if (!(months_ >> static_cast<unsigned>(date.month()) & 1)) return false;
  if (!has_year(static_cast<int>(date.year()))) return false;
  return days_of(date.year(), date.month()) >> (static_cast<unsigned>(date.day()) - 1) & 1;
}

bool Cron::can_fire() const {
  const LocalTime begin = chrono::sys_days(chrono::year(kFirstYear) / 1 / 1) - seconds(1);
  // Forty years of the calendar hold each pairing of date and weekday; limited years need all.
  for (LocalTime from = begin; from < LocalTime(chrono::sys_days(chrono::year(2100) / 1 / 1));
       from += chrono::years(kYearsMax)) {
    if (!next(from)) continue;
    const bool needs_both = !is_any_day_ && !is_any_weekday_ && (has_nth_ || nearest_);
    if (!needs_both) return true;
    // croniter finds no date at all when the day of the month alone, joined with '#' or 'W',
    // matches nothing.
    Cron by_date = *this;
    by_date.is_any_weekday_ = true;
    Cron by_weekday = *this;
    by_weekday.is_any_day_ = true;
    return by_date.can_fire() && by_weekday.can_fire();
  }
  return false;
}

}  // namespace etesian
