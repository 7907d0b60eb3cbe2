#include "loader/airflow_canonical.h"

#include <utility>

#include "loader/airflow.h"
#include "loader/airflow_json.h"

namespace etesian {
namespace {

namespace af = airflow_json;

json::object* object_at(json::object& object, std::string_view name) {
  json::value* found = object.if_contains(name);
  return found ? found->if_object() : nullptr;
}

/// Canonical JSON sorts an object's members; a list of pairs keeps their order.
void keep_order(json::object& holder, std::string_view attribute) {
  json::object* input = object_at(holder, attribute);
  json::object* value = input ? object_at(*input, "value") : nullptr;
  json::object* arguments = value ? object_at(*value, "__var") : nullptr;
  if (!arguments || arguments->size() < 2) return;
  json::array pairs;
  for (const auto& [name, argument] : *arguments) pairs.push_back(json::array{name, argument});
  (*value)["__var"] = std::move(pairs);
}

/// "unusual_prefix_<SHA-1 of the file's path>_flights" -> "flights". Source: Airflow 3.3.2,
/// dag_processing/importers/python_importer.py.
void drop_path_hash(json::object& op) {
  constexpr std::string_view kPrefix = "unusual_prefix_";
  constexpr std::size_t kHash = 40;
  json::value* module = op.if_contains("_task_module");
  if (!module || !module->is_string()) return;
  const std::string_view name(module->get_string());
  if (!name.starts_with(kPrefix) || name.size() <= kPrefix.size() + kHash) return;
  *module = json::string(name.substr(kPrefix.size() + kHash + 1));
}

void drop_colours(json::object& node) {
  for (const char* name : {"ui_color", "ui_fgcolor", "template_fields_renderers"}) node.erase(name);
}

void strip_operator(json::object& op) {
  drop_colours(op);
  drop_path_hash(op);
  if (const json::value* attribute = op.if_contains("_expand_input_attr");
      attribute && attribute->is_string())
    keep_order(op, std::string(attribute->get_string()));
}

void strip_group(json::object& group) {
  drop_colours(group);
  keep_order(group, "expand_input");
  json::object* children = object_at(group, "children");
  if (!children) return;
  for (auto& child : *children)
    if (json::array* pair = child.value().if_array(); pair && pair->size() == 2)
      if (json::object* inner = (*pair)[1].if_object()) strip_group(*inner);
}

}  // namespace

std::string airflow_stored_text(const DagDefinition& definition) {
  return canonical_json(json::object{{"airflow",
                                      {{"bundle", definition.airflow->bundle},
                                       {"folder", definition.folder},
                                       {"relative_file", definition.relative_file}}},
                                     {"serialized", definition.airflow->serialized}});
}

bool is_airflow_stored(const json::value& stored) {
  return stored.is_object() && stored.get_object().contains("airflow");
}

Result<DagDefinition> definition_from_airflow_stored(const json::value& stored) {
  try {
    const json::object& root = af::object(stored, "a stored dag");
    const json::object& airflow =
        af::object(af::required(root, "airflow", "a stored dag"), "'airflow'");
    const auto text = [&](std::string_view name) {
      return af::text(af::required(airflow, name, "a stored dag"), name);
    };
    auto definition = definition_from_airflow(
        af::text(af::required(root, "serialized", "a stored dag"), "'serialized'"),
        {text("bundle"), text("folder"), text("relative_file")});
    if (definition) return definition;
    return Error{ErrorCode::Corrupt, "read stored definition: " + definition.error().message};
  } catch (const af::Refused& e) {
    return Error{ErrorCode::Corrupt, std::string("read stored definition: ") + e.what()};
  }
}

std::string airflow_version_text(json::value serialized, const std::string& bundle) {
  json::object* root = serialized.if_object();
  if (json::object* dag = root ? object_at(*root, "dag") : nullptr) {
    for (const char* place : {"fileloc", "relative_fileloc", "_processor_dags_folder"})
      dag->erase(place);
    if (json::value* tasks = dag->if_contains("tasks"); tasks && tasks->is_array())
      for (json::value& task : tasks->get_array())
        if (json::object* wrapper = task.if_object())
          if (json::object* op = object_at(*wrapper, "__var")) strip_operator(*op);
    if (json::object* group = object_at(*dag, "task_group")) strip_group(*group);
  }
  return canonical_json(json::object{{"bundle", bundle}, {"serialized", std::move(serialized)}});
}

std::string airflow_version_text(const DagDefinition& definition) {
  auto serialized = af::parse(definition.airflow->serialized);
  if (!serialized) return definition.airflow->serialized;
  return airflow_version_text(std::move(*serialized), definition.airflow->bundle);
}

}  // namespace etesian
