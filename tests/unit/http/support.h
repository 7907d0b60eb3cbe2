#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/http.h"

namespace etesian::http {

/// Ends a test that would hang; nothing ever waits this long.
constexpr auto Patience = std::chrono::seconds(20);

/// Keeps the answer for the test to look at.
class RecordingReply final : public Reply {
 public:
  void send(Response response) override { answer = std::move(response); }
  std::shared_ptr<Stream> stream(Response) override { return nullptr; }
  std::optional<Response> answer;
};

/// A client that sends exactly the bytes it is told to.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer_bytes > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                   sizeof receive_buffer_bytes);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), is_connected_(other.is_connected_) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() {
    if (socket_ >= 0) ::close(socket_);
  }

  bool is_connected() const { return is_connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }
  /// Nullopt when the server has closed, or when patience ends (the test fails then).
  std::optional<std::string> receive_some() {
    pollfd ready{socket_, POLLIN, 0};
    const int limit = static_cast<int>(std::chrono::milliseconds(Patience).count());
    if (::poll(&ready, 1, limit) != 1) {
      ADD_FAILURE() << "the server did not answer";
      return std::nullopt;
    }
    char bytes[65536];
    const auto count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) return std::nullopt;
    return std::string(bytes, static_cast<std::size_t>(count));
  }
  std::string receive_until(std::string_view end) {
    while (received_.find(end) == std::string::npos) {
      const auto more = receive_some();
      if (!more) break;
      received_ += *more;
    }
    const std::size_t length =
        std::min(received_.find(end), received_.size() - end.size()) + end.size();
    std::string result = received_.substr(0, length);
    received_.erase(0, length);
    return result;
  }
  std::string receive_all() {
    while (const auto more = receive_some()) received_ += *more;
    return std::exchange(received_, {});
  }
  /// Head and body of one answer with a Content-Length.
  std::string receive_answer() {
    std::string head = receive_until("\r\n\r\n");
    const std::size_t at = head.find("Content-Length: ");
    if (at == std::string::npos) return head;
    const std::size_t length = std::stoul(head.substr(at + 16));
    while (received_.size() < length) {
      const auto more = receive_some();
      if (!more) break;
      received_ += *more;
    }
    head += received_.substr(0, length);
    received_.erase(0, length);
    return head;
  }

 private:
  int socket_;
  bool is_connected_ = false;
  std::string received_;
};

inline std::string status_line(const std::string& answer) {
  return answer.substr(0, answer.find("\r\n"));
}
inline std::string body_of(const std::string& answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

inline Handler answer_with(std::string text) {
  return [text](const Request&, std::shared_ptr<Reply> reply) {
    reply->send({.status = 200, .body = text, .content_type = "text/plain", .headers = {}});
  };
}

inline std::optional<std::string> ada_with_a_token(const Request& request) {
  if (request.header("authorization") == "Bearer right") return "ada";
  return std::nullopt;
}

inline std::unique_ptr<Server> serve(Router router, ServerOptions options = {}) {
  options.port = 0;
  auto server = Server::start(options, std::make_shared<const Router>(std::move(router)));
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

inline void raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace etesian::http
