#include "api/log_followers.h"

#include <algorithm>

#include "api/log_text.h"

namespace etesian::api {
namespace {

constexpr std::size_t TurnLines = 500, TurnBytes = 256UL << 10;

std::string event_text(const ShownLine& line) {
  return "id: " + to_text(line.at) + "\ndata: " + json::serialize(line_json(line)) + "\n\n";
}

}  // namespace

void LogFollowers::add(const std::shared_ptr<Service>& service, Follower follower) {
  auto shared = std::make_shared<Follower>(std::move(follower));
  shared->is_busy = true;
  {
    const std::lock_guard lock(mutex_);
    all_.push_back(shared);
  }
  turn(service, shared);
}

void LogFollowers::wake(const std::shared_ptr<Service>& service) {
  std::vector<std::shared_ptr<Follower>> idle;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(all_, [](const auto& one) { return !one->is_busy && !one->stream->is_open(); });
    for (const auto& one : all_) {
      one->is_woken = true;
      if (!one->is_busy) {
        one->is_busy = true;
        idle.push_back(one);
      }
    }
  }
  for (const auto& one : idle) refresh(service, one);
}

/// The place of the log and its end come from the store; then a turn of reading.
void LogFollowers::refresh(const std::shared_ptr<Service>& service,
                           const std::shared_ptr<Follower>& follower) {
  {
    const std::lock_guard lock(mutex_);
    follower->is_woken = false;
  }
  if (follower->log.is_over) return turn(service, follower);
  service->engine.read_store([this, service, follower](Store& store) {
    if (auto log = refreshed(store, follower->log)) follower->log = std::move(*log);
    turn(service, follower);
  });
}

void LogFollowers::turn(const std::shared_ptr<Service>& service,
                        const std::shared_ptr<Follower>& follower) {
  const bool is_taken = service->log_workers.post([this, service, follower] {
    const bool goes_on = follower->stream->is_open() && advance(*service, *follower);
    if (!goes_on) return leave(follower);
    bool again = false;
    {
      const std::lock_guard lock(mutex_);
      again = follower->is_woken;
      follower->is_busy = again;
    }
    if (again) refresh(service, follower);
  });
  if (!is_taken) leave(follower);
}

/// Writes what there is; false when the follower is done or gone.
bool LogFollowers::advance(Service& service, Follower& follower) {
  // A token that was revoked or has expired ends its streams too.
  if (!service.accounts->user_of(follower.request)) return false;
  while (true) {
    const auto part =
        read_part(service.log_reader, follower.log, follower.next, {TurnLines, TurnBytes});
    if (!part) return part.error().code == ErrorCode::NotFound && !follower.log.is_over;
    std::string text;
    for (const auto& line : part->lines) text += event_text(line);
    if (!text.empty() && !follower.stream->write(text)) return false;
    follower.next = part->next;
    if (part->is_complete) {
      follower.stream->write("event: end\ndata: {\"complete\":true}\n\n");
      follower.stream->end();
      return false;
    }
    if (part->lines.empty()) return true;
  }
}

void LogFollowers::leave(const std::shared_ptr<Follower>& follower) {
  const std::lock_guard lock(mutex_);
  std::erase(all_, follower);
}

}  // namespace etesian::api
