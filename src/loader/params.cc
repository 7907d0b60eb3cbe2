#include "loader/params.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <re2/re2.h>

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "loader/diagnostic.h"

namespace etesian {
namespace {

constexpr std::size_t kShownMax = 60;

std::string shown(const json::value& value) {
  if (value.is_string()) {
    const std::string text(value.as_string());
    return text.size() > kShownMax ? fmt::format("'{}…'", text.substr(0, kShownMax))
                                   : fmt::format("'{}'", text);
  }
  const std::string text = canonical_json(value);
  return text.size() > kShownMax ? text.substr(0, kShownMax) + "…" : text;
}

std::string bare(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : canonical_json(value);
}

bool is_type(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "null") return value.is_null();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "number") return value.is_number();
  if (type == "integer")
    return value.is_int64() || value.is_uint64() ||
           (value.is_double() &&
            value.get_double() ==
                static_cast<double>(static_cast<std::int64_t>(value.get_double())));
  return false;
}

std::string with_article(std::string_view type) {
  if (type == "null") return "null";
  return fmt::format("{} {}", type == "integer" || type == "array" || type == "object" ? "an" : "a",
                     type);
}

/// Copy without `pattern`: valijson would use std::regex, whose time and stack are not bounded; RE2
/// checks it in `find_pattern_mismatch`.
json::value without_patterns(const json::value& schema) {
  if (schema.is_array()) {
    json::array copy;
    for (const json::value& item : schema.as_array()) copy.push_back(without_patterns(item));
    return copy;
  }
  if (!schema.is_object()) return schema;
  json::object copy;
  for (const auto& [key, value] : schema.as_object()) {
    if (key == "pattern" && value.is_string()) continue;
    const bool is_data = key == "default" || key == "enum" || key == "const" || key == "examples";
    copy[key] = is_data ? value : without_patterns(value);
  }
  return copy;
}

const json::value* member(const json::object& object, std::string_view key) {
  return object.if_contains(key);
}

std::optional<std::string> find_pattern_mismatch(const json::value& value,
                                                 const json::object& schema) {
  if (const json::value* pattern = member(schema, "pattern");
      pattern && pattern->is_string() && value.is_string()) {
    RE2::Options quiet;
    quiet.set_log_errors(false);
    const std::string text(pattern->as_string());
    if (!RE2::PartialMatch(std::string(value.as_string()), RE2(text, quiet)))
      return fmt::format("{} does not match the pattern {}", shown(value), text);
  }
  if (const json::value* items = member(schema, "items");
      items && items->is_object() && value.is_array())
    for (const json::value& item : value.as_array())
      if (auto found = find_pattern_mismatch(item, items->as_object())) return found;
  if (const json::value* properties = member(schema, "properties");
      properties && properties->is_object() && value.is_object())
    for (const auto& [key, part] : properties->as_object())
      if (const json::value* inner = value.as_object().if_contains(key); inner && part.is_object())
        if (auto found = find_pattern_mismatch(*inner, part.as_object())) return found;
  return std::nullopt;
}

