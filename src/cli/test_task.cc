#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <map>
#include <memory>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/time_text.h"
#include "base/time_zone.h"
#include "cli/commands.h"
#include "cli/project.h"
#include "executor/launch_builder.h"
#include "loader/params.h"
#include "timetable/timetable.h"

namespace etesian::cli {
namespace {

struct Options {
  std::string dag_id, task_id, date, project = ".";
  std::vector<std::string> params, outputs, arguments, variables;
};

using Pairs = std::map<std::string, json::value>;

/// "NAME=VALUE" where the value is JSON or plain text.
Pairs pairs_of(const std::vector<std::string>& texts, const char* option) {
  Pairs pairs;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw Failure{kUsage, fmt::format("read {} '{}': expected NAME=VALUE", option, text)};
    auto value = parse_json(text.substr(equals + 1));
    pairs[text.substr(0, equals)] = value ? *value : json::value(text.substr(equals + 1));
  }
  return pairs;
}

json::object object_of(const Pairs& pairs) {
  json::object object;
  for (const auto& [name, value] : pairs) object[name] = value;
  return object;
}

/// The run that the schedule makes on that day of its zone; without one, the day itself.
RunRow run_of(const Dag& dag, const std::string& date) {
  RunRow run;
  run.dag_id = dag.id();
  Instant from = SystemClock().now();
  if (!date.empty()) {
    auto given = instant_from_text(date);
    if (!given) throw Failure{kUsage, given.error().message};
    from = *given;
    const auto* cron = std::get_if<CronSchedule>(&dag.definition().schedule.kind);
    auto zone = cron ? TimeZone::find(cron->timezone) : Result<TimeZone>(TimeZone::utc());
    if (zone && date.size() == 10)
      from -= zone->meaning_of(
                      LocalTime(std::chrono::floor<std::chrono::seconds>(from.time_since_epoch())))
                  .before;
  }
  constexpr Duration kDay = std::chrono::hours(24);
  auto timetable = Timetable::compile(dag.definition().schedule);
  std::vector<RunSlot> slots;
  if (timetable && !date.empty())
    slots = timetable->runs_between(from, from + kDay - Duration(1), 1);
  run.logical_date = slots.empty() ? from : slots[0].logical_date;
  run.interval = slots.empty() ? DataInterval{from, from + kDay} : slots[0].interval;
  run.run_after = slots.empty() ? from : slots[0].run_after;
  run.queued_at = SystemClock().now();
  run.started_at = run.queued_at;
  SystemRandom random;
  run.run_id = make_run_id(RunType::Manual, run.run_after, run.logical_date, random);
  return run;
}

TaskIndex task_of(const Dag& dag, const std::string& task_id) {
  if (const auto index = dag.find(task_id)) return *index;
  std::vector<std::string> ids;
  for (const Task& task : dag.tasks()) ids.push_back(task.id);
  throw Failure{kNotFound, fmt::format("find task '{}' in '{}': there is none{}", task_id, dag.id(),
                                       hint_after(did_you_mean(task_id, ids)))};
}

std::string conf_of(const Dag& dag, const Options& options) {
  auto conf = validate_params(dag.definition().params_schema,
                              json::serialize(object_of(pairs_of(options.params, "--param"))));
  if (!conf) throw Failure{kRefused, conf.error().message};
  return *conf;
}

/// The first instance of a map over literals, unless --arg names values.
std::string map_arguments(const Task& task, const Options& options) {
  json::object arguments = object_of(pairs_of(options.arguments, "--arg"));
  if (!task.map) return json::serialize(arguments);
  for (const MapRule::Argument& argument : task.map->arguments) {
    if (arguments.contains(argument.name)) continue;
    const auto* literal = std::get_if<std::string>(&argument.source);
    auto values =
        literal ? parse_json(*literal) : Result<json::value>(Error{ErrorCode::NotFound, ""});
    if (!values || !values->is_array() || values->as_array().empty())
      throw Failure{kUsage, fmt::format("test '{}': its map argument '{}' comes from an upstream "
                                        "output; give a value with --arg {}=…",
                                        task.id, argument.name, argument.name)};
    arguments[argument.name] = values->as_array()[0];
  }
  return json::serialize(arguments);
}

int report(const Globals& globals, const wire::ExitRecord& record) {
  if (!record.output.empty()) print("output  " + visible(record.output) + "\n");
  const bool succeeded = record.cause == 0 && record.exit_code == 0;
  const double seconds = std::chrono::duration<double>(record.ended_at - record.started_at).count();
  const std::string how =
      record.message.empty() ? fmt::format("exit code {}", record.exit_code) : record.message;
  print(paint(globals.terminal, succeeded ? Tone::Good : Tone::Bad,
              succeeded ? "success" : "failed") +
        fmt::format("  {} after {:.3f} s, {} lines\n", visible(how), seconds, record.log_lines));
  return succeeded ? kOk : kFailed;
}

int test(const Globals& globals, const Options& options) {
  const Project project = open_project(options.project);
  const auto dag = dag_of(project, options.dag_id);
  const TaskIndex index = task_of(*dag, options.task_id);
  const Task& task = dag->task(index);
  if (task.run.kind == Command::Kind::Empty) {
    print(fmt::format("'{}' has no command: nothing to run\n", visible(task.id)));
    return kOk;
  }
  SystemRandom random;
  const Pairs outputs = pairs_of(options.outputs, "--output-of"),
              variables = pairs_of(options.variables, "--var");
  LaunchFacts facts;
  facts.dag = dag.get();
  facts.task = index;
  facts.run = run_of(*dag, options.date);
  facts.run.conf = conf_of(*dag, options);
  facts.instance.key = {0, index, task.map ? 0 : -1};
  facts.instance.try_number = 1;
  facts.instance.max_tries = task.retry.times;
  facts.try_id = make_uuid7(facts.run.queued_at.time_since_epoch().count() / 1000, random);
  facts.session = "test";
  facts.map_arguments = map_arguments(task, options);
  facts.output = [&](const std::string& id, const std::string& name,
                     int) -> std::optional<std::string> {
    const auto found = outputs.find(id);
    if (found == outputs.end() || name != "return_value") return std::nullopt;
    return json::serialize(found->second);
  };
  facts.variable = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second.is_string() ? std::string(found->second.as_string())
                                     : json::serialize(found->second);
  };
  auto launch = build_launch(facts);
  if (!launch)
    throw Failure{
        kFailed,
        launch.error().message +
            (outputs.empty() ? "; outputs of upstream tasks come from --output-of TASK=JSON" : "")};
  print(paint(globals.terminal, Tone::Quiet,
              fmt::format("{}  data interval {} to {}", launch->label,
                          to_iso_z(facts.run.interval->start), to_iso_z(facts.run.interval->end))) +
        "\n");
  auto record = agent::run_once(*launch, [&](int stream, std::string_view line) {
    const Tone tone = stream == 1 ? Tone::Plain : stream == 2 ? Tone::Warn : Tone::Quiet;
    print((globals.terminal.is_terminal ? paint(globals.terminal, tone, line) : std::string(line)) +
          "\n");
  });
  if (!record) throw Failure{kFailed, record.error().message};
  return report(globals, *record);
}

}  // namespace

void add_test_command(CLI::App& app, Globals& globals, Chosen& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "test", "Run one task here and now, without a server: same environment, same log");
  command->add_option("DAG", options->dag_id, "Id of the DAG")->required();
  command->add_option("TASK", options->task_id, "Id of the task")->required();
  command->add_option("--date", options->date, "Day or logical date of the run (default: now)");
  command->add_option("-p,--param", options->params, "NAME=VALUE of a param");
  command->add_option("--arg", options->arguments, "NAME=VALUE of a map argument");
  command->add_option("--output-of", options->outputs, "TASK=JSON: what an upstream task left");
  command->add_option("--var", options->variables, "NAME=VALUE of a variable");
  command->add_option("--project", options->project, "The project's folder")
      ->check(CLI::ExistingDirectory);
  command->callback([&globals, &chosen, options] {
    chosen = [&globals, options] { return test(globals, *options); };
  });
}

}  // namespace etesian::cli
