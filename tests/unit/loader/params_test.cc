#include "loader/params.h"

#include <gtest/gtest.h>

namespace etesian {
namespace {

constexpr const char* kSchema = R"({
  "carrier": {"type": "string", "default": "UA", "enum": ["UA", "AA", "DL"]},
  "limit": {"type": ["integer", "null"], "default": null, "minimum": 1, "maximum": 9},
  "code": {"type": "string", "default": "a", "pattern": "^[a-z]+$"},
  "cities": {"type": "array", "default": [], "items": {"type": "string", "pattern": "^[A-Z]"}, "maxItems": 2}})";

std::string outcome(const std::string& conf, const std::string& schema = kSchema) {
  const auto params = validate_params(schema, conf);
  return params ? *params : params.error().message;
}

TEST(Params, TakeDefaultsWhereNothingIsGiven) {
  EXPECT_EQ(outcome("{}"), R"({"carrier":"UA","cities":[],"code":"a","limit":null})");
  EXPECT_EQ(outcome(R"({"carrier":"DL","limit":3})"),
            R"({"carrier":"DL","cities":[],"code":"a","limit":3})");
  EXPECT_EQ(outcome(R"({"anything": 1})", "{}"), R"({"anything":1})");
}

TEST(Params, SayWhichValueIsWrongAndWhatWouldBeRight) {
  EXPECT_EQ(outcome(R"({"carrier":"XX"})"), "param 'carrier': 'XX' is not one of UA, AA, DL");
  EXPECT_EQ(outcome(R"({"carrier":5})"), "param 'carrier': 5 is not a string");
  EXPECT_EQ(outcome(R"({"limit":"x"})"), "param 'limit': 'x' is not an integer or null");
  EXPECT_EQ(outcome(R"({"limit":10})"), "param 'limit': 10 is more than 9");
  EXPECT_EQ(outcome(R"({"limit":0})"), "param 'limit': 0 is less than 1");
  EXPECT_EQ(outcome(R"({"code":"A1"})"), "param 'code': 'A1' does not match the pattern ^[a-z]+$");
  EXPECT_EQ(outcome(R"({"cities":["Seoul","x"]})"),
            "param 'cities': 'x' does not match the pattern ^[A-Z]");
  EXPECT_EQ(outcome(R"({"carier":"UA"})"),
            "param 'carier' is not declared by the dag; did you mean 'carrier'?");
  EXPECT_EQ(outcome(R"({"carrier":"XX","limit":0})"),
            "param 'carrier': 'XX' is not one of UA, AA, DL; param 'limit': 0 is less than 1");
  EXPECT_EQ(outcome("{}", R"({"day":{"type":"string"}})"),
            "param 'day': no value was given and it has no default");
  EXPECT_EQ(outcome("[]"), "validate params: 'conf' must be a JSON object");
}

TEST(Params, MatchHostilePatternsInBoundedTime) {
  const std::string schema = R"({"x": {"type": "string", "default": "", "pattern": "^(a+)+$"}})";
  EXPECT_EQ(outcome("{\"x\":\"" + std::string(50'000, 'a') + "b\"}", schema).substr(0, 20),
            "param 'x': 'aaaaaaaa");
}

}  // namespace
}  // namespace etesian
