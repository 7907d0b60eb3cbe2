#include <future>
#include <thread>

#include "support.h"

namespace etesian::http {
namespace {

/// A server of one scripted connection after the other, for what ours would never do.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> answers)
      : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, answers = std::move(answers)] {
      for (const auto& answer : answers) {
        const int client = ::accept(listener_, nullptr, nullptr);
        char request[4096];
        if (::recv(client, request, sizeof request, 0) > 0) {
          ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        }
        ::close(client);
      }
    });
  }
  ~ScriptedServer() {
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

std::unique_ptr<Client> client_of(std::string_view url, Duration timeout = Patience) {
  auto client = Client::create(url, timeout);
  EXPECT_TRUE(client) << client.error().message;
  return std::move(*client);
}

std::string url_of(const Server& server) {
  return "http://127.0.0.1:" + std::to_string(server.port());
}

Router echo_router() {
  Router router;
  router.add({.method = "POST",
              .pattern = "/base/echo",
              .access = Access::Open,
              .handler =
                  [](const Request& request, std::shared_ptr<Reply> reply) {
                    reply->send({.status = 201,
                                 .body = request.body + request.header("x-a").value_or(""),
                                 .content_type = "text/plain",
                                 .headers = {{"X-Peer", request.peer}}});
                  },
              .operation_id = "echo",
              .body_bytes_max = 8UL << 20});
  router.add(
      {.method = "GET",
       .pattern = "/never",
       .access = Access::Open,
       .handler = [kept = std::make_shared<std::vector<std::shared_ptr<Reply>>>()](
                      const Request&, std::shared_ptr<Reply> reply) { kept->push_back(reply); },
       .operation_id = "never"});
  router.add({.method = "GET",
              .pattern = "/lines",
              .access = Access::Open,
              .handler =
                  [](const Request&, std::shared_ptr<Reply> reply) {
                    const auto stream = reply->stream(
                        {.status = 200, .body = {}, .content_type = "text/plain", .headers = {}});
                    for (const char* line : {"one\n", "two\n", "three\n"}) stream->write(line);
                    stream->end();
                  },
              .operation_id = "lines"});
  return router;
}

TEST(Client, sends_and_keeps_the_connection) {
  const auto server = serve(echo_router());
  const auto client = client_of(url_of(*server) + "/base/");
  for (const std::string& body :
       {std::string("hello "), std::string(5UL << 20, 'x'), std::string()}) {
    const auto response = client->send(
        {.method = "POST", .target = "/echo", .body = body, .headers = {{"X-A", "there"}}});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 201);
    EXPECT_EQ(response->body, body + "there");
    EXPECT_EQ(response->content_type, "text/plain");
    EXPECT_NE(std::find(response->headers.begin(), response->headers.end(),
                        std::pair(std::string("x-peer"), std::string("127.0.0.1"))),
              response->headers.end());
  }
}

TEST(Client, head_has_no_body) {
  const auto server = serve(echo_router());
  const auto client = client_of(url_of(*server));
  const auto response =
      client->send({.method = "HEAD", .target = "/nothing", .body = {}, .headers = {}});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 404);
  EXPECT_EQ(response->body, "");
}

TEST(Client, a_server_that_restarted_is_not_noticed) {
  auto server = serve(echo_router());
  const auto client = client_of(url_of(*server) + "/base");
  const ClientRequest post{.method = "POST", .target = "/echo", .body = "x", .headers = {}};
  EXPECT_EQ(client->send(post)->body, "x");
  ServerOptions options;
  options.port = server->port();
  server.reset();
  const auto again = Server::start(options, std::make_shared<const Router>(echo_router()));
  ASSERT_TRUE(again) << again.error().message;
  const auto response = client->send(post);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "x");
}

TEST(Client, a_stale_connection_is_replaced_once_where_that_is_safe) {
  const std::string one = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
  ScriptedServer server({one, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"});
  const auto client = client_of(server.url());
  EXPECT_EQ(client->send({.target = "/", .body = {}, .headers = {}})->body, "one");
  EXPECT_EQ(client->send({.target = "/", .body = {}, .headers = {}})->body, "two");
}

TEST(Client, nobody_listening_is_told_with_the_way_out) {
  std::uint16_t port = 0;
  {
    const auto server = serve(Router());
    port = server->port();
  }
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  const auto response = client_of(url)->send({.target = "/", .body = {}, .headers = {}});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::Unavailable);
  EXPECT_EQ(response.error().message,
            "connect to " + url +
                ": connection refused; is the server running? start it with 'etesian up'");
}

TEST(Client, a_server_that_does_not_answer_is_a_timeout) {
  const auto server = serve(echo_router());
  const auto client = client_of(url_of(*server), std::chrono::milliseconds(30));
  const auto response = client->send({.target = "/never", .body = {}, .headers = {}});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::Timeout);
  EXPECT_EQ(response.error().message, "GET " + url_of(*server) + "/never: no answer within 30 ms");
}

TEST(Client, what_is_not_http_is_corrupt) {
  ScriptedServer server({"SSH-2.0-OpenSSH_9.2\r\n\r\n"});
  const auto response = client_of(server.url())->send({.target = "/", .body = {}, .headers = {}});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::Corrupt) << response.error().message;
}

TEST(Client, an_answer_cut_short_is_unavailable) {
  ScriptedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\nshort"});
  const auto response = client_of(server.url())->send({.target = "/", .body = {}, .headers = {}});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message,
            "GET " + server.url() + "/: the server closed the connection");
}

TEST(Client, streams_piece_by_piece_to_the_end) {
  const auto server = serve(echo_router());
  const auto client = client_of(url_of(*server));
  std::string all;
  const auto response = client->stream({.target = "/lines", .body = {}, .headers = {}},
                                       [&](std::string_view chunk) { return all += chunk, true; });
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(all, "one\ntwo\nthree\n");
}

TEST(Client, may_stop_reading_a_stream_and_go_on) {
  const auto server = serve(echo_router());
  const auto client = client_of(url_of(*server));
  const auto response = client->stream({.target = "/lines", .body = {}, .headers = {}},
                                       [](std::string_view) { return false; });
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(client->send({.target = "/nothing", .body = {}, .headers = {}})->status, 404);
}

TEST(Client, a_url_it_cannot_use_is_told) {
  for (const char* url : {"", "localhost:8080", "https://h", "http://", "http://u:p@h",
                          "http://h?x", "http://h/#f"}) {
    const auto client = Client::create(url, Patience);
    ASSERT_FALSE(client) << url;
    EXPECT_EQ(client.error().code, ErrorCode::InvalidInput) << url;
  }
}

}  // namespace
}  // namespace etesian::http
