#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace etesian::http {

struct Request {
  std::string method;  ///< Upper case.
  std::string path;    ///< As routed, without the query; still percent-encoded.
  std::vector<std::pair<std::string, std::string>> query;    ///< Decoded, in order, repeats kept.
  std::vector<std::pair<std::string, std::string>> headers;  ///< Names lower case.
  std::string body;
  std::string peer;                           ///< Address of the client, for limits and audit.
  std::map<std::string, std::string> params;  ///< Of the route's pattern, decoded exactly once.
  std::string user;                           ///< Set by the authenticator; empty on open routes.

  std::optional<std::string> header(std::string_view lower_case_name) const;
  std::optional<std::string> query_value(std::string_view name) const;
  std::vector<std::string> query_values(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";  ///< Empty: no Content-Type.
  /// Of a handler: control characters in values become blanks; framing, Date and security headers
  /// are the server's and left out here. Of the client: names lower case.
  std::vector<std::pair<std::string, std::string>> headers;
  /// In place of `body`, for one that never changes: no connection holds a copy.
  std::shared_ptr<const std::string> shared_body{};
};

/// Where a handler writes an endless answer (server-sent events, followed logs). Thread-safe.
/// A client that reads too slowly is cut off at a bounded backlog; it slows nobody. Dropped without
/// end(), the connection is closed, so that the client sees that the answer is incomplete.
class Stream {
 public:
  virtual ~Stream() = default;
  /// False when the client is gone or was cut off; stop then.
  virtual bool write(std::string_view chunk) = 0;
  virtual void end() = 0;
  virtual bool is_open() const = 0;
};

/// Answers one request, once, at any later time and from any thread. Dropped without an answer it
/// sends 500; a second answer is a broken invariant.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void send(Response response) = 0;
  /// Starts a chunked answer with this head (its body is ignored).
  virtual std::shared_ptr<Stream> stream(Response head) = 0;
};

/// Called on the HTTP thread; must not block. The request lives until the handler returns: copy
/// what a later answer needs. What it throws is logged and answered with 500.
using Handler = std::function<void(const Request&, std::shared_ptr<Reply>)>;

/// Who may use a route. Deny by default: the value without a word is Token.
enum class Access { Token, Open };

struct Route {
  std::string method;
  /// "/api/v2/dags/{dag_id}/dagRuns"; a parameter is one segment. "/variables/{key*}": the last one
  /// may take all that is left of the path, slashes and empty segments included.
  std::string pattern;
  Access access;
  Handler handler;
  std::string operation_id;  ///< Name in the OpenAPI document.
  std::size_t body_bytes_max = 1UL << 20;
  /// What else refuses a request by its head (with `params` set), before a byte of its body is
  /// read; after `access`. Must not block.
  std::function<std::optional<Response>(const Request&)> guard{};
};

/// Route table. Segments are compared raw (still encoded) for literals and decoded exactly once for
/// parameters; "//", ".", "..", empty and over-long segments never match. Literal beats parameter
/// beats the rest of a path.
/// HEAD is answered by the GET route (the server drops the body); OPTIONS lists methods; a known
/// path with another method is 405 with Allow. A Token route authenticates before it reveals
/// anything; so does an unknown path below /api or below the first segment of any Token route.
class Router {
 public:
  /// The user of a bearer token or nullopt. Called on the HTTP thread with the head alone (no body
  /// yet); must not block.
  using Authenticator = std::function<std::optional<std::string>(const Request&)>;

  /// Before the server starts. The pattern is well formed and new for its method (checked).
  void add(Route route);
  void set_authenticator(Authenticator authenticator);
  const std::vector<Route>& routes() const { return routes_; }
  /// Decides on the head alone, so no body is read in vain: the route, with `params` and `user`
  /// of `head` set, or the refusal (400, 401, 404, 405, a guard's; 204 for OPTIONS).
  std::variant<const Route*, Response> admit(Request& head) const;
  /// admit(), then the body limit (413), then the handler. Errors of a handler pass through.
  void handle(Request request, std::shared_ptr<Reply> reply) const;

