#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "api/api.h"

namespace etesian::api {

/// Sends durable changes to everybody who listens: server-sent events with the change's sequence as
/// id, in order and without gaps, so that a client resumes where it was. Thread-safe.
class EventHub : public std::enable_shared_from_this<EventHub> {
 public:
  struct Listener {
    Sequence after = 0;                 ///< The last change that it has.
    std::optional<std::string> dag_id;  ///< Only of this DAG.
    std::shared_ptr<http::Stream> stream;
    http::Request request;  ///< Its token is checked again before each delivery.
  };

  EventHub(Engine& engine, std::shared_ptr<Accounts> accounts)
      : engine_(engine), accounts_(std::move(accounts)) {}

  void add(Listener listener);
  /// After a commit. Cheap when nobody listens.
  void changed();

 private:
  void pump(Store& store);
  void deliver(const std::vector<ChangeRecord>& changes, Sequence up_to);

  Engine& engine_;
  std::shared_ptr<Accounts> accounts_;
  std::mutex mutex_;
  std::vector<Listener> listeners_;
  std::atomic<bool> is_pumping_{false};
};

}  // namespace etesian::api
