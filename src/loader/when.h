#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "loader/section.h"
#include "model/dag.h"

namespace etesian {

/// What `when:` says beside the schedule itself, and what a project may preset.
struct When {
  Schedule schedule;
  std::string schedule_text;  ///< As written, for lists; "@manual" when there is none.
  std::string timezone = "UTC";
  DstPolicy dst;
  int max_active_runs = 16;
  Overlap overlap = Overlap::Wait;
  std::optional<Duration> run_timeout;
  bool paused = false;
  std::vector<Need> needs;
};

enum class WhenLevel { Project, Dag };

/// The text of a calendar: a name that the project lists, or a path relative to the DAG's folder.
using ReadCalendar = std::function<Result<std::string>(const std::string& name)>;

/// Reads `when:` (a mapping, or a cron expression or preset alone, or null for manual runs) over
/// the project's presets, and compiles the schedule so that its mistakes are found now.
When read_when(const YamlNode& node, When inherited, WhenLevel level,
               const ReadCalendar& read_calendar, Report& report);
/// `needs:` of a DAG or a task.
std::vector<Need> read_needs(const YamlNode& node, Report& report);
/// Days of a calendar: one date a line, then anything; '#' begins a comment. Errors: InvalidInput,
/// with the number of the line.
Result<std::vector<std::string>> calendar_days(const std::string& text);
/// A date or time without an offset is what the clock on the wall of `zone` shows.
std::optional<Instant> instant_in_zone(const std::string& text, const std::string& zone,
                                       std::string& problem);
const Homes& when_keys();

}  // namespace etesian
