#include "base/json.h"

#include <gtest/gtest.h>

namespace etesian {
namespace {

std::string canonical(std::string_view text) {
  const auto value = parse_json(text);
  return value ? canonical_json(*value) : value.error().message;
}

TEST(Json, equal_values_have_equal_text) {
  EXPECT_EQ(canonical(R"( { "b" : [1, 2.50, 1e2, -0.0], "a": {"y": null, "x": true} } )"),
            R"({"a":{"x":true,"y":null},"b":[1,2.5,100,0]})");
  EXPECT_EQ(canonical(R"("\u00e9\/\n\u0001\"")"), "\"\u00e9/\\n\\u0001\\\"\"");
  EXPECT_EQ(canonical("[18446744073709551615,-9223372036854775808,0.1]"),
            "[18446744073709551615,-9223372036854775808,0.1]");
  EXPECT_EQ(canonical(R"([[],{},[[]],""])"), R"([[],{},[[]],""])");
}

TEST(Json, bad_text_is_refused_with_its_offset) {
  EXPECT_EQ(canonical(R"({"a":1,"a":2})"), "read JSON: at byte 9: key 'a' appears twice");
  EXPECT_EQ(canonical("[1,]"), "read JSON: at byte 3: syntax error");
  EXPECT_EQ(canonical("{} x"), "read JSON: at byte 3: extra data");
  for (const char* text : {"", "nan", "[NaN]", "1e999", "{'a':1}", "[1] // x", "\"\xff\"", "[1"})
    EXPECT_FALSE(parse_json(text)) << text;
  EXPECT_TRUE(parse_json(R"([{"a":1},{"a":{"a":2}}])"));
}

TEST(Json, depth_and_size_have_limits) {
  EXPECT_TRUE(parse_json(std::string(128, '[') + std::string(128, ']')));
  EXPECT_FALSE(parse_json(std::string(129, '[') + std::string(129, ']')));
  EXPECT_EQ(parse_json("[1,2,3]", 4).error().code, ErrorCode::TooLarge);
}

}  // namespace
}  // namespace etesian
