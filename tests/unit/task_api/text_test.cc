#include <gtest/gtest.h>

#include "base/json.h"
#include "task_api/iso_duration.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

using namespace std::chrono_literals;

std::string members(std::string_view object) {
  std::string text;
  for (const auto& [name, value] : raw_members(object))
    text += name + "=" + std::string(value) + ";";
  return text;
}

TEST(RawMembers, are_the_texts_between_commas) {
  EXPECT_EQ(members(R"( { "b" : [1, {"x":"}"}] , "a":"q\"]\\", "n" :-1.50E3, "t":true } )"),
            R"(a="q\"]\\";b=[1, {"x":"}"}];n=-1.50E3;t=true;)");
  EXPECT_EQ(members(R"({"a":1,"a":2,"\u0062\"":{}})"), R"(a=2;b"={};)");
  EXPECT_EQ(members("{}"), "");
  EXPECT_EQ(members("[1]"), "");
  EXPECT_EQ(members(""), "");
}

TEST(RawMembers, of_any_object_are_its_members) {
  const json::object object = {
      {"", nullptr},
      {"nested", {{"list", {1, 2.5, "x,]}", json::array()}}, {"empty", json::object()}}},
      {"text", "\\\"{[,:\n"},
      {"last", false}};
  const std::string text = json::serialize(object);
  const auto found = raw_members(text);
  ASSERT_EQ(found.size(), object.size());
  for (const auto& member : object)
    EXPECT_EQ(json::parse(found.at(std::string(member.key()))), member.value());
}

TEST(ObjectText, escapes_names_and_texts) {
  EXPECT_EQ(ObjectText().take(), "{}");
  EXPECT_EQ(ObjectText().text("a\"", "\n").number("n", -5).boolean("b", true).null("z").take(),
            R"({"a\"":"\n","n":-5,"b":true,"z":null})");
  EXPECT_EQ(ObjectText().text_or_null("a", "").instant("t", Instant(1500ms)).take(),
            R"({"a":null,"t":"1970-01-01T00:00:01.500000Z"})");
}

TEST(IsoDuration, is_read_as_pydantic_writes_it) {
  EXPECT_EQ(duration_from_iso("P7D"), 7 * 24h);
  EXPECT_EQ(duration_from_iso("PT1H30M0.25S"), 1h + 30min + 250ms);
  EXPECT_EQ(duration_from_iso("P1DT1S"), 24h + 1s);
  EXPECT_EQ(duration_from_iso("P1Y2DT0.000001S"), 367 * 24h + 1us);
  EXPECT_EQ(duration_from_iso("P1M"), 30 * 24h);
  EXPECT_EQ(duration_from_iso("P2W"), 14 * 24h);
  EXPECT_EQ(duration_from_iso("-PT5S"), -5s);
  EXPECT_EQ(duration_from_iso("+P1D"), 24h);
  EXPECT_EQ(duration_from_iso("PT0S"), 0s);
  EXPECT_EQ(duration_from_iso("90.5"), 90s + 500ms);
  for (const char* bad : {"", "P", "PT", "P1", "1D", "PD", "PT1D", "P1H", "P1DT", "PT1S ", "P-1D",
                          "P1D2", "x", "-", "P99999999999D", "PT1..5S", "PTT1S"})
    EXPECT_EQ(duration_from_iso(bad), std::nullopt) << bad;
}

TEST(IsJson, takes_what_python_writes_and_nothing_else) {
  for (const char* good : {"1", " [1.5e3] ", R"({"a":1,"a":2})", R"("\ud83d\ude00")", "null"})
    EXPECT_TRUE(is_json(good)) << good;
  for (const char* bad : {"", "NaN", "{", "[1,]", "1 2", "'a'", "\"\xff\"", "{1:2}"})
    EXPECT_FALSE(is_json(bad)) << bad;
}

}  // namespace
}  // namespace etesian::task_api
