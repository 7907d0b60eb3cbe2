#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/random.h"
#include "base/time_zone.h"
#include "timetable/fires.h"
#include "unit/timetable/support.h"

namespace etesian {
namespace {

namespace chrono = std::chrono;
using test::CronCase;

constexpr chrono::minutes kMinute(1);
constexpr chrono::minutes kShiftMax(180);

/// The definitions of docs/schedules.md, one minute after the other. It shares the parser with the
/// code under test, but neither its search nor its way around the changes of the clock.
class MinuteWalker {
 public:
  MinuteWalker(const Cron& cron, const TimeZone& zone, const DstPolicy& policy)
      : cron_(cron), zone_(zone), policy_(policy) {
    if (policy.hourly == DstHourly::AllHoursNamed) is_real_time_ = cron.names_all_hours();
    if (policy.hourly == DstHourly::TextStar) is_real_time_ = cron.starts_with_star();
  }

  std::vector<Instant> fires(Instant after, Instant until) const {
    std::set<Instant> out;
    const Instant begin = chrono::floor<chrono::minutes>(after) + kMinute;
    // Runs moved by a gap come from before `after`.
    TimeZone::Stretch stretch = zone_.stretch_at(begin - kLookBack);
    auto offset_before = stretch.offset;
    for (Instant t = begin - kLookBack; t <= until; t += kMinute) {
      if (t >= stretch.end) stretch = zone_.stretch_at(t);
      if (fires_at(t, floored(t, stretch.offset))) out.insert(t);
      if (!is_real_time_ && stretch.offset > offset_before)
        add_gap_runs(t, {offset_before, stretch.offset}, out);
      offset_before = stretch.offset;
    }
    std::vector<Instant> kept;
    for (const Instant t : out)
      if (t > after && t <= until) kept.push_back(t);
    return kept;
  }

 private:
  static constexpr chrono::hours kLookBack{5};
  struct Jump {
    chrono::seconds from, to;
  };

  static LocalTime floored(Instant t, chrono::seconds offset) {
    return LocalTime(chrono::floor<chrono::minutes>(t + offset).time_since_epoch());
  }

  bool fires_at(Instant t, LocalTime wall) const {
    if (!cron_.matches(wall)) return false;
    if (is_real_time_ || policy_.fold == DstFold::Both) return true;
    // The other pass of the same reading, when there is one.
    const auto meaning = zone_.meaning_of(zone_.local_at(t));
    if (meaning.kind != TimeZone::Meaning::Kind::Fold) return true;
    if (meaning.before - meaning.after > kShiftMax) return true;
    const bool is_first = t < meaning.transition;
    return is_first == (policy_.fold == DstFold::First);
  }

  /// Where the clock jumps forward between the minute before `t` and `t`.
  void add_gap_runs(Instant t, Jump jump, std::set<Instant>& out) const {
    if (policy_.gap == DstGap::Skip || jump.to - jump.from > kShiftMax) return;
    LocalTime missing = floored(t - kMinute, jump.from) + kMinute;
    for (; missing < floored(t, jump.to); missing += kMinute)
      if (cron_.matches(missing))
        out.insert(policy_.gap == DstGap::AtTransition ? t : Instant(missing - jump.from));
  }

  const Cron& cron_;
  const TimeZone& zone_;
  const DstPolicy& policy_;
  bool is_real_time_ = false;
};

class Cases {
 public:
  Cases() {
    if (const char* text = std::getenv("ETESIAN_SEED")) seed_ = std::strtoull(text, nullptr, 10);
    if (const char* text = std::getenv("ETESIAN_CASES")) count_ = std::strtoull(text, nullptr, 10);
    random_ = SeededRandom(seed_);
  }
  std::uint64_t seed() const { return seed_; }
  std::uint64_t count() const { return count_; }
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  template <class T, std::size_t N>
  T pick(const T (&items)[N]) {
    return items[random_.below(N)];
  }

  std::string zone() {
    constexpr const char* kZones[] = {"America/New_York",    "Europe/London",     "Europe/Berlin",
                                      "Australia/Lord_Howe", "Europe/Dublin",     "America/Nuuk",
                                      "Africa/Casablanca",   "Pacific/Apia",      "Asia/Kolkata",
                                      "Pacific/Chatham",     "America/Sao_Paulo", "Africa/Cairo",
                                      "Asia/Tehran",         "Asia/Seoul",        "America/Havana",
                                      "Antarctica/Troll",    "America/Caracas",   "Asia/Pyongyang",
                                      "Europe/Lisbon",       "Pacific/Kwajalein", "UTC"};
    return pick(kZones);
  }

  std::string expression() {
    constexpr const char* kMinutes[] = {"0",  "30",    "*",    "*/15", "*/30",
                                        "59", "10-20", "0,45", "7/20", "50-10/7"};
    constexpr const char* kHours[] = {"*",    "2",   "1",   "0",    "23", "*/2",
                                      "0-23", "1-3", "2,3", "22-4", "3/5"};
    constexpr const char* kDays[] = {"*", "*", "*", "*", "1-7", "L", "15W", "*/2", "10,20", "31"};
    constexpr const char* kMonths[] = {"*", "*", "*", "3,10,11", "oct-apr"};
    constexpr const char* kWeekdays[] = {"*", "*", "*", "sun", "mon-fri", "0#2", "L0", "6,7"};
    return std::string(pick(kMinutes)) + " " + pick(kHours) + " " + pick(kDays) + " " +
           pick(kMonths) + " " + pick(kWeekdays);
  }

