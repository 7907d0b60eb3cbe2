#include "executor/launch_basics.h"

#include <fmt/format.h>

#include "base/time_text.h"

namespace etesian {
namespace {

std::string iso_or_empty(std::optional<Instant> t) { return t ? to_iso(*t) : ""; }

}  // namespace

std::string launch_label(const LaunchFacts& facts) {
  const int map_index = facts.instance.key.map_index;
  return fmt::format(
      "{}/{}/{}{} try {}", facts.dag->id(), facts.run.run_id, facts.dag->task(facts.task).id,
      map_index >= 0 ? fmt::format("[{}]", map_index) : "", facts.instance.try_number);
}

std::vector<std::pair<std::string, std::string>> standard_environment(const LaunchFacts& facts) {
  const RunRow& run = facts.run;
  std::optional<Instant> start, end;
  if (run.interval) start = run.interval->start, end = run.interval->end;
  return {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
          {"LANG", "C.UTF-8"},
          {"ETESIAN_DAG_ID", facts.dag->id()},
          {"ETESIAN_DAG_FOLDER", facts.dag->definition().folder},
          {"ETESIAN_DAG_VERSION", facts.dag->version()},
          {"ETESIAN_RUN_ID", run.run_id},
          {"ETESIAN_TASK_ID", facts.dag->task(facts.task).id},
          {"ETESIAN_TRY_NUMBER", std::to_string(facts.instance.try_number)},
          {"ETESIAN_MAP_INDEX", std::to_string(facts.instance.key.map_index)},
          {"ETESIAN_MAP_ARGUMENTS", facts.map_arguments},
          {"ETESIAN_LOGICAL_DATE", iso_or_empty(run.logical_date)},
          {"ETESIAN_DATA_INTERVAL_START", iso_or_empty(start)},
          {"ETESIAN_DATA_INTERVAL_END", iso_or_empty(end)},
          {"ETESIAN_PARAMS", run.conf}};
}

wire::StartTry launch_without_command(const LaunchFacts& facts) {
  const Task& task = facts.dag->task(facts.task);
  wire::StartTry launch;
  launch.try_id = facts.try_id;
  launch.launch = facts.launch;
  launch.session = facts.session;
  launch.label = launch_label(facts);
  launch.environment = standard_environment(facts);
  launch.working_folder = facts.dag->definition().folder;
  launch.timeout = task.timeout.value_or(Duration{0});
  launch.kill_grace = task.kill_grace;
  launch.cpu = task.cpu;
  launch.memory_bytes = task.memory_bytes;
  launch.output_bytes_max = task.output_bytes_max;
  launch.log_pattern = task.retry.on_log;
  launch.secrets = facts.secrets;
  return launch;
}

}  // namespace etesian
