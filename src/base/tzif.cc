#include "base/tzif.h"

#include <chrono>
#include <cstdlib>
#include <limits>
#include <optional>

namespace etesian {
namespace {

namespace chrono = std::chrono;

constexpr int kLastYear = 2400;
constexpr std::int64_t kDay = 86400;

/// Big-endian numbers off the front of a buffer; asking for too much makes it fail for good.
class Bytes {
 public:
  explicit Bytes(std::string_view data) : rest_(data) {}
  bool has_failed() const { return has_failed_; }
  std::string_view rest() const { return rest_; }

  std::string_view take(std::size_t n) {
    if (n > rest_.size()) {
      has_failed_ = true;
      return {};
    }
    const std::string_view taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }

  std::int64_t number(std::size_t width) {
    std::uint64_t value = 0;
    const std::string_view bytes = take(width);
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    const auto unused = static_cast<unsigned>(64 - 8 * width);
    return static_cast<std::int64_t>(value << unused) >> unused;
  }

 private:
  std::string_view rest_;
  bool has_failed_ = false;
};

struct Header {
  char version;
  std::size_t is_utc, is_standard, leaps, transitions, types, characters;
};

std::optional<Header> read_header(Bytes& in) {
  if (in.take(4) != "TZif") return std::nullopt;
  Header h{};
  const std::string_view version = in.take(16);
  h.version = version.empty() ? '\0' : version.front();
  for (std::size_t* count :
       {&h.is_utc, &h.is_standard, &h.leaps, &h.transitions, &h.types, &h.characters})
    *count = static_cast<std::size_t>(in.number(4) & 0xffffffff);
  if (in.has_failed() || h.types == 0) return std::nullopt;
  return h;
}

struct Type {
  std::int32_t offset_s;
  std::size_t name_at;
};

/// One data block; `width` is that of its times.
std::optional<std::vector<ZonePeriod>> read_block(Bytes& in, const Header& h, std::size_t width) {
  Bytes times(in.take(h.transitions * width));
  const std::string_view indexes = in.take(h.transitions);
  std::vector<Type> types;
  for (std::size_t i = 0; i < h.types && !in.has_failed(); ++i) {
    const auto offset = static_cast<std::int32_t>(in.number(4));
    in.take(1);  // whether it is daylight saving: only the offset matters
    types.push_back({offset, static_cast<std::size_t>(in.number(1) & 0xff)});
  }
  const std::string_view names = in.take(h.characters);
  in.take(h.leaps * (width + 4) + h.is_standard + h.is_utc);
  if (in.has_failed()) return std::nullopt;

  std::vector<ZonePeriod> periods;
  const auto append = [&](std::int64_t since, std::size_t index) {
    if (index >= types.size() || types[index].name_at >= names.size()) return false;
    const std::string_view name = names.substr(types[index].name_at);
    periods.push_back({since, types[index].offset_s, std::string(name.substr(0, name.find('\0')))});
    return true;
  };
  if (!append(std::numeric_limits<std::int64_t>::min(), 0)) return std::nullopt;
  for (const char index : indexes)
    if (!append(times.number(width), static_cast<unsigned char>(index))) return std::nullopt;
  return periods;
}

/// Day of a year on which a POSIX rule changes the offset.
struct RuleDate {
  enum class Form { MonthWeekDay, JulianNoLeap, ZeroBased } form;
  int month, week, day;
  std::int64_t time_s;
};

/// The text form of TZ: "EST5EDT,M3.2.0,M11.1.0", with RFC 9636's hours from -167 to 167.
class PosixRule {
 public:
  static std::optional<PosixRule> parse(std::string_view text) {
    PosixRule rule;
    rule.rest_ = text;
    return rule.read() ? std::optional(rule) : std::nullopt;
  }

  void append_periods(std::vector<ZonePeriod>& periods) const {
    const std::int64_t after = periods.back().since;
    if (!has_summer_) {
      if (periods.back().offset_s != standard_.offset_s && periods.size() == 1)
        periods.back() = {after, standard_.offset_s, standard_.abbreviation};
      return;
    }
    int year = 1900;
    if (after > chrono::sys_seconds(chrono::sys_days(chrono::year(1900) / 1 / 1))
                    .time_since_epoch()
                    .count())
      year =
          static_cast<int>(chrono::year_month_day(chrono::floor<chrono::days>(
                                                      chrono::sys_seconds(chrono::seconds(after))))
                               .year());
    for (; year <= kLastYear; ++year) {
      const ZonePeriod summer{instant(begin_, year) - standard_.offset_s, summer_.offset_s,
                              summer_.abbreviation};
      const ZonePeriod winter{instant(end_, year) - summer_.offset_s, standard_.offset_s,
                              standard_.abbreviation};
      const bool is_northern = summer.since < winter.since;
      for (const ZonePeriod& p : {is_northern ? summer : winter, is_northern ? winter : summer})
        if (p.since > periods.back().since) periods.push_back(p);
    }
  }

