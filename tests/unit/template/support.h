#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/time_text.h"
#include "template/template.h"

namespace etesian {

/// "offset+length: message (hint)".
inline std::string shown(const TemplateError& error) {
  std::string out =
      std::to_string(error.offset) + "+" + std::to_string(error.length) + ": " + error.message;
  return error.hint.empty() ? out : out + " (" + error.hint + ")";
}

inline std::string shown(const std::vector<TemplateError>& errors) {
  std::string out;
  for (const auto& error : errors) out += (out.empty() ? "" : "\n") + shown(error);
  return out;
}

inline Template parsed(std::string_view text) {
  std::vector<TemplateError> errors;
  auto result = Template::parse(text, errors);
  EXPECT_TRUE(result) << shown(errors);
  if (result) return *result;
  return *Template::parse("", errors);
}

inline std::string parse_errors(std::string_view text) {
  std::vector<TemplateError> errors;
  EXPECT_FALSE(Template::parse(text, errors));
  return shown(errors);
}

inline Instant at(std::string_view text) { return *instant_from_text(text); }

/// A run of 9 March 2024 in Seoul's zone with one upstream of each kind.
inline TemplateFacts example_facts() {
  TemplateFacts facts;
  facts.dag_id = "sales", facts.task_id = "load",
  facts.run_id = "scheduled__2024-03-08T20:00:00+00:00";
  facts.run_type = "scheduled", facts.owner = "data", facts.owner_email = "data@example.com";
  facts.try_number = 2, facts.max_tries = 3;
  facts.logical_date = facts.data_interval_start = at("2024-03-08T20:00Z");
  facts.data_interval_end = at("2024-03-09T20:00Z");
  facts.run_after = at("2024-03-09T20:00Z"), facts.dag_run_start = at("2024-03-09T20:00:01.5Z");
  facts.timezone = *TimeZone::find("Asia/Seoul");
  facts.params = json::parse(R"({"name": "world", "n": 3, "x": 2.5, "flag": true, "nothing": null,
    "list": [3, 1, 2], "words": ["b", "A", "c", "a"], "empty": [], "text": "Hello, World",
    "users": [{"name": "ann", "age": 31}, {"name": "Bob", "age": 25}, {"name": "cid", "age": 31}],
    "nested": {"a": {"b": [10, 20]}}, "html": "<a href='x'>&</a>", "unicode": "żółć 한국", "items": 7})")
                     .as_object();
  facts.output = [](const std::string& task, const std::string& key,
                    int map_index) -> std::optional<json::value> {
    if (task == "count" && key == "return_value")
      return json::value{{"rows", 42}, {"file", "a b.csv"}};
    if (task == "count" && key == "extra") return json::value("more");
    if (task == "group.inner" && key == "return_value") return json::value(7);
    if (task == "mapped" && key == "return_value") {
      if (map_index >= 0) return json::value(map_index * 10);
      return json::array{0, 10, 20};
    }
    return std::nullopt;
  };
  facts.variable = [](const std::string& key) -> std::optional<std::string> {
    if (key == "bucket") return "s3://data";
    if (key == "conf") return R"({"limits": {"rows": 100}, "tags": ["a", "b"]})";
    if (key == "broken") return "{secret";
    return std::nullopt;
  };
  facts.connection = [](const std::string& id) -> std::optional<json::object> {
    if (id != "warehouse") return std::nullopt;
    return json::object{{"conn_type", "postgres"},
                        {"host", "db.example.com"},
                        {"port", 5432},
                        {"login", "etl"},
                        {"password", "pw"},
                        {"schema", "dw"},
                        {"extra", R"({"sslmode": "require"})"},
                        {"uri", "postgres://etl:pw@db.example.com:5432/dw?sslmode=require"}};
  };
  return facts;
}

inline std::string rendered(std::string_view text, const TemplateFacts& facts = example_facts(),
                            const TemplateLimits& limits = {}) {
  const Template::Rendered result = parsed(text).render(facts, limits);
  return result.error ? "error " + shown(*result.error) : *result.text;
}

struct Case {
  std::string_view text, expected;
};

/// Each text renders to what stands beside it; errors as "error offset+length: message (hint)".
inline void expect_rendered(const std::vector<Case>& cases) {
  for (const auto& [text, expected] : cases) EXPECT_EQ(rendered(text), expected) << text;
}

}  // namespace etesian
