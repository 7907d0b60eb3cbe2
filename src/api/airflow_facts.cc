#include "api/airflow_facts.h"

#include <algorithm>

#include "api/json_common.h"
#include "api/python_text.h"
#include "base/log.h"
#include "loader/airflow_json.h"

namespace etesian::api {
namespace {

namespace af = airflow_json;

/// A value of a DAG file as pydantic prints it: times and lengths in ISO 8601, no wrappers.
json::value shown(const json::value& value) {
  if (af::is_unset(value)) return nullptr;
  if (const auto wrapped = af::unwrap(value)) {
    if (wrapped->type == "datetime") return instant_json(af::instant(wrapped->value, "a time"));
    if (wrapped->type == "timedelta") {
      return json::string(iso_length(af::length(wrapped->value, "a length")));
    }
    return shown(wrapped->value);
  }
  if (const auto* list = value.if_array()) {
    json::array out;
    for (const auto& item : *list) out.push_back(shown(item));
    return out;
  }
  if (const auto* object = value.if_object()) {
    json::object out;
    for (const auto& member : *object) out[member.key()] = shown(member.value());
    return out;
  }
  return value;
}

/// repr() of a value of a DAG file, wrappers read as the Python values that they stand for.
std::string wrapped_repr(const json::value& value) {
  const auto joined = [](const json::array& items, std::string_view open, std::string_view close) {
    std::string text(open);
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i != 0) text += ", ";
      text += wrapped_repr(items[i]);
    }
    if (open == "(" && items.size() == 1) text += ",";
    return text += close;
  };
  if (const auto wrapped = af::unwrap(value)) {
    const auto* items = wrapped->value.if_array();
    if (items != nullptr && wrapped->type == "tuple") return joined(*items, "(", ")");
    if (items != nullptr && wrapped->type == "set") {
      return items->empty() ? "set()" : joined(*items, "{", "}");
    }
    return wrapped_repr(wrapped->value);
  }
  if (const auto* list = value.if_array()) return joined(*list, "[", "]");
  if (const auto* object = value.if_object()) {
    std::string text = "{";
    for (const auto& member : *object) {
      if (text.size() > 1) text += ", ";
      text += python_repr(std::string_view(member.key())) + ": " + wrapped_repr(member.value());
    }
    return text + "}";
  }
  return python_repr(value);
}

json::value member_or_null(const json::object& object, std::string_view name) {
  const auto* found = af::member(object, name);
  return found != nullptr ? shown(*found) : json::value(nullptr);
}

std::string text_or(const json::object& object, std::string_view name, std::string otherwise) {
  const auto* found = af::member(object, name);
  return found != nullptr && found->is_string() ? std::string(found->get_string())
                                                : std::move(otherwise);
}

/// [[name, {"default", "description", "schema", "source"}], …] in the form of SerializedParam.dump.
json::object params_of(const json::object& owner) {
  json::object out;
  const auto* params = af::member(owner, "params");
  const auto* pairs = params != nullptr ? params->if_array() : nullptr;
  if (pairs == nullptr) return out;
  for (const auto& entry : *pairs) {
    const auto& pair = af::array(entry, "a param");
    if (pair.size() != 2) continue;
    const auto& param = af::object(pair[1], "a param");
    json::object one;
    one["value"] = member_or_null(param, "default");
    const auto schema = member_or_null(param, "schema");
    one["schema"] = schema.is_object() ? schema : json::value(json::object{});
    one["description"] = member_or_null(param, "description");
    one["source"] = member_or_null(param, "source");
    out[af::text(pair[0], "a param")] = std::move(one);
  }
  return out;
}

/// inspect.cleandoc of Python: common indentation and empty lines at both ends go.
std::string clean_doc(std::string_view text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    lines.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto indent_of = [](const std::string& line) {
    return std::min(line.find_first_not_of(" \t"), line.size());
  };
  std::size_t margin = std::string::npos;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (indent_of(lines[i]) < lines[i].size()) margin = std::min(margin, indent_of(lines[i]));
  }
  lines.front().erase(0, indent_of(lines.front()));
  for (std::size_t i = 1; i < lines.size() && margin != std::string::npos; ++i) {
    lines[i].erase(0, margin);
  }
  const auto is_blank = [](const std::string& line) { return line.empty(); };
  while (!lines.empty() && is_blank(lines.back())) lines.pop_back();
  lines.erase(lines.begin(), std::find_if_not(lines.begin(), lines.end(), is_blank));
  std::string out;
  for (const auto& line : lines) out += (out.empty() ? "" : "\n") + line;
  return out;
}

/// The "as_expression" of a timetable's asset condition.
json::value expression_of(const json::value& condition) {
  const auto* asset = condition.if_object();
  if (asset == nullptr) return nullptr;
  const std::string type = text_or(*asset, "__type", "");
  const auto text = [&](const char* name, std::string otherwise = {}) {
    return json::value(text_or(*asset, name, std::move(otherwise)));
  };
  if (type == "asset") {
    return json::object{{"asset", json::object{{"uri", text("uri")},
                                               {"name", text("name")},
                                               {"group", text("group", "asset")}}}};
  }
  if (type == "asset_alias") {
    return json::object{
        {"alias", json::object{{"name", text("name")}, {"group", text("group", "asset")}}}};
  }
  if (type == "asset_ref") {
    json::object ref(*asset);
    ref.erase("__type");
    return json::object{{"asset_ref", std::move(ref)}};
  }
  const auto* objects = af::member(*asset, "objects");
  if (objects == nullptr || !objects->is_array()) return nullptr;
  json::array parts;
  for (const auto& part : objects->get_array()) parts.push_back(expression_of(part));
  return json::object{{type == "asset_all" ? "all" : "any", std::move(parts)}};
}