 private:
  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool read_name(std::string& name) {
    const bool is_quoted = skip('<');
    while (!rest_.empty()) {
      const char c = rest_.front();
      const bool is_letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
      const bool is_extra = (c >= '0' && c <= '9') || c == '+' || c == '-';
      if (!is_letter && !(is_quoted && is_extra)) break;
      name += c;
      rest_.remove_prefix(1);
    }
    return !name.empty() && (!is_quoted || skip('>'));
  }

  bool read_number(int& value) {
    value = 0;
    std::size_t n = 0;
    for (; n < rest_.size() && n < 4 && rest_[n] >= '0' && rest_[n] <= '9'; ++n)
      value = value * 10 + (rest_[n] - '0');
    rest_.remove_prefix(n);
    return n > 0;
  }

  bool read_time(std::int64_t& seconds) {
    const std::int64_t sign = skip('-') ? -1 : 1;
    skip('+');
    int hours = 0, minutes = 0, rest = 0;
    if (!read_number(hours)) return false;
    if (skip(':') && !read_number(minutes)) return false;
    if (skip(':') && !read_number(rest)) return false;
    seconds = sign * (hours * 3600LL + minutes * 60LL + rest);
    return true;
  }

  bool read_date(RuleDate& date) {
    if (!skip(',')) return false;
    date = {RuleDate::Form::ZeroBased, 0, 0, 0, 2 * 3600};
    if (skip('M')) {
      date.form = RuleDate::Form::MonthWeekDay;
      if (!read_number(date.month) || !skip('.') || !read_number(date.week) || !skip('.'))
        return false;
      if (date.month < 1 || date.month > 12 || date.week < 1 || date.week > 5) return false;
    } else if (skip('J')) {
      date.form = RuleDate::Form::JulianNoLeap;
    }
    if (!read_number(date.day)) return false;
    return !skip('/') || read_time(date.time_s);
  }

  bool read() {
    std::int64_t west = 0;
    if (!read_name(standard_.abbreviation) || !read_time(west)) return false;
    standard_.offset_s = static_cast<std::int32_t>(-west);
    if (rest_.empty()) return true;
    has_summer_ = true;
    west -= 3600;
    if (!read_name(summer_.abbreviation)) return false;
    if (!rest_.empty() && rest_.front() != ',' && !read_time(west)) return false;
    summer_.offset_s = static_cast<std::int32_t>(-west);
    return read_date(begin_) && read_date(end_) && rest_.empty();
  }

  /// Local wall time of the rule in that year, counted as if it were UTC.
  static std::int64_t instant(const RuleDate& rule, int year) {
    const chrono::sys_days new_year = chrono::year(year) / 1 / 1;
    chrono::sys_days day = new_year;
    switch (rule.form) {
      case RuleDate::Form::ZeroBased: day += chrono::days(rule.day); break;
      case RuleDate::Form::JulianNoLeap:
        day += chrono::days(rule.day - 1 + (chrono::year(year).is_leap() && rule.day >= 60));
        break;
      case RuleDate::Form::MonthWeekDay: {
        const auto month = chrono::year(year) / chrono::month(static_cast<unsigned>(rule.month));
        const chrono::weekday weekday(static_cast<unsigned>(rule.day));
        day = rule.week == 5 ? chrono::sys_days(month / weekday[chrono::last])
                             : chrono::sys_days(month / weekday[static_cast<unsigned>(rule.week)]);
        break;
      }
    }
    return day.time_since_epoch().count() * kDay + rule.time_s;
  }

  struct Clock {
    std::int32_t offset_s = 0;
    std::string abbreviation;
  };
  std::string_view rest_;
  Clock standard_, summer_;
  bool has_summer_ = false;
  RuleDate begin_{}, end_{};
};

}  // namespace

Result<std::vector<ZonePeriod>> periods_from_tzif(std::string_view file) {
  const Error corrupt{ErrorCode::Corrupt, "read zone file: not in the form of RFC 9636"};
  Bytes in(file);
  auto header = read_header(in);
  if (!header) return corrupt;
  auto periods = read_block(in, *header, 4);
  if (!periods) return corrupt;
  if (header->version < '2') return *std::move(periods);

  header = read_header(in);
  if (!header) return corrupt;
  periods = read_block(in, *header, 8);
  if (!periods) return corrupt;
  std::string_view footer = in.rest();
  if (footer.size() < 2 || footer.front() != '\n') return corrupt;
  footer = footer.substr(1, footer.find('\n', 1) - 1);
  if (footer.empty()) return *std::move(periods);
  const auto rule = PosixRule::parse(footer);
  if (!rule) return corrupt;
  rule->append_periods(*periods);
  return *std::move(periods);
}

}  // namespace etesian
