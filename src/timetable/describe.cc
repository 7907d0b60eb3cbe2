#include <fmt/format.h>

#include <array>
#include <bit>

#include "base/time_text.h"
#include "timetable/impl.h"

namespace etesian {
namespace {

constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 6> kNth = {"last",  "first",  "second",
                                                  "third", "fourth", "fifth"};

/// "a", "a and b", "a, b and c".
std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " and " : ", ";
    out += words[i];
  }
  return out;
}

std::vector<unsigned> bits_of(std::uint64_t bits) {
  std::vector<unsigned> out;
  for (; bits != 0; bits &= bits - 1) out.push_back(static_cast<unsigned>(std::countr_zero(bits)));
  return out;
}

/// The step of "*/n", or 0 when the set is another one.
unsigned step_of(const std::vector<unsigned>& values, unsigned size) {
  if (values.size() < 2 || values.front() != 0) return 0;
  const unsigned step = values[1];
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != i * step) return 0;
  return values.back() + step >= size ? step : 0;
}

std::string times_of(std::uint64_t minute_bits, std::uint32_t hour_bits) {
  const auto minutes = bits_of(minute_bits), hours = bits_of(hour_bits);
  const unsigned minute_step = step_of(minutes, 60), hour_step = step_of(hours, 24);
  std::string minute_text;
  if (minutes.size() == 60) {
    minute_text = "Every minute";
  } else if (minute_step > 1) {
    minute_text = fmt::format("Every {} minutes", minute_step);
  } else if (hours.size() * minutes.size() <= 4) {
    std::vector<std::string> times;
    for (const unsigned hour : hours)
      for (const unsigned minute : minutes)
        times.push_back(fmt::format("{:02}:{:02}", hour, minute));
    return "At " + join(times);
  } else {
    std::vector<std::string> words;
    for (const unsigned minute : minutes) words.push_back(std::to_string(minute));
    minute_text = fmt::format("At minute {}", join(words));
  }
  if (hours.size() == 24)
    return minute_text + (minutes.size() < 60 && minute_step < 2 ? " of every hour" : "");
  if (hour_step > 1) return fmt::format("{} of every {}th hour", minute_text, hour_step);
  std::vector<std::string> words;
  for (const unsigned hour : hours) words.push_back(std::to_string(hour));
  return fmt::format("{} of hour {}", minute_text, join(words));
}

}  // namespace

std::string Cron::description() const {
  std::string out = times_of(minutes_, hours_);
  if (has_seconds_ && seconds_ != 1) {
    std::vector<std::string> words;
    for (const unsigned second : bits_of(seconds_)) words.push_back(std::to_string(second));
    out += words.size() == 60 ? ", each second" : ", at second " + join(words);
  }
  std::vector<std::string> days;
  if (nearest_) {
    days.push_back(*nearest_ > 31 ? "the last working day of the month"
                                  : fmt::format("the working day nearest to day {}", *nearest_));
  } else if (!is_any_day_) {
    std::vector<std::string> words;
    for (const unsigned bit : bits_of(days_)) words.push_back(std::to_string(bit + 1));
    if (!words.empty()) days.push_back("day " + join(words) + " of the month");
    for (const unsigned n : bits_of(days_before_last_))
      days.push_back(n == 0 ? "the last day of the month"
                            : fmt::format("day {} before the last of the month", n));
  }
  if (has_nth_) {
    for (std::size_t weekday = 0; weekday < 7; ++weekday)
      for (const unsigned n : bits_of(nth_[weekday]))
        days.push_back(fmt::format("the {} {}", kNth[n], kWeekdays[weekday]));
  } else if (!is_any_weekday_) {
    std::vector<std::string> words;
    for (const unsigned bit : bits_of(weekdays_)) words.emplace_back(kWeekdays[bit]);
    days.push_back(weekdays_ == 0b0111110 ? "Monday to Friday" : join(words));
  }
  for (std::size_t i = 0; i < days.size(); ++i) out += (i == 0 ? " on " : " or ") + days[i];
  if (std::popcount(months_) < 12) {
    std::vector<std::string> words;
    for (const unsigned bit : bits_of(months_)) words.emplace_back(kMonths[bit - 1]);
    out += " in " + join(words);
  }
  if (years_) {
    std::vector<std::string> words;
    for (int year = kFirstYear; year < kFirstYear + 130; ++year)
      if (has_year(year)) words.push_back(std::to_string(year));
    out += " in " + join(words);
  }
  return out;
}

std::string Timetable::description() const {
  struct Describe {
    const Impl& impl;
    std::string operator()(const ManualSchedule&) const { return "Manual runs only"; }
    std::string operator()(const OnceSchedule&) const { return "Once, as soon as possible"; }
    std::string operator()(const ContinuousSchedule&) const {
      return "Again as soon as the run before has ended";
    }
    std::string operator()(const IntervalSchedule& even) const {
      return "Every " + to_text(even.every);
    }
    std::string operator()(const DatesSchedule& dates) const {
      if (dates.dates.empty()) return "On no date";
      if (dates.dates.size() == 1) return "Once at " + to_iso_z(dates.dates.front());
      return fmt::format("At {} instants from {} to {}", dates.dates.size(),
                         to_iso_z(dates.dates.front()), to_iso_z(dates.dates.back()));
    }
    std::string operator()(const CronSchedule& cron) const {
      std::string out;
      for (const Cron& c : impl.crons) out += (out.empty() ? "" : "; ") + c.description();
      return out + ", " + cron.timezone;
    }
  };
  std::string out = std::visit(Describe{*impl_}, impl_->schedule.kind);
  if (const auto& rule = impl_->schedule.holidays) {
    switch (rule->action) {
      case HolidayRule::Action::Exclude: return out + ", not on holidays";
      case HolidayRule::Action::ShiftForward: return out + ", on holidays the next working day";
      case HolidayRule::Action::ShiftBackward: return out + ", on holidays the working day before";
    }
  }
  return out;
}

}  // namespace etesian
