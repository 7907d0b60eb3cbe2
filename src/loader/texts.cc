#include "loader/texts.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <set>

#include "template/template.h"

namespace etesian {
namespace {

/// What a template of one task may use.
class TaskTexts {
 public:
  TaskTexts(const Outline& outline, const json::object& params, const DagFileContext& context,
            Report& report)
      : outline_(outline), params_(params), context_(context), report_(report) {
    for (std::size_t i = 0; i < outline.tasks.size(); ++i)
      index_.emplace(outline.tasks[i].task.id, i);
    for (const auto& [name, schema] : params) param_names_.emplace_back(name);
  }

  void check(const OutlineTask& entry, const YamlNode& root) {
    current_ = &entry;
    scope_.reset();
    const Command& command = entry.task.run;
    if (command.kind == Command::Kind::Shell) {
      check_text(*entry.run, Use::Shell);
      check_command(*entry.run, command.words[0].text.substr(0, command.words[0].text.find('\n')));
    } else if (command.kind == Command::Kind::Argv) {
      for (const YamlNode& word : entry.run->items)
        if (word.is_scalar()) check_text(word, Use::Plain);
      if (entry.run->items[0].is_scalar())
        check_program(entry.run->items[0], entry.run->items[0].text);
    }
    if (entry.map && entry.map->is_mapping())
      for (std::size_t i = 1; i < entry.map->items.size(); i += 2)
        if (entry.map->items[i].is_scalar()) check_map_source(entry.map->items[i]);
    check_how(root);
  }

  /// `env` and `working_folder` are inherited, so that one text belongs to many tasks: it is
  /// checked once, with the names of the first that uses it.
  void check_how(const YamlNode& root) {
    for (const auto& [name, text] : current_->task.environment) check_at(root, text);
    if (current_->task.working_folder) check_at(root, *current_->task.working_folder);
  }

 private:
  enum class Use { Plain, Shell };

  void check_at(const YamlNode& root, const TemplateText& text) {
    if (text.text.find('{') == std::string::npos) return;
    if (!seen_.insert(Mark{text.line, text.column}).second) return;
    const YamlNode* node = scalar_at(root, {text.line, text.column});
    if (node && node->text == text.text) check_text(*node, Use::Plain);
  }

  static const YamlNode* scalar_at(const YamlNode& node, Mark mark) {
    if (node.is_scalar()) return node.start == mark ? &node : nullptr;
    for (const YamlNode& item : node.items)
      if (const YamlNode* found = scalar_at(item, mark)) return found;
    return nullptr;
  }

  const TemplateScope& scope() {
    if (scope_) return *scope_;
    scope_.emplace();
    scope_->params = param_names_;
    std::vector<std::size_t> open = {index_.at(current_->task.id)};
    std::set<std::size_t> seen(open.begin(), open.end());
    while (!open.empty()) {
      const std::size_t i = open.back();
      open.pop_back();
      for (const std::string& id : outline_.tasks[i].task.after) {
        const std::size_t up = index_.at(id);
        if (!seen.insert(up).second) continue;
        open.push_back(up);
        scope_->outputs.push_back(id);
      }
    }
    if (current_->task.map)
      for (const auto& argument : current_->task.map->arguments)
        scope_->map_arguments.push_back(argument.name);
    return *scope_;
  }

  void add(Severity severity, const YamlNode& node, const TemplateError& e) {
    report_.add(severity, report_.place(node, e.offset), static_cast<int>(e.length), e.message,
                e.hint);
  }

  std::optional<Template> check_text(const YamlNode& node, Use use) {
    if (node.text.find('{') == std::string::npos) return std::nullopt;
    std::vector<TemplateError> errors;
    auto parsed = Template::parse(node.text, errors);
    for (const TemplateError& e : errors) add(Severity::Error, node, e);
    if (!parsed || parsed->is_literal()) return parsed;
    for (const TemplateError& e : parsed->check(scope())) add(Severity::Error, node, e);
    check_declared(node, "var", context_.variables);
    check_declared(node, "conn", context_.connections);
    if (use == Use::Shell) warn_unquoted(node, *parsed);
    return parsed;
  }

  /// Names after `var.value.`, `var.json.` or `conn.` that the project does not declare.
  void check_declared(const YamlNode& node, const std::string& root,
                      const std::optional<std::vector<std::string>>& names) {
    if (!names) return;
    static const RE2 kVariable(R"(\bvar\.(?:value|json)\.([A-Za-z_][A-Za-z0-9_]*))");
    static const RE2 kConnection(R"(\bconn\.([A-Za-z_][A-Za-z0-9_]*))");
    const bool is_variable = root == "var";
    re2::StringPiece rest(node.text), name;
    while (RE2::FindAndConsume(&rest, is_variable ? kVariable : kConnection, &name)) {
      const std::string word(name.data(), name.size());
      if (word == "get" || std::find(names->begin(), names->end(), word) != names->end()) continue;
      const auto offset = static_cast<std::size_t>(name.data() - node.text.data());
      report_.add(Severity::Warning, report_.place(node, offset), static_cast<int>(word.size()),
                  fmt::format("{} '{}' is not declared in etesian.yaml",
                              is_variable ? "variable" : "connection", word),
                  did_you_mean(word, *names));
    }
  }

