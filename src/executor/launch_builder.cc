#include "executor/launch_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/json.h"
#include "base/time_text.h"
#include "executor/launch_basics.h"
#include "template/template.h"

namespace etesian {
namespace {

int code_points(std::string_view text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

/// The line of a file, from 1; empty where there is none.
std::string_view line_of(std::string_view file, int number) {
  for (; number > 1 && !file.empty(); --number) {
    const std::size_t end = file.find('\n');
    file = end == std::string_view::npos ? std::string_view() : file.substr(end + 1);
  }
  return file.substr(0, file.find('\n'));
}

/// Line and column (code points, from 1) of a byte of a text. The file knows whether the text's
/// place is that of its first character, of an opening quote, or of the `|` above a block; folds
/// and escapes are not undone.
std::pair<int, int> place_in_file(std::string_view file, const TemplateText& text,
                                  std::size_t offset) {
  const std::string_view before = std::string_view(text.text).substr(0, offset);
  const auto newlines = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  const std::string_view last = before.substr(newlines > 0 ? before.rfind('\n') + 1 : 0);
  std::string_view opening = line_of(file, text.line);
  for (int column = 0; !opening.empty(); opening.remove_prefix(1))
    if (column += code_points(opening.substr(0, 1)); column == text.column) break;
  const char first = opening.empty() ? '\0' : opening[0];
  if (first == '|' || first == '>') {
    const int line = text.line + 1 + newlines;
    const std::size_t indent = line_of(file, text.line + 1).find_first_not_of(' ');
    return {line, static_cast<int>(indent == std::string_view::npos ? 0 : indent) +
                      code_points(last) + 1};
  }
  if (newlines > 0) return {text.line + newlines, code_points(last) + 1};
  return {text.line, text.column + code_points(last) + (first == '\'' || first == '"' ? 1 : 0)};
}

/// Renders the texts of one task; remembers what secrets they read.
class Renderer {
 public:
  explicit Renderer(const LaunchFacts& facts)
      : launch_(facts), file_(facts.dag->definition().relative_file) {
    fill();
  }

  Result<std::string> render(const TemplateText& source) const {
    auto parsed = parse(source);
    if (!parsed) return parsed.error();
    if (parsed->is_literal()) return source.text;
    Template::Rendered rendered = parsed->render(facts_);
    if (rendered.error) return failure(source, *rendered.error);
    return std::move(*rendered.text);
  }

  Result<json::value> evaluate(const TemplateText& source) const {
    auto parsed = parse(source);
    if (!parsed) return parsed.error();
    Template::Evaluated value = parsed->evaluate(facts_);
    if (value.error) return failure(source, *value.error);
    return std::move(*value.value);
  }

  std::vector<std::string> take_secrets() const { return std::move(secrets_); }

 private:
  Result<Template> parse(const TemplateText& source) const {
    std::vector<TemplateError> errors;
    auto parsed = Template::parse(source.text, errors);
    if (!parsed) return failure(source, errors.front());
    return std::move(*parsed);
  }

  Error failure(const TemplateText& source, const TemplateError& error) const {
    const auto [line, column] =
        place_in_file(launch_.dag->definition().source, source, error.offset);
    return Error{ErrorCode::InvalidInput,
                 fmt::format("{}:{}:{}: {}{}", file_, line, column, error.message,
                             error.hint.empty() ? "" : "; " + error.hint)};
  }

  static json::object object_from(const std::string& text) {
    auto value = parse_json(text);
    return value && value->is_object() ? value->as_object() : json::object{};
  }

  void fill() {
    const Dag& dag = *launch_.dag;
    const Task& task = dag.task(launch_.task);
    const RunRow& run = launch_.run;
    facts_.dag_id = dag.id();
    facts_.task_id = task.id;
    facts_.run_id = run.run_id;
    facts_.run_type = std::string(to_text(run.type));
    facts_.owner = dag.definition().owner;
    facts_.try_number = launch_.instance.try_number;
    facts_.max_tries = launch_.instance.max_tries;
    facts_.map_index = launch_.instance.key.map_index;
    facts_.logical_date = run.logical_date;
    if (run.interval) {
      facts_.data_interval_start = run.interval->start;
      facts_.data_interval_end = run.interval->end;
    }
    if (launch_.previous_success) {
      facts_.prev_data_interval_start_success = launch_.previous_success->start;
      facts_.prev_data_interval_end_success = launch_.previous_success->end;
    }
    facts_.run_after = run.run_after;
    facts_.dag_run_start = run.started_at.value_or(run.queued_at);
    if (const auto* cron = std::get_if<CronSchedule>(&dag.definition().schedule.kind))
      if (auto zone = TimeZone::find(cron->timezone)) facts_.timezone = *zone;
    facts_.params = object_from(run.conf);
    facts_.map_arguments = object_from(launch_.map_arguments);
    facts_.output = [this](const std::string& task_id, const std::string& key,
                           int map_index) -> std::optional<json::value> {
      auto text = launch_.output ? launch_.output(task_id, key, map_index) : std::nullopt;
      if (!text) return std::nullopt;
      auto value = parse_json(*text);
      if (!value) return std::nullopt;
      return std::move(*value);
    };
    facts_.variable = [this](const std::string& key) -> std::optional<std::string> {
      auto value = launch_.variable ? launch_.variable(key) : std::nullopt;
      if (value) secrets_.push_back(*value);
      return value;
    };
    facts_.connection = [this](const std::string& id) -> std::optional<json::object> {
      auto text = launch_.connection ? launch_.connection(id) : std::nullopt;
      if (!text) return std::nullopt;
      json::object connection = object_from(*text);
      for (const char* member : {"password", "extra", "uri"})
        if (const auto* value = connection.if_contains(member); value && value->is_string())
          secrets_.emplace_back(value->as_string());
      return connection;
    };
  }

  const LaunchFacts& launch_;
  std::string file_;
  TemplateFacts facts_;
  mutable std::vector<std::string> secrets_;
};

/// Splits a command that a shell would only split at blanks; nullopt when a shell is needed.
std::optional<std::vector<std::string>> words_without_shell(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : text) {
    if (c == ' ' || c == '\t') {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
    } else if (std::isalnum(static_cast<unsigned char>(c)) ||
               std::string_view("_-./:,+@%").find(c) != std::string_view::npos) {
      word += c;
    } else {
      return std::nullopt;
    }
  }
  if (!word.empty()) words.push_back(word);
  // Words that only a shell knows are left to it.
  static const std::vector<std::string> kShellWords = {
      ".",        ":",        "alias",  "bg",      "break",   "case",   "cd",   "chdir", "command",
      "continue", "do",       "done",   "elif",    "else",    "esac",   "eval", "exec",  "exit",
      "export",   "fg",       "fi",     "for",     "getopts", "hash",   "if",   "jobs",  "local",
      "read",     "readonly", "return", "set",     "shift",   "source", "then", "times", "trap",
      "type",     "ulimit",   "umask",  "unalias", "unset",   "until",  "wait", "while"};
  if (words.empty() ||
      std::find(kShellWords.begin(), kShellWords.end(), words[0]) != kShellWords.end())
    return std::nullopt;
  // The program of that name has options that the shell's own command prints.
  if (words[0] == "echo" && words.size() > 1 && words[1].starts_with('-')) return std::nullopt;
  return words;
}

Result<std::vector<std::string>> command_line(const Command& command, const Renderer& renderer) {
  std::vector<std::string> argv;
  for (const TemplateText& word : command.words) {
    auto text = renderer.render(word);
    if (!text) return text.error();
    argv.push_back(std::move(*text));
  }
  if (command.kind != Command::Kind::Shell) return argv;
  if (auto words = words_without_shell(argv[0])) return std::move(*words);
  return std::vector<std::string>{"/bin/sh", "-c", argv[0]};
}

/// The variables that operators export. Source: context_to_airflow_vars of the task SDK 1.3.2.
std::vector<std::pair<std::string, std::string>> airflow_context(const LaunchFacts& facts) {
  std::vector<std::pair<std::string, std::string>> variables = {
      {"AIRFLOW_CTX_DAG_ID", facts.dag->id()},
      {"AIRFLOW_CTX_TASK_ID", facts.dag->task(facts.task).id},
      {"AIRFLOW_CTX_TRY_NUMBER", std::to_string(facts.instance.try_number)},
      {"AIRFLOW_CTX_DAG_RUN_ID", facts.run.run_id}};
  const std::string& owner = facts.dag->task(facts.task).airflow->owner;
  if (!owner.empty()) variables.emplace_back("AIRFLOW_CTX_DAG_OWNER", owner);
  if (facts.run.logical_date)
    variables.emplace_back("AIRFLOW_CTX_LOGICAL_DATE", to_iso(*facts.run.logical_date));
  return variables;
}

}  // namespace

Result<wire::StartTry> build_launch(const LaunchFacts& facts) {
  const Task& task = facts.dag->task(facts.task);
  const Renderer renderer(facts);
  wire::StartTry launch = launch_without_command(facts);
  auto argv = command_line(task.run, renderer);
  if (!argv) return argv.error();
  launch.argv = std::move(*argv);
  for (const auto& [name, source] : task.environment) {
    auto value = renderer.render(source);
    if (!value) return value.error();
    const auto same = [&name = name](const auto& entry) { return entry.first == name; };
    std::erase_if(launch.environment, same);
    launch.environment.emplace_back(name, std::move(*value));
  }
  if (task.working_folder) {
    auto folder = renderer.render(*task.working_folder);
    if (!folder) return folder.error();
    launch.working_folder =
        folder->starts_with('/') ? *folder : launch.working_folder + "/" + *folder;
  }
  for (std::string& secret : renderer.take_secrets()) launch.secrets.push_back(std::move(secret));
  return launch;
}

Result<wire::StartTry> build_native_launch(
    const LaunchFacts& facts, const std::vector<std::pair<std::string, std::string>>& inherited) {
  const Task& task = facts.dag->task(facts.task);
  const Renderer renderer(facts);
  wire::StartTry launch = launch_without_command(facts);
  auto command = renderer.render(task.airflow->native->words.front());
  if (!command) return command.error();
  // As the operator does: one stream, and whatever bash is found first.
  launch.argv = {"bash", "-c", "exec 2>&1; " + *command};
  launch.environment.clear();
  const auto put = [&launch](const std::string& name, std::string value) {
    std::erase_if(launch.environment, [&](const auto& entry) { return entry.first == name; });
    launch.environment.emplace_back(name, std::move(value));
  };
  if (task.airflow->native_inherits_environment) launch.environment = inherited;
  for (const auto& [name, source] : task.environment) {
    auto value = renderer.render(source);
    if (!value) return value.error();
    put(name, std::move(*value));
  }
  for (auto& [name, value] : airflow_context(facts)) put(name, std::move(value));
  launch.has_own_folder = !task.working_folder;
  if (task.working_folder) {
    auto folder = renderer.render(*task.working_folder);
    if (!folder) return folder.error();
    launch.working_folder = std::move(*folder);
  }
  launch.output_is_last_line = true;
  for (std::string& secret : renderer.take_secrets()) launch.secrets.push_back(std::move(secret));
  return launch;
}

Result<std::string> evaluate_map_source(const LaunchFacts& facts, const TemplateText& source) {
  auto value = Renderer(facts).evaluate(source);
  if (!value) return value.error();
  return json::serialize(*value);
}

}  // namespace etesian
