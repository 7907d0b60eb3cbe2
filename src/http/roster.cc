#include "http/roster.h"

#include <algorithm>

#include "http/connection.h"

namespace etesian::http {
namespace {

/// How long a refused client may take to read why.
constexpr Duration LingerTime = std::chrono::seconds(2);

}  // namespace

Roster::Roster(boost::asio::io_context& context, const ServerOptions& options)
    : patience_{Duration::max(),      options.idle_timeout, options.header_timeout,
                options.idle_timeout, options.idle_timeout, LingerTime},
      timer_(context) {}

Roster::Place Roster::add(std::shared_ptr<Connection> connection) {
  ++size_;
  auto& nothing = queue(Wait::Nothing);
  return nothing.insert(nothing.end(), {std::move(connection), Instant::max(), Wait::Nothing});
}

void Roster::wait_for(Place place, Wait wait) {
  auto& to = queue(wait);
  to.splice(to.end(), queue(place->wait), place);
  place->wait = wait;
  if (wait == Wait::Nothing) {
    place->deadline = Instant::max();
    return;
  }
  place->deadline = std::chrono::steady_clock::now() + patience_[static_cast<std::size_t>(wait)];
  if (place->deadline < armed_for_) arm(place->deadline);
}

void Roster::remove(Place place) {
  --size_;
  queue(place->wait).erase(place);
}

bool Roster::close_most_idle() {
  for (const Wait wait : {Wait::Idle, Wait::Head}) {
    if (queue(wait).empty()) continue;
    const auto oldest = queue(wait).front().connection;
    oldest->close();
    return true;
  }
  return false;
}

void Roster::close_all() {
  for (auto& queue : queues_) {
    while (!queue.empty()) {
      const auto next = queue.front().connection;
      next->close();
    }
  }
  timer_.cancel();
}

void Roster::arm(Instant deadline) {
  armed_for_ = deadline;
  timer_.expires_at(deadline);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) on_timer();
  });
}

void Roster::on_timer() {
  armed_for_ = Instant::max();
  const Instant now = std::chrono::steady_clock::now();
  Instant next = Instant::max();
  for (std::size_t kind = 1; kind < WaitKinds; ++kind) {
    while (!queues_[kind].empty() && queues_[kind].front().deadline <= now) {
      const auto late = queues_[kind].front().connection;
      late->on_deadline();
    }
    if (!queues_[kind].empty()) next = std::min(next, queues_[kind].front().deadline);
  }
  if (next < armed_for_) arm(next);
}

}  // namespace etesian::http
