#include "executor/launch_builder.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/json.h"
#include "base/time_text.h"
#include "executor/launch_basics.h"
#include "template/template.h"

namespace etesian {
namespace {

/// Of an XCom that comes with the end of its task: less than a frame of the wire and a record of
/// the agent's journal hold.
constexpr std::uint32_t kOutputBytesMax = 15U << 20;

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
    std::string place = file_;
    if (source.line != 0) {
      const auto [line, column] =
          place_in_file(launch_.dag->definition().source, source, error.offset);
      place += fmt::format(":{}:{}", line, column);
    }
    return Error{ErrorCode::InvalidInput, fmt::format("{}: {}{}", place, error.message,
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

using Variables = std::vector<std::pair<std::string, std::string>>;

void put_all(Variables& environment, Variables more) {
  for (auto& [name, value] : more) {
    std::erase_if(environment, [&name = name](const auto& entry) { return entry.first == name; });
    environment.emplace_back(std::move(name), std::move(value));
  }
}

std::string value_of(const Variables& environment, const char* name) {
  for (const auto& [key, value] : environment)
    if (key == name) return value;
  return "";
}

/// What a BashOperator's template fields have become.
struct NativeTexts {
  std::string command;
  Variables environment;  ///< Declaration order.
  std::optional<std::string> folder;
};

Result<NativeTexts> native_texts(const LaunchFacts& facts) {
  const Task& task = facts.dag->task(facts.task);
  const Renderer renderer(facts);
  NativeTexts texts;
  auto command = renderer.render(task.airflow->native->words.front());
  if (!command) return command.error();
  texts.command = std::move(*command);
  for (const auto& [name, source] : task.environment) {
    auto value = renderer.render(source);
    if (!value) return value.error();
    texts.environment.emplace_back(name, std::move(*value));
  }
  if (task.working_folder) {
    auto folder = renderer.render(*task.working_folder);
    if (!folder) return folder.error();
    texts.folder = std::move(*folder);
  }
  return texts;
}

/// What the worker of a task, started by build_worker_launch, has in its environment when it runs
/// the operator. Source: task SDK 1.3.2, execution_time/supervisor.py (no database for workers) and
/// definitions/_internal/dag_parsing_context.py.
Variables worker_environment(const LaunchFacts& facts, const Variables& inherited) {
  Variables variables = standard_environment(facts);
  std::erase_if(variables, [](const auto& entry) {
    return entry.first == "ETESIAN_PARAMS" || entry.first == "ETESIAN_MAP_ARGUMENTS";
  });
  put_all(variables, inherited);
  put_all(variables, {{"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///"},
                      {"AIRFLOW__CORE__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///"},
                      {"_AIRFLOW_PARSING_CONTEXT_DAG_ID", facts.dag->id()},
                      {"_AIRFLOW_PARSING_CONTEXT_TASK_ID", facts.dag->task(facts.task).id}});
  return variables;
}

/// shutil.which("bash") or "bash"
std::string find_bash(const Variables& environment) {
  std::string path = value_of(environment, "PATH");
  for (std::string_view left = path; !left.empty();) {
    const std::size_t end = std::min(left.find(':'), left.size());
    const std::string candidate = std::string(left.substr(0, end)) + "/bash";
    struct stat info {};
    if (left.starts_with('/') && ::stat(candidate.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
        ::access(candidate.c_str(), X_OK) == 0)
      return candidate;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return "bash";
}

/// tempfile.gettempdir(), as far as it depends on the environment.
std::string temporary_folder(const Variables& environment) {
  for (const char* name : {"TMPDIR", "TEMP", "TMP"}) {
    const std::string folder = value_of(environment, name);
    if (folder.starts_with('/') && ::access(folder.c_str(), W_OK | X_OK) == 0) return folder;
  }
  return "/tmp";
}

/// The variables that operators export. Source: context_to_airflow_vars of the task SDK 1.3.2.
Variables airflow_context(const LaunchFacts& facts) {
  Variables variables = {{"AIRFLOW_CTX_DAG_ID", facts.dag->id()},
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
  const AirflowTask& airflow = *facts.dag->task(facts.task).airflow;
  auto texts = native_texts(facts);
  if (!texts) return texts.error();
  wire::StartTry launch = launch_without_command(facts);
  launch.environment.clear();
  if (airflow.native_inherits_environment)
    launch.environment = worker_environment(facts, inherited);
  put_all(launch.environment, std::move(texts->environment));
  put_all(launch.environment, airflow_context(facts));
  launch.argv = {find_bash(inherited), "-c", std::move(texts->command)};
  launch.has_own_folder = !texts->folder;
  launch.working_folder = texts->folder ? std::move(*texts->folder) : temporary_folder(inherited);
  launch.is_bash_operator = true;
  launch.output_bytes_max = kOutputBytesMax;
  return launch;
}

Result<std::string> native_fields(const LaunchFacts& facts) {
  const AirflowTask& airflow = *facts.dag->task(facts.task).airflow;
  auto texts = native_texts(facts);
  if (!texts) return texts.error();
  json::object fields{{"bash_command", texts->command}, {"env", nullptr}, {"cwd", nullptr}};
  if (airflow.native_has_environment) {
    std::sort(texts->environment.begin(), texts->environment.end());
    json::object& environment = fields["env"].emplace_object();
    for (const auto& [name, value] : texts->environment) environment[name] = value;
  }
  if (texts->folder) fields["cwd"] = *texts->folder;
  return json::serialize(fields);
}

Result<std::string> evaluate_map_source(const LaunchFacts& facts, const TemplateText& source) {
  auto value = Renderer(facts).evaluate(source);
  if (!value) return value.error();
  return json::serialize(*value);
}

}  // namespace etesian
