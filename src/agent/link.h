#pragma once
#include <deque>
#include <string>

#include "base/file.h"
#include "base/result.h"
#include "wire/messages.h"

namespace etesian::agent {

/// The agent's socket and the one server on it. The newest connection wins: it comes from a server
/// that was started again. Queues are bounded; one thread, never blocks.
class Link {
 public:
  /// Listens on the Unix socket `path` (mode 0600). Errors: Unavailable.
  static Result<Link> listen(const std::string& path, int epoll, std::uint64_t listen_token,
                             std::uint64_t peer_token);

  /// Takes the waiting connection; false when there is none.
  bool accept_peer();
  bool is_connected() const { return static_cast<bool>(peer_); }
  /// Reads what is there (bounded). False: the connection ended or sent garbage, and is closed.
  bool receive(std::deque<wire::Message>& inbox);
  void send(const wire::Message& message);
  /// Writes what it can. False: the connection ended and is closed.
  bool flush();
  std::size_t queued() const { return out_.size(); }
  /// A server that does not read costs the agent no memory: past this, the connection is ended and
  /// the next one gets the whole list.
  bool is_overfull() const;
  void disconnect();

 private:
  Fd listener_, peer_;
  int epoll_ = -1;
  std::uint64_t peer_token_ = 0;
  std::string in_, out_;
  bool waits_for_room_ = false;
};

}  // namespace etesian::agent
