#include "engine/store_thread.h"

#include <algorithm>
#include <iterator>

#include "base/clock.h"
#include "base/log.h"

namespace etesian {
namespace {
/// Larger transactions gain nothing and delay readers.
constexpr std::size_t kItemsPerCommit = 4096;
constexpr auto kIdleAfter = std::chrono::seconds(1);

/// The caller's own request may be good: it is another's that the store refused with its group.
Error dropped(const Error& cause) {
  return {ErrorCode::Unavailable,
          "not done: it was to be stored with something that was refused; try again (" +
              cause.message + ")"};
}
}  // namespace

StoreThread::StoreThread(std::unique_ptr<Store> store, Listener listener)
    : store_(std::move(store)), listener_(std::move(listener)), thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void StoreThread::commit(std::vector<Store::Item> items, std::vector<After> after) {
  {
    const std::lock_guard lock(mutex_);
    if (is_over_) return;
    waiting_items_ += items.size();
    Group* last = jobs_.empty() ? nullptr : std::get_if<Group>(&jobs_.back());
    if (last && last->epoch == epoch_ && last->items.size() < kItemsPerCommit) {
      std::move(items.begin(), items.end(), std::back_inserter(last->items));
      std::move(after.begin(), after.end(), std::back_inserter(last->after));
    } else {
      jobs_.emplace_back(Group{epoch_, std::move(items), std::move(after)});
    }
  }
  wake_.notify_one();
}

void StoreThread::read(std::function<void(Store&)> read) {
  {
    const std::lock_guard lock(mutex_);
    if (is_over_) return;
    jobs_.emplace_back(std::move(read));
  }
  wake_.notify_one();
}

void StoreThread::begin_epoch() {
  const std::lock_guard lock(mutex_);
  broken_epochs_ = ++epoch_;
}

std::size_t StoreThread::waiting_items() const {
  const std::lock_guard lock(mutex_);
  return waiting_items_;
}

void StoreThread::wait_below(std::size_t items) {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [&] { return waiting_items_ <= items || is_impatient_; });
}

void StoreThread::stop_waiting() {
  {
    const std::lock_guard lock(mutex_);
    is_impatient_ = true;
  }
  wake_.notify_all();
  drained_.notify_all();
}

std::string StoreThread::stall() const {
  const std::lock_guard lock(mutex_);
  return stall_;
}

Duration StoreThread::last_commit() const {
  const std::lock_guard lock(mutex_);
  return last_commit_;
}

std::uint64_t StoreThread::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

/// False: there is none, and none will come.
bool StoreThread::next_job(Job& job) {
  std::unique_lock lock(mutex_);
  const auto is_wanted = [this] { return stopping_ || !jobs_.empty(); };
  if (has_written_ && !wake_.wait_for(lock, kIdleAfter, is_wanted)) {
    has_written_ = false;
    job = [](Store& store) { store.idle(); };
    return true;
  }
  wake_.wait(lock, is_wanted);
  if (jobs_.empty()) return false;
  job = std::move(jobs_.front());
  jobs_.pop_front();
  return true;
}

void StoreThread::run() {
  for (Job job; next_job(job);) {
    auto* group = std::get_if<Group>(&job);
    if (!group) {
      std::get<std::function<void(Store&)>>(job)(*store_);
      continue;
    }
    has_written_ = true;
    if (write(*group)) continue;
    // Whoever waits for the rest learns of it by their destruction.
    std::deque<Job> dropped;
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    dropped.swap(jobs_);
    return;
  }
}

/// False: the store stays unavailable while the server is stopping; what is not durable is
/// forgotten, as at a crash.
bool StoreThread::write(Group& group) {
  const SystemClock clock;
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      if (group.epoch < broken_epochs_) break;
    }
    const Duration begin = clock.uptime();
    const auto result = store_->commit(group.items);
    if (!result && result.error().code == ErrorCode::Unavailable) {
      std::unique_lock lock(mutex_);
      if (stall_.empty())
        log_line(LogLevel::Error, "commit delayed; nothing new starts until it succeeds",
                 {{"cause", result.error().message}});
      stall_ = result.error().message;
      if (stopping_ || is_impatient_) return false;
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_ || is_impatient_; });
      continue;
    }
    {
      const std::lock_guard lock(mutex_);
      if (!stall_.empty()) log_line(LogLevel::Info, "commits go through again");
      stall_.clear();
      last_commit_ = clock.uptime() - begin;
      ++commits_;
      if (!result) broken_epochs_ = std::max(broken_epochs_, group.epoch + 1);
    }
    if (result) {
      settle(group, result);
      listener_.on_durable(*result);
    } else {
      settle(group, dropped(result.error()));
      listener_.on_refused(result.error());
    }
    return true;
  }
  settle(group, dropped({ErrorCode::Conflict, "an earlier group was refused"}));
  return true;
}

void StoreThread::settle(Group& group, const Result<Sequence>& result) {
  for (After& after : group.after) after(result);
  {
    const std::lock_guard lock(mutex_);
    waiting_items_ -= group.items.size();
  }
  drained_.notify_all();
}

}  // namespace etesian
