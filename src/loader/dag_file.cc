#include "loader/dag_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "loader/canonical.h"
#include "loader/outline.h"
#include "loader/params.h"
#include "loader/texts.h"
#include "model/run.h"

namespace etesian {
namespace {

std::string after_colon(const std::string& message) {
  const std::size_t at = message.find(": ");
  return at == std::string::npos ? message : message.substr(at + 2);
}

void read_id(Section& section, const DagFileContext& context, DagDefinition& dag) {
  dag.id = context.default_id;
  const YamlNode* node = section.get("dag");
  if (node) {
    if (const auto text = text_of(*node, "dag", section.report())) dag.id = *text;
  }
  const auto checked = check_id("dag", dag.id);
  if (!checked)
    section.report().error(node ? *node : section.node(),
                           "bad dag id: " + after_colon(checked.error().message),
                           node ? "" : "the id is the folder's name unless 'dag:' gives another");
}

/// A schema as it is, or a bare value as the default of a param of its type.
json::object param_schema(const YamlNode& node) {
  json::value value = to_json(node);
  if (value.is_object()) {
    const json::object& object = value.as_object();
    for (const std::string& keyword : param_keywords())
      if (object.contains(keyword)) return object;
    const bool has_reference = std::any_of(object.begin(), object.end(), [](const auto& entry) {
      return entry.key().starts_with('$');
    });
    if (object.empty() || has_reference) return object;
    return {{"type", "object"}, {"default", value}};
  }
  json::object schema;
  const char* type = value.is_string()                       ? "string"
                     : value.is_bool()                       ? "boolean"
                     : value.is_int64() || value.is_uint64() ? "integer"
                     : value.is_double()                     ? "number"
                     : value.is_array()                      ? "array"
                                                             : nullptr;
  if (type) schema["type"] = type;
  schema["default"] = std::move(value);
  return schema;
}

json::object read_params(Section& section, const When& when) {
  json::object params;
  const YamlNode* node = section.get("params");
  if (!node || node->is_null()) return params;
  Report& report = section.report();
  if (!node->is_mapping()) {
    report.error(*node, fmt::format("'params' must be a mapping, not {}", shown(*node)));
    return params;
  }
  const bool is_scheduled = !std::holds_alternative<ManualSchedule>(when.schedule.kind);
  for (std::size_t i = 0; i + 1 < node->items.size(); i += 2) {
    const YamlNode& key = node->items[i];
    const YamlNode& value = node->items[i + 1];
    if (key.text.empty() || key.text.size() > 250 || key.text.starts_with("__")) {
      report.error(key, fmt::format("{} cannot be the name of a param", shown(key)));
      continue;
    }
    json::object schema = param_schema(value);
    const ParamProblem problem = check_param_schema(key.text, schema);
    if (!problem.message.empty()) {
      const YamlNode* place = &key;
      for (std::size_t k = 0; value.is_mapping() && k + 1 < value.items.size(); k += 2)
        if (value.items[k].text == problem.keyword)
          place = problem.message.find("unknown schema keyword") == std::string::npos
                      ? &value.items[k + 1]
                      : &value.items[k];
      report.error(*place, problem.message, problem.hint);
    } else if (is_scheduled && !schema.contains("default")) {
      report.error(key,
                   fmt::format("param '{}' has no default, but runs of the schedule bring no value",
                               key.text),
                   "give it a default, or remove the schedule");
    }
    params[key.text] = std::move(schema);
  }
  return params;
}

void check_pools(const Outline& outline, const DagFileContext& context, Report& report) {
  if (!context.pools) return;
  std::vector<Mark> seen;
  for (const OutlineTask& entry : outline.tasks) {
    const std::string& pool = entry.task.pool;
    if (pool == "default_pool" ||
        std::find(context.pools->begin(), context.pools->end(), pool) != context.pools->end())
      continue;
    if (std::find(seen.begin(), seen.end(), entry.pool_place) != seen.end()) continue;
    seen.push_back(entry.pool_place);
    std::string hint = did_you_mean(pool, *context.pools);
    if (hint.empty()) hint = "name it below 'pools' of etesian.yaml";
    report.add(Severity::Error, entry.pool_place, static_cast<int>(pool.size()),
               fmt::format("unknown pool '{}'", pool), std::move(hint));
  }
}

void check_branches(const Outline& outline, Report& report) {
  for (const OutlineTask& entry : outline.tasks) {
    if (entry.task.decides == Decides::Nothing) continue;
    const bool has_follower =
        std::any_of(outline.tasks.begin(), outline.tasks.end(), [&](const OutlineTask& other) {
          return std::find(other.task.after.begin(), other.task.after.end(), entry.task.id) !=
                 other.task.after.end();
        });
    if (!has_follower)
      report.warning(*entry.key,
                     fmt::format("task '{}' decides what follows, but nothing does", entry.task.id),
                     fmt::format("write 'after: {}' in its followers", entry.key->text));
  }
}

void read_root(const YamlNode& root, const std::string& text, const DagFileContext& context,
               Report& report, LoadedDag& loaded) {
  Section section(root, "the dag", report);
  DagDefinition dag;
  read_id(section, context, dag);
  loaded.id = dag.id;
  dag.description = section.text("description").value_or("");
  dag.owner = section.text("owner").value_or("");
  for (const YamlNode* tag : section.texts("tags")) dag.tags.push_back(tag->text);
  dag.fail_fast = section.flag("fail_fast").value_or(false);

  static const YamlNode kNothing;
  const YamlNode* when_node = section.get("when");
  When when = read_when(when_node ? *when_node : kNothing, context.when, WhenLevel::Dag,
                        context.read_calendar, report);
  How how = context.how;
  if (const YamlNode* node = section.get("how")) how = read_how(*node, how, HowLevel::Dag, report);
  if (const YamlNode* node = section.get("retry"))
    how.task.retry = read_retry(*node, how.task.retry, report);
  const json::object params = read_params(section, when);

  Outline outline;
  const YamlNode* tasks = section.get("tasks");
  if (tasks)
    outline = read_tasks(*tasks, how, report);
  else if (root.is_mapping())
    report.add(Severity::Error, root.start, 1, "the dag has no 'tasks'",
               "write 'tasks:' and below it, indented, 'my_task:' with its 'run:'");
  Homes homes = how_keys();
  homes.insert(homes.end(), when_keys().begin(), when_keys().end());
  section.finish(homes);
  link_tasks(outline, report);
  check_texts(outline, params, context, root, report);
  check_pools(outline, context, report);
  check_branches(outline, report);
  if (report.has_errors()) return;

  dag.schedule = std::move(when.schedule);
  dag.schedule_text = std::move(when.schedule_text);
  dag.overlap = when.overlap;
  dag.max_active_runs = when.max_active_runs;
  dag.run_timeout = when.run_timeout;
  dag.paused_on_creation = when.paused;
  dag.needs = std::move(when.needs);
  dag.max_active_tasks = how.max_active_tasks;
  dag.params_schema = canonical_json(params);
  dag.folder = context.folder;
  dag.relative_file = context.file;
  dag.source = text;
  for (OutlineTask& entry : outline.tasks) dag.tasks.push_back(std::move(entry.task));
  dag.canonical = to_canonical(dag, CanonicalUse::Storage);
  dag.version = version_of(dag, context.bundle_hash);
  auto built = Dag::build(std::move(dag));
  if (built)
    loaded.dag = std::move(*built);
  else
    report.add(Severity::Error, tasks->start, 1, built.error().message);
}

}  // namespace

LoadedDag load_dag(const std::string& text, const DagFileContext& context) {
  LoadedDag loaded;
  loaded.id = context.default_id;
  Report report(context.file, text);
  const auto root = parse_yaml(text, context.limits, report);
  if (root && root->is_null())
    report.add(Severity::Error, {}, 1, "the file is empty");
  else if (root)
    read_root(*root, text, context, report, loaded);
  loaded.diagnostics = report.take();
  return loaded;
}

}  // namespace etesian
