#include "base/time_zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "base/tzif.h"

namespace etesian {
namespace {

namespace chrono = std::chrono;
namespace fs = std::filesystem;
using chrono::seconds;

const std::string kDatabase = "/usr/share/zoneinfo";
constexpr std::size_t kZoneFileMax = 1 << 20;

Instant instant_from_seconds(std::int64_t s) {
  constexpr std::int64_t kMax = Instant::max().time_since_epoch().count() / 1'000'000;
  if (s >= kMax) return Instant::max();
  if (s <= -kMax) return Instant::min();
  return Instant(seconds(s));
}

bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.front() == '.') return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '+' ||
           c == '/' || c == '.';
  });
}

/// Seconds of "+09:00" or "-03:30"; nullopt when `name` has another form.
std::optional<std::int32_t> fixed_offset_named(std::string_view name) {
  if (name.size() != 6 || (name[0] != '+' && name[0] != '-') || name[3] != ':') return std::nullopt;
  const auto digit = [&](std::size_t i) { return name[i] - '0'; };
  for (const std::size_t i : {1U, 2U, 4U, 5U})
    if (digit(i) < 0 || digit(i) > 9) return std::nullopt;
  const int hours = digit(1) * 10 + digit(2), minutes = digit(4) * 10 + digit(5);
  if (hours > 23 || minutes > 59) return std::nullopt;
  const int offset = hours * 3600 + minutes * 60;
  return name[0] == '-' ? -offset : offset;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// The zone a person most likely meant; empty when none is near. Walks the database's folder.
std::string similar_zone_name(std::string_view name) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  std::error_code error;
  fs::recursive_directory_iterator it(kDatabase, error), end;
  for (; !error && it != end; it.increment(error)) {
    const std::string path = it->path().lexically_relative(kDatabase).string();
    if (path == "posix" || path == "right") {
      it.disable_recursion_pending();
      continue;
    }
    if (std::isupper(static_cast<unsigned char>(path.front())) == 0 || it->is_directory(error))
      continue;
    const std::size_t slash = path.rfind('/');
    const std::size_t to_city = slash == std::string::npos
                                    ? std::string::npos
                                    : edit_distance(name, path.substr(slash + 1));
    const std::size_t distance = std::min(edit_distance(name, path), to_city);
    if (distance < best_distance || (distance == best_distance && path < best)) {
      best = path;
      best_distance = distance;
    }
  }
  return best;
}

Error unknown_zone(std::string_view name) {
  std::string message = fmt::format("find time zone '{}': there is no such zone", name);
  if (const std::string hint = similar_zone_name(name); !hint.empty())
    message += fmt::format("; did you mean '{}'?", hint);
  return {ErrorCode::NotFound, message};
}

}  // namespace

struct TimeZone::Rules {
  std::string name;
  std::vector<ZonePeriod> periods;

  std::size_t index_at(std::int64_t utc) const {
    const auto later =
        std::upper_bound(periods.begin(), periods.end(), utc,
                         [](std::int64_t t, const ZonePeriod& p) { return t < p.since; });
    return static_cast<std::size_t>(later - periods.begin()) - 1;
  }
  std::int64_t end_of(std::size_t index) const {
    return index + 1 < periods.size() ? periods[index + 1].since
                                      : std::numeric_limits<std::int64_t>::max();
  }
  static std::shared_ptr<const Rules> fixed(std::string name, std::int32_t offset_s) {
    std::string abbreviation = name;
    return std::make_shared<const Rules>(
        Rules{std::move(name),
              {{std::numeric_limits<std::int64_t>::min(), offset_s, std::move(abbreviation)}}});
  }
};

TimeZone TimeZone::utc() {
  static const auto kRules = Rules::fixed("UTC", 0);
  return TimeZone(kRules);
}

