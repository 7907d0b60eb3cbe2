#include "cli/terminal.h"

#include <gtest/gtest.h>

namespace etesian::cli {
namespace {

constexpr Terminal kPipe{};
constexpr Terminal kColours{.is_terminal = true, .has_colours = true, .columns = 80};

TEST(TerminalTest, KoreanTextTakesTwoColumnsACharacter) {
  EXPECT_EQ(display_width("report"), 6);
  EXPECT_EQ(display_width("안녕하세요"), 10);
  EXPECT_EQ(display_width("수집 v2"), 7);
  EXPECT_EQ(display_width("報告"), 4);
  EXPECT_EQ(display_width("ｆｕｌｌ"), 8);
  EXPECT_EQ(display_width("é…"), 2);
  EXPECT_EQ(display_width("🚀"), 2);
  EXPECT_EQ(display_width(""), 0);
}

TEST(TerminalTest, NoNameCanSteerTheTerminal) {
  EXPECT_EQ(visible("\x1b[2Jgone"), "\\x1b[2Jgone");
  EXPECT_EQ(visible("a\tb\nc\r"), "a\\x09b\\x0ac\\x0d");
  EXPECT_EQ(visible(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(visible("\x7f"), "\\x7f");
  EXPECT_EQ(visible("\xc2\x9b"
                    "31m"),
            "\\x9b31m")
      << "CSI as one C1 character";
  EXPECT_EQ(visible("\xc0\x9b"), "\\x1b") << "ESC in an overlong form";
  EXPECT_EQ(visible("\x9b"), "\\x9b") << "a stray byte that Latin-1 terminals obey";
}

TEST(TerminalTest, BidiControlsCannotReorderALine) {
  EXPECT_EQ(visible("abc\u202etxt.exe"), "abc\\u202etxt.exe");
  EXPECT_EQ(visible("\u2066x\u2069"), "\\u2066x\\u2069");
  EXPECT_EQ(visible("\u200e\u200f\u061c"), "\\u200e\\u200f\\u061c");
  EXPECT_EQ(visible("\u200b\ufeff"), "\\u200b\\ufeff");
}

TEST(TerminalTest, OrdinaryTextStaysAsItIs) {
  EXPECT_EQ(visible("안녕 · naïve — ok"), "안녕 · naïve — ok");
  EXPECT_EQ(visible("back\\slash"), "back\\slash");
}

TEST(TerminalTest, ColoursOnlyWhereTheyAreShown) {
  EXPECT_EQ(paint(kPipe, Tone::Bad, "failed"), "failed");
  EXPECT_EQ(paint(kColours, Tone::Bad, "failed"), "\033[31mfailed\033[0m");
  EXPECT_EQ(paint(kColours, Tone::Plain, "queued"), "queued");
  EXPECT_EQ(paint(kColours, Tone::Good, "a\033[31m"), "\033[32ma\\x1b[31m\033[0m");
}

TEST(TerminalTest, ColumnsOfATableStandBelowEachOther) {
  EXPECT_EQ(table(kPipe, {"TASK", "STATE", "NOTE"},
                  {{{"수집"}, {"success"}, {"일일 보고"}}, {{"a_long_name"}, {"failed"}, {"x"}}}),
            "TASK         STATE    NOTE\n"
            "수집         success  일일 보고\n"
            "a_long_name  failed   x\n");
}

TEST(TerminalTest, ColoursDoNotMoveColumns) {
  EXPECT_EQ(table(kColours, {"S", "T"}, {{{"failed", Tone::Bad}, {"a"}}, {{"ok"}, {"b"}}}),
            "\033[1mS\033[0m       \033[1mT\033[0m\n"
            "\033[31mfailed\033[0m  a\n"
            "ok      b\n");
}

TEST(TerminalTest, TheLastColumnIsCutToATerminalAndWholeInAPipe) {
  const Terminal narrow{.is_terminal = true, .has_colours = false, .columns = 12};
  EXPECT_EQ(table(narrow, {"T", "NOTE"}, {{{"a"}, {"abcdefghijkl"}}, {{"b"}, {"가나다라마바"}}}),
            "T  NOTE\n"
            "a  abcdefgh…\n"
            "b  가나다라…\n");
  EXPECT_EQ(table(kPipe, {"T", "NOTE"}, {{{"a"}, {"abcdefghijkl"}}}), "T  NOTE\na  abcdefghijkl\n");
}

TEST(TerminalTest, SecondsShowMilliseconds) {
  EXPECT_EQ(seconds_text(json::value(12.4)), "12.400");
  EXPECT_EQ(seconds_text(json::value(3)), "3.000");
  EXPECT_EQ(seconds_text(json::value(nullptr)), "");
}

TEST(TerminalTest, NestedValuesAsYaml) {
  EXPECT_EQ(to_yaml(json::parse(R"({"dag":"etl","tags":["a","b"],"runs":[{"id":1,"state":"success"},
                                    {"id":2,"tries":[{"try":1}]}],"none":{},"empty":[],"deep":{"x":{"z":null}}})")),
            "dag: etl\n"
            "tags:\n"
            "  - a\n"
            "  - b\n"
            "runs:\n"
            "  - id: 1\n"
            "    state: success\n"
            "  - id: 2\n"
            "    tries:\n"
            "      - try: 1\n"
            "none: {}\n"
            "empty: []\n"
            "deep:\n"
            "  x:\n"
            "    z: null\n");
  EXPECT_EQ(to_yaml(json::parse("[[1,2],[3]]")), "- - 1\n  - 2\n- - 3\n");
  EXPECT_EQ(to_yaml(json::value(true)), "true\n");
  EXPECT_EQ(to_yaml(json::parse("{}")), "{}\n");
}

TEST(TerminalTest, AYamlTextIsNeverReadAsSomethingElse) {
  for (const char* word :
       {"true", "NULL", "Yes", "TRUE", "oFf", "~",  "1",  "-x", "0x1f", ".5", ".inf", "",   " a",
        "a ",   "a: b", "a:",  "a #b", "*x",  "&x", "!x", "{x", "[x",   "@x", "`x",   "? x"})
    EXPECT_EQ(to_yaml(json::value(word)), "\"" + std::string(word) + "\"\n");
  EXPECT_EQ(to_yaml(json::value("two\nlines\t\"q\"")), "\"two\\nlines\\t\\\"q\\\"\"\n");
  EXPECT_EQ(to_yaml(json::value("plain text, with: no")), "\"plain text, with: no\"\n");
  EXPECT_EQ(to_yaml(json::value("http://host/a#b")), "http://host/a#b\n");
  EXPECT_EQ(to_yaml(json::value("안녕하세요")), "안녕하세요\n");
}

TEST(TerminalTest, EveryStateHasItsTone) {
  EXPECT_EQ(tone_of_state("success"), Tone::Good);
  EXPECT_EQ(tone_of_state("upstream_failed"), Tone::Bad);
  EXPECT_EQ(tone_of_state("running"), Tone::Strong);
  EXPECT_EQ(tone_of_state("up_for_retry"), Tone::Warn);
  EXPECT_EQ(tone_of_state("skipped"), Tone::Quiet);
  EXPECT_EQ(tone_of_state("queued"), Tone::Plain);
}

}  // namespace
}  // namespace etesian::cli