std::optional<double> limit(const json::object& schema, std::string_view key) {
  const json::value* value = member(schema, key);
  if (!value || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

/// A sentence for the keyword that people meet most; nullopt: ask the validator.
std::optional<std::string> plain_mismatch(const json::value& value, const json::object& schema) {
  if (const json::value* type = member(schema, "type")) {
    std::vector<std::string> types;
    if (type->is_string()) types.emplace_back(type->as_string());
    if (type->is_array())
      for (const json::value& t : type->as_array())
        if (t.is_string()) types.emplace_back(t.as_string());
    if (!types.empty() && std::none_of(types.begin(), types.end(),
                                       [&](const auto& t) { return is_type(value, t); })) {
      std::vector<std::string> named;
      for (const std::string& t : types) named.push_back(with_article(t));
      return fmt::format("{} is not {}", shown(value), fmt::join(named, " or "));
    }
  }
  if (const json::value* choices = member(schema, "enum"); choices && choices->is_array()) {
    std::vector<std::string> names;
    for (const json::value& choice : choices->as_array()) {
      if (choice == value) return std::nullopt;
      names.push_back(bare(choice));
    }
    return fmt::format("{} is not one of {}", shown(value), fmt::join(names, ", "));
  }
  if (value.is_number()) {
    const double number = value.to_number<double>();
    if (const auto least = limit(schema, "minimum"); least && number < *least)
      return fmt::format("{} is less than {}", shown(value), *least);
    if (const auto most = limit(schema, "maximum"); most && number > *most)
      return fmt::format("{} is more than {}", shown(value), *most);
  }
  return std::nullopt;
}

/// What is wrong with a value, nullopt: nothing. Throws what valijson throws at a malformed schema.
std::optional<std::string> mismatch(const json::value& value, const json::object& schema) {
  if (auto found = plain_mismatch(value, schema)) return found;
  const json::value checked = without_patterns(schema);
  valijson::Schema compiled;
  valijson::SchemaParser(valijson::SchemaParser::kDraft7)
      .populateSchema(valijson::adapters::BoostJsonAdapter(checked), compiled);
  valijson::ValidationResults results;
  if (!valijson::Validator().validate(compiled, valijson::adapters::BoostJsonAdapter(value),
                                      &results)) {
    valijson::ValidationResults::Error first, next;
    results.popError(first);
    while (results.popError(next))
      if (next.context.size() > first.context.size()) first = next;
    std::string where;
    for (std::size_t i = 1; i < first.context.size(); ++i) where += first.context[i];
    return fmt::format("{}{}: {}", shown(value), where.empty() ? "" : " at " + where,
                       first.description);
  }
  return find_pattern_mismatch(value, schema);
}

const std::map<std::string, std::vector<std::string>, std::less<>>& keyword_types() {
  static const std::map<std::string, std::vector<std::string>, std::less<>> kTypes = {
      {"type", {"string", "array"}},
      {"default", {}},
      {"enum", {"array"}},
      {"const", {}},
      {"title", {"string"}},
      {"description", {"string"}},
      {"description_md", {"string"}},
      {"section", {"string"}},
      {"examples", {"array"}},
      {"values_display", {"object"}},
      {"format", {"string"}},
      {"minimum", {"number"}},
      {"maximum", {"number"}},
      {"exclusiveMinimum", {"number"}},
      {"exclusiveMaximum", {"number"}},
      {"multipleOf", {"number"}},
      {"minLength", {"integer"}},
      {"maxLength", {"integer"}},
      {"pattern", {"string"}},
      {"items", {"object"}},
      {"minItems", {"integer"}},
      {"maxItems", {"integer"}},
      {"uniqueItems", {"boolean"}},
      {"contains", {"object"}},
      {"properties", {"object"}},
      {"required", {"array"}},
      {"additionalProperties", {"boolean", "object"}},
      {"minProperties", {"integer"}},
      {"maxProperties", {"integer"}},
      {"anyOf", {"array"}},
      {"oneOf", {"array"}},
      {"allOf", {"array"}},
      {"not", {"object"}}};
  return kTypes;
}

ParamProblem check_keywords(const json::object& schema);

ParamProblem check_nested(std::string_view key, const json::value& value) {
  std::vector<const json::value*> schemas;
  if (key == "items" || key == "contains" || key == "not" || key == "additionalProperties")
    schemas.push_back(&value);
  if (key == "properties")
    for (const auto& part : value.as_object()) schemas.push_back(&part.value());
  if (key == "anyOf" || key == "oneOf" || key == "allOf")
    for (const json::value& part : value.as_array()) schemas.push_back(&part);
  for (const json::value* part : schemas) {
    if (part->is_bool()) continue;
    if (!part->is_object())
      return {fmt::format("'{}' must hold schemas", key), "", std::string(key)};
    if ((key == "anyOf" || key == "oneOf" || key == "allOf" || key == "not" || key == "contains") &&
        part->as_object().contains("pattern"))
      return {fmt::format("'pattern' is not possible below '{}'", key), "write it beside 'type'",
              std::string(key)};
    if (ParamProblem problem = check_keywords(part->as_object()); !problem.message.empty())
      return problem;
  }
  return {};
}

ParamProblem check_keywords(const json::object& schema) {
  for (const auto& [key, value] : schema) {
    const std::string keyword(key);
    const auto known = keyword_types().find(keyword);
    if (known == keyword_types().end()) {
      if (keyword.starts_with("x-")) continue;
      return {fmt::format("unknown schema keyword '{}'", keyword),
              did_you_mean(keyword, param_keywords()), keyword};
    }
    const auto& types = known->second;
    if (!types.empty() && std::none_of(types.begin(), types.end(),
                                       [&](const auto& t) { return is_type(value, t); })) {
      std::vector<std::string> named;
      for (const std::string& t : types) named.push_back(with_article(t));
      return {
          fmt::format("'{}' must be {}, not {}", keyword, fmt::join(named, " or "), shown(value)),
          "", keyword};
    }
    if (keyword == "type") {
      static const std::vector<std::string> kNames = {"string", "number", "integer", "boolean",
                                                      "array",  "object", "null"};
      const json::array types_given = value.is_array() ? value.as_array() : json::array{value};
      for (const json::value& name : types_given)
        if (!name.is_string() ||
            std::find(kNames.begin(), kNames.end(), bare(name)) == kNames.end())
          return {fmt::format("unknown type {}", shown(name)), did_you_mean(bare(name), kNames),
                  keyword};
    }
    if (keyword == "enum" && value.as_array().empty()) return {"'enum' is empty", "", keyword};
    if (keyword == "pattern") {
      RE2::Options quiet;
      quiet.set_log_errors(false);
      const RE2 pattern(bare(value), quiet);
      if (!pattern.ok())
        return {fmt::format("'pattern' is not a pattern: {}", pattern.error()), "", keyword};
    }
    if (ParamProblem problem = check_nested(keyword, value); !problem.message.empty())
      return problem;
  }
  return {};
}

}  // namespace

const std::vector<std::string>& param_keywords() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const auto& [name, types] : keyword_types()) names.push_back(name);
    return names;
  }();
  return kNames;
}

