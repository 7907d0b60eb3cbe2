#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/json.h"
#include "base/time_text.h"
#include "scheduler/mapping.h"
#include "scheduler/retry.h"
#include "scheduler/trigger_rule.h"

namespace etesian {
namespace {

std::vector<json::object> vectors(const std::string& name) {
  std::ifstream in(std::string(ETESIAN_SOURCE_DIR) + "/tests/golden/oracle/" + name + ".jsonl");
  std::vector<json::object> rows;
  for (std::string line; std::getline(in, line);) rows.push_back(parse_json(line)->as_object());
  EXPECT_FALSE(rows.empty()) << name;
  return rows;
}

std::string text(const json::value& v) { return std::string(v.as_string()); }
double number(const json::value& v) { return v.to_number<double>(); }

void count_parent(UpstreamCounts& up, const json::value& state, bool is_setup) {
  up.total += 1;
  up.setups += is_setup;
  if (state.is_null()) return;
  const std::string name = text(state);
  up.success += name == "success";
  up.failed += name == "failed";
  up.upstream_failed += name == "upstream_failed";
  up.skipped += name == "skipped";
  up.removed += name == "removed";
  up.success_setup += is_setup && name == "success";
  up.skipped_setup += is_setup && name == "skipped";
}

std::string decision_text(const RuleDecision& d) {
  if (d.kind == RuleDecision::Kind::Run) return "run";
  if (d.kind == RuleDecision::Kind::Wait) return "wait";
  return "set " + std::string(to_text(d.state));
}

void check_rules(const std::string& file) {
  for (const auto& row : vectors(file)) {
    UpstreamCounts up;
    SetupCounts setups;
    std::set<std::int64_t> is_setup;
    if (row.contains("setup_parents"))
      for (const auto& i : row.at("setup_parents").as_array()) is_setup.insert(i.as_int64());
    std::int64_t at = 0;
    for (const auto& state : row.at("parents").as_array())
      count_parent(up, state, is_setup.contains(at++));
    if (row.contains("indirect_setups"))
      for (const auto& state : row.at("indirect_setups").as_array()) {
        setups.total += 1;
        if (state.is_null()) continue;
        const auto known = task_state_from_text(text(state));
        setups.done += known && is_final(*known);
        setups.failed += text(state) == "failed" || text(state) == "upstream_failed";
        setups.skipped += text(state) == "skipped";
      }
    const int map_index =
        row.contains("map_index") ? static_cast<int>(row.at("map_index").as_int64()) : -1;
    for (const auto& [rule, expected] : row.at("decisions").as_object())
      EXPECT_EQ(decision_text(
                    evaluate(*trigger_rule_from_text(std::string(rule)), up, setups, map_index)),
                text(expected))
          << rule << " in " << canonical_json(row);
  }
}

TEST(Oracle, TriggerRulesDecideAsAirflowDoes) { check_rules("trigger_rules"); }
TEST(Oracle, SetupsDecideAsAirflowDoes) { check_rules("setup_rules"); }

TEST(Oracle, RetryDelaysAreAirflows) {
  for (const auto& row : vectors("retry_delays")) {
    RetryRule rule;
    const auto seconds = [](const json::value& v) {
      return Duration(static_cast<std::int64_t>(number(v) * 1e6 + 0.5));
    };
    rule.delay = seconds(row.at("retry_delay"));
    rule.airflow_exponential_backoff = number(row.at("retry_exponential_backoff"));
    if (!row.at("max_retry_delay").is_null()) rule.max_delay = seconds(row.at("max_retry_delay"));
    std::optional<Instant> date;
    if (!row.at("logical_date").is_null()) date = *instant_from_text(text(row.at("logical_date")));
    for (const auto& pair : row.at("delays").as_array())
      EXPECT_EQ(airflow_retry_delay(rule, text(row.at("dag_id")), text(row.at("task_id")), date,
                                    static_cast<int>(pair.at(0).as_int64())),
                seconds(pair.at(1)))
          << canonical_json(row) << " try " << pair.at(0);
  }
}

json::value source(const std::string& kind, std::int64_t length) {
  json::array list;
  json::object dict;
  for (std::int64_t i = 0; i < length; ++i) {
    list.emplace_back(i);
    dict["k" + std::to_string(i)] = i;
  }
  return kind == "dict" ? json::value(dict) : json::value(list);
}

void check_product(const json::object& row) {
  MapRule rule;
  std::vector<std::string> values;
  const auto& names = row.at("names").as_array();
  for (std::size_t i = 0; i < names.size(); ++i) {
    rule.arguments.push_back({text(names[i]), std::string()});
    values.push_back(canonical_json(
        source(text(row.at("kinds").as_array()[i]), row.at("lengths").as_array()[i].as_int64())));
  }
  const auto made = map_arguments(rule, values, 10'000);
  ASSERT_TRUE(made);
  ASSERT_EQ(made->size(), static_cast<std::size_t>(row.at("count").as_int64()));
  for (std::size_t i = 0; i < made->size(); ++i) {
    json::object expected;
    for (std::size_t a = 0; a < names.size(); ++a)
      expected[text(names[a])] = row.at("arguments").as_array()[i].as_array()[a];
    EXPECT_EQ((*made)[i], canonical_json(expected));
  }
}

TEST(Oracle, MapsExpandAsAirflowDoes) {
  for (const auto& row : vectors("mapping")) {
    if (text(row.at("kind")) == "product") {
      check_product(row);
      continue;
    }
    std::vector<std::string> lists;
    for (const auto& list : row.at("lists").as_array()) lists.push_back(canonical_json(list));
    std::optional<std::string> fill;
    if (row.contains("fillvalue")) fill = canonical_json(row.at("fillvalue"));
    const auto joined =
        text(row.at("kind")) == "zip" ? zip_lists(lists, fill) : concat_lists(lists);
    ASSERT_TRUE(joined);
    EXPECT_EQ(*joined, canonical_json(row.at("values")));
  }
}

TEST(Mapping, TooManyInstancesAreRefusedWithBothNumbers) {
  MapRule rule;
  rule.arguments = {{"a", std::string()}, {"b", std::string()}};
  const std::vector<std::string> values = {"[1,2,3]", "[1,2,3]"};
  const auto made = map_arguments(rule, values, 8);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "map: more instances (9) than the most allowed (8)");
}

}  // namespace
}  // namespace etesian
