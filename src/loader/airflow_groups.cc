#include "loader/airflow_groups.h"

#include <fmt/format.h>

#include <memory>

#include "loader/airflow_json.h"

namespace etesian::airflow_json {
namespace {

LengthOf reference_length(const json::value& reference, const TaskIds& ids,
                          const std::string& where);

std::vector<LengthOf> lengths_of(const json::object& reference, const TaskIds& ids,
                                 const std::string& where) {
  std::vector<LengthOf> parts;
  for (const json::value& arg : array(required(reference, "args", where), where))
    parts.push_back(reference_length(arg, ids, where));
  if (parts.empty()) malformed(where, "combines nothing");
  return parts;
}

/// Source: Airflow's get_task_map_length. `.map()` changes values, never their number.
LengthOf reference_length(const json::value& reference, const TaskIds& ids,
                          const std::string& where) {
  const json::object& its = object(reference, where);
  const json::value* type_member = member(its, "type");
  const std::string type = type_member ? text(*type_member, where) : "";
  LengthOf length;
  if (type == "map") return reference_length(required(its, "arg", where), ids, where);
  if (type == "zip") {
    // A fill value of None counts as one too.
    length.kind = its.contains("fillvalue") ? LengthOf::Kind::ZipLongest : LengthOf::Kind::Zip;
    length.parts = lengths_of(its, ids, where);
  } else if (type == "concat") {
    length.kind = LengthOf::Kind::Concat;
    length.parts = lengths_of(its, ids, where);
  } else if (type.empty()) {
    length.kind = LengthOf::Kind::Output;
    length.task = text(required(its, "task_id", where), where);
    length.key = text(required(its, "key", where), where);
    if (!ids.contains(length.task))
      malformed(where, fmt::format("reads '{}', which is not a task of this dag", length.task));
  } else {
    refuse(fmt::format("{}: an XCom expression of kind '{}'", where, type),
           "map over a list, a dict or another task's output");
  }
  return length;
}

LengthOf literal(std::size_t size) {
  LengthOf length;
  length.literal = static_cast<int>(size);
  return length;
}

LengthOf argument_length(const json::value& argument, const TaskIds& ids,
                         const std::string& where) {
  const auto wrapped = unwrap(argument);
  if (wrapped && wrapped->type == "xcomref") return reference_length(wrapped->value, ids, where);
  const json::value& bare = wrapped ? wrapped->value : argument;
  if (const json::array* list = bare.if_array()) return literal(list->size());
  if (wrapped && wrapped->type == "dict") return literal(object(bare, where).size());
  refuse(fmt::format("{} maps over something that is neither a list nor a dict", where),
         "give it a list, a dict or another task's output");
}

class GroupWalk {
 public:
  explicit GroupWalk(const TaskIds& ids) : ids_(ids) {}

  void enter(const json::object& group, const GroupPlace& place) {
    const json::value& children = required(group, "children", "a task group");
    for (const auto& [id, child] : object(children, "'children'")) {
      const json::array& pair = array(child, "a child of a task group");
      if (pair.size() != 2) malformed("a child of a task group", "is not a pair");
      const std::string kind = text(pair[0], "the kind of a child");
      if (kind == "operator")
        places[text(pair[1], "a child of a task group")] = place;
      else if (kind == "taskgroup")
        enter_child(object(pair[1], "a task group"), place);
      else
        malformed("a child of a task group", fmt::format("is a '{}'", kind));
    }
  }

  std::unordered_map<std::string, GroupPlace> places;

 private:
  void enter_child(const json::object& group, const GroupPlace& outer) {
    const std::string id = text(required(group, "_group_id", "a task group"), "'_group_id'");
    GroupPlace place = outer;
    place.path += (place.path.empty() ? "" : ".") + id;
    const json::value* mapped = member(group, "is_mapped");
    if (mapped && flag(*mapped, "'is_mapped'")) {
      const std::string where = fmt::format("task group '{}'", place.path);
      if (outer.map)
        refuse(
            fmt::format("{} is mapped inside the mapped task group '{}'", where, outer.map->group),
            "map one of them only");
      MapRule rule = map_rule_from(required(group, "expand_input", where), ids_, where);
      rule.group = place.path;
      place.map = std::make_shared<const MapRule>(std::move(rule));
    }
    enter(group, place);
  }

  const TaskIds& ids_;
};

}  // namespace

MapRule map_rule_from(const json::value& expand_input, const TaskIds& ids,
                      const std::string& where) {
  const json::object& input = object(expand_input, where);
  const std::string type = text(required(input, "type", where), where);
  const json::value& value = required(input, "value", where);
  MapRule rule;
  if (type == "list-of-dicts") {
    rule.arguments.push_back({"expand_kwargs", argument_length(value, ids, where)});
    return rule;
  }
  if (type != "dict-of-lists")
    refuse(fmt::format("{} maps over '{}'", where, type), "use expand() or expand_kwargs()");
  const auto wrapped = unwrap(value);
  for (const auto& [name, argument] : object(wrapped ? wrapped->value : value, where)) {
    const std::string argument_name(name);
    rule.arguments.push_back(
        {argument_name,
         argument_length(argument, ids, fmt::format("{}: '{}'", where, argument_name))});
  }
  // expand() of nothing makes no instance.
  if (rule.arguments.empty()) rule.arguments.push_back({"expand", literal(0)});
  return rule;
}

std::unordered_map<std::string, GroupPlace> group_places(const json::object& task_group,
                                                         const TaskIds& ids) {
  GroupWalk walk(ids);
  walk.enter(task_group, {});
  return std::move(walk.places);
}

}  // namespace etesian::airflow_json
