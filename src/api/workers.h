#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
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
  /// Finishes what runs; what waits is dropped. A job may hold the last owner of its own Workers.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False, and nothing happens, when `waiting_max` jobs wait already. Jobs start in order.
  [[nodiscard]] bool post(std::function<void()> job);

 private:
  struct Queue {
    std::size_t waiting_max = 0;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::function<void()>> waiting;
    bool stops = false;
  };
  static void run(const std::shared_ptr<Queue>& queue);

  std::shared_ptr<Queue> queue_;  ///< Of the threads too: one of them may outlive this by a moment.
  std::vector<std::thread> threads_;
};

}  // namespace etesian::api
