#include <sys/socket.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/chunk_encode.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>
#include <limits>

#include "base/check.h"
#include "http/encoding.h"
#include "http/http.h"

namespace etesian::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

using OnChunk = std::function<bool(std::string_view)>;
using Parser = bhttp::response_parser<bhttp::buffer_body>;

/// RFC 9110, section 9.2.2: sending it twice does what sending it once does.
bool is_idempotent(std::string_view method) { return method != "POST" && method != "PATCH"; }

struct Origin {
  std::string host;  ///< Without brackets.
  std::string port;
  std::string authority;  ///< As in the URL, for Host.
  std::string prefix;     ///< Path before each target; no slash at its end.
};

class BeastClient final : public Client {
 public:
  BeastClient(Origin origin, Duration timeout) : origin_(std::move(origin)), timeout_(timeout) {}

  Result<Response> send(const ClientRequest& request) override {
    std::string body;
    const OnChunk collect = [&body](std::string_view chunk) { return body.append(chunk), true; };
    auto response = exchange(request, collect, Silence::TimesOut);
    if (response) response->body = std::move(body);
    return response;
  }

  Result<Response> stream(const ClientRequest& request, const OnChunk& on_chunk) override {
    return exchange(request, on_chunk, Silence::IsAllowed);
  }

 private:
  enum class Silence { TimesOut, IsAllowed };

  Result<Response> exchange(const ClientRequest& request, const OnChunk& on_chunk,
                            Silence silence) {
    // The server says close by closing: seen here, even a POST can use a fresh connection.
    if (stream_ && has_ended()) stream_.reset();
    const bool is_reused = stream_.has_value();
    error_code error;
    if (!is_reused) error = connect();
    if (error) return failed("connect to", error, request);

    Parser parser;
    error = send_and_read_head(request, parser);
    if (error && is_reused && error != beast::error::timeout && is_idempotent(request.method)) {
      stream_.reset();
      error = connect();
      if (error) return failed("connect to", error, request);
      Parser second;
      error = send_and_read_head(request, second);
      if (!error) return read_answer(request, second, on_chunk, silence);
    }
    if (error) return failed(request.method, error, request);
    return read_answer(request, parser, on_chunk, silence);
  }

  /// A kept connection at rest has nothing to read but its end.
  bool has_ended() {
    char byte;
    return ::recv(stream_->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EWOULDBLOCK);
  }

  error_code connect() {
    buffer_.clear();
    error_code error;
    const auto endpoints = tcp::resolver(context_).resolve(origin_.host, origin_.port, error);
    if (error) return error;
    stream_.emplace(context_);
    stream_->expires_after(timeout_);
    error = wait([&](auto done) {
      stream_->async_connect(endpoints,
                             [done](error_code result, const tcp::endpoint&) { done(result); });
    });
    if (!error) stream_->socket().set_option(tcp::no_delay(true), error);
    if (error) stream_.reset();
    return error;
  }

  error_code send_and_read_head(const ClientRequest& request, Parser& parser) {
    bhttp::request<bhttp::string_body> message;
    message.version(11);
    message.method_string(request.method);
    message.target(origin_.prefix + request.target);
    message.set(bhttp::field::host, origin_.authority);
    for (const auto& [name, value] : request.headers) message.insert(name, value);
    message.body() = request.body;
    if (!request.body.empty() || !is_idempotent(request.method)) message.prepare_payload();

    parser.body_limit(boost::none);
    if (request.method == "HEAD") parser.skip(true);
    stream_->expires_after(timeout_);
    const error_code error = wait([&](auto done) {
      bhttp::async_write(*stream_, message,
                         [done](error_code result, std::size_t) { done(result); });
    });
    // A server that refuses the head answers before it has read the body: its answer counts.
    if (error && error != boost::system::errc::connection_reset &&
        error != boost::system::errc::broken_pipe) {
      return error;
    }
    stream_->expires_after(timeout_);
    return wait([&](auto done) {
      bhttp::async_read_header(*stream_, buffer_, parser,
                               [done](error_code result, std::size_t) { done(result); });
    });
  }

