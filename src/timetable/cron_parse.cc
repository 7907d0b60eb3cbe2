#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "timetable/cron.h"

namespace etesian {
namespace {

enum FieldIndex : std::size_t { Minute, Hour, DayOfMonth, Month, DayOfWeek, Second, Year };

struct FieldKind {
  std::string_view name;
  int min, max;
};
constexpr std::array kKinds = {FieldKind{"minute", 0, 59},       FieldKind{"hour", 0, 23},
                               FieldKind{"day of month", 1, 31}, FieldKind{"month", 1, 12},
                               FieldKind{"day of week", 0, 6},   FieldKind{"second", 0, 59},
                               FieldKind{"year", 1970, 2099}};
constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed",
                                                       "thu", "fri", "sat"};
constexpr int kLastOfWeekday = 0;  ///< In place of the n of '#'.
constexpr unsigned kLastDay = 32;  ///< A nearest weekday's day that every month clips.

bool is_number(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Saturates far above every field's range.
int to_number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = std::min(value * 10 + (c - '0'), 1'000'000);
  return value;
}

template <std::size_t N>
std::optional<int> index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) return std::nullopt;
  return static_cast<int>(it - names.begin());
}

/// What one field says.
struct Field {
  std::set<int> values;
  bool has_star = false;
  bool has_last = false;              ///< 'L' of the day of the month.
  std::set<int> before_last;          ///< Its native form 'L-n'.
  std::optional<unsigned> nearest;    ///< 'W'.
  std::array<std::uint8_t, 7> nth{};  ///< '#' and last weekdays, as in Cron.
  bool has_nth = false;

  bool is_only_star() const { return has_star && values.empty() && !has_last; }
  std::size_t size() const { return values.size() + (has_star ? 1 : 0) + (has_last ? 1 : 0); }
};

/// Reads one field of an expression. Where croniter's behaviour is surprising (an equal range is
/// the whole cycle, a wrapped range with a step) it is followed.
class FieldReader {
 public:
  FieldReader(FieldIndex index, std::string_view text, CronDialect dialect)
      : index_(index), kind_(kKinds[index]), text_(text), dialect_(dialect) {}

  bool read() {
    if (text_.find('?') != std::string_view::npos) {
      if (text_ != "?") return fail("'?' stands alone in its field");
      if (index_ != DayOfMonth && index_ != DayOfWeek)
        return fail("'?' is for the day of the month or of the week");
      field_.has_star = true;
      return true;
    }
    for (std::size_t begin = 0;;) {
      const std::size_t comma = text_.find(',', begin);
      element_ = text_.substr(begin, comma - begin);
      column_ = begin;
      if (!read_element(element_)) return false;
      if (comma == std::string_view::npos) return true;
      begin = comma + 1;
    }
  }

  const Field& field() const { return field_; }
  const std::string& cause() const { return cause_; }
  std::string_view element() const { return element_.empty() ? text_ : element_; }
  std::size_t column() const { return column_; }

 private:
  bool fail(std::string cause) {
    cause_ = std::move(cause);
    return false;
  }
  bool fail_range() {
    const int max = index_ == DayOfWeek ? 7 : kind_.max;
    return fail(fmt::format("is not between {} and {}", kind_.min, max));
  }
  bool fail_form() {
    switch (index_) {
      case Month: return fail("is no number, name (jan-dec), range or step");
      case DayOfWeek: return fail("is no number, name (sun-sat), range, step or nth weekday");
      case DayOfMonth: return fail("is no number, range, step, 'L' or nearest weekday like 15W");
      default: return fail("is no number, range or step");
    }
  }
  bool is_native() const { return dialect_ == CronDialect::Native; }

  std::optional<int> value_of(std::string_view s) const {
    std::optional<int> value;
    if (is_number(s))
      value = to_number(s);
    else if (index_ == DayOfWeek)
      value = index_of(kWeekdays, s);
    else if (index_ == Month)
      value = index_of(kMonths, s), value = value ? std::optional(*value + 1) : value;
    if (index_ == DayOfWeek && value == 7) value = 0;
    return value;
  }

  bool add(int value, std::optional<int> nth) {
    if (value < kind_.min || value > kind_.max) return fail_range();
    field_.values.insert(value);
    if (nth) {
      field_.has_nth = true;
      auto& bits = field_.nth[static_cast<std::size_t>(value)];
      bits = static_cast<std::uint8_t>(bits | 1U << *nth);
    }
    return true;
  }

  bool read_element(std::string_view e) {
    if (e.empty()) return fail("an element is missing beside ','");
    if (e == "*") return field_.has_star = true;
    if (index_ == DayOfMonth && is_day_form(e)) return cause_.empty();
    std::optional<int> nth;
    if (index_ == DayOfWeek && !take_nth(e, nth)) return false;
    return read_numbers(e, nth);
  }

