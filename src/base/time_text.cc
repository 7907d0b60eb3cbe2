#include "base/time_text.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <optional>

namespace etesian {
namespace {

using namespace std::chrono_literals;
namespace chrono = std::chrono;

std::string iso_without_offset(Instant t) {
  const auto day = chrono::floor<chrono::days>(t);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss time(t - day);
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) out += fmt::format(".{:06}", time.subseconds().count());
  return out;
}

/// Reads a text from left to right; each reader says whether it found what it looks for.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  bool is_at_end() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  bool skip(char c) {
    if (peek() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<int> digits(int count) {
    int value = 0;
    if (rest_.size() < static_cast<std::size_t>(count)) return std::nullopt;
    for (int i = 0; i < count; ++i) {
      const char c = rest_[static_cast<std::size_t>(i)];
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(static_cast<std::size_t>(count));
    return value;
  }

  /// Digits after a decimal point, in millionths; further digits are dropped.
  std::optional<std::int64_t> millionths() {
    std::int64_t value = 0, scale = 1'000'000;
    bool has_digit = false;
    for (; peek() >= '0' && peek() <= '9'; rest_.remove_prefix(1)) {
      has_digit = true;
      scale /= 10;
      value += (peek() - '0') * scale;
    }
    return has_digit ? std::optional(value) : std::nullopt;
  }

 private:
  std::string_view rest_;
};

Error bad_instant(std::string_view text, std::string_view cause) {
  return {ErrorCode::InvalidInput,
          fmt::format("read time '{}': {}; write it like 2024-03-09T00:00Z", text, cause)};
}

/// Hours, minutes, seconds and fraction; nullopt when they are no time of a day.
std::optional<Duration> read_time_of_day(Reader& in) {
  const auto hour = in.digits(2);
  if (!hour || *hour > 23 || !in.skip(':')) return std::nullopt;
  const auto minute = in.digits(2);
  if (!minute || *minute > 59) return std::nullopt;
  Duration time = chrono::hours(*hour) + chrono::minutes(*minute);
  if (!in.skip(':')) return time;
  const auto second = in.digits(2);
  if (!second || *second > 59) return std::nullopt;
  time += chrono::seconds(*second);
  if (!in.skip('.')) return time;
  const auto fraction = in.millionths();
  if (!fraction) return std::nullopt;
  return time + Duration(*fraction);
}

/// "Z", "+09:00", "+0900", "+09" or nothing.
std::optional<Duration> read_offset(Reader& in) {
  if (in.is_at_end() || in.skip('Z') || in.skip('z')) return Duration(0);
  const bool is_west = in.peek() == '-';
  if (!in.skip('-') && !in.skip('+')) return std::nullopt;
  const auto hours = in.digits(2);
  if (!hours || *hours > 23) return std::nullopt;
  int minutes = 0;
  if (!in.is_at_end()) {
    in.skip(':');
    const auto digits = in.digits(2);
    if (!digits || *digits > 59) return std::nullopt;
    minutes = *digits;
  }
  const Duration offset = chrono::hours(*hours) + chrono::minutes(minutes);
  return is_west ? -offset : offset;
}

struct Unit {
  std::string_view name;
  std::int64_t microseconds;
};
constexpr std::array kUnits = {Unit{"w", 604'800'000'000},
                               Unit{"d", 86'400'000'000},
                               Unit{"h", 3'600'000'000},
                               Unit{"m", 60'000'000},
                               Unit{"s", 1'000'000},
                               Unit{"ms", 1'000},
                               Unit{"us", 1}};
constexpr std::int64_t kLongest = 100LL * 366 * 86'400'000'000;

Error bad_duration(std::string_view text, std::string_view cause) {
  return {ErrorCode::InvalidInput,
          fmt::format("read length of time '{}': {}; write it like 30s, 10m, 6h, 1d or 1h30m", text,
                      cause)};
}

/// A decimal number in micro-units; nullopt when there is none or it is absurdly large.
std::optional<std::int64_t> read_micro_number(std::string_view& rest) {
  std::size_t n = 0;
  std::int64_t whole = 0;
  for (; n < rest.size() && rest[n] >= '0' && rest[n] <= '9'; ++n) {
    whole = whole * 10 + (rest[n] - '0');
    if (whole > kLongest) return std::nullopt;
  }
  if (n == 0) return std::nullopt;
  std::int64_t fraction = 0;
  if (n + 1 < rest.size() && rest[n] == '.' && rest[n + 1] >= '0' && rest[n + 1] <= '9') {
    std::int64_t scale = 1'000'000;
    for (++n; n < rest.size() && rest[n] >= '0' && rest[n] <= '9'; ++n)
      fraction += (rest[n] - '0') * (scale /= 10);
  }
  rest.remove_prefix(n);
  if (whole > std::numeric_limits<std::int64_t>::max() / 1'000'000 - 1) return std::nullopt;
  return whole * 1'000'000 + fraction;
}

}  // namespace

std::string to_iso(Instant t) { return iso_without_offset(t) + "+00:00"; }
std::string to_iso_z(Instant t) { return iso_without_offset(t) + "Z"; }

Result<Instant> instant_from_text(std::string_view text) {
  Reader in(text);
  const auto year = in.digits(4);
  if (!year || !in.skip('-')) return bad_instant(text, "it does not start with year-month-day");
  const auto month = in.digits(2);
  if (!month || !in.skip('-')) return bad_instant(text, "it does not start with year-month-day");
  const auto day = in.digits(2);
  if (!day) return bad_instant(text, "it does not start with year-month-day");
  const chrono::year_month_day date(chrono::year(*year),
                                    chrono::month(static_cast<unsigned>(*month)),
                                    chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok() || *year == 0) return bad_instant(text, "there is no such day");
  const Instant midnight = chrono::sys_days(date);
  if (in.is_at_end()) return midnight;
  if (!in.skip('T') && !in.skip('t') && !in.skip(' '))
    return bad_instant(text, "after the date comes 'T'");
  const auto time = read_time_of_day(in);
  if (!time) return bad_instant(text, "the time of day is not hh:mm or hh:mm:ss");
  const auto offset = read_offset(in);
  if (!offset) return bad_instant(text, "the offset is not 'Z' or like '+09:00'");
  if (!in.is_at_end()) return bad_instant(text, "there is something after the time");
  return midnight + *time - *offset;
}

Result<Duration> duration_from_text(std::string_view text) {
  std::string_view rest = text;
  if (rest.empty()) return bad_duration(text, "it is empty");
  if (rest.front() == '-') return bad_duration(text, "it is negative");
  std::int64_t total = 0;
  while (!rest.empty()) {
    const bool is_first = rest.size() == text.size();
    const auto number = read_micro_number(rest);
    if (!number) return bad_duration(text, "a number is missing or too large");
    std::size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    const std::string_view name =
        is_first && rest.empty() ? std::string_view("s") : rest.substr(0, letters);
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits)
      if (candidate.name == name) unit = &candidate;
    if (unit == nullptr)
      return bad_duration(text, fmt::format("there is no unit '{}'", rest.substr(0, letters)));
    const auto sum = static_cast<__int128>(*number) * unit->microseconds / 1'000'000 + total;
    if (sum > kLongest) return bad_duration(text, "it is longer than 100 years");
    total = static_cast<std::int64_t>(sum);
    rest.remove_prefix(letters);
  }
  return Duration(total);
}

std::string to_text(Duration d) {
  if (d.count() == 0) return "0s";
  if (d.count() < 0) return "-" + to_text(-d);
  std::string sum, single;
  std::int64_t rest = d.count();
  for (const Unit& unit : kUnits) {
    if (const std::int64_t n = rest / unit.microseconds; n > 0)
      sum += fmt::format("{}{}", n, unit.name);
    rest %= unit.microseconds;
    if (single.empty() && d.count() % unit.microseconds == 0)
      single = fmt::format("{}{}", d.count() / unit.microseconds, unit.name);
  }
  return single.size() <= sum.size() ? single : sum;
}

}  // namespace etesian
