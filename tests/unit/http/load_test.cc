#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "support.h"

namespace etesian::http {
namespace {

using Steady = std::chrono::steady_clock;

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

Router health_router() {
  Router router;
  router.add({.method = "GET",
              .pattern = "/health",
              .access = Access::Open,
              .handler = answer_with("ok"),
              .operation_id = "health"});
  return router;
}

const std::string AskHealth = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// The 99th percentile of `count` requests, one after the other.
Duration health_p99(std::uint16_t port, std::size_t count) {
  RawClient client(port);
  std::vector<Duration> times;
  for (std::size_t i = 0; i < count; ++i) {
    const auto begin = Steady::now();
    client.send(AskHealth);
    EXPECT_EQ(body_of(client.receive_answer()), "ok");
    times.push_back(std::chrono::duration_cast<Duration>(Steady::now() - begin));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() * 99 / 100];
}

TEST(Load, two_thousand_slow_heads_neither_slow_nor_outlive_their_time) {
  raise_descriptor_limit();
  ServerOptions options;
  options.header_timeout = std::chrono::seconds(2);
  const auto server = serve(health_router(), options);
  std::vector<RawClient> slow;
  const auto begin = Steady::now();
  for (int i = 0; i < 2000; ++i) {
    slow.emplace_back(server->port());
    ASSERT_TRUE(slow.back().is_connected()) << i;
    slow.back().send("GET /health HTTP/1.1\r\nX: ");
  }
  EXPECT_LT(health_p99(server->port(), 500), std::chrono::milliseconds(100));
  for (auto& client : slow) {
    const std::string answer = client.receive_all();
    EXPECT_EQ(status_line(answer), "HTTP/1.1 408 Request Timeout");
  }
  EXPECT_LT(Steady::now() - begin, Patience);
}

TEST(Load, idle_connections_cost_next_to_nothing) {
  raise_descriptor_limit();
  const auto server = serve(health_router());
  RawClient(server->port()).send(AskHealth);
  const std::size_t before = resident_bytes();
  constexpr std::size_t Count = 4000;
  std::vector<RawClient> idle;
  idle.reserve(Count);
  for (std::size_t i = 0; i < Count; ++i) {
    idle.emplace_back(server->port());
    idle.back().send(AskHealth);
    idle.back().receive_answer();
  }
  const std::size_t each = (resident_bytes() - std::min(before, resident_bytes())) / Count;
  RecordProperty("bytes_per_idle_connection", static_cast<int>(each));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(each, 4096U);
#endif
  EXPECT_LT(health_p99(server->port(), 500), std::chrono::milliseconds(100));
}

TEST(Load, without_descriptors_the_server_waits_instead_of_spinning) {
  const auto server = serve(health_router());
  RawClient before(server->port());
  before.send(AskHealth);
  before.receive_answer();
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  rlimit tight = limit;
  const int next = ::dup(0);
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;  // room for the client's end alone
  ::close(next);
  ::setrlimit(RLIMIT_NOFILE, &tight);
  RawClient starved(server->port());
  starved.send(AskHealth);
  const std::string answer = starved.receive_answer();
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_EQ(body_of(answer), "ok") << "an idle connection should have made room";
  EXPECT_EQ(before.receive_all(), "");
}

}  // namespace
}  // namespace etesian::http