  /// 'L', 'L-n' and the forms of 'W'. True when the element is one of them, right or wrong.
  bool is_day_form(std::string_view e) {
    if (e == "l") return field_.has_last = true;
    if (is_native() && e.starts_with("l-") && is_number(e.substr(2))) {
      const int n = to_number(e.substr(2));
      if (n < 1 || n > 30) return fail("goes back 1 to 30 days from the last one"), true;
      field_.before_last.insert(n);
      return true;
    }
    std::string_view day;
    if (e.ends_with('w'))
      day = e.substr(0, e.size() - 1);
    else if (e.starts_with('w'))
      day = e.substr(1);
    const bool is_last = is_native() && day == "l" && e == "lw";
    if (!is_last && !is_number(day)) return false;
    if (e.size() != text_.size()) return fail("'W' takes one day, not a list or range"), true;
    if (!is_last && (to_number(day) < 1 || to_number(day) > 31)) return fail_range(), true;
    field_.nearest = is_last ? kLastDay : static_cast<unsigned>(to_number(day));
    return true;
  }

  /// Splits "5#2", "mon-fri#1" and "l5" (native also "5l") into weekdays and n.
  bool take_nth(std::string_view& e, std::optional<int>& nth) {
    if (e.starts_with('l') && is_number(e.substr(1))) {
      e.remove_prefix(1);
      nth = kLastOfWeekday;
      return true;
    }
    if (is_native() && e.ends_with('l') && value_of(e.substr(0, e.size() - 1))) {
      e.remove_suffix(1);
      nth = kLastOfWeekday;
      return true;
    }
    const std::size_t hash = e.find('#');
    if (hash == std::string_view::npos) return true;
    const std::string_view n = e.substr(hash + 1);
    if (!is_number(n) || to_number(n) < 1 || to_number(n) > 5)
      return fail("'#' is followed by 1 to 5");
    nth = to_number(n);
    e = e.substr(0, hash);
    const std::size_t dash = e.find('-');
    if (dash == std::string_view::npos)
      return value_of(e) ? true : fail("before '#' comes a weekday or a range of names");
    if (!index_of(kWeekdays, e.substr(0, dash)) || !index_of(kWeekdays, e.substr(dash + 1)))
      return fail("a range before '#' is made of weekday names");
    return true;
  }

  /// A number, name, range or step.
  bool read_numbers(std::string_view e, std::optional<int> nth) {
    int step = 1;
    const std::size_t slash = e.find('/');
    if (slash != std::string_view::npos) {
      const std::string_view digits = e.substr(slash + 1);
      if (!is_number(digits)) return fail("the step after '/' is no number");
      step = to_number(digits);
      if (step == 0) return fail("the step after '/' is zero");
      e = e.substr(0, slash);
    }
    if (e == "*") return add_range(kind_.min, kind_.max, step, nth);
    if (e.starts_with('-')) return fail("is negative");
    const std::size_t dash = e.find('-');
    const auto low = value_of(e.substr(0, dash));
    if (!low) return fail_form();
    if (dash == std::string_view::npos) {
      if (slash == std::string_view::npos) return add(*low, nth);
      if (*low > kind_.max) return fail_range();
      return add_range(*low, kind_.max, step, nth);
    }
    const std::string_view end = e.substr(dash + 1);
    const auto high = index_ == DayOfMonth && end == "l" ? std::optional(31) : value_of(end);
    if (!high) return fail_form();
    if (std::max(*low, *high) > kind_.max) return fail_range();
    if (*low == *high) return add_range(kind_.min, kind_.max, step, nth);
    if (*low < *high) return add_range(*low, *high, step, nth);
    return add_wrapped(*low, *high, step, nth);
  }

  bool add_range(int low, int high, int step, std::optional<int> nth) {
    for (int value = low; value <= high; value += step)
      if (!add(value, nth)) return false;
    return true;
  }

  bool add_wrapped(int low, int high, int step, std::optional<int> nth) {
    if (!add_range(low, kind_.max, step, nth)) return false;
    const int reached = low + (kind_.max - low) / step * step;
    const int left = kind_.max - reached;
    const bool does_step_over_end = reached - kind_.min + step > kind_.max - kind_.min + 1;
    const int skipped = does_step_over_end && left < step ? step - left : 0;
    return add_range(kind_.min + skipped, high, step, nth);
  }

  FieldIndex index_;
  const FieldKind& kind_;
  std::string_view text_, element_;
  CronDialect dialect_;
  std::size_t column_ = 0;
  Field field_;
  std::string cause_;
};

std::string expand_preset(std::string_view text, CronDialect dialect) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (lower == "@hourly") return "0 * * * *";
  if (lower == "@daily" || lower == "@midnight") return "0 0 * * *";
  if (lower == "@weekly") return "0 0 * * 0";
  if (lower == "@monthly") return "0 0 1 * *";
  if (lower == "@yearly" || lower == "@annually") return "0 0 1 1 *";
  // Airflow knows this one only as it is written here; croniter does not know it.
  if (text == "@quarterly" || (dialect == CronDialect::Native && lower == "@quarterly"))
    return "0 0 1 */3 *";
  return lower;
}

struct Piece {
  std::string_view text;
  std::size_t column;
};

std::vector<Piece> split_fields(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\n\r\f\v";
  std::vector<Piece> pieces;
  std::size_t begin = text.find_first_not_of(kBlanks);
  while (begin != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, begin), text.size());
    pieces.push_back({text.substr(begin, end - begin), begin});
    begin = text.find_first_not_of(kBlanks, end);
  }
  return pieces;
}

