#include "agent/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/log.h"
#include "base/time_text.h"
#include "wire/causes.h"

namespace etesian::agent {
namespace {

enum Token : std::uint64_t {
  kKind = 7ULL << 61,
  kStream = 0ULL << 61,
  kProcess = 1ULL << 61,
  kListener = 2ULL << 61,
  kPeer = 3ULL << 61,
  kSignals = 4ULL << 61,
  kKeeper = 5ULL << 61
};

constexpr Ticks kSecond = 1'000'000'000;
constexpr Ticks kBeat = 5 * kSecond;
constexpr Ticks kRetention = 60 * kSecond;
constexpr int kMessagesPerTurn = 4;  ///< A start costs about 0.5 ms: exits must not wait for long.
constexpr std::size_t kListPart = 1UL << 20;
constexpr std::uint64_t kCompactAbove = 8UL << 20;

void watch(int epoll, int fd, std::uint64_t token) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

}  // namespace

Ticks now_ticks() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * kSecond + t.tv_nsec;
}

Instant now_instant() { return SystemClock().now(); }

Worker::Worker(Options options, Slots slots, Kept kept, Hooks hooks)
    : options_(std::move(options)),
      slots_(slots),
      kept_(std::move(kept)),
      hooks_(std::move(hooks)),
      by_slot_(slots.count(), nullptr) {}

Result<Done> Worker::load_identity() {
  const std::string path = options_.folder + "/agent-id";
  if (const auto text = read_file(path, 64); text && !uuid_from_text(*text).is_nil()) {
    agent_id_ = *text;
  } else {
    SystemRandom random;
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(now_instant());
    agent_id_ = to_text(make_uuid7(ms.time_since_epoch().count(), random));
    if (const auto written = write_file_durably(path, agent_id_); !written) return written;
  }
  session_ = boot_id() + "/" + agent_id_;
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  host_ = host;
  return Done{};
}

Result<Done> Worker::open() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  task_open_files_ = std::min<rlim_t>(files.rlim_cur, 1024);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  null_ = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!epoll_ || !null_) return Error{ErrorCode::Unavailable, "open agent: no file descriptor"};
  for (const char* folder : {"", "/tries", "/fifos"})
    if (const auto made = make_folders(options_.folder + folder); !made) return made;
  if (const auto loaded = load_identity(); !loaded) return loaded;
  children_ = ChildList(::getpid());
  if (kept_.channel) {
    keepers_children_ = ChildList(kept_.keeper);
    watch(epoll_.get(), kept_.channel.get(), kKeeper);
    sigset_t wanted;
    ::sigemptyset(&wanted);
    ::sigaddset(&wanted, SIGTERM);
    signals_ = Fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    watch(epoll_.get(), signals_.get(), kSignals);
  }
  auto store = logs::SegmentStore::open(options_.log_folder);
  if (!store) return store.error();
  logs_ = std::move(*store);
  std::vector<JournalRecord> records;
  auto journal = Journal::open(options_.folder + "/journal", records);
  if (!journal) return journal.error();
  journal_ = std::move(*journal);
  pipes_.emplace(options_.folder + "/fifos", slots_.count(), epoll_.get());
  adopt(records);
  return Done{};
}

Result<Done> Worker::listen() {
  auto link = Link::listen(options_.folder + "/agent.sock", epoll_.get(), kListener, kPeer);
  if (!link) return link.error();
  link_ = std::move(*link);
  return Done{};
}

int Worker::run() {
  settle();  // A launch before the loop that did not start gives no event.
  while (!must_leave_) turn();
  store_unfinished_lines();
  if (link_) link_->flush();
  return 0;
}

