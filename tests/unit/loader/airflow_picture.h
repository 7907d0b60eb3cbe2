#pragma once
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/time_text.h"
#include "model/dag.h"

namespace etesian::test {

/// A definition in the words of tests/golden/airflow/make.py, which draws the same from Airflow's
/// own objects.
class AirflowPicture {
 public:
  static std::string of(const DagDefinition& dag) {
    std::string out =
        fmt::format("dag {}: '{}' {}{}\n", dag.id, dag.schedule_text,
                    std::visit(AirflowPicture{}, dag.schedule.kind),
                    dag.schedule_assets ? " assets " + text(*dag.schedule_assets) : std::string());
    out += fmt::format("  from {} to {}{} runs {} tasks {} timeout {}{}{} owner {} tags [{}]{}\n",
                       when(dag.schedule.start), when(dag.schedule.end),
                       dag.schedule.catchup ? " catchup" : "", dag.max_active_runs,
                       dag.max_active_tasks, seconds(dag.run_timeout),
                       dag.fail_fast ? " fail_fast" : "", dag.paused_on_creation ? " paused" : "",
                       dag.owner, fmt::join(dag.tags, ","),
                       dag.description.empty() ? "" : " description " + quoted(dag.description));
    const json::value params = *parse_json(dag.params_schema);
    for (const auto& [name, schema] : params.as_object())
      out += fmt::format("  param {} {}\n", std::string(name), canonical_json(schema));
    for (const Task& task : dag.tasks) out += line(task);
    return out;
  }

  std::string operator()(const ManualSchedule&) const { return "manual"; }
  std::string operator()(const OnceSchedule&) const { return "once"; }
  std::string operator()(const ContinuousSchedule&) const { return "continuous"; }
  std::string operator()(const DatesSchedule& dates) const {
    std::string out = "dates";
    for (const Instant date : dates.dates) out += " " + when(date);
    return out + (dates.restrict_to_dates ? " restricted" : "");
  }
  std::string operator()(const IntervalSchedule& even) const {
    std::string out = "every " + seconds(even.every);
    if (even.interval == IntervalRule::Trigger) out += " trigger " + seconds(even.trigger_interval);
    return out;
  }
  std::string operator()(const CronSchedule& cron) const {
    std::string out =
        fmt::format("cron {} in {}", fmt::join(cron.expressions, " | "), cron.timezone);
    if (!cron.dst.airflow_stepping) out += " NOT AS AIRFLOW STEPS";
    if (cron.interval != IntervalRule::Trigger) return out;
    const bool is_always = cron.run_immediately == Duration::max();
    return out + fmt::format(" trigger {} immediately {}", seconds(cron.trigger_interval),
                             is_always ? "always" : seconds(cron.run_immediately));
  }

 private:
  static std::string when(std::optional<Instant> t) { return t ? to_iso_z(*t) : "-"; }
  static std::string seconds(std::optional<Duration> d) {
    return d ? fmt::format("{:g}", std::chrono::duration<double>(*d).count()) : "-";
  }
  static std::string quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos;)
      text.replace(at, 1, "\\n");
    return "'" + text + "'";
  }
  static std::string joined(std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    return fmt::format("{}", fmt::join(names, ","));
  }

  static std::string text(const AssetUse& use) {
    switch (use.kind) {
      case AssetUse::Kind::Alias: return "alias:" + use.name;
      case AssetUse::Kind::NameRef: return "name:" + use.name;
      case AssetUse::Kind::UriRef: return "uri:" + use.uri;
      case AssetUse::Kind::Asset: break;
    }
    return use.name + "@" + use.uri;
  }
  static std::string text(const AssetCondition& condition) {
    if (condition.kind == AssetCondition::Kind::Use) return text(condition.use);
    std::vector<std::string> parts;
    for (const AssetCondition& part : condition.parts) parts.push_back(text(part));
    const char* mark = condition.kind == AssetCondition::Kind::All ? " & " : " | ";
    return fmt::format("({})", fmt::join(parts, mark));
  }
  static std::string text(const std::vector<AssetUse>& uses) {
    std::vector<std::string> all;
    for (const AssetUse& use : uses) all.push_back(text(use));
    return fmt::format("[{}]", fmt::join(all, ", "));
  }
  static std::string text(const LengthOf& length) {
    using Kind = LengthOf::Kind;
    if (length.kind == Kind::Literal) return std::to_string(length.literal);
    if (length.kind == Kind::Output) return length.task + "[" + length.key + "]";
    std::vector<std::string> parts;
    for (const LengthOf& part : length.parts) parts.push_back(text(part));
    const char* name = length.kind == Kind::Zip      ? "zip"
                       : length.kind == Kind::Concat ? "concat"
                                                     : "zip_longest";
    return fmt::format("{}({})", name, fmt::join(parts, ", "));
  }
  static std::string text(const MapRule& map) {
    std::string out = map.combine == MapRule::Combine::Product ? " map" : " map zip";
    for (const auto& argument : map.arguments)
      out += " " + argument.name + "=" + text(std::get<LengthOf>(argument.source));
    return map.group.empty() ? out : out + " of group " + map.group;
  }
  static std::string text(const RetryRule& retry) {
    using std::chrono::seconds;
    const bool is_default = retry.times == 0 && retry.delay == seconds(300) &&
                            retry.airflow_exponential_backoff == 1 && !retry.max_delay;
    if (is_default) return "";
    return fmt::format(" retries {} every {} x{:g} most {}", retry.times,
                       AirflowPicture::seconds(retry.delay), retry.airflow_exponential_backoff,
                       AirflowPicture::seconds(retry.max_delay));
  }

  static std::string line(const Task& task) {
    std::string out = fmt::format("  {}: {} {}", task.id,
                                  task.run.kind == Command::Kind::Empty ? "empty" : "worker",
                                  task.airflow->operator_type);
    if (task.airflow->operator_name != task.airflow->operator_type)
      out += " as " + task.airflow->operator_name;
    if (!task.group.empty()) out += " in " + task.group;
    if (!task.after.empty()) out += " after " + joined(task.after);
    if (task.trigger_rule != TriggerRule::AllSuccess)
      out += fmt::format(" rule {}", to_text(task.trigger_rule));
    if (task.map) out += text(*task.map);
    out += text(task.retry);
    if (task.pool != "default_pool" || task.pool_slots != 1)
      out += fmt::format(" pool {} {}", task.pool, task.pool_slots);
    if (task.priority != 1 || task.weight_rule != WeightRule::Downstream)
      out += fmt::format(" priority {} {}", task.priority, to_text(task.weight_rule));
    if (task.max_active) out += fmt::format(" max_active {}", *task.max_active);
    if (task.max_active_per_run)
      out += fmt::format(" max_active_per_run {}", *task.max_active_per_run);
    if (task.airflow->queue != "default") out += " queue " + task.airflow->queue;
    if (task.is_setup) out += " setup";
    if (task.is_teardown) out += " teardown of [" + joined(task.setups) + "]";
    if (task.on_failure_fail_run) out += " on_failure_fail_dagrun";
    if (task.depends_on_past) out += " depends_on_past";
    if (task.wait_for_downstream) out += " wait_for_downstream";
    if (task.ignore_first_depends_on_past) out += " ignore_first_depends_on_past";
    if (task.airflow->can_skip_downstream) out += " skips";
    if (!task.inlets.empty()) out += " reads " + text(task.inlets);
    if (!task.outlets.empty()) out += " writes " + text(task.outlets);
    if (!task.description.empty()) out += " doc " + quoted(task.description);
    return out + "\n";
  }
};

}  // namespace etesian::test