bool has_star_text(const Piece& piece) { return piece.text.find('*') != std::string_view::npos; }

template <class Bits>
Bits to_bits(const Field& field, int min, int max, int shift) {
  Bits bits = 0;
  for (int v = min; v <= max; ++v)
    if (field.has_star || field.values.count(v) != 0) bits |= Bits{1} << (v - shift);
  return bits;
}

}  // namespace

/// Turns read fields into the sets that Cron searches.
class CronBuilder {
 public:
  CronBuilder(std::vector<Field> fields, const std::vector<Piece>& pieces)
      : fields_(std::move(fields)) {
    // A field that holds everything is '*', except one of the day fields beside a restricted one:
    // there it still takes part in the "either may match" rule.
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      Field& field = fields_[i];
      const std::size_t everything = static_cast<std::size_t>(kKinds[i].max - kKinds[i].min) + 1;
      if (field.size() != everything) continue;
      if (i == DayOfMonth && !has_star_text(pieces[DayOfWeek])) continue;
      if (i == DayOfWeek && !has_star_text(pieces[DayOfMonth])) continue;
      field.values.clear();
      field.has_last = false;
      field.has_star = true;
    }
  }

  /// '#' cannot be mixed with plain weekdays.
  bool is_weekday_mix_supported() const {
    const Field& field = fields_[DayOfWeek];
    if (!field.has_nth || field.size() == 7) return true;
    return std::all_of(field.values.begin(), field.values.end(), [&](int weekday) {
      return field.nth[static_cast<std::size_t>(weekday)] != 0;
    });
  }

  Cron build(std::string_view text, const std::vector<Piece>& pieces) const {
    Cron cron;
    cron.text_ = text;
    cron.minutes_ = to_bits<std::uint64_t>(fields_[Minute], 0, 59, 0);
    cron.hours_ = to_bits<std::uint32_t>(fields_[Hour], 0, 23, 0);
    cron.months_ = to_bits<std::uint32_t>(fields_[Month], 1, 12, 0);
    const Field& day = fields_[DayOfMonth];
    cron.is_any_day_ = day.has_star;
    cron.days_ = to_bits<std::uint32_t>(day, 1, 31, 1);
    if (day.has_last) cron.days_before_last_ |= 1;
    for (const int n : day.before_last) cron.days_before_last_ |= 1U << n;
    cron.nearest_ = day.nearest;
    const Field& weekday = fields_[DayOfWeek];
    cron.is_any_weekday_ = weekday.has_star;
    cron.weekdays_ = to_bits<std::uint32_t>(weekday, 0, 6, 0);
    cron.nth_ = weekday.nth;
    cron.has_nth_ = weekday.has_nth;
    cron.is_hour_star_ = fields_[Hour].is_only_star();
    cron.starts_with_star_ =
        pieces[Minute].text.starts_with('*') || pieces[Hour].text.starts_with('*');
    if (fields_.size() > Second) {
      cron.has_seconds_ = true;
      cron.seconds_ = to_bits<std::uint64_t>(fields_[Second], 0, 59, 0);
    }
    if (fields_.size() > Year && !fields_[Year].has_star) {
      cron.years_.emplace();
      for (const int year : fields_[Year].values)
        cron.years_->set(static_cast<std::size_t>(year - Cron::kFirstYear));
    }
    return cron;
  }

 private:
  std::vector<Field> fields_;
};

Result<Cron> Cron::parse(std::string_view text, CronDialect dialect) {
  const auto bad = [&](const std::string& cause) {
    return Error{ErrorCode::InvalidInput,
                 fmt::format("read cron expression '{}': {}", text, cause)};
  };
  const std::string expanded = expand_preset(text, dialect);
  const std::vector<Piece> pieces = split_fields(expanded);
  if (pieces.size() == 1 && pieces[0].text.starts_with('@'))
    return bad(
        "there is no such preset; there are @hourly, @daily, @midnight, @weekly, @monthly, "
        "@quarterly, @yearly and @annually");
  if (pieces.size() < 5 || pieces.size() > 7)
    return bad(fmt::format(
        "it has {} field{}; write minute, hour, day of month, month and day of week, then "
        "optionally second and year",
        pieces.size(), pieces.size() == 1 ? "" : "s"));
  std::vector<Field> fields;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    FieldReader reader(static_cast<FieldIndex>(i), pieces[i].text, dialect);
    if (!reader.read())
      return bad(fmt::format("{} '{}' at column {}: {}", kKinds[i].name, reader.element(),
                             pieces[i].column + reader.column() + 1, reader.cause()));
    fields.push_back(reader.field());
  }
  const CronBuilder builder(std::move(fields), pieces);
  if (!builder.is_weekday_mix_supported())
    return bad(
        fmt::format("day of week '{}' at column {}: plain weekdays cannot be mixed with '#' "
                    "or last weekdays",
                    pieces[DayOfWeek].text, pieces[DayOfWeek].column + 1));
  return builder.build(text, pieces);
}

}  // namespace etesian
