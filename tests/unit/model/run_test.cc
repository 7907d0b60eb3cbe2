#include "model/run.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "base/time_text.h"

namespace etesian {
namespace {

std::string text_of(const json::object& object, const char* key) {
  return std::string(object.at(key).as_string());
}

TEST(RunIds, AreThoseOfAirflow) {
  std::ifstream lines(ETESIAN_SOURCE_DIR "/tests/golden/oracle/run_ids.jsonl");
  SeededRandom random(1);
  int generated = 0, validated = 0;
  for (std::string line; std::getline(lines, line);) {
    const json::object vector = json::parse(line).as_object();
    if (text_of(vector, "kind") == "generate") {
      ++generated;
      const RunType type = *run_type_from_text(text_of(vector, "run_type"));
      const Instant after = *instant_from_text(text_of(vector, "run_after"));
      EXPECT_EQ(make_run_id(type, after, after, random), text_of(vector, "with_logical_date"));
      const std::string random_id = make_run_id(type, after, std::nullopt, random);
      const std::string prefix = text_of(vector, "without_logical_date_prefix");
      EXPECT_TRUE(random_id.starts_with(prefix)) << random_id;
      EXPECT_EQ(random_id.size(), prefix.size() + 8);
      EXPECT_TRUE(check_run_id(random_id));
      continue;
    }
    ++validated;
    const std::string id = text_of(vector, "run_id");
    EXPECT_EQ(to_text(run_type_of_id(id)), text_of(vector, "inferred_type")) << id;
    // Python's '$' also matches before a final newline; ours does not, on purpose, and Airflow's
    // limit of length is that of its database column.
    const bool is_allowed = vector.at("allowed_characters").as_bool() &&
                            id.find('\n') == std::string::npos && id.size() <= 250;
    EXPECT_EQ(static_cast<bool>(check_run_id(id)), is_allowed) << id;
  }
  EXPECT_EQ(generated, 18);
  EXPECT_EQ(validated, 23);
}

TEST(Ids, AreLettersDigitsAndThreeMarks) {
  const auto verdict = [](const std::string& id) {
    const auto checked = check_id("task", id);
    return checked ? "ok" : checked.error().message;
  };
  EXPECT_EQ(verdict("flights_daily-2.x"), "ok");
  EXPECT_EQ(verdict("매출_요약"), "ok");
  EXPECT_EQ(verdict("größe"), "ok");
  EXPECT_EQ(verdict(std::string(250, 'a')), "ok");
  EXPECT_EQ(verdict(""), "check task id: it is empty");
  EXPECT_EQ(verdict(std::string(251, 'a')), "check task id: 251 bytes are more than 250");
  EXPECT_EQ(verdict("../x"), "check task id: '/' is not a letter, a digit, '_', '-' or '.'");
  EXPECT_EQ(verdict("a b"), "check task id: U+0020 is not a letter, a digit, '_', '-' or '.'");
  EXPECT_EQ(verdict("a\x01"), "check task id: U+0001 is not a letter, a digit, '_', '-' or '.'");
  EXPECT_EQ(verdict("a\u202Eb"), "check task id: U+202E is not a letter, a digit, '_', '-' or '.'");
  EXPECT_EQ(verdict("a\u200Bb"), "check task id: U+200B is not a letter, a digit, '_', '-' or '.'");
  EXPECT_EQ(verdict("a\xff"), "check task id: it is not valid UTF-8");
}

}  // namespace
}  // namespace etesian