void Worker::turn() {
  const Ticks now = now_ticks();
  const bool is_blocked = blocked_until_ > now;
  const bool has_work = !inbox_.empty() || (is_listing_ && link_->queued() == 0) ||
                        (!is_blocked && (!ready_.empty()));
  Ticks next = link_ ? std::min(beat_at_, retention_at_) : kNever;
  if (!timers_.empty()) next = std::min(next, timers_.begin()->first);
  next = std::min(next, unsynced_until_);
  if (is_blocked) next = std::min(std::max(next, now + 1), blocked_until_);
  const Ticks wait_ms =
      has_work ? 0 : std::clamp<Ticks>((next - now + 999'999) / 1'000'000, 0, 60'000);
  epoll_event events[64];
  const int n = ::epoll_wait(epoll_.get(), events, 64, static_cast<int>(wait_ms));
  for (int i = 0; i < n; ++i) dispatch(events[i].data.u64);
  for (int i = 0; i < kMessagesPerTurn && !inbox_.empty(); ++i) {
    wire::Message message = std::move(inbox_.front());
    inbox_.pop_front();
    handle(std::move(message));
  }
  const Ticks after = now_ticks();
  tick(after);
  if (blocked_until_ <= after) {
    read_streams();
    settle();
    if (logs_->buffered() > 0) store();
    static_cast<void>(journal_->write());  // acknowledgements; without room they wait
    if (unsynced_until_ <= after) sync_ends();
  }
  if (link_) {
    beat(after);
    send_list_part();
    if (link_->is_overfull()) link_->disconnect();
    link_->flush();
  }
  if (is_shutting_down_ && running_ == 0 && (!link_ || link_->queued() == 0)) must_leave_ = true;
}

void Worker::dispatch(std::uint64_t token) {
  const auto slot = static_cast<std::uint32_t>((token & ~kKind) >> 2);
  switch (token & kKind) {
    case kStream: {
      const int stream = static_cast<int>(token & 3);
      Task* const task = by_slot_[slot];
      if (task == nullptr || task->is_ready[stream]) return;
      task->is_ready[stream] = true;
      ready_.emplace_back(slot, stream);
      return;
    }
    case kProcess:
      if (by_slot_[slot] != nullptr) main_ended(*by_slot_[slot]);
      return;
    case kListener:
      if (link_->accept_peer()) {
        inbox_.clear();
        greet();
      }
      return;
    case kPeer:
      // More is read only when the last was handled: the socket is the queue.
      if (link_->is_connected() && inbox_.size() < 1024) link_->receive(inbox_);
      return;
    case kSignals: {
      signalfd_siginfo info{};
      if (::read(signals_.get(), &info, sizeof info) > 0) must_leave_ = true;
      return;
    }
    default: take_kept_exits();
  }
}

void Worker::handle(wire::Message message) {
  if (const auto* launch = std::get_if<wire::StartTry>(&message)) start(*launch);
  if (const auto* stop = std::get_if<wire::Stop>(&message)) handle_stop(*stop);
  if (const auto* revoke = std::get_if<wire::Revoke>(&message))
    handle_revoke({revoke->try_id, revoke->launch});
  if (const auto* done = std::get_if<wire::Acknowledge>(&message))
    handle_acknowledge({done->try_id, done->launch});
  if (const auto* inquiry = std::get_if<wire::Inquire>(&message))
    tell({inquiry->try_id, inquiry->launch});
  if (std::holds_alternative<wire::Shutdown>(message)) handle_shutdown();
}

void Worker::handle_stop(const wire::Stop& stop) {
  const Key key{stop.try_id, stop.launch};
  const auto found = entries_.find(key);
  const bool is_live = found != entries_.end() && found->second.task != nullptr;
  if (is_live && !found->second.task->is_over())
    order_stop(*found->second.task, wire::cause::kKilled, stop.grace, stop.reason);
  else
    tell(key);
}

void Worker::handle_revoke(const Key& key) {
  if (entries_.count(key) == 0) {
    journal_->add(RevokedRecord{key});
    if (const auto written = journal_->sync(); !written) {
      // Not revoked: silence, and the server asks again.
      log_line(LogLevel::Error, written.error().message);
      return;
    }
    entries_[key].state = Entry::State::Revoked;
  }
  tell(key);
}

void Worker::handle_acknowledge(const Key& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.state != Entry::State::Ended) return;
  found->second.state = Entry::State::Acknowledged;
  found->second.record.reset();
  --unacknowledged_;
  ++acknowledged_;
  journal_->add(AckRecord{key});
  if (journal_->size() > kCompactAbove) compact_journal();
}

void Worker::handle_shutdown() {
  is_shutting_down_ = true;
  for (Task* const task : by_slot_)
    if (task != nullptr && !task->is_over())
      order_stop(*task, wire::cause::kKilled, task->claim.kill_grace,
                 "the agent was told to shut down");
}

void Worker::tell(const Key& key) {
  if (!link_) return;
  using State = wire::Holding::State;
  const auto found = entries_.find(key);
  const auto hold = [&](State state) { link_->send(wire::Holding{state, key.try_id, key.launch}); };
  if (found == entries_.end()) return hold(State::NeverStarted);
  const Entry& entry = found->second;
  switch (entry.state) {
    case Entry::State::Live:
      return hold(entry.task->is_over() || entry.task->stop_cause ? State::Ending : State::Running);
    case Entry::State::Ended: return link_->send(wire::Ended{*entry.record});
    case Entry::State::Revoked: return hold(State::Revoked);
    case Entry::State::Acknowledged: return hold(State::Ended);
  }
}

void Worker::greet() {
  wire::Hello hello;
  hello.agent_id = agent_id_;
  hello.session = session_;
  hello.host = host_;
  hello.pid = ::getpid();
  hello.slots = slots_.count();
  hello.capabilities =
      std::string(Cgroup::is_available() ? "cgroup " : "") + "exit-status-after-restart";
  link_->send(hello);
  list_.clear();
  for (const auto& [key, entry] : entries_)
    if (entry.state != Entry::State::Acknowledged) list_.push_back(key);
  is_listing_ = true;
}

void Worker::send_list_part() {
  if (!is_listing_) return;
  for (; !list_.empty() && link_->queued() < kListPart; list_.pop_back()) tell(list_.back());
  if (!list_.empty()) return;
  link_->send(wire::ListEnd{});
  is_listing_ = false;
}

