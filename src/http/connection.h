#pragma once
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http/chunk_decoder.h"
#include "http/host_rule.h"
#include "http/http.h"
#include "http/loop.h"
#include "http/reply.h"
#include "http/request_head.h"
#include "http/response_text.h"
#include "http/roster.h"

namespace etesian::http {

/// What the connections of one server share. HTTP thread only, but for `loop`.
struct Site {
  ServerOptions options;
  std::shared_ptr<const Router> router;
  std::shared_ptr<Loop> loop;
  HostRule host_rule;
  Roster roster;
  DateText date;
  /// Lent to whoever reads: idle connections own no buffer.
  std::vector<char> read_buffer = std::vector<char>(64UL << 10);
};

/// One client: reads a request, lets the router answer it, writes the answer, and only then looks
/// at the next. Nothing is read meanwhile, so a client can pile up no work. HTTP thread only.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Site& site, boost::asio::ip::tcp::socket socket, std::string peer);

  void start();
  /// Goes on as far as possible without waiting.
  void advance();
  void answer(Response response);
  void answer(Response head, std::shared_ptr<StreamEnd> stream);
  void on_deadline();
  void close();
  void cut_off();  ///< Closes at once, throwing away what the kernel still holds to send.

 private:
  enum class Phase { Head, Body, Handling, Sending, Streaming, Lingering, Closed };

  // Each goes one step; false: it waits for the socket or the handler.
  bool step();
  bool read_head();
  bool read_body();
  bool send();
  bool stream();
  bool linger();

  bool accept_head(std::string_view text);
  bool dispatch();
  bool refuse(const Response& response);
  bool finish_answer();
  bool receive();
  std::string_view unsent() const;
  bool flush();
  void wait_readable();
  void wait_writable();
  void begin_answer(const Response& response, ResponseFrame::Body body);

  Site& site_;
  boost::asio::ip::tcp::socket socket_;
  const std::string peer_;
  Roster::Place place_;
  Phase phase_ = Phase::Head;
  bool is_advancing_ = false;
  bool is_readable_ = false;
  bool is_writable_ = true;  ///< Until a write says otherwise.
  bool waits_readable_ = false;
  bool waits_writable_ = false;
  bool keeps_alive_ = true;

  std::string in_;  ///< Received, not yet understood.
  std::size_t scanned_ = 0;
  std::string out_;  ///< To send, from sent_ on.
  std::size_t sent_ = 0;
  std::shared_ptr<const std::string> tail_;  ///< To send after out_, from tail_sent_ on.
  std::size_t tail_sent_ = 0;
  std::size_t head_bytes_unsent_ = 0;  ///< The part of out_ that is not the stream's.

  /// The request being read; none between requests.
  struct Incoming {
    RequestHead head;
    const Route* route;
    ChunkDecoder decoder;
    std::size_t progress_at = 0;  ///< Size of the body when its wait was last renewed.
  };
  std::unique_ptr<Incoming> incoming_;
  bool is_head_request_ = false;
  bool is_http_1_0_ = false;
  bool is_token_route_ = false;
  std::shared_ptr<StreamEnd> stream_;
};

}  // namespace etesian::http
