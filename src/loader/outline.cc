#include "loader/outline.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>

#include "loader/when.h"
#include "model/run.h"

namespace etesian {
namespace {

constexpr std::size_t kIdShownMax = 60;

/// Names that a `map:` argument would hide in templates.
constexpr std::array<std::string_view, 12> kReserved = {"params", "output", "var",    "conn",
                                                        "macros", "ti",     "task",   "dag",
                                                        "ds",     "ts",     "run_id", "dag_run"};

class OutlineReader {
 public:
  explicit OutlineReader(Report& report) : report_(report) {}

  void read_all(const YamlNode& node, const How& how, int group) {
    if (!node.is_mapping() || node.items.empty()) {
      report_.error(node,
                    fmt::format("'tasks' must be a mapping of task ids, not {}",
                                node.is_mapping() ? "empty" : shown(node)),
                    "write 'tasks:' and below it, indented, 'my_task:' with its 'run:'");
      return;
    }
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      if (!check_key(node.items[i])) continue;
      if (node.items[i + 1].find("tasks") != nullptr)
        read_group(node.items[i], node.items[i + 1], how, group);
      else
        read_task(node.items[i], node.items[i + 1], how, group);
    }
  }

  Outline take() { return std::move(outline_); }

 private:
  bool check_key(const YamlNode& key) {
    if (key.text.find('.') != std::string::npos) {
      report_.error(key, fmt::format("task id {} holds a '.'", shown(key)),
                    "a '.' stands between group and task");
      return false;
    }
    const auto checked = check_id("task", key.text);
    if (checked) return true;
    const std::string& message = checked.error().message;
    report_.error(key, fmt::format("bad task id: {}", message.substr(message.find(": ") + 2)));
    return false;
  }

  std::string full_id(const YamlNode& key, int group) const {
    return group < 0 ? key.text
                     : outline_.groups[static_cast<std::size_t>(group)].id + "." + key.text;
  }

  std::string label(const char* what, const YamlNode& key) const {
    return fmt::format("{} '{}'", what, key.text.substr(0, kIdShownMax));
  }

  void read_group(const YamlNode& key, const YamlNode& node, const How& inherited, int parent) {
    Section section(node, label("group", key), report_);
    const auto index = static_cast<int>(outline_.groups.size());
    OutlineGroup group;
    group.id = full_id(key, parent);
    group.parent = parent;
    group.key = &key;
    group.after = section.texts("after");
    section.text("description");
    outline_.groups.push_back(std::move(group));
    How how = inherited;
    if (const YamlNode* own = section.get("how"))
      how = read_how(*own, how, HowLevel::Group, report_);
    if (const YamlNode* retry = section.get("retry"))
      how.task.retry = read_retry(*retry, how.task.retry, report_);
    const YamlNode* tasks = section.get("tasks");
    section.finish(how_keys());
    read_all(*tasks, how, index);
  }

  void read_task(const YamlNode& key, const YamlNode& node, const How& inherited, int group) {
    Section section(node, label("task", key), report_);
    How how = inherited;
    if (const YamlNode* own = section.get("how"))
      how = read_how(*own, how, HowLevel::Task, report_);
    OutlineTask entry;
    entry.key = &key;
    entry.group = group;
    entry.pool_place = how.pool_place;
    Task& task = entry.task = how.task;
    task.id = full_id(key, group);
    if (group >= 0) task.group = outline_.groups[static_cast<std::size_t>(group)].id;
    task.line = key.start.line;
    task.column = key.start.column;
    if (const auto checked = check_id("task", task.id); !checked)
      report_.error(key, "the id with its groups is longer than 250 bytes");
    task.description = section.text("description").value_or("");
    if (const YamlNode* retry = section.get("retry"))
      task.retry = read_retry(*retry, task.retry, report_);
    read_command(section, entry);
    entry.after = section.texts("after");
    if (const YamlNode* needs = section.get("needs")) task.needs = read_needs(*needs, report_);
    read_decision(section, task);
    read_setup(section, entry);
    read_trigger_rule(section, entry);
    read_map(section, entry);
    section.finish(how_keys());
    for (int g = group; g >= 0; g = outline_.groups[static_cast<std::size_t>(g)].parent)
      outline_.groups[static_cast<std::size_t>(g)].tasks.push_back(
          static_cast<int>(outline_.tasks.size()));
    outline_.tasks.push_back(std::move(entry));
  }

  static TemplateText template_of(const YamlNode& node) {
    return {node.text, node.start.line, node.start.column};
  }

  void read_command(Section& section, OutlineTask& entry) {
    const YamlNode* run = section.get("run");
    if (!run) return;
    entry.run = run;
    Command& command = entry.task.run;
    if (run->is_scalar() && !run->is_null() &&
        run->text.find_first_not_of(" \t\r\n") != std::string::npos) {
      command.kind = Command::Kind::Shell;
      command.words = {template_of(*run)};
      return;
    }
    if (!run->is_sequence() || run->items.empty()) {
      report_.error(*run,
                    fmt::format("'run' must be a command, as text or as a list of words, not {}",
                                run->is_scalar() ? "nothing" : shown(*run)),
                    "leave 'run' out for a task that only marks a point in the order");
      return;
    }
    command.kind = Command::Kind::Argv;
    for (const YamlNode& word : run->items) {
      if (word.is_scalar() && (!word.is_null() || word.style != YamlNode::Style::Plain))
        command.words.push_back(template_of(word));
      else
        report_.error(word, fmt::format("a word of a command must be a text, not {}", shown(word)));
    }
  }

