#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <mutex>
#include <utility>

namespace etesian::http {

/// The event loop of a server's one thread. Replies and streams keep it alive, so that an answer
/// given after the server has gone is dropped instead of touching freed memory.
struct Loop {
  boost::asio::io_context context{1};

  /// Runs `task` on the HTTP thread: at once when called there, else soon. Dropped after stop().
  template <class Task>
  void run(Task task) {
    if (context.get_executor().running_in_this_thread()) return task();
    post(std::move(task));
  }
  template <class Task>
  void post(Task task) {
    const std::lock_guard lock(mutex_);
    if (!is_stopped_) boost::asio::post(context, std::move(task));
  }
  /// `last` is the last task that is accepted.
  template <class Task>
  void stop(Task last) {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    boost::asio::post(context, std::move(last));
  }

 private:
  std::mutex mutex_;
  bool is_stopped_ = false;
};

}  // namespace etesian::http
