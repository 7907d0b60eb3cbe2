// strftime and strptime in the C locale, whatever the process's locale is.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "template/moment.h"
#include "template/unicode.h"

namespace etesian::templates {
namespace {

constexpr std::array<std::string_view, 7> Days = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                  "Friday", "Saturday", "Sunday"};
constexpr std::array<std::string_view, 12> Months = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};

/// ISO 8601 year and week.
std::pair<int, int> iso_week(const Parts& p) {
  const auto weeks_of = [](int year) {
    const auto last_day = [](int y) { return (y + y / 4 - y / 100 + y / 400) % 7; };
    return last_day(year) == 4 || last_day(year - 1) == 3 ? 53 : 52;
  };
  const int week = (p.yearday - p.weekday - 1 + 10) / 7;
  if (week < 1) return {p.year - 1, weeks_of(p.year - 1)};
  if (week > weeks_of(p.year)) return {p.year + 1, 1};
  return {p.year, week};
}

std::string offset_text(const Moment& moment) {
  if (moment.form != Moment::Form::Aware) return {};
  const auto offset = moment.zone.offset_at(moment.at).count();
  return fmt::format("{}{:02}{:02}", offset < 0 ? '-' : '+', std::abs(offset) / 3600,
                     std::abs(offset) / 60 % 60);
}

/// Digits without padding where the '-' flag asks for it.
std::string padded(std::int64_t value, int width, char flag, char fill = '0') {
  if (flag == '-') return std::to_string(value);
  const std::string digits = std::to_string(value);
  const auto missing =
      std::max<std::ptrdiff_t>(0, width - static_cast<std::ptrdiff_t>(digits.size()));
  return std::string(static_cast<std::size_t>(missing), fill) + digits;
}

std::optional<std::string> code_text(const Moment& moment, const Parts& p, char code, char flag) {
  const auto again = [&](std::string_view format) { return *format_moment(moment, format); };
  const int hour12 = p.hour % 12 == 0 ? 12 : p.hour % 12;
  switch (code) {
    case 'a': return std::string(Days[static_cast<std::size_t>(p.weekday)].substr(0, 3));
    case 'A': return std::string(Days[static_cast<std::size_t>(p.weekday)]);
    case 'b':
    case 'h': return std::string(Months[p.month - 1].substr(0, 3));
    case 'B': return std::string(Months[p.month - 1]);
    case 'c': return again("%a %b %e %H:%M:%S %Y");
    case 'C': return padded(p.year / 100, 2, flag);
    case 'd': return padded(p.day, 2, flag);
    case 'D':
    case 'x': return again("%m/%d/%y");
    case 'e': return padded(p.day, 2, flag, ' ');
    case 'f': return padded(p.microsecond, 6, flag);
    case 'F': return again("%Y-%m-%d");
    case 'G': return padded(iso_week(p).first, 4, flag);
    case 'H': return padded(p.hour, 2, flag);
    case 'I': return padded(hour12, 2, flag);
    case 'j': return padded(p.yearday, 3, flag);
    case 'm': return padded(p.month, 2, flag);
    case 'M': return padded(p.minute, 2, flag);
    case 'n': return "\n";
    case 'p': return p.hour < 12 ? "AM" : "PM";
    case 'R': return again("%H:%M");
    case 's':
      return std::to_string(
          std::chrono::floor<std::chrono::seconds>(moment.at).time_since_epoch().count());
    case 'S': return padded(p.second, 2, flag);
    case 't': return "\t";
    case 'T':
    case 'X': return again("%H:%M:%S");
    case 'u': return std::to_string(p.weekday + 1);
    case 'U': return padded((p.yearday + 6 - (p.weekday + 1) % 7) / 7, 2, flag);
    case 'V': return padded(iso_week(p).second, 2, flag);
    case 'w': return std::to_string((p.weekday + 1) % 7);
    case 'W': return padded((p.yearday + 6 - p.weekday) / 7, 2, flag);
    case 'y': return padded(p.year % 100, 2, flag);
    case 'Y': return padded(p.year, 4, flag);
    case 'z': return offset_text(moment);
    case 'Z':
      return moment.form == Moment::Form::Aware ? moment.zone.stretch_at(moment.at).abbreviation
                                                : std::string();
    case '%': return "%";
    default: return std::nullopt;
  }
}

/// Reads a text by a strptime format, left to right, each number as long as its code allows.
class Reader {
 public:
  Reader(std::string_view text, std::string_view format) : text_(text), format_(format) {}

  Result<Moment> run() {
    for (std::size_t i = 0; i < format_.size(); ++i) {
      const char c = format_[i];
      bool good = false;
      if (is_space(c)) {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        good = true;
      } else if (c == '%' && i + 1 < format_.size()) {
        const auto read = field(format_[++i]);
        if (!read) {
          return Error{ErrorCode::InvalidInput,
                       fmt::format("'%{}' cannot be read by strptime", printable(format_[i]))};
        }
        good = *read;
      } else {
        good = literal(c);
      }
      if (!good)
        return Error{ErrorCode::InvalidInput,
                     "the text does not have the form that the format describes"};
    }
    if (at_ != text_.size())
      return Error{ErrorCode::InvalidInput, "the text goes on behind what the format describes"};
    return result();
  }

  static char printable(char c) { return c >= 0x20 && c < 0x7F ? c : '?'; }

