#include "http/connection.h"

#include <boost/asio/buffer.hpp>

#include "base/check.h"
#include "base/log.h"

namespace etesian::http {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// A body may go on arriving as long as this much comes within each idle time.
constexpr std::size_t BodyProgressBytes = 64UL << 10;

}  // namespace

Connection::Connection(Site& site, asio::ip::tcp::socket socket, std::string peer)
    : site_(site), socket_(std::move(socket)), peer_(std::move(peer)) {}

void Connection::start() {
  place_ = site_.roster.add(shared_from_this());
  site_.roster.wait_for(place_, Wait::Head);
  error_code ignored;  // a socket that died already says so at the first read
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  advance();
}

void Connection::advance() {
  if (is_advancing_) return;  // an answer given inside the handler; the loop below goes on with it
  is_advancing_ = true;
  while (step()) {
  }
  is_advancing_ = false;
}

bool Connection::step() {
  switch (phase_) {
    case Phase::Head: return read_head();
    case Phase::Body: return read_body();
    case Phase::Sending: return send();
    case Phase::Streaming: return stream();
    case Phase::Lingering: return linger();
    case Phase::Handling:
    case Phase::Closed: return false;
  }
  return false;
}

bool Connection::read_head() {
  const std::size_t bytes_max = site_.options.header_bytes_max;
  const HeadScan scan = scan_head(in_, scanned_);
  const bool is_complete = scan.state == HeadScan::State::Complete;
  if (scan.state == HeadScan::State::Malformed) {
    return refuse(error_response(400, "malformed request: line end"));
  }
  if ((is_complete ? scan.end : in_.size()) > bytes_max) {
    return refuse(error_response(431, "headers too large"));
  }
  if (!is_complete) {
    scanned_ = scan.end;
    if (!in_.empty() && place_->wait != Wait::Head) site_.roster.wait_for(place_, Wait::Head);
    return receive();
  }
  const std::string text = in_.substr(0, scan.end);
  in_.erase(0, scan.end);
  scanned_ = 0;
  return accept_head(text);
}

/// Everything that can be refused is refused here, before a byte of the body is read.
bool Connection::accept_head(std::string_view text) {
  auto head = parse_request_head(text);
  if (!head) return refuse(error_response(400, head.error().message));
  Request& request = head->request;
  request.peer = peer_;
  keeps_alive_ = head->keep_alive;
  is_head_request_ = request.method == "HEAD";
  is_http_1_0_ = head->is_http_1_0;
  const auto host = request.header("host");
  if (host && !site_.host_rule.allows(*host)) {
    return refuse(error_response(421, "this server does not answer to the name in Host"));
  }
  auto admitted = site_.router->admit(request);
  const bool has_body = head->is_chunked || head->content_length > 0;
  if (auto* refusal = std::get_if<Response>(&admitted)) {
    if (has_body) return refuse(*refusal);
    answer(std::move(*refusal));
    return true;
  }
  const Route& route = *std::get<const Route*>(admitted);
  is_token_route_ = route.access == Access::Token;
  if (head->content_length > route.body_bytes_max)
    return refuse(error_response(413, "body too large"));
  if (head->expects_continue && has_body && in_.empty()) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    if (!flush() && phase_ == Phase::Closed) return false;
  }
  incoming_ = std::make_unique<Incoming>(Incoming{std::move(*head), &route, {}});
  phase_ = Phase::Body;
  if (has_body) site_.roster.wait_for(place_, Wait::Body);
  return true;
}

bool Connection::read_body() {
  std::string& body = incoming_->head.request.body;
  bool is_complete = false;
  if (incoming_->head.is_chunked) {
    const auto [state, consumed] =
        incoming_->decoder.feed(in_, body, incoming_->route->body_bytes_max);
    in_.erase(0, consumed);
    if (state == ChunkDecoder::State::Malformed) {
      return refuse(error_response(400, "malformed request: chunk"));
    }
    if (state == ChunkDecoder::State::TooLarge)
      return refuse(error_response(413, "body too large"));
    is_complete = state == ChunkDecoder::State::Done;
  } else {
    const std::size_t wanted = incoming_->head.content_length - body.size();
    const std::size_t here = std::min(wanted, in_.size());
    body.append(in_, 0, here);
    in_.erase(0, here);
    is_complete = here == wanted;
  }
  if (is_complete) return dispatch();
  if (body.size() - incoming_->progress_at >= BodyProgressBytes) {
    incoming_->progress_at = body.size();
    site_.roster.wait_for(place_, Wait::Body);
  }
  return receive();
}

bool Connection::dispatch() {
  phase_ = Phase::Handling;
  site_.roster.wait_for(place_, Wait::Nothing);
  const auto incoming = std::move(incoming_);
  const auto framing = is_http_1_0_ ? StreamEnd::Framing::Raw : StreamEnd::Framing::Chunked;
  auto reply = std::make_shared<ReplyEnd>(site_.loop, weak_from_this(), framing,
                                          site_.options.stream_backlog_bytes_max);
  try {
    incoming->route->handler(incoming->head.request, std::move(reply));
  } catch (const std::exception& error) {
    log_line(LogLevel::Error, "answer a request: the handler threw",
             {{"operation", incoming->route->operation_id}, {"cause", error.what()}});
  }
  return phase_ != Phase::Handling;
}

