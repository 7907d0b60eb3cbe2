#include "base/bytes.h"

#include <gtest/gtest.h>

namespace etesian {
namespace {

TEST(Bytes, digests_agree_with_published_vectors) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283U);
  EXPECT_EQ(base64("M"), "TQ==");
  EXPECT_EQ(base64("Man"), "TWFu");
  EXPECT_EQ(base64(""), "");
}

TEST(Bytes, utf8_is_told_from_other_bytes) {
  for (const char* good : {"", "abc", "\u00e9", "\u20ac", "\U0001F600", "\uD7FF\uE000"})
    EXPECT_TRUE(is_utf8(good)) << good;
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff", "a\xc3", "\xe2\x82"})
    EXPECT_FALSE(is_utf8(bad)) << bad;
}

TEST(Bytes, text_of_a_command_is_read_as_python_reads_it) {
  EXPECT_EQ(backslash_replaced("a\xff\xe2\x82z\u20ac\xed\xa0\x80"),
            "a\\xff\\xe2\\x82z\u20ac\\xed\\xa0\\x80");
  EXPECT_EQ(backslash_replaced(std::string_view("a\0b", 3)), std::string_view("a\0b", 3));
  EXPECT_EQ(without_space_at_end(" a b \t\r\v\x1c\xc2\x85\u00a0\u2003\u3000"), " a b");
  EXPECT_EQ(without_space_at_end(" \n"), "");
  EXPECT_EQ(without_space_at_end("a\u200b"), "a\u200b");  // no space to Python
}

TEST(Bytes, an_id_cannot_name_another_folder) {
  EXPECT_EQ(file_name_from_id("manual__2024-03-10T07:00:00+00:00"),
            "manual__2024-03-10T07%3A00%3A00%2B00%3A00");
  EXPECT_EQ(file_name_from_id("../etc"), "%2E.%2Fetc");
  EXPECT_EQ(file_name_from_id(".."), "%2E.");
  EXPECT_EQ(file_name_from_id("a.b%"), "a.b%25");
}

}  // namespace
}  // namespace etesian
