#include <algorithm>
#include <initializer_list>

#include "api/api.h"
#include "api/routes.h"

namespace etesian::api {
namespace {

json::object reference(std::string_view name) {
  return {{"$ref", "#/components/schemas/" + std::string(name)}};
}

json::object one_of(std::initializer_list<std::string_view> names) {
  json::array all;
  for (const auto name : names) all.push_back(reference(name));
  return {{"oneOf", std::move(all)}};
}

/// The body of a bulk request: actions, and what they may be about.
json::object bulk_type(std::string_view type) {
  if (type == "bulk_action") {
    return one_of({"BulkCreateAction", "BulkUpdateAction", "BulkDeleteAction"});
  }
  json::object entity = one_of(
      {"VariableBody", "PoolBody", "ConnectionBody", "BulkDAGRunBody", "BulkTaskInstanceBody"});
  entity["oneOf"].get_array().push_back(json::object{{"type", "string"}});
  return entity;
}

json::object plain_type(const Field& field) {
  if (const auto& values = values_of_type(field.type); !values.empty()) {
    json::array names;
    for (const auto value : values) names.push_back(json::string(value));
    return {{"type", "string"}, {"enum", std::move(names)}};
  }
  if (field.type.starts_with('@')) return reference(std::string_view(field.type).substr(1));
  if (field.type == "instant") return {{"type", "string"}, {"format", "date-time"}};
  if (field.type == "int") return {{"type", "integer"}};
  if (field.type == "number") return {{"type", "number"}};
  if (field.type == "bool") return {{"type", "boolean"}};
  if (field.type == "object") return {{"type", "object"}, {"additionalProperties", true}};
  if (field.type == "any") return {};
  if (field.type.starts_with("bulk_")) return bulk_type(field.type);
  if (field.type == "task_ref") {
    return {{"oneOf", json::array{json::object{{"type", "string"}},
                                  json::object{{"type", "array"},
                                               {"prefixItems",
                                                json::array{json::object{{"type", "string"}},
                                                            json::object{{"type", "integer"}}}},
                                               {"minItems", 2},
                                               {"maxItems", 2}}}}};
  }
  return {{"type", "string"}};
}

json::object type_of(const Field& field) {
  json::object type = plain_type(field);
  if (field.is_list) type = {{"type", "array"}, {"items", std::move(type)}};
  if (!field.is_nullable || type.empty()) return type;
  return {{"anyOf", json::array{std::move(type), json::object{{"type", "null"}}}}};
}

json::object schema_json(const Schema& schema) {
  json::object properties;
  json::array required;
  for (const auto& field : schema.fields) {
    properties[field.name] = type_of(field);
    if (field.is_required) required.push_back(json::string(field.name));
  }
  json::object out{{"title", schema.name},
                   {"type", "object"},
                   {"properties", std::move(properties)},
                   {"additionalProperties", false}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

json::object content(std::string_view type, json::object schema) {
  return {{type, json::object{{"schema", std::move(schema)}}}};
}

json::object error_answer(std::string_view description) {
  return {{"description", description},
          {"content", content("application/json", reference("Error"))}};
}

json::object answers_of(const Operation& operation) {
  json::object success{{"description", "Successful Response"}};
  if (operation.answer.find('/') != std::string::npos) {
    success["content"] = content(operation.answer, {{"type", "string"}});
  } else if (operation.answer != "Nothing") {
    success["content"] = content("application/json", reference(operation.answer));
  }
  json::object answers;
  answers[std::to_string(operation.status)] = std::move(success);
  if (operation.access == http::Access::Token) answers["401"] = error_answer("Unauthorized");
  if (operation.body == "LoginBody") {
    answers["401"] = error_answer("Unauthorized");
    answers["429"] = error_answer("Too Many Requests");
  }
  if (operation.pattern.find('{') != std::string::npos) answers["404"] = error_answer("Not Found");
  if (!operation.body.empty()) {
    answers["400"] = error_answer("Bad Request");
    answers["409"] = error_answer("Conflict");
    answers["415"] = error_answer("Unsupported Media Type");
  }
  if (!operation.body.empty() || !operation.query.empty()) {
    answers["422"] = error_answer("Validation Error");
  }
  return answers;
}

json::array parameters_of(const Operation& operation) {
  json::array parameters;
  std::string_view rest = operation.pattern;
  for (auto begin = rest.find('{'); begin != std::string_view::npos; begin = rest.find('{')) {
    const auto end = rest.find('}', begin);
    std::string_view name = rest.substr(begin + 1, end - begin - 1);
    if (name.ends_with('*')) name.remove_suffix(1);
    parameters.push_back(json::object{{"name", name},
                                      {"in", "path"},
                                      {"required", true},
                                      {"schema", json::object{{"type", "string"}}}});
    rest.remove_prefix(end);
  }
  for (const auto& field : operation.query) {
    parameters.push_back(json::object{{"name", field.name},
                                      {"in", "query"},
                                      {"required", field.is_required},
                                      {"schema", type_of(field)}});
  }
  return parameters;
}

/// "{key*}", which takes the rest of a path, is "{key}" in the document.
std::string documented_path(std::string pattern) {
  std::erase(pattern, '*');
  return pattern;
}

json::object operation_json(const Operation& operation) {
  json::object out{{"operationId", operation.id},
                   {"summary", operation.summary},
                   {"tags", json::array{json::string(operation.tag)}},
                   {"parameters", parameters_of(operation)},
                   {"responses", answers_of(operation)}};
  if (!operation.body.empty()) {
    out["requestBody"] = json::object{
        {"required", true}, {"content", content("application/json", reference(operation.body))}};
  }
  if (operation.access == http::Access::Open) out["security"] = json::array{};
  return out;
}

std::string make_document() {
  json::object paths, all;
  for (const auto& operation : operations()) {
    const std::string path = documented_path(operation.pattern);
    if (!paths.contains(path)) paths[path] = json::object{};
    std::string method = operation.method;
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    paths[path].get_object()[method] = operation_json(operation);
  }
  for (const auto& schema : schemas()) all[schema.name] = schema_json(schema);
  const json::object document{
      {"openapi", "3.1.0"},
      {"info", json::object{{"title", "Etesian"},
                            {"version", "2"},
                            {"description",
                             "Workflows: REST v2 with the paths and bodies of "
                             "Airflow 3, and what Etesian adds."}}},
      {"security", json::array{json::object{{"Bearer", json::array{}}}}},
      {"paths", std::move(paths)},
      {"components",
       json::object{
           {"schemas", std::move(all)},
           {"securitySchemes",
            json::object{{"Bearer", json::object{{"type", "http"}, {"scheme", "bearer"}}}}}}}};
  return json::serialize(document);
}

}  // namespace

std::shared_ptr<const std::string> openapi_document() {
  static const auto document = std::make_shared<const std::string>(make_document());
  return document;
}

}  // namespace etesian::api
