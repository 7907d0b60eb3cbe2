#pragma once
#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time_zone.h"

namespace etesian {

/// Which expressions are accepted. Their meaning is the same in both.
enum class CronDialect {
  Airflow,  ///< Exactly those that croniter 7.0.0 accepts, but for its random `R`.
  Native    ///< Also `L-n` and `LW` for the day of the month, `5L` and `friL` for the weekday.
};

/// A cron expression as a set of wall-clock readings: plain calendar arithmetic, no zone.
/// Fields: minute hour day-of-month month day-of-week [second [year]].
/// The rules of lists, ranges, steps and of the two day fields are those of croniter 7.0.0.
class Cron {
 public:
  /// Errors: InvalidInput, naming the field, the element and its column in `text`.
  static Result<Cron> parse(std::string_view text, CronDialect dialect);

  /// The first reading after (the last one before) `wall`. nullopt: none within 50 years.
  /// A few hundred nanoseconds; about 10 us when there is none.
  std::optional<LocalTime> next(LocalTime wall) const;
  std::optional<LocalTime> prev(LocalTime wall) const;
  bool matches(LocalTime wall) const;
  /// False when no day of any year matches ("0 0 30 2 *").
  bool can_fire() const;

  /// One second when the expression has a field of seconds, else one minute.
  std::chrono::seconds resolution() const { return std::chrono::seconds(has_seconds_ ? 1 : 60); }
  /// The hour field, expanded, holds all 24 hours.
  bool names_all_hours() const { return hours_ == kAllHours; }
  /// The hour field is nothing but '*' after expansion: what Airflow asks for.
  bool is_hour_star() const { return is_hour_star_; }
  /// The text of the minute or hour field starts with '*'.
  bool starts_with_star() const { return starts_with_star_; }
  /// A sentence for people: "At 03:00 on Monday".
  std::string description() const;

 private:
  friend class CronBuilder;
  static constexpr std::uint32_t kAllHours = (1U << 24) - 1;
  static constexpr int kFirstYear = 1970;
  using Date = std::chrono::year_month_day;

  /// Bit d-1 is set for each matching day d of the month.
  std::uint32_t days_of(std::chrono::year year, std::chrono::month month) const;
  std::uint32_t days_by_date(std::uint32_t all, unsigned last, unsigned first_weekday) const;
  std::uint32_t days_by_weekday(std::uint32_t all, unsigned last, unsigned first_weekday) const;
  bool has_year(int year) const;

  std::uint64_t seconds_ = 1, minutes_ = 0;
  std::uint32_t hours_ = 0;
  std::uint32_t months_ = 0;            ///< Bit m for month m.
  std::uint32_t days_ = 0;              ///< Bit d-1 for day d.
  std::uint32_t days_before_last_ = 0;  ///< Bit n for the n-th day before the last.
  std::uint32_t weekdays_ = 0;          ///< Bit 0 is Sunday.
  std::array<std::uint8_t, 7> nth_{};   ///< For each weekday: bit n for the n-th, bit 0 the last.
  std::optional<unsigned> nearest_;     ///< 'W': day, where 32 is the last one.
  std::optional<std::bitset<130>> years_;  ///< From 1970; nullopt: every year.
  bool is_any_day_ = false, is_any_weekday_ = false, has_nth_ = false;
  bool has_seconds_ = false, is_hour_star_ = false, starts_with_star_ = false;
  std::string text_;
};

}  // namespace etesian