  void read_decision(Section& section, Task& task) {
    const bool is_branch = section.flag("branch").value_or(false);
    const bool is_circuit = section.flag("short_circuit").value_or(false);
    if (is_branch && is_circuit)
      report_.error(*section.key_node("short_circuit"),
                    "a task cannot be both 'branch' and 'short_circuit'");
    task.decides = is_branch    ? Decides::Branch
                   : is_circuit ? Decides::ShortCircuit
                                : Decides::Nothing;
    if (is_branch && task.run.kind == Command::Kind::Empty)
      report_.error(*section.key_node("branch"),
                    "a branch needs 'run': its output names the followers that run");
  }

  void read_setup(Section& section, OutlineTask& entry) {
    Task& task = entry.task;
    task.is_setup = section.flag("setup").value_or(false);
    if (const YamlNode* node = section.get("teardown")) {
      const bool is_flag = node->is_scalar() && node->style == YamlNode::Style::Plain &&
                           (node->text == "true" || node->text == "false");
      task.is_teardown = !is_flag || node->text == "true";
      if (!is_flag) entry.setups = section.texts("teardown");
    }
    if (task.is_setup && task.is_teardown)
      report_.error(*section.key_node("teardown"), "a task cannot be both 'setup' and 'teardown'");
    if (const auto v = section.flag("on_failure_fail_run")) {
      task.on_failure_fail_run = *v;
      if (!task.is_teardown)
        report_.error(*section.key_node("on_failure_fail_run"),
                      "'on_failure_fail_run' is for a teardown only");
    }
  }

  void read_trigger_rule(Section& section, OutlineTask& entry) {
    std::vector<std::string> names;
    for (int i = 0; i <= static_cast<int>(TriggerRule::Always); ++i)
      names.emplace_back(to_text(static_cast<TriggerRule>(i)));
    entry.trigger_rule = section.get("trigger_rule");
    Task& task = entry.task;
    if (task.is_teardown) task.trigger_rule = TriggerRule::AllDoneSetupSuccess;
    if (const auto v = section.choice("trigger_rule", names)) {
      const auto rule = static_cast<TriggerRule>(*v);
      if (task.is_teardown && rule != TriggerRule::AllDoneSetupSuccess)
        report_.error(*entry.trigger_rule,
                      "the rule of a teardown is always all_done_setup_success",
                      "remove 'trigger_rule'");
      task.trigger_rule = rule;
    }
  }

  void read_map(Section& section, OutlineTask& entry) {
    const YamlNode* node = section.get("map");
    const auto combine = section.choice("combine", {"product", "zip"});
    const auto at_once = section.whole("at_once", {1, 1'000'000});
    if (!node) {
      for (const char* key : {"combine", "at_once"})
        if (const YamlNode* extra = section.key_node(key))
          report_.error(*extra, fmt::format("'{}' needs 'map'", key));
      return;
    }
    entry.map = node;
    if (!node->is_mapping() || node->items.empty()) {
      report_.error(*node,
                    fmt::format("'map' must be a mapping of names to lists, not {}", shown(*node)),
                    "write map: {city: [Seoul, Busan]}");
      return;
    }
    MapRule rule;
    rule.combine = combine == 1U ? MapRule::Combine::Zip : MapRule::Combine::Product;
    rule.max_active = at_once;
    for (std::size_t i = 0; i + 1 < node->items.size(); i += 2)
      read_argument(node->items[i], node->items[i + 1], rule);
    entry.task.map = std::move(rule);
  }

  void read_argument(const YamlNode& key, const YamlNode& value, MapRule& rule) {
    static const RE2 kName("[A-Za-z_][A-Za-z0-9_]*");
    if (!RE2::FullMatch(key.text, kName) || key.text.starts_with("__")) {
      report_.error(key, fmt::format("{} is not a name that a template can use", shown(key)),
                    "letters, digits and '_'");
      return;
    }
    if (std::find(kReserved.begin(), kReserved.end(), key.text) != kReserved.end()) {
      report_.error(key, fmt::format("'{}' would hide the template name '{}'", key.text, key.text),
                    "choose another name");
      return;
    }
    MapRule::Argument argument;
    argument.name = key.text;
    if (!value.is_scalar()) {
      argument.source = canonical_json(to_json(value));
      if (value.items.empty())
        report_.warning(value, fmt::format("'{}' is empty: the task will be skipped", key.text));
    } else if (value.text.find("{{") != std::string::npos) {
      argument.source = template_of(value);
    } else {
      report_.error(
          value, fmt::format("'{}' must be a list, a mapping or one {{{{ expression }}}}, not {}",
                             key.text, shown(value)));
      return;
    }
    rule.arguments.push_back(std::move(argument));
  }

  Report& report_;
  Outline outline_;
};

}  // namespace

Outline read_tasks(const YamlNode& node, const How& how, Report& report) {
  OutlineReader reader(report);
  reader.read_all(node, how, -1);
  return reader.take();
}

}  // namespace etesian
