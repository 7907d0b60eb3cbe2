#include "api/workers.h"

#include <utility>

namespace etesian::api {

Workers::Workers(Size size) : queue_(std::make_shared<Queue>()) {
  queue_->waiting_max = size.waiting_max;
  for (std::size_t i = 0; i < size.threads; ++i) {
    threads_.emplace_back([queue = queue_] { run(queue); });
  }
}

Workers::~Workers() {
  std::deque<std::function<void()>> dropped;
  {
    const std::lock_guard lock(queue_->mutex);
    queue_->stops = true;
    dropped.swap(queue_->waiting);
  }
  queue_->changed.notify_all();
  for (auto& thread : threads_) {
    // The last owner may have been a job: a thread cannot wait for itself.
    if (thread.get_id() == std::this_thread::get_id()) {
      thread.detach();
    } else {
      thread.join();
    }
  }
}

bool Workers::post(std::function<void()> job) {
  {
    const std::lock_guard lock(queue_->mutex);
    if (queue_->stops || queue_->waiting.size() >= queue_->waiting_max) return false;
    queue_->waiting.push_back(std::move(job));
  }
  queue_->changed.notify_one();
  return true;
}

void Workers::run(const std::shared_ptr<Queue>& queue) {
  std::unique_lock lock(queue->mutex);
  while (true) {
    queue->changed.wait(lock, [&] { return queue->stops || !queue->waiting.empty(); });
    if (queue->stops) return;
    auto job = std::move(queue->waiting.front());
    queue->waiting.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace etesian::api