/// Timetable.periodic. Source: Airflow 3.3.2, airflow/timetables/simple.py and assets.py.
bool is_periodic(const json::object& timetable) {
  const std::string type = text_or(timetable, "__type", "");
  if (type != "airflow.timetables.assets.AssetOrTimeSchedule") {
    return !type.starts_with("airflow.timetables.simple.");
  }
  const auto& inside = af::object(timetable.at("__var"), "a timetable");
  return is_periodic(af::object(inside.at("timetable"), "a timetable"));
}

void read_timetable(AirflowFacts& facts, const json::object& dag) {
  const auto& timetable = af::object(af::required(dag, "timetable", "the dag"), "'timetable'");
  facts.is_periodic = is_periodic(timetable);
  const auto* inside = af::member(timetable, "__var");
  if (inside == nullptr || !inside->is_object()) return;
  if (const auto* condition = af::member(inside->get_object(), "asset_condition")) {
    facts.asset_expression = expression_of(*condition);
  }
}

AirflowTaskFacts task_facts_of(const json::object& own, const json::object* client_defaults,
                               const AirflowFacts& dag) {
  const af::Operator task(own, client_defaults);
  AirflowTaskFacts facts;
  facts.display_name = text_or(own, "_task_display_name", task.text("task_display_name"));
  if (facts.display_name.empty()) facts.display_name = task.id();
  facts.owner = task.text("owner");
  facts.module = text_or(own, "_task_module", "");
  facts.ui_color = text_or(own, "ui_color", facts.ui_color);
  facts.ui_fgcolor = text_or(own, "ui_fgcolor", facts.ui_fgcolor);
  facts.doc_md = task.text("doc_md");
  if (const auto* executor = task.find("executor"); executor != nullptr && executor->is_string()) {
    facts.executor = std::string(executor->get_string());
  }
  if (const auto* config = task.find("executor_config")) {
    facts.executor_config = wrapped_repr(*config);
  }
  facts.start = task.instant("start_date");
  if (!facts.start) facts.start = dag.start;
  facts.end = task.instant("end_date");
  if (!facts.end) facts.end = dag.end;
  facts.execution_timeout = task.length("execution_timeout");
  if (const auto fields = member_or_null(own, "template_fields"); fields.is_array()) {
    facts.template_fields = fields.get_array();
  }
  facts.params = params_of(own);
  if (const auto* links = af::member(own, "_operator_extra_links");
      links != nullptr && links->is_object()) {
    for (const auto& [name, key] : links->get_object()) {
      facts.link_names.emplace_back(name);
      facts.link_keys.push_back(af::text(key, "an extra link"));
    }
  }
  return facts;
}

std::shared_ptr<const AirflowFacts> facts_of(const Dag& dag, const json::object& root) {
  const auto& own = af::object(af::required(root, "dag", "the object"), "'dag'");
  auto facts = std::make_shared<AirflowFacts>();
  facts->display_name = text_or(own, "dag_display_name", dag.id());
  facts->file = text_or(own, "fileloc", dag.definition().relative_file);
  facts->timezone = text_or(own, "timezone", "UTC");
  if (const auto doc = text_or(own, "doc_md", ""); !doc.empty()) facts->doc_md = clean_doc(doc);
  const auto default_args = member_or_null(own, "default_args");
  facts->default_args = default_args.is_object() ? default_args : json::value(json::object{});
  facts->is_paused_upon_creation = member_or_null(own, "is_paused_upon_creation");
  facts->rerun_with_latest_version = member_or_null(own, "rerun_with_latest_version");
  facts->template_search_path = member_or_null(own, "template_searchpath");
  facts->params = params_of(own);
  if (const auto links = member_or_null(own, "owner_links"); links.is_object()) {
    facts->owner_links = links.get_object();
  }
  if (const auto* at = af::member(own, "start_date")) facts->start = af::instant(*at, "start_date");
  if (const auto* at = af::member(own, "end_date")) facts->end = af::instant(*at, "end_date");
  if (const auto* native = af::member(own, "render_template_as_native_obj")) {
    facts->is_native = native->is_bool() && native->get_bool();
  }
  read_timetable(*facts, own);
  const json::object* client_defaults = nullptr;
  if (const auto* defaults = af::member(root, "client_defaults")) {
    if (const auto* tasks = af::member(af::object(*defaults, "'client_defaults'"), "tasks")) {
      client_defaults = &af::object(*tasks, "'client_defaults'");
    }
  }
  facts->tasks.resize(dag.tasks().size());
  for (const auto& entry : af::array(af::required(own, "tasks", "the dag"), "'tasks'")) {
    const auto wrapped = af::unwrap(entry);
    const auto& task = af::object(wrapped ? wrapped->value : entry, "a task");
    const auto index = dag.find(text_or(task, "task_id", ""));
    if (index) facts->tasks[*index] = task_facts_of(task, client_defaults, *facts);
  }
  return facts;
}

}  // namespace

std::shared_ptr<const AirflowFacts> airflow_facts_of(const Dag& dag) {
  if (!dag.definition().airflow) return nullptr;
  const auto root = af::parse(dag.definition().airflow->serialized);
  if (!root || !root->is_object()) return nullptr;
  try {
    return facts_of(dag, root->get_object());
  } catch (const std::exception& error) {
    // The loader took it, so that its form is right; a member that only answers show may not be.
    log_line(LogLevel::Warning, "read what a DAG shows",
             {{"dag", dag.id()}, {"cause", error.what()}});
    return nullptr;
  }
}

}  // namespace etesian::api
