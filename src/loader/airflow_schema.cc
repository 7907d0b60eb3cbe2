#include "loader/airflow_schema.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <set>
#include <vector>

#include "loader/airflow_json.h"

namespace etesian::airflow_json {
namespace {

using Mismatch = std::optional<std::string>;

bool matches(const std::string& pattern, std::string_view text) {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  return RE2::PartialMatch({text.data(), text.size()}, RE2(pattern, quiet));
}

bool is_pattern(const json::value& pattern) {
  RE2::Options quiet;
  quiet.set_log_errors(false);
  return pattern.is_string() && RE2(std::string(pattern.get_string()), quiet).ok();
}

/// As Python shows a value; long ones are cut.
std::string shown(const json::value& value) {
  constexpr std::size_t kShownMax = 80;
  if (value.is_null()) return "None";
  if (value.is_bool()) return value.get_bool() ? "True" : "False";
  std::string text =
      value.is_string() ? "'" + std::string(value.get_string()) + "'" : canonical_json(value);
  if (text.size() <= kShownMax) return text;
  std::size_t cut = kShownMax;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) --cut;
  return text.substr(0, cut) + "…";
}

/// Equal values have equal canonical texts: 1 and 1.0 are the same, 1 and true are not.
bool is_equal(const json::value& a, const json::value& b) {
  return canonical_json(a) == canonical_json(b);
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool is_type(const json::value& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "null") return value.is_null();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "number") return value.is_number();
  if (type != "integer") return false;
  return value.is_int64() || value.is_uint64() ||
         (value.is_double() && value.get_double() == std::floor(value.get_double()));
}

bool is_date(const std::string& text) {
  int y = 0, m = 0, d = 0, end = 0;
  if (text.size() != 10 || text.find_first_not_of("0123456789-") != std::string::npos ||
      std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &y, &m, &d, &end) != 3 || end != 10)
    return false;
  return y > 0 && std::chrono::year_month_day(std::chrono::year(y),
                                              std::chrono::month(static_cast<unsigned>(m)),
                                              std::chrono::day(static_cast<unsigned>(d)))
                      .ok();
}

bool is_address(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return inet_pton(family, text.c_str(), bytes.data()) == 1;
}

bool has_format(const std::string& text, std::string_view format) {
  if (format == "date") return is_date(text);
  if (format == "time") return matches("^([01]?[0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9]$", text);
  if (format == "email" || format == "idn-email") return text.find('@') != std::string::npos;
  if (format == "ipv4") return is_address(AF_INET, text);
  if (format == "ipv6") return is_address(AF_INET6, text);
  if (format == "uuid")
    return matches("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", text);
  return true;
}

/// One value under one schema.
class Check {
 public:
  Check(const json::value& value, const json::object& schema) : value_(value), schema_(schema) {}

  Mismatch run() const {
    if (auto found = any_type()) return found;
    if (value_.is_number())
      if (auto found = as_number()) return found;
    if (value_.is_string())
      if (auto found = as_text()) return found;
    if (value_.is_array())
      if (auto found = as_list()) return found;
    if (value_.is_object())
      if (auto found = as_object()) return found;
    return combined();
  }

 private:
  const json::value* keyword(std::string_view name) const { return schema_.if_contains(name); }
  const json::array* list(std::string_view name) const {
    const json::value* found = keyword(name);
    return found ? found->if_array() : nullptr;
  }
  const json::object* dict(std::string_view name) const {
    const json::value* found = keyword(name);
    return found ? found->if_object() : nullptr;
  }
  std::optional<double> limit(std::string_view name) const {
    const json::value* found = keyword(name);
    return found && found->is_number() ? std::optional(found->to_number<double>()) : std::nullopt;
  }
  std::string own() const { return shown(value_); }
  bool is_valid(const json::value& schema) const { return !schema_mismatch(value_, schema); }

  Mismatch any_type() const {
    if (const json::value* type = keyword("type")) {
      std::vector<std::string> names;
      if (type->is_string()) names.emplace_back(type->get_string());
      if (const json::array* several = type->if_array())
        for (const json::value& name : *several)
          if (name.is_string()) names.emplace_back(name.get_string());
      const auto fits = [&](const std::string& name) { return is_type(value_, name); };
      if (!names.empty() && std::none_of(names.begin(), names.end(), fits))
        return fmt::format("{} is not of type '{}'", own(), fmt::join(names, "', '"));
    }
    if (const json::array* choices = list("enum")) {
      const auto fits = [&](const json::value& choice) { return is_equal(choice, value_); };
      if (std::none_of(choices->begin(), choices->end(), fits))
        return fmt::format("{} is not one of {}", own(), shown(*choices));
    }
    if (const json::value* constant = keyword("const"); constant && !is_equal(*constant, value_))
      return fmt::format("{} was expected", shown(*constant));
    return std::nullopt;
  }

