#include "http/reply.h"

#include <fmt/format.h>

#include <iterator>

#include "base/check.h"
#include "http/connection.h"

namespace etesian::http {

StreamEnd::StreamEnd(std::shared_ptr<Loop> loop, std::weak_ptr<Connection> connection,
                     Framing framing, std::size_t backlog_bytes_max)
    : loop_(std::move(loop)),
      connection_(std::move(connection)),
      framing_(framing),
      backlog_bytes_max_(backlog_bytes_max) {}

bool StreamEnd::write(std::string_view chunk) {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return false;
  if (chunk.empty()) return true;  // an empty chunk would end the body
  if (backlog_bytes_ + chunk.size() > backlog_bytes_max_) {
    is_open_ = false;
    pending_ = std::string();
    loop_->post([connection = connection_] {
      if (const auto alive = connection.lock()) alive->cut_off();
    });
    return false;
  }
  const std::size_t before = pending_.size();
  if (framing_ == Framing::Chunked)
    fmt::format_to(std::back_inserter(pending_), "{:x}\r\n", chunk.size());
  pending_.append(chunk);
  if (framing_ == Framing::Chunked) pending_.append("\r\n");
  backlog_bytes_ += pending_.size() - before;
  wake_locked();
  return true;
}

void StreamEnd::end() {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return;
  is_open_ = false;
  is_ended_ = true;
  if (framing_ == Framing::Chunked) {
    pending_.append("0\r\n\r\n");
    backlog_bytes_ += 5;
  }
  wake_locked();
}

bool StreamEnd::is_open() const {
  const std::lock_guard lock(mutex_);
  return is_open_;
}

bool StreamEnd::take(std::string& out) {
  const std::lock_guard lock(mutex_);
  is_woken_ = false;
  if (out.empty()) {
    std::swap(out, pending_);
  } else {
    out.append(pending_);
  }
  pending_ = std::string();
  return is_ended_;
}

void StreamEnd::written(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  backlog_bytes_ -= bytes;
}

void StreamEnd::shut() {
  const std::lock_guard lock(mutex_);
  is_open_ = false;
  pending_ = std::string();
}

void StreamEnd::abandon() {
  const std::lock_guard lock(mutex_);
  if (!is_open_) return;
  is_open_ = false;
  loop_->post([connection = connection_] {
    if (const auto alive = connection.lock()) alive->close();
  });
}

void StreamEnd::wake_locked() {
  if (std::exchange(is_woken_, true)) return;
  // Always posted, never run at once: a handler may write many small pieces in a row.
  loop_->post([connection = connection_] {
    if (const auto alive = connection.lock()) alive->advance();
  });
}

ReplyEnd::ReplyEnd(std::shared_ptr<Loop> loop, std::weak_ptr<Connection> connection,
                   StreamEnd::Framing framing, std::size_t backlog_bytes_max)
    : loop_(std::move(loop)),
      connection_(std::move(connection)),
      framing_(framing),
      backlog_bytes_max_(backlog_bytes_max) {}

ReplyEnd::~ReplyEnd() {
  if (!is_answered_) deliver(error_response(500, "Internal Server Error"));
}

void ReplyEnd::send(Response response) {
  ETESIAN_CHECK(!is_answered_.exchange(true));
  deliver(std::move(response));
}

void ReplyEnd::deliver(Response response) {
  loop_->run([connection = connection_, response = std::move(response)]() mutable {
    if (const auto alive = connection.lock()) alive->answer(std::move(response));
  });
}

std::shared_ptr<Stream> ReplyEnd::stream(Response head) {
  ETESIAN_CHECK(!is_answered_.exchange(true));
  auto end = std::make_shared<StreamEnd>(loop_, connection_, framing_, backlog_bytes_max_);
  loop_->run([connection = connection_, head = std::move(head), end]() mutable {
    if (const auto alive = connection.lock()) {
      alive->answer(std::move(head), std::move(end));
    } else {
      end->shut();
    }
  });
  // The connection holds `end` itself; the handler's pointer tells when it lets go.
  return std::shared_ptr<Stream>(end.get(), [end](Stream*) { end->abandon(); });
}

}  // namespace etesian::http
