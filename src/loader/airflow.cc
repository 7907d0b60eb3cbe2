#include "loader/airflow.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "loader/airflow_assets.h"
#include "loader/airflow_canonical.h"
#include "loader/airflow_json.h"
#include "loader/airflow_schema.h"
#include "loader/airflow_tasks.h"
#include "loader/airflow_timetable.h"
#include "timetable/timetable.h"

namespace etesian {
namespace {

namespace af = airflow_json;

/// [[name, {"default", "description", "schema", …}], …] as one object: name -> schema.
std::string params_schema(const json::object& dag) {
  json::object schemas;
  const json::value* params = af::member(dag, "params");
  if (!params) return "{}";
  for (const json::value& entry : af::array(*params, "'params'")) {
    const json::array& pair = af::array(entry, "a param");
    if (pair.size() != 2) af::malformed("a param", "is not a pair");
    const std::string name = af::text(pair[0], "the name of a param");
    const json::object& param = af::object(pair[1], "param '" + name + "'");
    json::object schema;
    if (const json::value* given = af::member(param, "schema"))
      if (json::value bare = af::plain(*given); bare.is_object()) schema = bare.get_object();
    if (const auto keyword = af::unchecked_keyword(schema))
      af::refuse(fmt::format("{} in the schema of param '{}'", *keyword, name),
                 "write it with other keywords");
    if (const json::value* preset = param.if_contains("default"); preset && !af::is_unset(*preset))
      schema["default"] = af::plain(*preset);
    if (const json::value* description = af::member(param, "description"))
      schema["description"] = af::text(*description, "the description of param '" + name + "'");
    schemas[name] = std::move(schema);
  }
  return json::serialize(schemas);  // in the order of the file, which is that of forms
}

std::vector<std::string> tags_of(const json::object& dag) {
  std::vector<std::string> tags;
  if (const json::value* list = af::member(dag, "tags"))
    for (const json::value& tag : af::array(*list, "'tags'"))
      tags.push_back(af::text(tag, "a tag"));
  std::sort(tags.begin(), tags.end());
  tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
  return tags;
}

std::string text_or_empty(const json::object& dag, std::string_view name) {
  const json::value* found = af::member(dag, name);
  return found ? af::text(*found, name) : "";
}
bool flag_or(const json::object& dag, std::string_view name, bool otherwise) {
  const json::value* found = af::member(dag, name);
  return found ? af::flag(*found, name) : otherwise;
}
int whole_or(const json::object& dag, std::string_view name, int otherwise) {
  const json::value* found = af::member(dag, name);
  return found ? af::whole(*found, name) : otherwise;
}

/// What the engine would have to heed and does not.
void check_features(const json::object& dag) {
  if (whole_or(dag, "max_consecutive_failed_dag_runs", 0) > 0)
    af::refuse("max_consecutive_failed_dag_runs", "leave it out, and pause the dag by hand");
  if (af::member(dag, "allowed_run_types"))
    af::refuse("allowed_run_types", "leave it out; all types of runs are allowed");
}

/// Its members `schedule`, `schedule_text`, `schedule_assets`.
void read_schedule(const json::object& dag, af::AirflowTasks& tasks, DagDefinition& definition) {
  auto timetable = af::timetable_from(af::required(dag, "timetable", "the dag"));
  const std::string& summary = definition.schedule_text = std::move(timetable.summary);
  if (timetable.asset_condition)
    definition.schedule_assets = af::asset_condition_from(*timetable.asset_condition, tasks.assets);
  Schedule& schedule = definition.schedule;
  schedule.kind = std::move(timetable.kind);
  schedule.start = tasks.start;
  schedule.end = tasks.end;
  schedule.catchup = flag_or(dag, "catchup", false);
  if (const auto compiled = Timetable::compile(schedule); !compiled)
    af::refuse(fmt::format("schedule '{}'", summary), compiled.error().message);
}

DagDefinition definition_of(const json::object& dag, const json::object* client_defaults,
                            const json::object* lanes) {
  DagDefinition definition;
  definition.id = af::text(af::required(dag, "dag_id", "the dag"), "'dag_id'");
  check_features(dag);
  af::AirflowTasks tasks = af::tasks_from(dag, client_defaults, lanes);
  read_schedule(dag, tasks, definition);
  definition.assets = std::move(tasks.assets.assets);
  definition.aliases = std::move(tasks.assets.aliases);
  definition.tasks = std::move(tasks.tasks);
  definition.owner = std::move(tasks.owner);
  definition.description = text_or_empty(dag, "description");
  definition.tags = tags_of(dag);
  definition.params_schema = params_schema(dag);
  definition.max_active_runs = whole_or(dag, "max_active_runs", definition.max_active_runs);
  definition.max_active_tasks = whole_or(dag, "max_active_tasks", definition.max_active_tasks);
  if (const json::value* timeout = af::member(dag, "dagrun_timeout"))
    definition.run_timeout = af::length(*timeout, "'dagrun_timeout'");
  definition.fail_fast = flag_or(dag, "fail_fast", false);
  // Airflow's default of [core] dags_are_paused_at_creation.
  definition.paused_on_creation = flag_or(dag, "is_paused_upon_creation", true);
  return definition;
}

DagDefinition read(const json::object& root) {
  const int format = af::whole(af::required(root, "__version", "the object"), "'__version'");
  if (format != 3)
    af::refuse(fmt::format("format version {} of serialised dags", format),
               "use apache-airflow 3.3");
  const json::object* client_defaults = nullptr;
  if (const json::value* defaults = af::member(root, "client_defaults"))
    if (const json::value* tasks = af::member(af::object(*defaults, "'client_defaults'"), "tasks"))
      client_defaults = &af::object(*tasks, "'client_defaults'");
  const json::object* lanes = nullptr;
  if (const json::value* ours = af::member(root, "etesian"))
    if (const json::value* found = af::member(af::object(*ours, "'etesian'"), "lanes"))
      lanes = &af::object(*found, "'lanes'");
  return definition_of(af::object(af::required(root, "dag", "the object"), "'dag'"),
                       client_defaults, lanes);
}

}  // namespace

Result<DagDefinition> definition_from_airflow(const std::string& serialized,
                                              const AirflowPlace& place) {
  auto root = af::parse(serialized);
  if (!root) return root.error();
  try {
    DagDefinition definition = read(af::object(*root, "the object"));
    AirflowSource& source = definition.airflow.emplace();
    source.bundle = place.bundle;
    source.serialized = serialized;
    const json::object& dag = root->get_object().at("dag").get_object();
    source.has_success_callback = flag_or(dag, "has_on_success_callback", false);
    source.has_failure_callback = flag_or(dag, "has_on_failure_callback", false);
    definition.folder = place.bundle_folder;
    definition.relative_file = place.relative_file;
    definition.canonical = airflow_stored_text(definition);
    definition.version = sha256_hex(airflow_version_text(std::move(*root), place.bundle) + "\n");
    return definition;
  } catch (const af::Refused& e) {
    return Error{ErrorCode::InvalidInput, e.what()};
  }
}

std::string airflow_params(const std::string& params_schema, const std::string& conf_json) {
  json::object params;
  if (const auto schemas = parse_json(params_schema); schemas && schemas->is_object())
    for (const auto& [name, schema] : schemas->get_object())
      if (const json::value* preset =
              schema.is_object() ? schema.get_object().if_contains("default") : nullptr)
        params[name] = *preset;
  if (const auto conf = parse_json(conf_json); conf && conf->is_object())
    for (const auto& [name, value] : conf->get_object()) params[name] = value;
  return json::serialize(params);
}

Result<Done> check_airflow_conf(const std::string& params_schema, const std::string& conf_json) {
  const auto schemas = parse_json(params_schema);
  if (!schemas || !schemas->is_object())
    return Error{ErrorCode::Corrupt, "check conf: the schema of the params is not an object"};
  const auto conf = parse_json(conf_json.empty() ? "{}" : conf_json);
  if (!conf) return Error{ErrorCode::InvalidInput, "check conf: " + conf.error().message};
  if (!conf->is_object())
    return Error{ErrorCode::InvalidInput, "check conf: 'conf' must be a JSON object"};
  std::vector<std::string> problems;
  for (const auto& [name, schema] : schemas->get_object()) {
    const json::value* value = conf->get_object().if_contains(name);
    if (!value && schema.is_object()) value = schema.get_object().if_contains("default");
    const auto found =
        value ? af::schema_mismatch(*value, schema) : std::optional<std::string>("No value passed");
    if (found)
      problems.push_back(fmt::format("Invalid input for param {}: {}", std::string(name), *found));
  }
  if (!problems.empty())
    return Error{ErrorCode::InvalidInput, fmt::format("{}", fmt::join(problems, "; "))};
  return Done{};
}

}  // namespace etesian
