#include "agent/mask.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace etesian::agent {
namespace {

TEST(Mask, A_secret_is_hidden_in_its_usual_disguises) {
  Mask mask({"s3cr&t/pass"});
  EXPECT_EQ(mask.apply("login s3cr&t/pass ok"), "login *** ok");
  EXPECT_EQ(mask.apply("?p=s3cr%26t%2Fpass&x"), "?p=***&x");
  EXPECT_EQ(mask.apply("Basic " + base64("s3cr&t/pass")).find("czNjciZ0L3Bhc3"), std::string::npos);
  EXPECT_EQ(mask.apply("Basic " + base64("user:s3cr&t/pass")).find("M2NyJnQvcGFz"),
            std::string::npos);
  Mask quoted({"a\"b\\c"});
  EXPECT_EQ(quoted.apply(R"({"p":"a\"b\\c"})"), R"({"p":"***"})");
}

TEST(Mask, Short_values_are_left_alone) {
  Mask mask({"abc", ""});
  EXPECT_TRUE(mask.is_empty());
  EXPECT_EQ(mask.apply("abc"), "abc");
}

TEST(Mask, A_key_of_several_lines_is_hidden_line_by_line) {
  Mask mask({"BEGIN KEY\nMIIEvQ==\nEND KEY\n"});
  EXPECT_EQ(mask.apply("  MIIEvQ=="), "  ***");
  EXPECT_EQ(mask.apply("BEGIN KEY"), "***");
}

TEST(Mask, Overlapping_secrets_leave_no_rest) {
  Mask mask({"password", "wordsworth"});
  EXPECT_EQ(mask.apply("my passwordsworth."), "my ***.");
}

TEST(Mask, A_cut_never_goes_through_a_secret) {
  Mask mask({"0123456789"});
  const std::string text = "aaaaaaaaaaaaaaaaaa0123456789bbbbbbbbbb";
  for (std::size_t end = 1; end <= text.size(); ++end) {
    const std::size_t cut = mask.safe_cut(text, end);
    EXPECT_LE(cut, end);
    EXPECT_GE(cut, 1U);
    EXPECT_TRUE(cut <= 18 || cut >= 28) << "cut at " << cut;
  }
}

}  // namespace
}  // namespace etesian::agent
