#include "agent/link.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/log.h"

namespace etesian::agent {
namespace {

constexpr std::size_t kQueueMax = 32UL << 20;
constexpr std::size_t kReadMax = 64UL << 10;

void watch(int epoll, int operation, int fd, std::uint32_t events, std::uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  ::epoll_ctl(epoll, operation, fd, &event);
}

}  // namespace

Result<Link> Link::listen(const std::string& path, int epoll, std::uint64_t listen_token,
                          std::uint64_t peer_token) {
  const auto fail = [&](const char* what) {
    return Error{ErrorCode::Unavailable, fmt::format("listen on '{}': {}: {}", path, what,
                                                     std::generic_category().message(errno))};
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error{
        ErrorCode::InvalidInput,
        fmt::format("listen on '{}': the path is longer than {} bytes; use a shorter folder", path,
                    sizeof address.sun_path - 1)};
  std::memcpy(address.sun_path, path.data(), path.size());
  Link link;
  link.epoll_ = epoll;
  link.peer_token_ = peer_token;
  link.listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!link.listener_) return fail("socket");
  ::unlink(path.c_str());
  if (::bind(link.listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0)
    return fail("bind");
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(link.listener_.get(), 8) != 0)
    return fail("listen");
  watch(epoll, EPOLL_CTL_ADD, link.listener_.get(), EPOLLIN, listen_token);
  return link;
}

bool Link::accept_peer() {
  Fd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer) return false;
  disconnect();
  peer_ = std::move(peer);
  watch(epoll_, EPOLL_CTL_ADD, peer_.get(), EPOLLIN, peer_token_);
  return true;
}

void Link::disconnect() {
  peer_.reset();
  in_.clear();
  out_.clear();
  waits_for_room_ = false;
}

bool Link::receive(std::deque<wire::Message>& inbox) {
  char bytes[kReadMax];
  const ssize_t n = ::recv(peer_.get(), bytes, sizeof bytes, 0);
  if (n > 0) in_.append(bytes, static_cast<std::size_t>(n));
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n <= 0) {
    disconnect();
    return false;
  }
  auto messages = wire::take_messages(in_);
  if (!messages) {
    log_line(LogLevel::Error, messages.error().message);
    disconnect();
    return false;
  }
  for (wire::Message& message : *messages) inbox.push_back(std::move(message));
  return true;
}

void Link::send(const wire::Message& message) {
  if (peer_) out_ += wire::encode(message);
}

bool Link::is_overfull() const { return out_.size() > kQueueMax; }

bool Link::flush() {
  if (!peer_ || out_.empty()) return true;
  const ssize_t n = ::send(peer_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) {
    disconnect();
    return false;
  }
  if (n > 0) out_.erase(0, static_cast<std::size_t>(n));
  if (waits_for_room_ != !out_.empty()) {
    waits_for_room_ = !out_.empty();
    watch(epoll_, EPOLL_CTL_MOD, peer_.get(), waits_for_room_ ? EPOLLIN | EPOLLOUT : EPOLLIN,
          peer_token_);
  }
  return true;
}

}  // namespace etesian::agent
