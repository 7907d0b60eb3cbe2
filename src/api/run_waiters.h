#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "api/service.h"

namespace etesian::api {

/// Clients that wait for a run's end: a stream of JSON lines, one for each state of the run, the
/// last one with the results that were asked for. Thread-safe.
class RunWaiters {
 public:
  struct Waiter {
    std::string dag_id, run_id;
    std::optional<RunState> told;
    std::vector<std::string> result_tasks;  ///< Whose return values the last line has.
    std::shared_ptr<http::Stream> stream;
    http::Request request;  ///< Its token is checked again at each turn.
  };

  /// On the store's thread.
  void add(const std::shared_ptr<Service>& service, Store& store, Waiter waiter);
  /// After a commit. Cheap when nobody waits.
  void changed(const std::shared_ptr<Service>& service);

 private:
  std::mutex mutex_;
  std::vector<Waiter> all_;
};

}  // namespace etesian::api
