#include "api/event_hub.h"

#include <algorithm>
#include <charconv>

#include "api/handlers.h"
#include "api/json_run.h"

namespace etesian::api {
namespace {

/// One pump reads this many changes and then lets commits go first.
constexpr std::size_t PumpChanges = 1000;

std::string event_text(const ChangeRecord& change) {
  return "id: " + std::to_string(change.sequence) + "\nevent: " + change.kind +
         "\ndata: " + json::serialize(change_json(change)) + "\n\n";
}

}  // namespace

void EventHub::add(Listener listener) {
  // A comment at once: the client knows that it is connected before anything happens.
  if (!listener.stream->write(": connected\n\n")) return;
  {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(std::move(listener));
  }
  changed();
}

void EventHub::changed() {
  {
    const std::lock_guard lock(mutex_);
    if (listeners_.empty()) return;
  }
  if (is_pumping_.exchange(true)) return;
  engine_.read_store([hub = shared_from_this()](Store& store) { hub->pump(store); });
}

void EventHub::pump(Store& store) {
  is_pumping_ = false;
  Sequence after = 0;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [](const Listener& one) { return !one.stream->is_open(); });
    if (listeners_.empty()) return;
    after = std::min_element(listeners_.begin(), listeners_.end(), [](auto& a, auto& b) {
              return a.after < b.after;
            })->after;
  }
  const auto changes = store.changes(after, PumpChanges);
  if (!changes || changes->empty()) return;
  deliver(*changes, changes->back().sequence);
  if (changes->size() == PumpChanges) changed();
}

void EventHub::deliver(const std::vector<ChangeRecord>& changes, Sequence up_to) {
  std::vector<std::string> texts(changes.size());
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [&](Listener& listener) {
    if (!accounts_->user_of(listener.request)) return true;
    std::string text;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const auto& change = changes[i];
      if (change.sequence <= listener.after) continue;
      if (listener.dag_id && change.dag_id != *listener.dag_id) continue;
      if (texts[i].empty()) texts[i] = event_text(change);
      text += texts[i];
    }
    listener.after = std::max(listener.after, up_to);
    return !text.empty() && !listener.stream->write(text);
  });
}

Next stream_events(Reading& reading) {
  const http::Request& request = reading.call.request;
  auto after = reading.store.last_sequence();
  if (!after) return refusal(after.error());
  auto last = request.header("last-event-id");
  if (!last) last = request.query_value("after");
  if (last) {
    Sequence given = 0;
    const auto [end, error] = std::from_chars(last->data(), last->data() + last->size(), given);
    if (error != std::errc{} || end != last->data() + last->size()) {
      return refusal({ErrorCode::InvalidInput, "Last-Event-ID: not the id of an event"});
    }
    after = std::min(given, *after);
  }
  return StreamPart([hub = reading.service().events, request,
                     after = *after](std::shared_ptr<http::Reply> reply) {
    http::Response head;
    head.content_type = "text/event-stream";
    head.headers.emplace_back("Cache-Control", "no-store");
    hub->add({after, request.query_value("dag_id"), reply->stream(std::move(head)), request});
  });
}

}  // namespace etesian::api