void Connection::begin_answer(const Response& response, ResponseFrame::Body body) {
  append_response(out_, response,
                  {.body = is_head_request_ ? ResponseFrame::Body::HeadOnly : body,
                   .keep_alive = keeps_alive_,
                   .no_store = is_token_route_,
                   .date = site_.date.at(SystemClock().now())});
}

void Connection::answer(Response response) {
  if (phase_ == Phase::Closed) return;
  begin_answer(response, ResponseFrame::Body::Sized);
  if (!is_head_request_) tail_ = std::move(response.shared_body);
  phase_ = Phase::Sending;
  advance();
}

void Connection::answer(Response head, std::shared_ptr<StreamEnd> stream) {
  if (phase_ == Phase::Closed) return stream->shut();
  head.body.clear();
  if (is_http_1_0_) keeps_alive_ = false;
  begin_answer(head, is_http_1_0_ ? ResponseFrame::Body::UntilClose : ResponseFrame::Body::Chunked);
  if (is_head_request_) {
    stream->shut();
    phase_ = Phase::Sending;
  } else {
    head_bytes_unsent_ = out_.size() - sent_;
    stream_ = std::move(stream);
    phase_ = Phase::Streaming;
  }
  advance();
}

/// Answers an error and closes: where a body or the next request begins is unknown from here on.
bool Connection::refuse(const Response& response) {
  incoming_.reset();
  keeps_alive_ = false;
  begin_answer(response, ResponseFrame::Body::Sized);
  phase_ = Phase::Sending;
  return true;
}

bool Connection::send() { return flush() && finish_answer(); }

bool Connection::stream() {
  bool is_last = false;
  while (flush()) {
    if (is_last) return finish_answer();
    is_last = stream_->take(out_);
    if (!out_.empty()) continue;
    if (is_last) return finish_answer();
    if (place_->wait != Wait::Nothing) site_.roster.wait_for(place_, Wait::Nothing);
    break;
  }
  // Reading tells when the client hangs up. What it pipelines meanwhile is kept, up to a bound.
  return phase_ == Phase::Streaming && in_.size() <= site_.options.header_bytes_max && receive();
}

bool Connection::finish_answer() {
  stream_.reset();
  out_ = std::string();
  is_head_request_ = false;
  is_token_route_ = false;
  if (keeps_alive_) {
    if (in_.empty()) in_ = std::string();
    phase_ = Phase::Head;
    site_.roster.wait_for(place_, Wait::Idle);
    return true;
  }
  // Closing with unread input would reset the connection and could take the answer with it.
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  phase_ = Phase::Lingering;
  site_.roster.wait_for(place_, Wait::Linger);
  return true;
}

bool Connection::linger() {
  in_.clear();
  return receive();
}

bool Connection::receive() {
  if (!is_readable_) {
    wait_readable();
    return false;
  }
  error_code error;
  const std::size_t count = socket_.read_some(asio::buffer(site_.read_buffer), error);
  is_readable_ = count == site_.read_buffer.size();
  if (error == asio::error::would_block) {
    wait_readable();
    return false;
  }
  if (error) {
    close();
    return false;
  }
  in_.append(site_.read_buffer.data(), count);
  return true;
}

std::string_view Connection::unsent() const {
  if (sent_ < out_.size()) return std::string_view(out_).substr(sent_);
  return tail_ ? std::string_view(*tail_).substr(tail_sent_) : std::string_view();
}

/// True when everything has been sent.
bool Connection::flush() {
  for (std::string_view rest = unsent(); !rest.empty(); rest = unsent()) {
    if (!is_writable_) {
      wait_writable();
      return false;
    }
    error_code error;
    const std::size_t count = socket_.write_some(asio::buffer(rest.data(), rest.size()), error);
    if (error == asio::error::would_block) {
      is_writable_ = false;
      site_.roster.wait_for(place_, Wait::Write);
      continue;
    }
    if (error) {
      close();
      return false;
    }
    (sent_ < out_.size() ? sent_ : tail_sent_) += count;
    const std::size_t of_head = std::min(count, head_bytes_unsent_);
    head_bytes_unsent_ -= of_head;
    if (stream_) stream_->written(count - of_head);
  }
  out_.clear();
  tail_.reset();
  sent_ = tail_sent_ = 0;
  return true;
}

void Connection::wait_readable() {
  if (std::exchange(waits_readable_, true)) return;
  socket_.async_wait(asio::ip::tcp::socket::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       self->waits_readable_ = false;
                       self->is_readable_ = true;
                       if (!error) self->advance();
                     });
}

void Connection::wait_writable() {
  if (std::exchange(waits_writable_, true)) return;
  socket_.async_wait(asio::ip::tcp::socket::wait_write,
                     [self = shared_from_this()](const error_code& error) {
                       self->waits_writable_ = false;
                       self->is_writable_ = true;
                       if (!error) self->advance();
                     });
}

void Connection::on_deadline() {
  const bool owes_request = phase_ == Phase::Body || (phase_ == Phase::Head && !in_.empty());
  if (owes_request) {
    refuse(error_response(408, "the request took too long to arrive"));
    return advance();
  }
  if (place_->wait == Wait::Write) return cut_off();
  close();
}

void Connection::close() {
  if (phase_ == Phase::Closed) return;
  phase_ = Phase::Closed;
  if (stream_) stream_->shut();
  error_code ignored;
  socket_.close(ignored);
  site_.roster.remove(place_);
}

void Connection::cut_off() {
  if (phase_ == Phase::Closed) return;
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

}  // namespace etesian::http
