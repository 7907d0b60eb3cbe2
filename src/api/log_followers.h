#pragma once
#include <memory>
#include <mutex>
#include <vector>

#include "api/log_place.h"
#include "api/service.h"

namespace etesian::api {

/// Readers of logs that still grow. Each is a server-sent stream: "id" is the place of the line
/// ("launch:line"), the data is its JSON; the event "end" closes a complete log. All work is done
/// on the service's worker threads, one job for a follower at a time. Thread-safe.
class LogFollowers {
 public:
  struct Follower {
    LogOfTry log;
    LogPosition next;
    std::shared_ptr<http::Stream> stream;
    http::Request request;  ///< Its token is checked again at each turn.
    bool is_busy = false, is_woken = false;
  };

  void add(const std::shared_ptr<Service>& service, Follower follower);
  /// Something may have been written, or some try has ended.
  void wake(const std::shared_ptr<Service>& service);

 private:
  void refresh(const std::shared_ptr<Service>& service, const std::shared_ptr<Follower>& follower);
  void turn(const std::shared_ptr<Service>& service, const std::shared_ptr<Follower>& follower);
  bool advance(Service& service, Follower& follower);
  void leave(const std::shared_ptr<Follower>& follower);

  std::mutex mutex_;
  std::vector<std::shared_ptr<Follower>> all_;
};

}  // namespace etesian::api
