#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace etesian::api {

/// A few threads for work that must not delay the HTTP or the store thread: hashing, reading logs.
class Workers {
 public:
  struct Size {
    std::size_t threads = 2;
    std::size_t waiting_max = 256;
  };
  explicit Workers(Size size);
  /// Finishes what runs; what waits is dropped.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False, and nothing happens, when `waiting_max` jobs wait already. Jobs start in order.
  [[nodiscard]] bool post(std::function<void()> job);

 private:
  void run();
  const std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stops_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace etesian::api