LineSink Worker::sink_of(Task& task) const {
  return {.log = &task.log,
          .mask = &task.mask,
          .tail = task.claim.log_pattern.empty() ? nullptr : &task.tail,
          .last = task.claim.is_bash_operator ? &task.last_line : nullptr,
          .last_bytes_max = task.claim.output_bytes_max,
          .on_line = hooks_.on_line ? &hooks_.on_line : nullptr};
}

void Worker::read_streams() {
  if (ready_.empty()) return;
  const logs::Stamp at = logs::Stamp::now();
  std::vector<std::pair<std::uint32_t, int>> still_ready;
  for (const auto& [slot, stream] : ready_) {
    Task* const task = by_slot_[slot];
    if (task == nullptr || !task->is_ready[stream]) continue;
    Capture& capture = task->streams[stream];
    const Capture::Got got = capture.has_batch()
                                 ? Capture::Got::Bytes
                                 : capture.read_from(pipes_->read_end(slot, stream));
    task->is_ready[stream] = got == Capture::Got::Bytes;
    if (got != Capture::Got::Bytes) continue;
    still_ready.emplace_back(slot, stream);
    if (!capture.has_batch()) capture.frame_lines(sink_of(*task), at, Capture::Until::LastNewline);
  }
  ready_.swap(still_ready);
  store();
}

void Worker::store_unfinished_lines() {
  for (Task* const task : by_slot_) {
    if (task == nullptr) continue;
    for (Capture& capture : task->streams)
      if (!capture.has_batch())
        capture.frame_lines({.log = &task->log, .mask = &task->mask}, logs::Stamp::now(),
                            Capture::Until::Pause);
  }
  store();
}

bool Worker::store() {
  const auto stored = logs_->flush();
  if (!stored) {
    if (trouble_.empty()) log_line(LogLevel::Error, stored.error().message);
    trouble_ = stored.error().message;
    blocked_until_ = now_ticks() + kSecond;
    return false;
  }
  trouble_.clear();
  for (const auto& [slot, stream] : ready_)
    if (by_slot_[slot] != nullptr) by_slot_[slot]->streams[stream].commit();
  return true;
}

void Worker::tick(Ticks now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Task& task = *by_slot_[timers_.begin()->second];
    timers_.erase(timers_.begin());
    task.wake_at = kNever;
    if (task.tell_at <= now) tell_start(task);
    if (task.timeout_at <= now && !task.is_over() && !task.stop_cause)
      order_stop(task, wire::cause::kTimeout, task.claim.kill_grace,
                 fmt::format("its timeout of {} is over", to_text(task.claim.timeout)));
    if (task.kill_at <= now && !task.is_killed) kill_now(task);
    reschedule(task);
  }
}

void Worker::reschedule(Task& task) {
  Ticks next = kNever;
  if (task.has_ended) {
    // Leftovers and pipes of others give no event: look again soon. (The end of the last writer is
    // one, but an adopted task may have missed it.)
    const bool is_waiting = task.waits_for_writers() && task.is_status_known;
    if (!task.is_complete) next = now_ticks() + (is_waiting ? kSecond : kSecond / 50);
    if (is_waiting) next = std::min(next, task.timeout_at);
  } else {
    next = task.tell_at;
    if (!task.stop_cause) next = std::min(next, task.timeout_at);
    if (!task.is_killed) next = std::min(next, task.kill_at);
  }
  if (next == task.wake_at) return;
  if (task.wake_at != kNever) timers_.erase({task.wake_at, task.claim.slot});
  task.wake_at = next;
  if (next != kNever) timers_.emplace(next, task.claim.slot);
}

void Worker::beat(Ticks now) {
  if (now >= beat_at_) {
    beat_at_ = now + kBeat;
    link_->send(wire::Beat{now_instant(), static_cast<std::uint32_t>(running_), trouble_});
    collect_strangers();
  }
  if (now >= retention_at_) {
    retention_at_ = now + kRetention;
    logs_->remove_old(options_.log_bytes_max, options_.log_age_max, now_instant());
  }
}

void Worker::compact_journal() {
  if (acknowledged_ * 2 < entries_.size()) return;
  std::vector<JournalRecord> records{SessionRecord{session_}};
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto& [key, entry] = *at;
    if (entry.task != nullptr) {
      records.emplace_back(entry.task->claim);
      records.emplace_back(PidRecord{key, entry.task->pid, entry.task->birth,
                                     entry.task->started_at, entry.task->timeout_at});
    }
    if (entry.record != nullptr) records.emplace_back(*entry.record);
    if (entry.state == Entry::State::Revoked) records.emplace_back(RevokedRecord{key});
    at = entry.state == Entry::State::Acknowledged ? entries_.erase(at) : std::next(at);
  }
  acknowledged_ = 0;
  if (const auto replaced = journal_->replace(records); !replaced)
    log_line(LogLevel::Error, replaced.error().message);
}

void Worker::say(Task& task, const std::string& text) {
  task.log.append(3, 0, std::string_view(text).substr(0, logs::kLineMax), logs::Stamp::now());
  if (hooks_.on_line) hooks_.on_line(3, text);
}

}  // namespace etesian::agent