 private:
  bool literal(char c) { return at_ < text_.size() && text_[at_] == c && (++at_, true); }

  bool digits(int& value, std::size_t width, int low, int high) {
    const std::size_t begin = at_;
    int number = 0;
    while (at_ < text_.size() && at_ - begin < width && text_[at_] >= '0' && text_[at_] <= '9') {
      number = number * 10 + (text_[at_++] - '0');
    }
    value = number;
    return at_ > begin && number >= low && number <= high;
  }

  template <std::size_t N>
  bool word(const std::array<std::string_view, N>& words, std::size_t length, int& index) {
    for (std::size_t i = 0; i < N; ++i) {
      const std::string_view name = words[i].substr(0, length);
      if (to_lower(text_.substr(at_, name.size())) != to_lower(name)) continue;
      at_ += name.size();
      index = static_cast<int>(i);
      return true;
    }
    return false;
  }

  bool fraction() {
    const std::size_t begin = at_;
    int value = 0;
    if (!digits(value, 6, 0, 999'999)) return false;
    for (std::size_t i = at_ - begin; i < 6; ++i) value *= 10;
    parts_.microsecond = value;
    return true;
  }

  bool offset() {
    if (literal('Z')) return offset_ = 0, true;
    const bool negative = at_ < text_.size() && text_[at_] == '-';
    if (!negative && !(at_ < text_.size() && text_[at_] == '+')) return false;
    ++at_;
    int hours = 0, minutes = 0;
    if (!digits(hours, 2, 0, 23)) return false;
    literal(':');
    if (!digits(minutes, 2, 0, 59)) return false;
    offset_ = (hours * 60 + minutes) * (negative ? -1 : 1);
    return true;
  }

  /// nullopt: no such code.
  std::optional<bool> field(char code) {
    int number = 0;
    switch (code) {
      case 'Y': return digits(parts_.year, 4, 1, 9999);
      case 'y':
        if (!digits(number, 2, 0, 99)) return false;
        return parts_.year = number + (number < 69 ? 2000 : 1900), true;
      case 'm':
        return digits(number, 2, 1, 12) && (parts_.month = static_cast<unsigned>(number), true);
      case 'd':
        return digits(number, 2, 1, 31) && (parts_.day = static_cast<unsigned>(number), true);
      case 'H': return digits(parts_.hour, 2, 0, 23);
      case 'I': return digits(parts_.hour, 2, 1, 12) && (twelve_ = true);
      case 'M': return digits(parts_.minute, 2, 0, 59);
      case 'S': return digits(parts_.second, 2, 0, 59);
      case 'f': return fraction();
      case 'j': return digits(yearday_, 3, 1, 366);
      case 'b':
        return word(Months, 3, number) && (parts_.month = static_cast<unsigned>(number) + 1, true);
      case 'B':
        return word(Months, 99, number) && (parts_.month = static_cast<unsigned>(number) + 1, true);
      case 'a': return word(Days, 3, number);
      case 'A': return word(Days, 99, number);
      case 'p': return word(std::array<std::string_view, 2>{"AM", "PM"}, 2, half_);
      case 'z': return offset();
      case 'T':
        return digits(parts_.hour, 2, 0, 23) && literal(':') && digits(parts_.minute, 2, 0, 59) &&
               literal(':') && digits(parts_.second, 2, 0, 59);
      case 'F':
        return digits(parts_.year, 4, 1, 9999) && literal('-') && *field('m') && literal('-') &&
               *field('d');
      case '%': return literal('%');
      default: return std::nullopt;
    }
  }

  Result<Moment> result() {
    if (twelve_) parts_.hour = parts_.hour % 12 + (half_ == 1 ? 12 : 0);
    auto at = instant_from_parts(parts_);
    if (!at) return at.error();
    if (yearday_ > 0) {
      Parts first = parts_;
      first.month = first.day = 1;
      at = *instant_from_parts(first) + std::chrono::days(yearday_ - 1);
    }
    Moment moment;
    moment.form = offset_ ? Moment::Form::Aware : Moment::Form::Naive;
    // The zone of a bare offset is unknown: the instant is kept, shown in UTC.
    moment.at = *at - std::chrono::minutes(offset_.value_or(0));
    return moment;
  }

  std::string_view text_, format_;
  std::size_t at_ = 0;
  Parts parts_{.year = 1900};
  int yearday_ = 0;
  int half_ = -1;
  bool twelve_ = false;
  std::optional<int> offset_;
};

}  // namespace

Result<std::string> format_moment(const Moment& moment, std::string_view format) {
  const Parts p = parts_of(moment);
  std::string out;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    if (++i == format.size())
      return Error{ErrorCode::InvalidInput, "the format ends with a single '%'; write '%%'"};
    const char flag = format[i] == '-' && i + 1 < format.size() ? '-' : '\0';
    if (flag != '\0') ++i;
    const auto text = code_text(moment, p, format[i], flag);
    if (!text) {
      return Error{ErrorCode::InvalidInput,
                   fmt::format("'%{}' is not a code of strftime", Reader::printable(format[i]))};
    }
    out += *text;
  }
  return out;
}

Result<Moment> moment_from_text(std::string_view text, std::string_view format) {
  return Reader(text, format).run();
}

}  // namespace etesian::templates
