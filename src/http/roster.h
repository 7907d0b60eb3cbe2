#pragma once
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <memory>

#include "http/http.h"

namespace etesian::http {

class Connection;

/// What a connection waits for. All waits of one kind last equally long.
enum class Wait { Nothing, Idle, Head, Body, Write, Linger };
constexpr std::size_t WaitKinds = 6;

/// Owns the open connections, ordered by when their patience ends: one queue a kind of wait, and
/// one timer for all. A change is O(1) and makes no system call as a rule. HTTP thread only.
class Roster {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  struct Entry {
    std::shared_ptr<Connection> connection;
    Instant deadline;
    Wait wait;
  };
  using Place = std::list<Entry>::iterator;

  Roster(boost::asio::io_context& context, const ServerOptions& options);

  Place add(std::shared_ptr<Connection> connection);
  /// Starts the wait anew.
  void wait_for(Place place, Wait wait);
  void remove(Place place);
  std::size_t size() const { return size_; }
  /// Closes the connection that idles longest, or else the one that owes its head longest. False:
  /// all are at work.
  bool close_most_idle();
  void close_all();

 private:
  std::list<Entry>& queue(Wait wait) { return queues_[static_cast<std::size_t>(wait)]; }
  void arm(Instant deadline);
  void on_timer();

  std::array<std::list<Entry>, WaitKinds> queues_;
  std::array<Duration, WaitKinds> patience_;
  std::size_t size_ = 0;
  boost::asio::steady_timer timer_;
  Instant armed_for_ = Instant::max();
};

}  // namespace etesian::http