  DstPolicy policy() {
    if (random_.chance(0.5)) {
      constexpr const char* kNames[] = {"first", "second", "skip", "both", "debian"};
      return *dst_policy_named(pick(kNames));
    }
    constexpr DstGap kGaps[] = {DstGap::Skip, DstGap::AtTransition, DstGap::ShiftByGap};
    constexpr DstFold kFolds[] = {DstFold::First, DstFold::Second, DstFold::Both};
    constexpr DstHourly kHourly[] = {DstHourly::AllHoursNamed, DstHourly::TextStar,
                                     DstHourly::Never};
    return {pick(kGaps), pick(kFolds), pick(kHourly), false};
  }

  /// An instant of 1972 to 2099, mostly within two days of a change of the clock.
  Instant instant(const TimeZone& zone) {
    const Instant begin = test::at("1972-02-01");
    const Instant any = begin + chrono::seconds(random_.below(127ULL * 31'556'952));
    const Instant change = zone.stretch_at(any).end;
    if (change > test::at("2099-06-01") || random_.chance(0.1)) return any;
    return change - chrono::hours(48) + chrono::seconds(random_.below(72 * 3600));
  }

 private:
  std::uint64_t seed_ = 20240310, count_ = 100'000;
  SeededRandom random_{0};
};

std::string describe(const Cases& cases, const CronCase& c, Instant after) {
  return fmt::format("ETESIAN_SEED={} '{}' {} gap {} fold {} hourly {} after {}", cases.seed(),
                     c.expression, c.zone, int(c.dst.gap), int(c.dst.fold), int(c.dst.hourly),
                     to_iso_z(after));
}

std::string text(const std::vector<Instant>& instants) {
  std::string out;
  for (const Instant t : instants) out += test::short_text(t) + " ";
  return out;
}

TEST(Property, searching_finds_what_walking_each_minute_finds) {
  Cases cases;
  for (std::uint64_t i = 0; i < cases.count(); ++i) {
    const CronCase c{cases.expression(), cases.zone(), cases.policy()};
    const TimeZone zone = *TimeZone::find(c.zone);
    const Instant after = cases.instant(zone);
    const auto cron = Cron::parse(c.expression, CronDialect::Native);
    ASSERT_TRUE(cron) << cron.error().message;
    if (!cron->can_fire()) continue;
    const auto timetable = Timetable::compile(test::schedule_of(c));
    ASSERT_TRUE(timetable) << timetable.error().message;
    const Instant until = after + chrono::hours(30);
    std::vector<Instant> found;
    for (Instant previous = after;;) {
      const auto next = timetable->fire_times(previous, 1);
      if (next.empty() || next.front().at > until) break;
      ASSERT_GT(next.front().at, previous) << describe(cases, c, after);
      previous = next.front().at;
      found.push_back(previous);
    }
    const auto expected = MinuteWalker(*cron, zone, c.dst).fires(after, until);
    ASSERT_EQ(text(found), text(expected)) << describe(cases, c, after);
  }
}

TEST(Property, every_instant_between_two_runs_has_the_same_next_and_previous_run) {
  Cases cases;
  for (std::uint64_t i = 0; i < cases.count(); ++i) {
    const CronCase c{cases.expression(), cases.zone(), cases.policy()};
    const TimeZone zone = *TimeZone::find(c.zone);
    const ZonedCron fires(*Cron::parse(c.expression, CronDialect::Native), zone, c.dst);
    const Instant after = cases.instant(zone);
    const auto begin = fires.next(after);
    if (!begin) continue;
    const auto end = fires.next(*begin);
    if (!end) continue;
    const auto length = static_cast<std::uint64_t>((*end - *begin).count());
    for (const Instant t : {*begin + Duration(cases.below(length)), *end - Duration(1)})
      ASSERT_EQ(fires.next(t), end) << describe(cases, c, t);
    for (const Instant t : {*begin + Duration(1 + cases.below(length)), *end})
      ASSERT_EQ(fires.prev(t), begin) << describe(cases, c, t);
  }
}

TEST(Property, a_daily_schedule_runs_once_on_each_local_day) {
  Cases cases;
  for (std::uint64_t i = 0; i < cases.count() / 30; ++i) {
    const std::string zone_name = cases.zone();
    const TimeZone zone = *TimeZone::find(zone_name);
    const auto hour = static_cast<int>(cases.below(24));
    const CronCase c{fmt::format("{} {} * * *", cases.below(60), hour), zone_name,
                     *dst_policy_named(cases.below(2) == 0 ? "first" : "second")};
    const Instant from = cases.instant(zone);
    const auto timetable = *Timetable::compile(test::schedule_of(c));
    const auto first_day = chrono::floor<chrono::days>(zone.local_at(from));
    const auto times = timetable.fire_times(from, 200);
    std::map<chrono::sys_days, int> runs;
    for (const FireTime& fire : times) {
      // A run that a gap moved counts for the day of the wall time that it stands for, which is
      // read with the offset before the gap.
      const bool is_moved = fire.note == FireTime::Note::MovedByDst;
      const auto offset = zone.offset_at(is_moved ? fire.at - Duration(1) : fire.at);
      const auto day = chrono::floor<chrono::days>(fire.at + offset);
      ++runs[chrono::sys_days(day)];
    }
    const auto last_day = chrono::floor<chrono::days>(zone.local_at(times.back().at));
    for (auto day = first_day + chrono::days(1); day < last_day; day += chrono::days(1)) {
      const auto noon = zone.meaning_of(LocalTime(day) + chrono::hours(12));
      const bool is_left_out = noon.kind == TimeZone::Meaning::Kind::Gap;
      ASSERT_EQ(runs[chrono::sys_days(day)], is_left_out ? 0 : 1)
          << describe(cases, c, from) << " day " << to_iso_z(Instant(chrono::sys_days(day)));
    }
  }
}

}  // namespace
}  // namespace etesian