  Result<Response> read_answer(const ClientRequest& request, Parser& parser,
                               const OnChunk& on_chunk, Silence silence) {
    Response response;
    response.status = static_cast<int>(parser.get().result_int());
    response.content_type.clear();
    for (const auto& field : parser.get()) {
      std::string name = to_lower(field.name_string());
      if (name == "content-type") response.content_type = std::string(field.value());
      response.headers.emplace_back(std::move(name), field.value());
    }
    std::array<char, 16UL << 10> piece;
    while (!parser.is_done()) {
      parser.get().body().data = piece.data();
      parser.get().body().size = piece.size();
      if (silence == Silence::IsAllowed) {
        stream_->expires_never();
      } else {
        stream_->expires_after(timeout_);
      }
      error_code error = wait([&](auto done) {
        bhttp::async_read_some(*stream_, buffer_, parser,
                               [done](error_code result, std::size_t) { done(result); });
      });
      if (error == bhttp::error::need_buffer) error = {};
      if (error) return failed(request.method, error, request);
      const std::size_t size = piece.size() - parser.get().body().size;
      if (size > 0 && !on_chunk({piece.data(), size})) {
        stream_.reset();  // the rest is unread: the connection cannot be kept
        return response;
      }
    }
    if (!parser.get().keep_alive()) stream_.reset();
    return response;
  }

  /// Runs one operation to its end.
  template <class Start>
  error_code wait(Start start) {
    error_code result;
    start([&result](error_code ended) { result = ended; });
    context_.restart();
    context_.run();
    return result;
  }

  Error failed(std::string_view action, const error_code& cause, const ClientRequest& request) {
    stream_.reset();
    const bool is_connecting = action == "connect to";
    std::string message = std::string(action) + " http://" + origin_.authority + origin_.prefix;
    if (!is_connecting) message += request.target;
    if (cause == beast::error::timeout) {
      const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(timeout_).count();
      return {ErrorCode::Timeout, message + ": no answer within " + std::to_string(limit) + " ms"};
    }
    const bool is_broken = cause == bhttp::error::end_of_stream || cause == asio::error::eof ||
                           cause == bhttp::error::partial_message;
    if (cause.category() == make_error_code(bhttp::error::bad_version).category() && !is_broken) {
      return {ErrorCode::Corrupt, message + ": the answer is not HTTP (" + cause.message() + ")"};
    }
    message += ": " + (is_broken ? "the server closed the connection" : to_lower(cause.message()));
    if (is_connecting) message += "; is the server running? start it with 'etesian up'";
    return {ErrorCode::Unavailable, message};
  }

  const Origin origin_;
  const Duration timeout_;
  asio::io_context context_{1};
  std::optional<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
};

}  // namespace

Result<std::unique_ptr<Client>> Client::create(std::string_view base_url, Duration timeout) {
  const auto url = boost::urls::parse_uri(base_url);
  const auto refuse = [&](std::string_view cause) {
    return Error{ErrorCode::InvalidInput, "use server URL '" + std::string(base_url) +
                                              "': " + std::string(cause) +
                                              "; it looks like http://host:8080"};
  };
  if (!url) return refuse("not a URL");
  if (url->scheme() != "http") return refuse("the scheme is not http");
  if (url->encoded_host().empty()) return refuse("no host");
  if (url->has_userinfo() || url->has_query() || url->has_fragment()) {
    return refuse("more than host, port and path");
  }
  Origin origin{.host = url->host_address(),
                .port = url->has_port() ? std::string(url->port()) : "80",
                .authority = std::string(url->encoded_host_and_port()),
                .prefix = std::string(url->encoded_path())};
  while (origin.prefix.ends_with('/')) origin.prefix.pop_back();
  return std::unique_ptr<Client>(std::make_unique<BeastClient>(std::move(origin), timeout));
}

}  // namespace etesian::http
