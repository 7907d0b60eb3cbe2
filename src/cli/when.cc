#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "base/clock.h"
#include "base/time_text.h"
#include "base/time_zone.h"
#include "cli/commands.h"
#include "timetable/timetable.h"

namespace etesian::cli {
namespace {

struct Options {
  std::vector<std::string> expressions;
  std::string timezone = "UTC", dst = "first", gap, fold, from;
  std::size_t count = 10;
};

/// The form of the vectors: minutes, with seconds only where there are some.
std::string utc_text(Instant t) {
  const std::string text = to_iso_z(t);
  return text.ends_with(":00Z") ? text.substr(0, text.size() - 4) + "Z" : text;
}

const char* note_text(FireTime::Note note) {
  switch (note) {
    case FireTime::Note::None: return "";
    case FireTime::Note::FirstPass: return "first pass";
    case FireTime::Note::SecondPass: return "second pass";
    case FireTime::Note::MovedByDst: return "moved by DST";
    case FireTime::Note::MovedByHoliday: return "moved by a holiday";
  }
  return "";
}

DstPolicy policy_of(const Options& options) {
  auto policy = dst_policy_named(options.dst);
  if (!policy) throw Failure{kUsage, policy.error().message};
  if (options.gap == "shift") policy->gap = DstGap::ShiftByGap;
  if (options.gap == "at_transition") policy->gap = DstGap::AtTransition;
  if (options.gap == "skip") policy->gap = DstGap::Skip;
  if (options.fold == "first") policy->fold = DstFold::First;
  if (options.fold == "second") policy->fold = DstFold::Second;
  if (options.fold == "both") policy->fold = DstFold::Both;
  return *policy;
}

int when(const Globals& globals, const Options& options) {
  CronSchedule cron;
  cron.expressions = options.expressions;
  cron.timezone = options.timezone;
  cron.dst = policy_of(options);
  Schedule schedule;
  schedule.kind = cron;
  auto timetable = Timetable::compile(schedule);
  if (!timetable) throw Failure{kUsage, timetable.error().message};
  Instant from = SystemClock().now();
  if (!options.from.empty()) {
    auto given = instant_from_text(options.from);
    if (!given) throw Failure{kUsage, given.error().message};
    from = *given;
  }
  const std::vector<FireTime> times = timetable->fire_times(from, options.count);
  json::array instants;
  for (const FireTime& fire : times) instants.emplace_back(utc_text(fire.at));
  if (print_structured(globals, instants)) return kOk;
  auto zone = TimeZone::find(options.timezone);
  if (!zone) throw Failure{kUsage, zone.error().message};
  std::vector<std::vector<Cell>> rows;
  for (const FireTime& fire : times)
    rows.push_back({{zone->to_iso_local(fire.at), Tone::Strong},
                    {utc_text(fire.at)},
                    {note_text(fire.note), Tone::Warn}});
  print(timetable->description() + "\n" +
        table(globals.terminal, {options.timezone, "UTC", "NOTE"}, rows));
  return kOk;
}

}  // namespace

void add_when_command(CLI::App& app, Globals& globals, Chosen& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("when", "The next instants of a cron expression, on both clocks");
  command
      ->add_option("CRON", options->expressions,
                   "Five or six fields, or @daily and its like; several are joined")
      ->required();
  command->add_option("--timezone", options->timezone, "Zone of the expression");
  command->add_option("--dst", options->dst, "first, second, skip, both, debian or airflow");
  command->add_option("--gap", options->gap, "Only this part of the policy")
      ->check(CLI::IsMember({"shift", "at_transition", "skip"}));
  command->add_option("--fold", options->fold, "Only this part of the policy")
      ->check(CLI::IsMember({"first", "second", "both"}));
  command->add_option("--from", options->from, "Instants after this one (default: now)");
  command->add_option("--count", options->count, "How many")->check(CLI::Range(1, 100000));
  command->callback([&globals, &chosen, options] {
    chosen = [&globals, options] { return when(globals, *options); };
  });
}

}  // namespace etesian::cli
