#include "loader/how.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <limits>

namespace etesian {
namespace {

constexpr Range<int> kCount{1, 1'000'000};
constexpr Range<int> kExitCode{0, 255};

std::vector<Cause> read_causes(Section& section, const char* key) {
  std::vector<Cause> causes;
  for (const YamlNode* node : section.texts(key)) {
    if (const auto cause = cause_from_text(node->text)) {
      causes.push_back(*cause);
      continue;
    }
    std::vector<std::string> names;
    for (int i = 0; i <= static_cast<int>(Cause::QueueTimeout); ++i)
      names.emplace_back(to_text(static_cast<Cause>(i)));
    section.report().error(*node, fmt::format("'{}' is not a cause", node->text),
                           did_you_mean(node->text, names));
  }
  return causes;
}

void read_times(Section& section, const char* key, RetryRule& rule) {
  const YamlNode* node = section.get(key);
  if (!node) return;
  if (node->is_scalar() && node->text == "forever") {
    rule.times = RetryRule::kForever;
    section.report().warning(*node, "a task that cannot succeed is run again without end",
                             "a number, or 'max_elapsed', gives it an end");
    return;
  }
  if (const auto times = section.whole(key, {0, 10'000})) rule.times = *times;
}

void read_environment(Section& section, Task& task) {
  const YamlNode* node = section.get("env");
  if (!node) return;
  Report& report = section.report();
  if (!node->is_mapping()) {
    report.error(*node, fmt::format("'env' must be a mapping, not {}", shown(*node)));
    return;
  }
  for (std::size_t i = 0; i + 1 < node->items.size(); i += 2) {
    const YamlNode& key = node->items[i];
    const YamlNode& value = node->items[i + 1];
    static const RE2 kName("[A-Za-z_][A-Za-z0-9_]*");
    if (!RE2::FullMatch(key.text, kName)) {
      report.error(key, fmt::format("{} is not a name of an environment variable", shown(key)),
                   "letters, digits and '_'");
      continue;
    }
    if (key.text.starts_with("ETESIAN_")) {
      report.error(key, fmt::format("'{}' is set by Etesian itself", key.text),
                   "choose another name");
      continue;
    }
    if (!value.is_scalar()) {
      report.error(value, fmt::format("'{}' must be a text, not {}", key.text, shown(value)));
      continue;
    }
    const std::string text = value.is_null() ? "" : value.text;
    TemplateText entry{text, value.start.line, value.start.column};
    const auto same = std::find_if(task.environment.begin(), task.environment.end(),
                                   [&](const auto& e) { return e.first == key.text; });
    if (same != task.environment.end())
      same->second = std::move(entry);
    else
      task.environment.emplace_back(key.text, std::move(entry));
  }
}

void read_limits(Section& section, Task& task) {
  if (const auto v = section.duration("timeout")) {
    if (*v == Duration::zero())
      section.report().error(*section.get("timeout"), "'timeout' must be longer than nothing");
    task.timeout = v;
  }
  if (const auto v = section.duration("kill_grace")) task.kill_grace = *v;
  if (const auto v = section.number("cpu", {0, 1024})) task.cpu = *v;
  if (const auto v = section.bytes("memory")) task.memory_bytes = *v;
  if (const YamlNode* node = section.get("output_max")) {
    constexpr std::uint64_t kOutputMax = 15 << 20;  // What a message of the agent holds.
    const auto v = section.bytes("output_max");
    if (v && (*v < 1 || *v > kOutputMax))
      section.report().error(*node, "'output_max' must be from 1 byte to 15MiB",
                             "pass large data by a file or a table");
    else if (v)
      task.output_bytes_max = static_cast<std::uint32_t>(*v);
  }
  if (const auto v = section.whole("max_active", kCount)) task.max_active = v;
  if (const auto v = section.whole("max_active_per_run", kCount)) task.max_active_per_run = v;
  if (const auto v = section.wholes("skip_on_exit", {1, 255})) task.skip_on_exit = *v;
}

void read_queueing(Section& section, How& how) {
  Task& task = how.task;
  if (const YamlNode* node = section.get("pool")) {
    if (const auto v = text_of(*node, "pool", section.report())) {
      task.pool = *v;
      how.pool_place = node->start;
    }
  }
  if (const auto v = section.whole("pool_slots", kCount)) task.pool_slots = *v;
  if (const auto v = section.whole(
          "priority", {std::numeric_limits<int>::min(), std::numeric_limits<int>::max()}))
    task.priority = *v;
  if (const auto v = section.choice("weight_rule", {"downstream", "upstream", "absolute"}))
    task.weight_rule = static_cast<WeightRule>(*v);
  if (const auto v = section.flag("depends_on_past")) task.depends_on_past = *v;
  if (const auto v = section.flag("wait_for_downstream")) {
    task.wait_for_downstream = *v;
    task.depends_on_past |= *v;  // Airflow: wait_for_downstream switches depends_on_past on
  }
  if (const auto v = section.flag("ignore_first_depends_on_past"))
    task.ignore_first_depends_on_past = *v;
}

}  // namespace

RetryRule read_retry(const YamlNode& node, RetryRule rule, Report& report) {
  Section section(node, "'retry'", report);
  read_times(section, "times", rule);
  if (const auto v = section.duration("delay")) rule.delay = *v;
  if (const auto v = section.number("backoff", {1, 100})) rule.backoff = *v;
  if (const auto v = section.duration("max_delay")) rule.max_delay = v;
  if (const auto v = section.duration("jitter")) rule.jitter = *v;
  if (const auto v = section.duration("max_elapsed")) rule.max_elapsed = v;
  if (const auto v = section.wholes("on_exit", kExitCode)) rule.on_exit = *v;
  if (const auto v = section.wholes("not_on_exit", kExitCode)) rule.not_on_exit = *v;
  if (section.get("on_cause")) rule.on_cause = read_causes(section, "on_cause");
  if (section.get("not_on_cause")) rule.not_on_cause = read_causes(section, "not_on_cause");
  if (const YamlNode* pattern = section.get("on_log")) {
    if (const auto text = text_of(*pattern, "on_log", report)) {
      RE2::Options quiet;
      quiet.set_log_errors(false);
      const RE2 compiled(*text, quiet);
      if (compiled.ok())
        rule.on_log = *text;
      else
        report.error(
            *pattern, fmt::format("'on_log' is not a pattern: {}", compiled.error()),
            "the syntax is RE2's; put '\\' in front of a character that stands for itself");
    }
  }
  for (const int code : rule.on_exit)
    if (std::find(rule.not_on_exit.begin(), rule.not_on_exit.end(), code) != rule.not_on_exit.end())
      report.error(node, fmt::format("exit code {} is in both 'on_exit' and 'not_on_exit'", code));
  if (rule.max_delay && *rule.max_delay < rule.delay)
    report.warning(node, "'max_delay' is shorter than 'delay'", "every delay will be 'max_delay'");
  section.finish();
  return rule;
}

How read_how(const YamlNode& node, How how, HowLevel level, Report& report) {
  Section section(node, "'how'", report);
  Task& task = how.task;
  if (const YamlNode* executor = section.get("executor"))
    if (const auto v = text_of(*executor, "executor", report)) {
      task.executor = *v;
      if (*v != "local" && *v != "docker" && *v != "ecs")
        report.error(*executor, fmt::format("unknown executor {}", shown(*executor)),
                     did_you_mean(*v, {"local", "docker", "ecs"}));
    }
  if (const auto v = section.text("image")) task.image = *v;
  if (section.get("retries")) read_times(section, "retries", task.retry);
  if (const auto v = section.duration("retry_delay")) task.retry.delay = *v;
  if (const YamlNode* retry = section.get("retry"))
    task.retry = read_retry(*retry, task.retry, report);
  read_limits(section, task);
  read_queueing(section, how);
  read_environment(section, task);
  if (const YamlNode* folder = section.get("working_folder"))
    if (const auto v = text_of(*folder, "working_folder", report))
      task.working_folder = TemplateText{*v, folder->start.line, folder->start.column};
  if (level == HowLevel::Project || level == HowLevel::Dag)
    if (const auto v = section.whole("max_active_tasks", kCount)) how.max_active_tasks = *v;
  Homes homes;
  if (level != HowLevel::Project && level != HowLevel::Dag)
    homes = {{"max_active_tasks", "how' of the dag or the project"}};
  section.finish(homes);
  return how;
}

const Homes& how_keys() {
  static const Homes kKeys = [] {
    Homes keys;
    for (const char* key : {"executor",
                            "image",
                            "cpu",
                            "memory",
                            "retries",
                            "retry_delay",
                            "timeout",
                            "kill_grace",
                            "pool",
                            "pool_slots",
                            "priority",
                            "weight_rule",
                            "env",
                            "working_folder",
                            "max_active",
                            "max_active_per_run",
                            "max_active_tasks",
                            "output_max",
                            "skip_on_exit",
                            "depends_on_past",
                            "wait_for_downstream",
                            "ignore_first_depends_on_past"})
      keys.emplace_back(key, "how");
    return keys;
  }();
  return kKeys;
}

}  // namespace etesian