  void warn_unquoted(const YamlNode& node, const Template& parsed) {
    for (TemplateError e : parsed.unquoted_params()) {
      static const RE2 kName(R"(params\.([A-Za-z_][A-Za-z0-9_]*)|params\[['"]([^'"]*)['"]\])");
      re2::StringPiece text(node.text.data() + e.offset,
                            std::min(e.length, node.text.size() - e.offset));
      std::string dotted, indexed;
      RE2::PartialMatch(text, kName, &dotted, &indexed);
      const std::string& name = dotted.empty() ? indexed : dotted;
      if (is_harmless(name)) continue;
      if (e.hint.empty()) e.hint = "write {{ … | quote }}";
      add(Severity::Warning, node, e);
    }
  }

  /// A value that its own schema keeps from meaning anything to a shell.
  bool is_harmless(const std::string& name) const {
    const json::value* schema = params_.if_contains(name);
    if (!schema || !schema->is_object()) return false;
    const json::object& object = schema->as_object();
    if (object.contains("enum") || object.contains("pattern") || object.contains("const"))
      return true;
    const json::value* type = object.if_contains("type");
    return type && (*type == "integer" || *type == "number" || *type == "boolean");
  }

  void check_map_source(const YamlNode& node) {
    const auto parsed = check_text(node, Use::Plain);
    static const RE2 kOneExpression(R"(\s*\{\{(?:[^{}]|\{[^{}]*\})*\}\}\s*)");
    if (!parsed || RE2::FullMatch(node.text, kOneExpression)) return;
    report_.error(node,
                  "a source of 'map' must be exactly one {{ expression }}, so that it gives a "
                  "list, not a text");
  }

  /// The program of a shell command, where the text shows it plainly.
  void check_command(const YamlNode& node, const std::string& line) {
    static const RE2 kProgram(
        R"(\s*(?:[A-Za-z_][A-Za-z0-9_]*=[A-Za-z0-9_./:-]*\s+)*([A-Za-z0-9_.@%+/-]+)(?:\s.*)?)");
    re2::StringPiece program;
    if (!RE2::FullMatch(line, kProgram, &program)) return;
    const auto offset = static_cast<std::size_t>(program.data() - line.data());
    check_program(node, std::string(program.data(), program.size()), offset);
  }

  void check_program(const YamlNode& node, const std::string& program, std::size_t offset = 0) {
    const bool is_relative_path =
        program.find('/') != std::string::npos && !program.starts_with('/');
    if (!context_.look || !is_relative_path || program.find("{{") != std::string::npos) return;
    std::string path = program;
    if (const auto& folder = current_->task.working_folder) {
      if (folder->text.find('{') != std::string::npos || folder->text.starts_with('/')) return;
      path = folder->text + "/" + program;
    }
    const FileFacts facts = context_.look(path);
    const Mark place = report_.place(node, offset);
    const auto length = static_cast<int>(program.size());
    if (!facts.exists)
      report_.add(Severity::Error, place, length,
                  fmt::format("no file '{}' in the dag's folder", path),
                  "paths are relative to the folder of dag.yaml");
    else if (facts.is_folder)
      report_.add(Severity::Error, place, length, fmt::format("'{}' is a folder", path));
    else if (!facts.is_executable)
      report_.add(Severity::Error, place, length, fmt::format("'{}' is not executable", path),
                  fmt::format("chmod +x {}{}", path,
                              facts.has_interpreter ? "" : ", and begin it with a '#!' line"));
    else if (!facts.has_interpreter)
      report_.add(Severity::Warning, place, length,
                  fmt::format("'{}' does not begin with a '#!' line", path),
                  "without one it is run by /bin/sh");
  }

  const Outline& outline_;
  const json::object& params_;
  const DagFileContext& context_;
  Report& report_;
  const OutlineTask* current_ = nullptr;
  std::optional<TemplateScope> scope_;
  std::map<std::string, std::size_t> index_;
  std::vector<std::string> param_names_;
  std::set<Mark> seen_;
};

}  // namespace

void check_texts(const Outline& outline, const json::object& params, const DagFileContext& context,
                 const YamlNode& root, Report& report) {
  TaskTexts texts(outline, params, context, report);
  for (const OutlineTask& entry : outline.tasks) texts.check(entry, root);
}

}  // namespace etesian
