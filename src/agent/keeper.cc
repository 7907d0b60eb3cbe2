#include "agent/keeper.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "agent/process.h"
#include "base/log.h"

namespace etesian::agent {
namespace {

constexpr std::size_t kExitsMax = 10'000;  ///< Older ones are of processes that nobody asked for.

class Keeper {
 public:
  explicit Keeper(const std::function<int(Kept)>& worker) : worker_(worker) {}

  Result<int> run() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t wanted;
    ::sigemptyset(&wanted);
    for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&wanted, signal);
    ::sigprocmask(SIG_BLOCK, &wanted, nullptr);
    signals_ = Fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_ || !start_worker())
      return Error{ErrorCode::Unavailable, "start agent: no process can be made"};
    while (!code_) {
      pollfd wait[2] = {{signals_.get(), POLLIN, 0}, {channel_.get(), POLLIN, 0}};
      ::poll(wait, channel_ ? 2 : 1, -1);
      if (wait[1].revents != 0) take_pipes();
      take_signals();
      reap();
    }
    return *code_;
  }

 private:
  bool start_worker() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
      return false;
    Fd mine(ends[0]), theirs(ends[1]);
    started_at_ = std::chrono::steady_clock::now();
    worker_pid_ = ::fork();
    if (worker_pid_ == 0) {
      mine.reset();
      signals_.reset();
      channel_.reset();
      Kept kept{std::move(theirs), ::getppid(), std::move(pipes_), std::move(exits_)};
      ::_exit(worker_(std::move(kept)));
    }
    channel_ = std::move(mine);
    return worker_pid_ > 0;
  }

  void take_pipes() {
    std::uint32_t slot = 0;
    iovec data{&slot, sizeof slot};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
    for (;;) {
      msghdr message{};
      message.msg_iov = &data;
      message.msg_iovlen = 1;
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      const ssize_t n = ::recvmsg(channel_.get(), &message, MSG_CMSG_CLOEXEC);
      if (n == 0) channel_.reset();
      if (n <= 0) return;
      const cmsghdr* const head = CMSG_FIRSTHDR(&message);
      if (head == nullptr || head->cmsg_len != CMSG_LEN(2 * sizeof(int))) continue;
      int fds[2];
      std::memcpy(fds, CMSG_DATA(head), sizeof fds);
      pipes_[slot] = {Fd(fds[0]), Fd(fds[1])};
    }
  }

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      const auto signal = static_cast<int>(info.ssi_signo);
      if (signal != SIGTERM && signal != SIGINT) continue;
      is_ending_ = true;
      ::kill(worker_pid_, SIGTERM);
    }
  }

  void reap() {
    for (;;) {
      siginfo_t info{};
      if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
      KeptExit ended{info.si_pid, 0, 0};
      const Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, ended.pid, 0)));
      ended.birth = birth_of(ended.pid, pidfd.get());
      ::waitpid(ended.pid, &ended.status, 0);
      if (ended.pid == worker_pid_) {
        worker_ended(ended.status);
        continue;
      }
      exits_.push_back(ended);
      if (exits_.size() > kExitsMax) exits_.pop_front();
      if (channel_) ::send(channel_.get(), &ended, sizeof ended, MSG_NOSIGNAL);
    }
  }

  void worker_ended(int status) {
    if (channel_) take_pipes();
    if (WIFEXITED(status) || is_ending_) {
      code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
      return;
    }
    log_line(LogLevel::Warning, "agent worker was killed; starting another one",
             {{"signal", std::to_string(WTERMSIG(status))}});
    // A worker that dies at once would do so again: leave the machine some air.
    const auto lived = std::chrono::steady_clock::now() - started_at_;
    if (lived < std::chrono::milliseconds(100))
      ++quick_deaths_;
    else
      quick_deaths_ = 0;
    if (quick_deaths_ > 5) std::this_thread::sleep_for(std::chrono::seconds(1));
    if (!start_worker()) code_ = 1;
  }

  const std::function<int(Kept)>& worker_;
  Fd signals_, channel_;
  pid_t worker_pid_ = 0;
  std::chrono::steady_clock::time_point started_at_;
  int quick_deaths_ = 0;
  bool is_ending_ = false;  ///< Asked to: a worker that dies now gets no successor.
  std::map<std::uint32_t, std::pair<Fd, Fd>> pipes_;
  std::deque<KeptExit> exits_;
  std::optional<int> code_;
};

}  // namespace

void hand_over(const Kept& kept, std::uint32_t slot, int out, int error) {
  if (!kept.channel) return;
  const int fds[2] = {out, error};
  iovec data{&slot, sizeof slot};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* const head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof fds);
  std::memcpy(CMSG_DATA(head), fds, sizeof fds);
  // The socket is non-blocking; a full queue means that the keeper is about to read it.
  for (int i = 0; i < 100; ++i) {
    if (::sendmsg(kept.channel.get(), &message, MSG_NOSIGNAL) >= 0 || errno != EAGAIN) return;
    pollfd wait{kept.channel.get(), POLLOUT, 0};
    ::poll(&wait, 1, 10);
  }
}

Result<int> run_with_keeper(const std::function<int(Kept kept)>& worker) {
  return Keeper(worker).run();
}

}  // namespace etesian::agent
