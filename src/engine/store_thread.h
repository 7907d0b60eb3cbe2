#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "store/store.h"

namespace etesian {

/// The one thread that touches the store: commits groups, then releases what waited for them; reads
/// in between, in the order of asking.
///
/// Groups that pile up while one is being made durable are committed together. A group that cannot
/// be written now (disk full, busy) is tried again until it can: nothing it would have started
/// starts before. A group that the store refuses is dropped with every later group of its epoch:
/// the world that decided them is wrong, and its owner must reload.
class StoreThread {
 public:
  /// Called on this thread: with the last sequence once the group is durable, or with why it never
  /// will be.
  using After = std::function<void(const Result<Sequence>&)>;

  struct Listener {
    std::function<void(Sequence)> on_durable;      ///< After each transaction and its Afters.
    std::function<void(const Error&)> on_refused;  ///< Once for each broken epoch.
  };

  StoreThread(std::unique_ptr<Store> store, Listener listener);
  /// Commits what was handed over, then ends.
  ~StoreThread();
  StoreThread(const StoreThread&) = delete;

  void commit(std::vector<Store::Item> items, std::vector<After> after);
  void read(std::function<void(Store&)> read);
  /// Drops groups of earlier epochs that are still waiting; later ones are written again.
  void begin_epoch();

  std::size_t waiting_items() const;
  /// Blocks while more than `items` wait: memory stays bounded when the disk is slow or full.
  void wait_below(std::size_t items);
  /// Before the end: nothing is waited for any more that the disk does not take at once. What it
  /// does not take is forgotten, as at a crash; reads that are asked for then never happen.
  void stop_waiting();
  /// Why commits do not go through at present; empty when they do.
  std::string stall() const;
  Duration last_commit() const;
  std::uint64_t commits() const;

 private:
  struct Group {
    std::uint64_t epoch = 0;
    std::vector<Store::Item> items;
    std::vector<After> after;
  };
  using Job = std::variant<Group, std::function<void(Store&)>>;

  void run();
  bool next_job(Job& job);
  bool write(Group& group);
  void settle(Group& group, const Result<Sequence>& result);

  std::unique_ptr<Store> store_;
  Listener listener_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, drained_;
  std::deque<Job> jobs_;
  std::size_t waiting_items_ = 0;
  std::uint64_t epoch_ = 0, broken_epochs_ = 0;  ///< Epochs below the second are dropped.
  std::string stall_;
  Duration last_commit_{0};
  std::uint64_t commits_ = 0;
  bool stopping_ = false, is_impatient_ = false;
  bool is_over_ = false;      ///< The thread gave up: jobs are dropped.
  bool has_written_ = false;  ///< Since the store was last told to be idle.
  std::thread thread_;
};

}  // namespace etesian
