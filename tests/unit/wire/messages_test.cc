#include "wire/messages.h"

#include <gtest/gtest.h>

namespace etesian::wire {
namespace {

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string from_hex(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return out;
}

Uuid some_try() {
  Uuid id;
  for (std::size_t i = 0; i < 16; ++i) id.bytes[i] = static_cast<std::uint8_t>(i);
  return id;
}

constexpr char kTry[] = "000102030405060708090a0b0c0d0e0f";

/// A frame with its length in front of `body` (kind and fields, hex).
std::string frame(const std::string& body) {
  const std::string bytes = from_hex(body);
  std::string out(4, '\0');
  out[0] = static_cast<char>(bytes.size());
  return out + bytes;
}

TEST(Wire, Messages_have_the_bytes_that_every_release_understands) {
  EXPECT_EQ(hex(encode(Acknowledge{some_try(), 2})), std::string("15000000"
                                                                 "0b") +
                                                         kTry + "02000000");
  EXPECT_EQ(hex(encode(Holding{Holding::State::Revoked, some_try(), 1})), std::string("16000000"
                                                                                      "01"
                                                                                      "04") +
                                                                              kTry + "01000000");
  EXPECT_EQ(hex(encode(ListEnd{})),
            "01000000"
            "02");
  EXPECT_EQ(hex(encode(Shutdown{})),
            "01000000"
            "0d");
  EXPECT_EQ(hex(encode(Stop{some_try(), 1, Duration(5'000'000), "ab"})), std::string("23000000"
                                                                                     "09") +
                                                                             kTry +
                                                                             "01000000"
                                                                             "404b4c0000000000"
                                                                             "02000000"
                                                                             "6162");
  EXPECT_EQ(hex(encode(Welcome{1, Instant(Duration(258))})),
            "0b000000"
            "07"
            "0100"
            "0201000000000000");
}

TEST(Wire, A_start_arrives_as_it_was_sent) {
  StartTry start;
  start.try_id = some_try();
  start.launch = 3;
  start.session = "boot/agent";
  start.argv = {"sh", "-c", ""};
  start.environment = {{"A", "1"}, {"B", std::string("\0x", 2)}};
  start.timeout = std::chrono::seconds(7);
  start.cpu = 1.5;
  start.memory_bytes = 1ULL << 40;
  start.secrets = {"hunter2"};
  start.log_pattern = "time.*out";
  std::string bytes = encode(start);
  const auto got = take_messages(bytes);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 1U);
  const auto& back = std::get<StartTry>(got->front());
  EXPECT_EQ(back.argv, start.argv);
  EXPECT_EQ(back.environment, start.environment);
  EXPECT_EQ(back.cpu, 1.5);
  EXPECT_EQ(back.memory_bytes, start.memory_bytes);
  EXPECT_EQ(back.secrets, start.secrets);
  EXPECT_EQ(encode(back), encode(start));
  EXPECT_EQ(bytes, "");
}

TEST(Wire, A_newer_peers_unknown_fields_are_ignored) {
  std::string bytes = frame(std::string("0b") + kTry +
                            "02000000"
                            "deadbeef");
  const auto got = take_messages(bytes);
  ASSERT_TRUE(got);
  EXPECT_EQ(std::get<Acknowledge>(got->at(0)).launch, 2);
}

TEST(Wire, An_older_peers_missing_fields_keep_their_default) {
  std::string bytes = frame(std::string("09") + kTry + "02000000");
  const auto got = take_messages(bytes);
  ASSERT_TRUE(got);
  const auto& stop = std::get<Stop>(got->at(0));
  EXPECT_EQ(stop.launch, 2);
  EXPECT_EQ(stop.reason, "");
}

TEST(Wire, Half_a_message_waits_for_its_rest) {
  const std::string whole = encode(Acknowledge{some_try(), 2}) + encode(ListEnd{});
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    std::string buffer = whole.substr(0, cut);
    const auto first = take_messages(buffer);
    ASSERT_TRUE(first) << cut;
    buffer += whole.substr(cut);
    const auto second = take_messages(buffer);
    ASSERT_TRUE(second) << cut;
    EXPECT_EQ(first->size() + second->size(), 2U) << cut;
  }
}

TEST(Wire, Garbage_is_refused) {
  for (const char* bytes : {"00000000", "ffffffff",
                            "01000000"
                            "63",
                            "03000000"
                            "0b"
                            "0001",
                            "02000000"
                            "01"
                            "09",
                            "06000000"
                            "09"
                            "ffffffffff"}) {
    std::string buffer = from_hex(bytes);
    const auto got = take_messages(buffer);
    ASSERT_FALSE(got) << bytes;
    EXPECT_EQ(got.error().code, ErrorCode::Corrupt);
  }
}

}  // namespace
}  // namespace etesian::wire
