#include <condition_variable>
#include <mutex>
#include <thread>

#include "support.h"

namespace etesian::http {
namespace {

constexpr std::string_view Host = "Host: localhost\r\n";

std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\n" + std::string(Host) + std::string(fields) +
         "\r\n";
}

Router small_router() {
  Router router;
  router.set_authenticator(ada_with_a_token);
  router.add({.method = "GET",
              .pattern = "/hello",
              .access = Access::Open,
              .handler = answer_with("hello"),
              .operation_id = "hello"});
  const Handler echo = [](const Request& request, std::shared_ptr<Reply> reply) {
    reply->send({.status = 200,
                 .body = request.body,
                 .content_type = "text/plain",
                 .headers = {{"Cache-Control", "max-age=60"}}});
  };
  router.add({.method = "POST",
              .pattern = "/echo",
              .access = Access::Open,
              .handler = echo,
              .operation_id = "echo",
              .body_bytes_max = 1000});
  router.add({.method = "POST",
              .pattern = "/api/echo",
              .access = Access::Token,
              .handler = echo,
              .operation_id = "api_echo",
              .body_bytes_max = 1000});
  router.add({.method = "GET",
              .pattern = "/throw",
              .access = Access::Open,
              .handler = [](const Request&, std::shared_ptr<Reply>) -> void {
                throw std::runtime_error("SELECT secret FROM etesian::Table");
              },
              .operation_id = "throw"});
  router.add({.method = "GET",
              .pattern = "/forget",
              .access = Access::Open,
              .handler = [](const Request&, std::shared_ptr<Reply>) {},
              .operation_id = "forget"});
  return router;
}

class ServerTest : public testing::Test {
 protected:
  /// The whole answer to these bytes; the server has closed the connection behind it.
  std::string closes_after(std::string_view bytes) {
    RawClient client(server_->port());
    client.send(bytes);
    return client.receive_all();
  }
  std::unique_ptr<Server> server_ = serve(small_router());
};

TEST_F(ServerTest, a_connection_serves_one_request_after_the_other) {
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.send(get("/hello"));
    const std::string answer = client.receive_answer();
    EXPECT_EQ(status_line(answer), "HTTP/1.1 200 OK");
    EXPECT_EQ(body_of(answer), "hello");
  }
}

TEST_F(ServerTest, pipelined_requests_are_answered_in_order) {
  RawClient client(server_->port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\none" +
              get("/hello") +
              "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
              "chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n");
  EXPECT_EQ(body_of(client.receive_answer()), "one");
  EXPECT_EQ(body_of(client.receive_answer()), "hello");
  EXPECT_EQ(body_of(client.receive_answer()), "two");
}

TEST_F(ServerTest, a_request_may_come_byte_by_byte) {
  RawClient client(server_->port());
  for (const char c : "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc") {
    if (c != '\0') client.send({&c, 1});
  }
  EXPECT_EQ(body_of(client.receive_answer()), "abc");
}

TEST_F(ServerTest, a_half_closed_client_still_gets_its_answer) {
  RawClient client(server_->port());
  client.send(get("/hello"));
  client.end_sending();
  EXPECT_EQ(body_of(client.receive_all()), "hello");
}

