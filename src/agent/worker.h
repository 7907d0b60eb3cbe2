#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/journal.h"
#include "agent/keeper.h"
#include "agent/link.h"
#include "agent/pipes.h"
#include "agent/process.h"
#include "agent/task.h"
#include "logs/writer.h"

namespace etesian::agent {

/// The loop of the agent. worker.cc: the loop, messages and lists. worker_start.cc: a launch
/// begins. worker_stop.cc: process trees. worker_end.cc: from the main process's end to the durable
/// record. worker_adopt.cc: what an earlier worker left.
class Worker {
 public:
  struct Hooks {
    std::function<void(int stream, std::string_view line)> on_line;
    std::function<void(const wire::ExitRecord&)> on_ended;
  };

  Worker(Options options, Slots slots, Kept kept, Hooks hooks = {});
  /// Reads journal and logs, takes over living tasks. Errors: Unavailable.
  Result<Done> open();
  /// Opens the socket. Errors: Unavailable, InvalidInput (path too long).
  Result<Done> listen();
  /// Until Shutdown is done or SIGTERM came; returns the process's exit code.
  int run();
  void start(const wire::StartTry& launch);
  void leave() { must_leave_ = true; }
  const std::string& session() const { return session_; }

 private:
  struct Entry {
    enum class State : std::uint8_t { Live, Ended, Revoked, Acknowledged } state = State::Live;
    std::unique_ptr<Task> task;                ///< Live.
    std::unique_ptr<wire::ExitRecord> record;  ///< Ended.
  };
  using Entries = std::unordered_map<Key, Entry, KeyHash>;

  // worker.cc
  Result<Done> load_identity();
  void turn();
  void dispatch(std::uint64_t token);
  void handle(wire::Message message);
  void handle_stop(const wire::Stop& stop);
  void handle_revoke(const Key& key);
  void handle_acknowledge(const Key& key);
  void handle_shutdown();
  void tell(const Key& key);
  void greet();
  void send_list_part();
  LineSink sink_of(Task& task) const;
  void read_streams();
  bool store();
  void tick(Ticks now);
  void reschedule(Task& task);
  void beat(Ticks now);
  void store_unfinished_lines();
  void compact_journal();
  void say(Task& task, const std::string& text);

  // worker_start.cc
  void refuse(const Key& key, wire::Refused::Reason reason, const std::string& message);
  std::unique_ptr<Task> claim(const wire::StartTry& launch, std::uint32_t slot);
  bool run_process(Task& task, const wire::StartTry& launch, SpawnFailure& failure);
  void tell_start(Task& task);
  void add_task(std::unique_ptr<Task> task);
  std::string output_path(const Key& key) const;
  bool make_own_folder(const ClaimRecord& claim, SpawnFailure& failure) const;

  // worker_stop.cc
  void order_stop(Task& task, std::uint8_t cause, Duration grace, const std::string& reason);
  void kill_now(Task& task);
  void signal_tree(Task& task, int signal);
  std::vector<ProcessInfo> tree(const Task& task);
  std::vector<ProcessInfo> leftovers(const Task& task);
  void collect_strangers();

  // worker_end.cc
  void main_ended(Task& task);
  bool learn_status(Task& task);
  void settle();
  void advance(Task& task);
  bool end_leftovers(Task& task);
  bool drain(Task& task);
  bool commit_batch(Capture& capture);
  void finish(std::vector<Task*>& complete);
  Result<Done> keep_ends();
  void sync_ends();
  wire::ExitRecord make_record(Task& task);
  void judge(Task& task, wire::ExitRecord& record);
  LastLine last_line(Task& task);
  std::string take_last_line(Task& task, wire::ExitRecord& record);
  void take_output(Task& task, wire::ExitRecord& record);
  bool log_matches(const Task& task);
  static void remove_own_folder(const ClaimRecord& claim);
  void release(Task& task);

  // worker_adopt.cc
  void adopt(const std::vector<JournalRecord>& records);
  void adopt_launch(const ClaimRecord& claim, const PidRecord* pid, bool is_same_boot);
  void find_claimed_process(Task& task, pid_t noted);
  void take_kept_exits();

  Options options_;
  Slots slots_;
  Kept kept_;
  Hooks hooks_;
  std::string agent_id_, session_, host_;
  std::uint64_t task_open_files_ = 0;
  Fd epoll_, null_, signals_;
  ChildList children_, keepers_children_;
  std::optional<Pipes> pipes_;
  std::optional<Journal> journal_;
  std::unique_ptr<logs::SegmentStore> logs_;
  std::optional<Link> link_;

  Entries entries_;
  std::vector<Task*> by_slot_;
  std::size_t running_ = 0, acknowledged_ = 0;
  std::size_t unacknowledged_ = 0;  ///< Entries that have ended.
  Ticks unsynced_until_ = kNever;   ///< When exit records that are only written must be synced.
  std::vector<std::pair<std::uint32_t, int>> ready_;  ///< Streams that may hold bytes.
  std::set<std::pair<Ticks, std::uint32_t>> timers_;  ///< (wake_at, slot)
  std::vector<std::uint32_t> ended_;    ///< Slots whose task is past its main process.
  std::vector<ProcessInfo> strangers_;  ///< Our and the keeper's children that are no tasks.
  bool has_strangers_ = false;          ///< `strangers_` is of this turn.

  std::deque<wire::Message> inbox_;
  std::vector<Key> list_;  ///< What a new server is still to be told.
  bool is_listing_ = false;
  Ticks beat_at_ = 0, retention_at_ = 0;
  Ticks blocked_until_ = 0;  ///< Storage failed: nothing is read or recorded before.
  std::string trouble_;
  bool is_shutting_down_ = false, must_leave_ = false;
};

Ticks now_ticks();
Instant now_instant();

}  // namespace etesian::agent