ParamProblem check_param_schema(const std::string& name, const json::object& schema) {
  if (ParamProblem problem = check_keywords(schema); !problem.message.empty()) {
    problem.message = fmt::format("param '{}': {}", name, problem.message);
    return problem;
  }
  try {
    const json::value* preset = member(schema, "default");
    const auto found = preset ? mismatch(*preset, schema) : std::nullopt;
    if (found) return {fmt::format("param '{}': default {}", name, *found), "", "default"};
    if (!preset) mismatch(nullptr, schema);
  } catch (const std::exception& e) {
    return {fmt::format("param '{}': not a JSON Schema: {}", name, e.what()), "", ""};
  }
  return {};
}

Result<std::string> validate_params(const std::string& schema_json, const std::string& conf_json) {
  const auto schemas = parse_json(schema_json);
  if (!schemas || !schemas->is_object())
    return Error{ErrorCode::Corrupt, "validate params: schema is not an object"};
  const auto conf = parse_json(conf_json.empty() ? "{}" : conf_json);
  if (!conf) return Error{ErrorCode::InvalidInput, "validate params: " + conf.error().message};
  if (!conf->is_object())
    return Error{ErrorCode::InvalidInput, "validate params: 'conf' must be a JSON object"};
  const json::object& declared = schemas->as_object();
  if (declared.empty()) return canonical_json(*conf);
  std::vector<std::string> names, problems;
  json::object merged;
  for (const auto& [key, schema] : declared) {
    names.emplace_back(key);
    if (const json::value* given = conf->as_object().if_contains(key))
      merged[key] = *given;
    else if (const json::value* preset =
                 schema.is_object() ? member(schema.as_object(), "default") : nullptr)
      merged[key] = *preset;
    else
      problems.push_back(
          fmt::format("param '{}': no value was given and it has no default", std::string(key)));
  }
  for (const auto& [key, value] : conf->as_object()) {
    const std::string name(key);
    const json::value* schema = declared.if_contains(key);
    if (!schema) {
      const std::string hint = did_you_mean(name, names);
      problems.push_back(fmt::format("param '{}' is not declared by the dag{}", name,
                                     hint.empty() ? "" : "; " + hint));
      continue;
    }
    try {
      if (const auto found = mismatch(value, schema->as_object()))
        problems.push_back(fmt::format("param '{}': {}", name, *found));
    } catch (const std::exception& e) {
      problems.push_back(fmt::format("param '{}': {}", name, e.what()));
    }
  }
  if (!problems.empty())
    return Error{ErrorCode::InvalidInput, fmt::format("{}", fmt::join(problems, "; "))};
  return canonical_json(merged);
}

}  // namespace etesian