 private:
  struct Segment {
    enum class Kind { Literal, Parameter, Rest } kind = Kind::Literal;  ///< In order of strength.
    std::string text;
  };
  using Pattern = std::vector<Segment>;
  static Pattern pattern_from(std::string_view text);
  std::vector<std::size_t> matches(const std::vector<std::string_view>& segments) const;
  bool is_guarded(std::string_view path, const std::vector<std::size_t>& matches) const;

  std::vector<Route> routes_;
  std::vector<Pattern> patterns_;  ///< Of routes_, in the same order.
  Authenticator authenticator_;
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: a free port; see Server::port().
  std::size_t header_bytes_max = 32UL << 10;
  Duration header_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::seconds(60);
  /// Lowered to what the descriptor limit of the process leaves. Above it the connection that idles
  /// longest makes room for the new one.
  std::size_t connections_max = 12'000;
  std::size_t stream_backlog_bytes_max = 1UL << 20;  ///< A chunk above it cuts the client off.
  /// Names that the Host header may carry (421 otherwise), with any port. When bound to loopback it
  /// also takes localhost, 127.0.0.1 and [::1], and no other when this is empty (DNS rebinding);
  /// beyond loopback, empty means any name.
  std::vector<std::string> host_names{};
};

/// HTTP/1.1 server on one thread of its own (Boost.Asio behind it): keep-alive, pipelining
/// in order, chunked streams, limits of ServerOptions. What two parsers could read differently is
/// 400 and close: CL+TE, repeated Content-Length, obs-fold, bare CR or LF, bad chunks, absolute
/// targets. Security headers (CSP, nosniff, …) are on every answer, errors too; Cache-Control:
/// no-store on every error and on every answer of a Token route.
class Server {
 public:
  /// Errors: Unavailable ("listen on 127.0.0.1:80: address already in use; choose another --port").
  static Result<std::unique_ptr<Server>> start(const ServerOptions& options,
                                               std::shared_ptr<const Router> router);
  virtual ~Server() = default;  ///< Stops accepting, closes connections, joins the thread.
  virtual std::uint16_t port() const = 0;
};

/// The error body that Airflow's API gives: {"detail": …}.
Response error_response(int status, std::string_view detail);
/// Status for an Error: InvalidInput 422, NotFound 404, Conflict 409, Denied 403, TooLarge 413,
/// Unavailable 503, Timeout 504, Corrupt 500.
Response error_response(const Error& error);

// ---- client: for the command line and the tests ----

struct ClientRequest {
  std::string method = "GET";
  std::string target;  ///< Path and query, already encoded.
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// A blocking client of one server, plain HTTP, keep-alive. Not thread-safe. A kept connection that
/// the server has closed is replaced once, unseen, where the request may safely be sent again.
class Client {
 public:
  /// `base_url`: "http://host:port[/prefix]". Errors: InvalidInput.
  static Result<std::unique_ptr<Client>> create(std::string_view base_url, Duration timeout);
  virtual ~Client() = default;
  /// `timeout` holds for connecting, sending and each wait for the answer.
  /// Errors: Unavailable (cannot connect: "connect to http://…: connection refused; is the server
  /// running? start it with 'etesian up'"), Timeout, Corrupt (not HTTP).
  virtual Result<Response> send(const ClientRequest& request) = 0;
  /// Calls `on_chunk` for each piece of a streamed answer until it ends or that returns false.
  /// `timeout` holds until the head has come; then silence is allowed. The Response has no body.
  virtual Result<Response> stream(const ClientRequest& request,
                                  const std::function<bool(std::string_view)>& on_chunk) = 0;
};

std::string percent_encode(std::string_view text);  ///< All but unreserved characters of RFC 3986.
std::optional<std::string> percent_decode(std::string_view text);  ///< nullopt: malformed escape.

}  // namespace etesian::http
