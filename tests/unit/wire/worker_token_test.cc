#include "wire/worker_token.h"

#include <gtest/gtest.h>

#include <set>

namespace etesian::wire {
namespace {

const std::string kKey(32, 'k');

WorkerToken some_token() {
  WorkerToken token;
  token.run = 9'000'000'000;
  token.task = 7;
  token.map_index = 41;
  for (std::size_t i = 0; i < 16; ++i) token.try_id.bytes[i] = static_cast<std::uint8_t>(i * 17);
  token.launch = 3;
  return token;
}

TEST(WorkerToken, comes_back_as_it_was_made) {
  for (const bool is_host : {false, true}) {
    WorkerToken token = some_token();
    token.is_host = is_host;
    const auto read = read_worker_token(make_worker_token(token, kKey), kKey);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->run, token.run);
    EXPECT_EQ(read->task, token.task);
    EXPECT_EQ(read->map_index, token.map_index);
    EXPECT_EQ(read->try_id, token.try_id);
    EXPECT_EQ(read->launch, token.launch);
    EXPECT_EQ(read->is_host, is_host);
  }
  WorkerToken unmapped;
  EXPECT_EQ(read_worker_token(make_worker_token(unmapped, kKey), kKey)->map_index, -1);
}

TEST(WorkerToken, may_stand_in_a_header_as_it_is) {
  const std::string text = make_worker_token(some_token(), kKey);
  EXPECT_EQ(
      text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
  EXPECT_EQ(make_worker_token(some_token(), kKey), text);
}

TEST(WorkerToken, every_field_makes_another_token) {
  const auto with = [](auto change) {
    WorkerToken token = some_token();
    change(token);
    return make_worker_token(token, kKey);
  };
  const std::set<std::string> all{with([](WorkerToken&) {}),
                                  with([](WorkerToken& t) { t.run += 1; }),
                                  with([](WorkerToken& t) { t.task += 1; }),
                                  with([](WorkerToken& t) { t.map_index = -1; }),
                                  with([](WorkerToken& t) { t.try_id.bytes[15] ^= 1; }),
                                  with([](WorkerToken& t) { t.launch += 1; }),
                                  with([](WorkerToken& t) { t.is_host = true; })};
  EXPECT_EQ(all.size(), 7U);
}

TEST(WorkerToken, one_changed_character_anywhere_is_refused) {
  const std::string text = make_worker_token(some_token(), kKey);
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (std::size_t i = 0; i < text.size(); ++i)
    for (const char c : alphabet + "+/= \n") {
      std::string changed = text;
      changed[i] = c;
      EXPECT_EQ(read_worker_token(changed, kKey).has_value(), changed == text) << i << " " << c;
    }
}

TEST(WorkerToken, another_key_or_another_length_is_refused) {
  const std::string text = make_worker_token(some_token(), kKey);
  EXPECT_FALSE(read_worker_token(text, std::string(32, 'l')));
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(read_worker_token(text.substr(0, size), kKey)) << size;
  EXPECT_FALSE(read_worker_token(text + "A", kKey));
  EXPECT_FALSE(read_worker_token(text + text, kKey));
  EXPECT_FALSE(read_worker_token(std::string(1 << 20, 'A'), kKey));
  EXPECT_FALSE(read_worker_token(std::string("\0\xff", 2), kKey));
}

}  // namespace
}  // namespace etesian::wire