  Mismatch as_number() const {
    const double n = value_.to_number<double>();
    if (const auto least = limit("minimum"); least && n < *least)
      return fmt::format("{} is less than the minimum of {}", own(), *least);
    if (const auto most = limit("maximum"); most && n > *most)
      return fmt::format("{} is greater than the maximum of {}", own(), *most);
    if (const auto least = limit("exclusiveMinimum"); least && n <= *least)
      return fmt::format("{} is less than or equal to the minimum of {}", own(), *least);
    if (const auto most = limit("exclusiveMaximum"); most && n >= *most)
      return fmt::format("{} is greater than or equal to the maximum of {}", own(), *most);
    if (const auto step = limit("multipleOf"); step && *step > 0) {
      const double parts = n / *step;
      if (std::isfinite(parts) && parts != std::floor(parts))
        return fmt::format("{} is not a multiple of {}", own(), *step);
    }
    return std::nullopt;
  }

  Mismatch as_text() const {
    const std::string text(value_.get_string());
    const auto size = static_cast<double>(characters(text));
    if (const auto least = limit("minLength"); least && size < *least)
      return fmt::format("{} {}", own(), *least == 1 ? "should be non-empty" : "is too short");
    if (const auto most = limit("maxLength"); most && size > *most)
      return fmt::format("{} {}", own(), *most == 0 ? "is expected to be empty" : "is too long");
    if (const json::value* pattern = keyword("pattern"); pattern && is_pattern(*pattern))
      if (!matches(std::string(pattern->get_string()), text))
        return fmt::format("{} does not match {}", own(), shown(*pattern));
    if (const json::value* format = keyword("format"); format && format->is_string())
      if (!has_format(text, std::string_view(format->get_string())))
        return fmt::format("{} is not a {}", own(), shown(*format));
    return std::nullopt;
  }

  Mismatch as_list() const {
    const json::array& items = value_.get_array();
    const auto size = static_cast<double>(items.size());
    if (const auto least = limit("minItems"); least && size < *least)
      return fmt::format("{} {}", own(), *least == 1 ? "should be non-empty" : "is too short");
    if (const auto most = limit("maxItems"); most && size > *most)
      return fmt::format("{} {}", own(), *most == 0 ? "is expected to be empty" : "is too long");
    std::size_t at = 0;
    if (const json::array* prefix = list("prefixItems"))
      for (; at < std::min(prefix->size(), items.size()); ++at)
        if (auto found = schema_mismatch(items[at], (*prefix)[at])) return found;
    if (const json::value* each = keyword("items"))
      for (; at < items.size(); ++at)
        if (auto found = schema_mismatch(items[at], *each)) return found;
    if (const json::value* unique = keyword("uniqueItems");
        unique && unique->is_bool() && unique->get_bool()) {
      std::set<std::string> seen;
      for (const json::value& item : items)
        if (!seen.insert(canonical_json(item)).second)
          return fmt::format("{} has non-unique elements", own());
    }
    return contained(items);
  }

  Mismatch contained(const json::array& items) const {
    const json::value* wanted = keyword("contains");
    if (!wanted) return std::nullopt;
    const auto count =
        static_cast<double>(std::count_if(items.begin(), items.end(), [&](const json::value& item) {
          return !schema_mismatch(item, *wanted);
        }));
    if (count > limit("maxContains").value_or(static_cast<double>(items.size())))
      return "Too many items match the given schema";
    if (count < limit("minContains").value_or(1))
      return fmt::format("{} does not contain items matching the given schema", own());
    return std::nullopt;
  }

  Mismatch as_object() const {
    const json::object& members = value_.get_object();
    const auto size = static_cast<double>(members.size());
    if (const json::array* names = list("required"))
      for (const json::value& name : *names)
        if (name.is_string() && !members.contains(name.get_string()))
          return fmt::format("{} is a required property", shown(name));
    if (const auto least = limit("minProperties"); least && size < *least)
      return fmt::format("{} does not have enough properties", own());
    if (const auto most = limit("maxProperties"); most && size > *most)
      return fmt::format("{} has too many properties", own());
    for (const auto& [name, member] : members)
      if (auto found = of_member(std::string(name), member)) return found;
    return dependent(members);
  }

