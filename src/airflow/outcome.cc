#include "airflow/outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace etesian::airflow {
namespace {

constexpr std::size_t kDifferencesMax = 100;

const json::array* array_at(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value ? value->if_array() : nullptr;
}

std::string text_at(const json::object& object, const char* name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::string relative_to(const std::string& folder, const std::string& path) {
  return path.starts_with(folder + "/") ? path.substr(folder.size() + 1) : path;
}

std::string last_line(const std::string& text) {
  const std::size_t end = text.find_last_not_of(" \n\r\t");
  if (end == std::string::npos) return "no reason was given";
  const std::size_t begin = text.rfind('\n', end) + 1;  // npos + 1 is 0
  return text.substr(begin, end + 1 - begin);
}

/// Of the innermost frame that is in the file: `File "/dags/a.py", line 7`.
int line_in_trace(const std::string& file, const std::string& trace) {
  const std::string mark = file + "\", line ";
  const std::size_t at = trace.rfind(mark);
  int line = 1;
  if (at != std::string::npos) {
    const char* begin = trace.data() + at + mark.size();
    std::from_chars(begin, trace.data() + trace.size(), line);
  }
  return line;
}

Result<std::shared_ptr<const Dag>> dag_from(const json::value& serialized,
                                            const AirflowPlace& place, const std::string& source) {
  auto definition = definition_from_airflow(json::serialize(serialized), place);
  if (!definition) return definition.error();
  definition->source = source;
  return Dag::build(std::move(*definition));
}

std::string id_in(const json::value& serialized) {
  const json::object* top = serialized.if_object();
  const json::value* dag = top ? top->if_contains("dag") : nullptr;
  return dag && dag->is_object() ? text_at(dag->get_object(), "dag_id") : std::string();
}

/// Tasks have names, and keep them when others come before them.
std::string name_of(const json::value& item, std::size_t position) {
  const json::object* object = item.if_object();
  const json::value* var = object ? object->if_contains("__var") : nullptr;
  const std::string id = var && var->is_object() ? text_at(var->get_object(), "task_id") : "";
  return id.empty() ? std::to_string(position) : id;
}

std::map<std::string, const json::value*> parts_of(const json::value& value) {
  std::map<std::string, const json::value*> parts;
  if (const json::object* object = value.if_object())
    for (const auto& [name, member] : *object) parts[std::string(name)] = &member;
  if (const json::array* array = value.if_array())
    for (std::size_t i = 0; i < array->size(); ++i) parts[name_of((*array)[i], i)] = &(*array)[i];
  return parts;
}

void compare(const json::value& before, const json::value& after, const std::string& path,
             std::vector<std::string>& found) {
  if (before == after || found.size() >= kDifferencesMax) return;
  const auto old_parts = parts_of(before), new_parts = parts_of(after);
  const bool has_same_names =
      before.kind() == after.kind() && !old_parts.empty() &&
      std::equal(old_parts.begin(), old_parts.end(), new_parts.begin(), new_parts.end(),
                 [](const auto& a, const auto& b) { return a.first == b.first; });
  if (!has_same_names) {
    found.push_back(path);
    return;
  }
  const std::size_t known = found.size();
  for (const auto& [name, member] : old_parts) {
    // What serialisation wraps around a value says nothing to a reader.
    const std::string step = name == "__var" ? "" : path.empty() ? name : "." + name;
    compare(*member, *new_parts.at(name), path + step, found);
  }
  // Equal parts in another order.
  if (found.size() == known) found.push_back(path);
}

}  // namespace

Problem problem_from_trace(const std::string& file, const AirflowPlace& place,
                           const std::string& trace) {
  const std::string relative = relative_to(place.bundle_folder, file);
  return {relative, last_line(trace), line_in_trace(relative, trace), trace};
}

Outcome outcome_from(const json::object& answer, const AirflowPlace& place,
                     const std::string& source) {
  Outcome outcome;
  if (const json::array* dags = array_at(answer, "dags"))
    for (const json::value& serialized : *dags) {
      auto dag = dag_from(serialized, place, source);
      if (dag)
        outcome.dags[(*dag)->id()] = *dag;
      else
        outcome.problems.push_back(
            {place.relative_file,
             fmt::format("DAG '{}': {}", id_in(serialized), dag.error().message), 1, ""});
    }
  if (const json::array* errors = array_at(answer, "errors"))
    for (const json::value& error : *errors)
      if (const json::object* object = error.if_object()) {
        const std::string file = text_at(*object, "file");
        outcome.problems.push_back(problem_from_trace(file.empty() ? place.relative_file : file,
                                                      place, text_at(*object, "trace")));
      }
  return outcome;
}

std::vector<std::string> differences(const std::string& before, const std::string& after) {
  std::vector<std::string> found;
  json::error_code failed;
  const json::value first = json::parse(before, failed);
  const json::value second = json::parse(after, failed);
  compare(first, second, "", found);
  return found;
}

}  // namespace etesian::airflow