Result<TimeZone> TimeZone::find(std::string_view name) {
  static std::mutex mutex;
  static std::map<std::string, std::shared_ptr<const Rules>, std::less<>> known;
  if (name == "UTC") return utc();
  const std::lock_guard lock(mutex);
  if (const auto it = known.find(name); it != known.end()) return TimeZone(it->second);
  std::shared_ptr<const Rules> rules;
  if (const auto offset = fixed_offset_named(name)) {
    rules = Rules::fixed(std::string(name), *offset);
  } else {
    if (!is_zone_name(name)) return unknown_zone(name);
    const auto file = read_file(kDatabase + "/" + std::string(name), kZoneFileMax);
    if (!file) return unknown_zone(name);
    auto periods = periods_from_tzif(*file);
    if (!periods) return unknown_zone(name);
    rules = std::make_shared<const Rules>(Rules{std::string(name), *std::move(periods)});
  }
  known.emplace(name, rules);
  return TimeZone(rules);
}

const std::string& TimeZone::name() const { return rules_->name; }

TimeZone::Stretch TimeZone::stretch_at(Instant t) const {
  const std::size_t i = rules_->index_at(chrono::floor<seconds>(t).time_since_epoch().count());
  const ZonePeriod& period = rules_->periods[i];
  return {instant_from_seconds(period.since), instant_from_seconds(rules_->end_of(i)),
          seconds(period.offset_s), period.abbreviation};
}

seconds TimeZone::offset_at(Instant t) const {
  const std::size_t i = rules_->index_at(chrono::floor<seconds>(t).time_since_epoch().count());
  return seconds(rules_->periods[i].offset_s);
}

LocalTime TimeZone::local_at(Instant t) const {
  return LocalTime(chrono::floor<seconds>(t).time_since_epoch() + offset_at(t));
}

TimeZone::Meaning TimeZone::meaning_of(LocalTime wall) const {
  using Kind = Meaning::Kind;
  constexpr std::int64_t kOffsetMax = 26 * 3600;  // further from UTC than any clock ever was
  const std::int64_t w = wall.time_since_epoch().count();
  const auto& periods = rules_->periods;
  std::size_t i = rules_->index_at(w - kOffsetMax);
  for (;; ++i) {
    const std::int64_t offset = periods[i].offset_s;
    const std::int64_t end = rules_->end_of(i);
    if (i + 1 == periods.size()) return {Kind::Unique, seconds(offset), seconds(offset), {}};
    const std::int64_t next_offset = periods[i + 1].offset_s;
    const bool is_before_end = w < end + offset;
    const bool is_after_begin_of_next = w >= end + next_offset;
    if (!is_before_end && is_after_begin_of_next) continue;  // it belongs to a later period
    if (is_before_end && !is_after_begin_of_next)
      return {Kind::Unique, seconds(offset), seconds(offset), {}};
    return {is_before_end ? Kind::Fold : Kind::Gap, seconds(offset), seconds(next_offset),
            instant_from_seconds(end)};
  }
}

std::string TimeZone::to_iso_local(Instant t) const {
  const auto offset = offset_at(t);
  const Instant wall = t + offset;
  const auto day = chrono::floor<chrono::days>(wall);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss time(wall - day);
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) out += fmt::format(".{:06}", time.subseconds().count());
  const auto distance = chrono::abs(offset).count();
  out += fmt::format("{}{:02}:{:02}", offset.count() < 0 ? '-' : '+', distance / 3600,
                     distance / 60 % 60);
  if (distance % 60 != 0) out += fmt::format(":{:02}", distance % 60);
  return out;
}

std::string time_zone_database_version() {
  const auto first_line_of = [](const std::string& name) -> std::string {
    const auto text = read_file(kDatabase + "/" + name, kZoneFileMax);
    return text ? text->substr(0, text->find('\n')) : "";
  };
  constexpr std::string_view kPrefix = "# version ";
  const std::string line = first_line_of("tzdata.zi");
  if (line.starts_with(kPrefix)) return line.substr(kPrefix.size());
  const std::string version = first_line_of("+VERSION");
  return version.empty() ? "unknown" : version;
}

}  // namespace etesian