TEST_F(ServerTest, what_could_smuggle_a_request_is_400_and_close) {
  const std::string smuggled = get("/hello");
  for (
      const std::string& bytes :
      {"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n" +
           smuggled,
       "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 50\r\n\r\n" +
           smuggled,
       "POST /echo HTTP/1.1\r\nHost: localhost\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n" +
           smuggled,
       "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
       "chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" +
           smuggled,
       "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" +
           smuggled,
       "GET /hello HTTP/1.1\nHost: localhost\n\n" + smuggled,
       "GET /hello HTTP/1.1\r\nHost: localhost\r\nX: a\rGET /hello HTTP/1.1\r\n\r\n" + smuggled,
       "GET http://localhost/hello HTTP/1.1\r\nHost: localhost\r\n\r\n" + smuggled,
       "GET /hello  HTTP/1.1\r\nHost: localhost\r\n\r\n" + smuggled,
       "GET /hello HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n" + smuggled,
       "GET /hello HTTP/1.1\r\n\r\n" + smuggled, std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")}) {
    const std::string answer = closes_after(bytes);
    EXPECT_EQ(status_line(answer), "HTTP/1.1 400 Bad Request") << bytes;
    EXPECT_EQ(answer.find("HTTP/1.1 ", 1), std::string::npos) << "a second answer to: " << bytes;
    EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << bytes;
  }
}

TEST_F(ServerTest, every_answer_carries_the_security_headers) {
  const std::string close = "Connection: close\r\n";
  for (const std::string& bytes : std::initializer_list<std::string>{
           get("/hello", close), get("/nothing", close), get("/api/nothing", close),
           get("/throw", close), get("/forget", close),
           "HEAD /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
           "OPTIONS /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
           "PUT /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
           "GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n", std::string("\x16\x03\x01"),
           std::string("GET / HTTP/1.0\r\n\r\n"),
           "GET / HTTP/1.1\r\nX: " + std::string(40'000, 'x'),
           "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n"}) {
    const std::string answer = closes_after(bytes);
    for (const char* field :
         {"\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; ",
          "\r\nX-Content-Type-Options: nosniff\r\n", "\r\nReferrer-Policy: same-origin\r\n",
          "\r\nCross-Origin-Opener-Policy: same-origin\r\n",
          "\r\nCross-Origin-Resource-Policy: same-origin\r\n",
          "\r\nPermissions-Policy: ", "\r\nDate: "}) {
      EXPECT_NE(answer.find(field), std::string::npos) << bytes.substr(0, 60) << " lacks " << field;
    }
  }
}

TEST_F(ServerTest, errors_and_token_routes_are_never_stored) {
  const std::string post =
      " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer right\r\nConnection: close\r\n\r\n";
  const std::string secret = closes_after("POST /api/echo" + post);
  EXPECT_NE(secret.find("Cache-Control: no-store\r\n"), std::string::npos);
  EXPECT_EQ(secret.find("max-age"), std::string::npos);
  EXPECT_NE(closes_after("POST /echo" + post).find("Cache-Control: max-age=60\r\n"),
            std::string::npos);
  EXPECT_NE(
      closes_after(get("/nothing", "Connection: close\r\n")).find("Cache-Control: no-store\r\n"),
      std::string::npos);
}

TEST_F(ServerTest, a_handler_that_throws_or_forgets_is_500_without_a_word_of_why) {
  RawClient client(server_->port());
  for (const char* target : {"/throw", "/forget"}) {
    client.send(get(target));
    const std::string answer = client.receive_answer();
    EXPECT_EQ(status_line(answer), "HTTP/1.1 500 Internal Server Error");
    EXPECT_EQ(body_of(answer), R"({"detail":"Internal Server Error"})");
  }
}

TEST_F(ServerTest, head_has_the_length_and_no_body) {
  RawClient client(server_->port());
  client.send("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n" +
              get("/hello", "Connection: close\r\n"));
  const std::string both = client.receive_all();
  const std::string head = both.substr(0, both.find("\r\n\r\n") + 4);
  EXPECT_NE(head.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(status_line(both.substr(head.size())), "HTTP/1.1 200 OK");
}

TEST_F(ServerTest, a_rebound_name_is_421) {
  EXPECT_EQ(status_line(closes_after("GET /hello HTTP/1.1\r\nHost: evil.example\r\n\r\n")),
            "HTTP/1.1 421 Misdirected Request");
}

TEST_F(ServerTest, a_large_body_is_413_before_it_is_read) {
  EXPECT_EQ(status_line(closes_after("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                                     "1073741824\r\n\r\nsome of it")),
            "HTTP/1.1 413 Content Too Large");
  EXPECT_EQ(status_line(closes_after("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                                     "chunked\r\n\r\n40000000\r\nsome of it")),
            "HTTP/1.1 413 Content Too Large");
}

TEST_F(ServerTest, without_a_token_a_large_body_is_401) {
  EXPECT_EQ(
      status_line(closes_after(
          "POST /api/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1073741824\r\n\r\n")),
      "HTTP/1.1 401 Unauthorized");
}

TEST_F(ServerTest, a_large_body_that_is_sent_anyway_still_learns_why_not) {
  RawClient client(server_->port());
  client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n");
  client.send(std::string(2'000'000, 'x'));
  EXPECT_EQ(status_line(client.receive_all()), "HTTP/1.1 413 Content Too Large");
}

TEST_F(ServerTest, headers_without_end_are_431) {
  EXPECT_EQ(status_line(closes_after("GET /hello HTTP/1.1\r\nX: " + std::string(33'000, 'x'))),
            "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_F(ServerTest, a_client_that_asks_first_is_told_to_go_on) {
  RawClient client(server_->port());
  client.send(
      "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: "
      "100-continue\r\n\r\n");
  EXPECT_EQ(client.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("abc");
  EXPECT_EQ(body_of(client.receive_answer()), "abc");
}

TEST_F(ServerTest, a_port_in_use_is_told_with_the_way_out) {
  ServerOptions options;
  options.port = server_->port();
  const auto second = Server::start(options, std::make_shared<const Router>());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "listen on 127.0.0.1:" + std::to_string(server_->port()) +
                                        ": address already in use; choose another --port");
}

TEST(ServerLimits, a_head_that_never_ends_is_408_and_silence_is_closed) {
  ServerOptions options;
  options.header_timeout = std::chrono::milliseconds(50);
  const auto server = serve(small_router(), options);
  RawClient slow(server->port());
  RawClient silent(server->port());
  slow.send("GET /hello HTTP/1.1\r\nX: ");
  EXPECT_EQ(status_line(slow.receive_all()), "HTTP/1.1 408 Request Timeout");
  EXPECT_EQ(silent.receive_all(), "");
}

TEST(ServerLimits, an_idle_connection_and_a_body_that_never_comes_are_closed) {
  ServerOptions options;
  options.idle_timeout = std::chrono::milliseconds(50);
  const auto server = serve(small_router(), options);
  RawClient idle(server->port());
  RawClient owing(server->port());
  idle.send(get("/hello"));
  owing.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_EQ(status_line(idle.receive_all()), "HTTP/1.1 200 OK");
  EXPECT_EQ(status_line(owing.receive_all()), "HTTP/1.1 408 Request Timeout");
}

TEST(ServerLimits, above_the_maximum_the_idlest_connection_makes_room) {
  ServerOptions options;
  options.connections_max = 2;
  const auto server = serve(small_router(), options);
  RawClient first(server->port());
  first.send(get("/hello"));
  first.receive_answer();
  RawClient second(server->port());
  second.send(get("/hello"));
  second.receive_answer();
  RawClient third(server->port());
  third.send(get("/hello"));
  EXPECT_EQ(body_of(third.receive_answer()), "hello");
  EXPECT_EQ(first.receive_all(), "");
  second.send(get("/hello"));
  EXPECT_EQ(body_of(second.receive_answer()), "hello");
}

/// Answers each request on a thread of its own, later.
class Worker {
 public:
  Handler handler() {
    return [this](const Request& request, std::shared_ptr<Reply> reply) {
      const std::lock_guard lock(mutex_);
      threads_.emplace_back([body = request.body, reply = std::move(reply)] {
        reply->send({.status = 200, .body = body, .content_type = "text/plain", .headers = {}});
      });
    };
  }
  ~Worker() {
    for (auto& thread : threads_) thread.join();
  }

 private:
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

TEST(ServerThreads, answers_may_come_from_any_thread) {
  Worker worker;
  Router router;
  router.add({.method = "POST",
              .pattern = "/work",
              .access = Access::Open,
              .handler = worker.handler(),
              .operation_id = "work"});
  const auto server = serve(std::move(router));
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([&server, client] {
      RawClient raw(server->port());
      for (int i = 0; i < 50; ++i) {
        const std::string body = std::to_string(client * 1000 + i);
        raw.send("POST /work HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
        EXPECT_EQ(body_of(raw.receive_answer()), body);
      }
    });
  }
  for (auto& client : clients) client.join();
}

TEST(ServerThreads, an_answer_after_the_server_has_gone_is_dropped) {
  std::mutex mutex;
  std::condition_variable arrived;
  std::shared_ptr<Reply> kept;
  Router router;
  router.add({.method = "GET",
              .pattern = "/keep",
              .access = Access::Open,
              .handler =
                  [&](const Request&, std::shared_ptr<Reply> reply) {
                    const std::lock_guard lock(mutex);
                    kept = std::move(reply);
                    arrived.notify_one();
                  },
              .operation_id = "keep"});
  auto server = serve(std::move(router));
  RawClient client(server->port());
  client.send(get("/keep"));
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(arrived.wait_for(lock, Patience, [&] { return kept != nullptr; }));
  }
  server.reset();
  kept->send({});
  kept.reset();
  EXPECT_EQ(client.receive_all(), "");
}

TEST(ServerDeathTest, a_second_answer_is_a_broken_invariant) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        Router router;
        router.add({.method = "GET",
                    .pattern = "/twice",
                    .access = Access::Open,
                    .handler =
                        [](const Request&, std::shared_ptr<Reply> reply) {
                          reply->send({});
                          reply->send({});
                        },
                    .operation_id = "twice"});
        const auto server = serve(std::move(router));
        RawClient client(server->port());
        client.send(get("/twice"));
        client.receive_all();
      },
      "broken invariant");
}

}  // namespace
}  // namespace etesian::http
