#include "executor/local_executor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/file.h"
#include "base/log.h"
#include "wire/causes.h"

extern char** environ;

namespace etesian {
namespace {

namespace cause = wire::cause;
static_assert(cause::kExit == static_cast<int>(Cause::Exit));
static_assert(cause::kSignal == static_cast<int>(Cause::Signal));
static_assert(cause::kTimeout == static_cast<int>(Cause::Timeout));
static_assert(cause::kKilled == static_cast<int>(Cause::Killed));
static_assert(cause::kOutOfMemory == static_cast<int>(Cause::OutOfMemory));
static_assert(cause::kStartFailed == static_cast<int>(Cause::StartFailed));
static_assert(cause::kOutputInvalid == static_cast<int>(Cause::OutputInvalid));
static_assert(cause::kLostSupervisor == static_cast<int>(Cause::LostSupervisor));
static_assert(cause::kLost == static_cast<int>(Cause::Lost));

using Millis = std::chrono::milliseconds;
constexpr Millis kRetryFirst{5}, kRetryLast{1000};
constexpr Millis kSilenceMax{30'000};  ///< Six beats: then the connection is taken for dead.
constexpr std::size_t kQueueMax = 64UL << 20;
constexpr std::size_t kLaunchMax = 15UL << 20;  ///< Below what a message may have.
constexpr std::size_t kReadMax = 64UL << 10;

LaunchId id_of(const Uuid& try_id, std::int32_t launch) { return {try_id, launch}; }

LaunchEnded ended_from(wire::ExitRecord&& r) {
  Outcome o;
  o.cause = static_cast<Cause>(r.cause);
  o.exit_code = r.exit_code;
  o.raw_status = r.raw_status;
  o.message = std::move(r.message);
  o.log_matched = r.log_matched;
  o.output = std::move(r.output);
  o.started_at = r.started_at;
  o.ended_at = r.ended_at;
  o.log_lines = r.log_lines;
  o.log_bytes = r.log_bytes;
  o.log_hash = std::move(r.log_hash);
  o.log_cut = r.log_cut;
  o.log = {r.log_segment, r.log_offset};
  return {id_of(r.try_id, r.launch), std::move(o)};
}

LaunchNotStarted not_started_from(wire::Refused&& r) {
  using Why = LaunchNotStarted::Why;
  const Why why = r.reason == wire::Refused::Reason::WrongSession ? Why::WrongSession
                  : r.reason == wire::Refused::Reason::Revoked    ? Why::Revoked
                                                                  : Why::NoRoom;
  return {id_of(r.try_id, r.launch), why, std::move(r.message)};
}

class LocalExecutor final : public Executor {
 public:
  LocalExecutor(LocalExecutorOptions options, Sink sink, Fd wake)
      : options_(std::move(options)), sink_(std::move(sink)), wake_(std::move(wake)) {
    thread_ = std::thread([this] { run(); });
  }
  ~LocalExecutor() override {
    must_end_ = true;
    wake();
    thread_.join();
  }

  const std::string& name() const override { return name_; }
  void start(wire::StartTry launch) override {
    const std::size_t bytes = send(launch);
    if (bytes <= kLaunchMax) return;
    LaunchEnded refused{id_of(launch.try_id, launch.launch), {}};
    refused.outcome.cause = Cause::StartFailed;
    refused.outcome.message = fmt::format(
        "its command, environment and secrets have {} bytes; a launch holds {}", bytes, kLaunchMax);
    sink_({std::move(refused)});
  }
  void stop(const LaunchId& id, Duration grace, const std::string& reason) override {
    send(wire::Stop{id.try_id, id.launch, grace, reason});
  }
  void revoke(const LaunchId& id) override { send(wire::Revoke{id.try_id, id.launch}); }
  void inquire(const LaunchId& id) override { send(wire::Inquire{id.try_id, id.launch}); }
  void acknowledge(const LaunchId& id) override { send(wire::Acknowledge{id.try_id, id.launch}); }
  /// Written by whoever asks: no other thread must wake first. What the socket does not take is
  /// left to ours.
  void flush() override {
    const std::lock_guard lock(mutex_);
    if (!is_open_ || queue_.empty()) return;
    if (!write_queue() || !queue_.empty()) wake();
  }

 private:
  /// Dropped while there is no connection: the agent's list after the next one tells the caller
  /// what is there, and it asks again.
  /// Returns its size; one that the agent would not take is not sent.
  std::size_t send(const wire::Message& message) {
    const std::string bytes = wire::encode(message);
    const std::lock_guard lock(mutex_);
    if (is_open_ && queue_.size() <= kQueueMax && bytes.size() <= kLaunchMax) queue_ += bytes;
    return bytes.size();
  }

  /// False: the connection broke. Wants the lock.
  bool write_queue() {
    if (queue_.empty()) return true;
    const ssize_t n = ::send(socket_.get(), queue_.data(), queue_.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    queue_.erase(0, static_cast<std::size_t>(n));
    return true;
  }

  void wake() {
    const std::uint64_t one = 1;
    static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  }

  void run() {
    Millis pause = kRetryFirst;
    while (!must_end_) {
      if (!connect_agent()) {
        start_agent();
        pause_for(pause);
        pause = std::min(pause * 2, kRetryLast);
        continue;
      }
      pause = kRetryFirst;
      const std::string reason = talk();
      {
        const std::lock_guard lock(mutex_);
        is_open_ = false;
        queue_.clear();
      }
      socket_.reset();
      in_.clear();
      if (!session_.empty() && !must_end_)
        sink_({ExecutorDown{name_, std::exchange(session_, {}), reason}});
    }
  }

  void pause_for(Millis time) {
    pollfd wait{wake_.get(), POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(time.count()));
    drain_wake();
  }

  void drain_wake() {
    std::uint64_t count = 0;
    static_cast<void>(!::read(wake_.get(), &count, sizeof count));
  }

  bool connect_agent() {
    const std::string path = options_.agent_folder + "/agent.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.data(), path.size());
    socket_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    return socket_ && ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address),
                                sizeof address) == 0;
  }

  /// One try at a time: a second agent would end at once, because the first holds the folder.
  void start_agent() {
    if (starter_ > 0) {
      int status = 0;
      if (::waitpid(starter_, &status, WNOHANG) == 0) return;
      starter_ = 0;
    }
    if (options_.agent_command.empty()) return;
    if (const auto made = make_folders(options_.agent_folder); !made) return;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    const std::string log = options_.agent_folder + "/agent.log";
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(
        &attributes,
        static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    std::vector<char*> argv;
    for (std::string& word : options_.agent_command) argv.push_back(word.data());
    argv.push_back(nullptr);
    const int error =
        ::posix_spawnp(&starter_, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
      starter_ = 0;
      log_line(LogLevel::Error, fmt::format("start agent '{}': {}", argv[0],
                                            std::generic_category().message(error)));
    }
  }

  /// Until the connection ends; returns why.
  std::string talk() {
    auto last_word = std::chrono::steady_clock::now();
    while (!must_end_) {
      bool is_writing = false;
      {
        const std::lock_guard lock(mutex_);
        if (!write_queue()) return "the connection to the agent broke";
        is_writing = !queue_.empty();
      }
      pollfd wait[2] = {
          {socket_.get(), static_cast<short>(is_writing ? POLLIN | POLLOUT : POLLIN), 0},
          {wake_.get(), POLLIN, 0}};
      ::poll(wait, 2, static_cast<int>(kSilenceMax.count()));
      if (wait[1].revents != 0) drain_wake();
      if (wait[0].revents & (POLLIN | POLLHUP | POLLERR)) {
        last_word = std::chrono::steady_clock::now();
        if (const std::string problem = receive(); !problem.empty()) return problem;
      }
      if (std::chrono::steady_clock::now() - last_word > kSilenceMax)
        return "the agent has been silent for 30 s";
    }
    return "the server is ending";
  }

  std::string receive() {
    char bytes[kReadMax];
    const ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (n > 0) in_.append(bytes, static_cast<std::size_t>(n));
    if (n < 0) return errno == EAGAIN || errno == EINTR ? "" : "the connection to the agent broke";
    if (n == 0) return "the agent closed the connection";
    auto messages = wire::take_messages(in_);
    if (!messages) return messages.error().message;
    std::vector<ExecutorEvent> events;
    for (wire::Message& message : *messages) translate(std::move(message), events);
    if (!events.empty()) sink_(std::move(events));
    return "";
  }

  void translate(wire::Message message, std::vector<ExecutorEvent>& events) {
    if (auto* hello = std::get_if<wire::Hello>(&message)) {
      session_ = hello->session;
      host_ = hello->host;
      {
        const std::lock_guard lock(mutex_);
        is_open_ = true;
        const SystemClock clock;
        queue_ = wire::encode(wire::Welcome{wire::kProtocol, clock.now()});
      }
      events.emplace_back(ExecutorUp{name_, session_, host_, hello->slots});
    } else if (auto* started = std::get_if<wire::Started>(&message)) {
      events.emplace_back(LaunchStarted{id_of(started->try_id, started->launch),
                                        started->pid,
                                        host_,
                                        started->at,
                                        {started->log_segment, started->log_offset}});
    } else if (auto* ended = std::get_if<wire::Ended>(&message)) {
      events.emplace_back(ended_from(std::move(ended->record)));
    } else if (auto* refused = std::get_if<wire::Refused>(&message)) {
      events.emplace_back(not_started_from(std::move(*refused)));
    } else if (auto* holding = std::get_if<wire::Holding>(&message)) {
      translate_holding(*holding, events);
    } else if (auto* beat = std::get_if<wire::Beat>(&message)) {
      if (!beat->trouble.empty() && beat->trouble != trouble_)
        log_line(LogLevel::Error, "the agent of this host cannot store output: " + beat->trouble);
      trouble_ = beat->trouble;
    }
  }

  static void translate_holding(const wire::Holding& holding, std::vector<ExecutorEvent>& events) {
    using State = wire::Holding::State;
    using Why = LaunchNotStarted::Why;
    const LaunchId id = id_of(holding.try_id, holding.launch);
    switch (holding.state) {
      case State::Running:
      case State::Ending: events.emplace_back(LaunchAlive{id}); return;
      case State::NeverStarted:
        events.emplace_back(
            LaunchNotStarted{id, Why::NeverReceived, "the agent has never heard of it"});
        return;
      case State::Revoked:
        events.emplace_back(LaunchNotStarted{id, Why::Revoked, "the launch was revoked"});
        return;
      case State::Ended: return;  // acknowledged before: the caller has its end already
    }
  }

  LocalExecutorOptions options_;
  const Sink sink_;
  const Fd wake_;
  const std::string name_ = "local";
  std::atomic<bool> must_end_{false};

  std::mutex mutex_;
  std::string queue_;     ///< Guarded: encoded messages that the socket has not taken yet.
  bool is_open_ = false;  ///< Guarded: between Hello and the end of a connection; socket_ is there.

  // The rest belongs to the thread.
  Fd socket_;
  std::string in_;
  std::string session_, host_, trouble_;
  pid_t starter_ = 0;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Executor>> start_local_executor(LocalExecutorOptions options,
                                                       Executor::Sink sink) {
  Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return Error{ErrorCode::Unavailable, "start local executor: no file descriptor"};
  return std::unique_ptr<Executor>(
      std::make_unique<LocalExecutor>(std::move(options), std::move(sink), std::move(wake)));
}

}  // namespace etesian
