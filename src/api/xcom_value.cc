#include "api/xcom_value.h"

#include "api/python_text.h"

namespace etesian::api {
namespace {

/// What DagBag puts before the module of a DAG file: it has no place in words.
std::string without_prefix(std::string text) {
  constexpr std::string_view kPrefix = "unusual_prefix_";
  constexpr std::size_t kHash = 40;
  for (std::size_t at = 0; (at = text.find(kPrefix, at)) != std::string::npos;) {
    const auto hash = at + kPrefix.size();
    const auto end = text.find_first_not_of("0123456789abcdef", hash);
    const bool is_prefix = end == hash + kHash && text[end] == '_';
    if (is_prefix)
      text.erase(at, end + 1 - at);
    else
      at = hash;
  }
  return text;
}

const json::value* member(const json::object& object, std::string_view name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &found->value();
}

std::string joined(const json::array& items, std::string_view separator) {
  std::string text;
  for (const auto& item : items) {
    if (&item != items.data()) text += separator;
    text += python_str(in_words(item));
  }
  return text;
}

/// {"__classname__", "__version__", "__data__"} in words.
std::string object_in_words(std::string_view name, const json::value& version,
                            const json::value& data) {
  const auto* items = data.if_array();
  if (items != nullptr &&
      (name == "builtins.tuple" || name == "builtins.set" || name == "builtins.frozenset")) {
    return "(" + joined(*items, ",") + ")";
  }
  std::string text = without_prefix(std::string(name)) + "@version=" + python_str(version) + "(";
  if (items != nullptr) {
    text += joined(*items, ",");
  } else if (const auto* fields = data.if_object()) {
    bool is_first = true;
    for (const auto& field : *fields) {
      if (!is_first) text += ", ";
      is_first = false;
      const auto& value = field.value();
      text += std::string(field.key()) + "=" +
              (value.is_string() ? python_repr(value) : python_str(in_words(value)));
    }
  } else if (!data.is_null()) {
    text += python_str(data);
  }
  return text + ")";
}

json::value object_shown(const json::object& object) {
  // The form of Airflow 2: {"__type", "__var"}.
  const auto *type = member(object, "__type"), *old_data = member(object, "__var");
  if (type != nullptr && old_data != nullptr && type->is_string()) {
    if (type->get_string() == "dict" && old_data->is_object()) {
      return object_shown(old_data->get_object());
    }
    return json::string(object_in_words(type->get_string(), 0, *old_data));
  }
  const auto *name = member(object, "__classname__"), *version = member(object, "__version__");
  if (name != nullptr && version != nullptr && name->is_string() && version->is_int64()) {
    const auto* data = member(object, "__data__");
    return json::string(object_in_words(name->get_string(), *version,
                                        data != nullptr ? *data : json::value(nullptr)));
  }
  json::object out;
  for (const auto& field : object) out[field.key()] = in_words(field.value());
  return out;
}

/// FORBIDDEN_XCOM_KEYS of airflow/_shared/serialization.
constexpr std::string_view kReserved[] = {"__cache__", "__classname__", "__data__", "__id__",
                                          "__source",  "__type",        "__var",    "__version__"};

std::optional<std::string> reserved_below(const json::value& value, const std::string& path) {
  if (const auto* text = value.if_string()) {
    // A text that holds JSON is read as JSON again by whoever asks for `deserialize`.
    const auto parsed = parse_json(std::string(*text));
    const bool is_tree = parsed && (parsed->is_object() || parsed->is_array());
    return is_tree ? reserved_below(*parsed, path) : std::nullopt;
  }
  if (const auto* list = value.if_array()) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (auto found = reserved_below((*list)[i], path + "[" + std::to_string(i) + "]")) {
        return found;
      }
    }
    return std::nullopt;
  }
  const auto* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  std::string names;
  for (const auto name : kReserved) {
    if (object->contains(name)) names += (names.empty() ? "" : ", ") + std::string(name);
  }
  if (!names.empty()) {
    return "XCom " + path + " contains reserved serialization keys: " + names +
           ". These keys are reserved for internal use.";
  }
  for (const auto& field : *object) {
    if (auto found = reserved_below(field.value(), path + "." + std::string(field.key()))) {
      return found;
    }
  }
  return std::nullopt;
}

}  // namespace

json::value in_words(const json::value& value) {
  if (const auto* list = value.if_array()) {
    json::array out;
    for (const auto& item : *list) out.push_back(in_words(item));
    return out;
  }
  return value.is_object() ? object_shown(value.get_object()) : value;
}

std::optional<std::string> reserved_members(const json::value& value) {
  return reserved_below(value, "value");
}

}  // namespace etesian::api