  Mismatch of_member(const std::string& name, const json::value& member) const {
    bool is_declared = false;
    if (const json::value* names = keyword("propertyNames"))
      if (auto found = schema_mismatch(json::string(name), *names)) return found;
    if (const json::object* properties = dict("properties"))
      if (const json::value* its = properties->if_contains(name)) {
        is_declared = true;
        if (auto found = schema_mismatch(member, *its)) return found;
      }
    if (const json::object* patterns = dict("patternProperties"))
      for (const auto& [pattern, its] : *patterns)
        if (matches(std::string(pattern), name)) {
          is_declared = true;
          if (auto found = schema_mismatch(member, its)) return found;
        }
    const json::value* others = keyword("additionalProperties");
    if (is_declared || !others) return std::nullopt;
    if (others->is_bool() && !others->get_bool())
      return fmt::format("Additional properties are not allowed ('{}' was unexpected)", name);
    return schema_mismatch(member, *others);
  }

  Mismatch dependent(const json::object& members) const {
    if (const json::object* names = dict("dependentRequired"))
      for (const auto& [name, needs] : *names)
        if (members.contains(name) && needs.is_array())
          for (const json::value& need : needs.get_array())
            if (need.is_string() && !members.contains(need.get_string()))
              return fmt::format("{} is a dependency of '{}'", shown(need), std::string(name));
    if (const json::object* schemas = dict("dependentSchemas"))
      for (const auto& [name, its] : *schemas)
        if (members.contains(name))
          if (auto found = schema_mismatch(value_, its)) return found;
    return std::nullopt;
  }

  Mismatch combined() const {
    if (const json::array* all = list("allOf"))
      for (const json::value& each : *all)
        if (auto found = schema_mismatch(value_, each)) return found;
    if (const json::array* any = list("anyOf"))
      if (std::none_of(any->begin(), any->end(), [&](const auto& each) { return is_valid(each); }))
        return fmt::format("{} is not valid under any of the given schemas", own());
    if (const json::array* one = list("oneOf")) {
      const auto count =
          std::count_if(one->begin(), one->end(), [&](const auto& each) { return is_valid(each); });
      if (count == 0) return fmt::format("{} is not valid under any of the given schemas", own());
      if (count > 1) return fmt::format("{} is valid under {} of the given schemas", own(), count);
    }
    if (const json::value* never = keyword("not"); never && is_valid(*never))
      return fmt::format("{} should not be valid under {}", own(), shown(*never));
    if (const json::value* condition = keyword("if"))
      if (const json::value* branch = keyword(is_valid(*condition) ? "then" : "else"))
        return schema_mismatch(value_, *branch);
    return std::nullopt;
  }

  const json::value& value_;
  const json::object& schema_;
};

/// Schemas directly below one.
std::vector<const json::value*> parts_of(const json::object& schema) {
  std::vector<const json::value*> parts;
  for (const char* name :
       {"items", "contains", "propertyNames", "additionalProperties", "not", "if", "then", "else"})
    if (const json::value* part = schema.if_contains(name)) parts.push_back(part);
  for (const char* name : {"prefixItems", "allOf", "anyOf", "oneOf"})
    if (const json::value* several = schema.if_contains(name); several && several->is_array())
      for (const json::value& part : several->get_array()) parts.push_back(&part);
  for (const char* name : {"properties", "patternProperties", "dependentSchemas"})
    if (const json::value* several = schema.if_contains(name); several && several->is_object())
      for (const auto& member : several->get_object()) parts.push_back(&member.value());
  return parts;
}

}  // namespace

std::optional<std::string> schema_mismatch(const json::value& value, const json::value& schema) {
  if (schema.is_bool() && !schema.get_bool())
    return fmt::format("False schema does not allow {}", shown(value));
  if (!schema.is_object()) return std::nullopt;
  return Check(value, schema.get_object()).run();
}

std::optional<std::string> unchecked_keyword(const json::value& schema) {
  const json::object* its = schema.if_object();
  if (!its) return std::nullopt;
  for (const char* name : {"$ref", "$dynamicRef", "$schema", "unevaluatedItems",
                           "unevaluatedProperties", "dependencies", "additionalItems"})
    if (its->contains(name)) return fmt::format("'{}'", name);
  if (const json::value* pattern = its->if_contains("pattern"); pattern && !is_pattern(*pattern))
    return "the pattern " + shown(*pattern);
  if (const json::value* patterns = its->if_contains("patternProperties");
      patterns && patterns->is_object())
    for (const auto& member : patterns->get_object())
      if (!is_pattern(json::string(member.key())))
        return "the pattern " + shown(json::string(member.key()));
  for (const json::value* part : parts_of(*its))
    if (auto found = unchecked_keyword(*part)) return found;
  return std::nullopt;
}

}  // namespace etesian::airflow_json
