#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "http/http.h"
#include "http/loop.h"

namespace etesian::http {

class Connection;

/// The handler's end of a chunked answer. The connection's end is take(), written() and shut().
class StreamEnd final : public Stream {
 public:
  enum class Framing { Chunked, Raw };
  StreamEnd(std::shared_ptr<Loop> loop, std::weak_ptr<Connection> connection, Framing framing,
            std::size_t backlog_bytes_max);

  bool write(std::string_view chunk) override;
  void end() override;
  bool is_open() const override;

  /// Moves what was written to the back of `out`; true when nothing will follow.
  bool take(std::string& out);
  void written(std::size_t bytes);  ///< They left the backlog.
  void shut();                      ///< The client is gone.
  void abandon();                   ///< The handler let go; without end() the connection is closed.

 private:
  void wake_locked();

  const std::shared_ptr<Loop> loop_;
  const std::weak_ptr<Connection> connection_;
  const Framing framing_;
  const std::size_t backlog_bytes_max_;
  mutable std::mutex mutex_;
  std::string pending_;
  std::size_t backlog_bytes_ = 0;  ///< pending_ and what the connection took but has not sent yet.
  bool is_open_ = true;
  bool is_ended_ = false;
  bool is_woken_ = false;
};

class ReplyEnd final : public Reply {
 public:
  ReplyEnd(std::shared_ptr<Loop> loop, std::weak_ptr<Connection> connection,
           StreamEnd::Framing framing, std::size_t backlog_bytes_max);
  ReplyEnd(const ReplyEnd&) = delete;
  ReplyEnd& operator=(const ReplyEnd&) = delete;
  ~ReplyEnd() override;

  void send(Response response) override;
  std::shared_ptr<Stream> stream(Response head) override;

 private:
  void deliver(Response response);

  const std::shared_ptr<Loop> loop_;
  const std::weak_ptr<Connection> connection_;
  const StreamEnd::Framing framing_;
  const std::size_t backlog_bytes_max_;
  std::atomic<bool> is_answered_{false};
};

}  // namespace etesian::http
