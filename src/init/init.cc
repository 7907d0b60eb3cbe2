#include "init/init.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "base/file.h"

namespace etesian::init {
namespace {

constexpr int kInitFailed = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

void say(const std::string& text) {
  const std::string line = "etesian init: " + text + "\n";
  // Nobody may be reading: a broken standard error must not change what init does.
  (void)!write(STDERR_FILENO, line.data(), line.size());
}

/// A signal raised by a fault of init itself, not sent by anybody.
bool is_own_fault(const siginfo_t& info) {
  switch (info.si_signo) {
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGSYS: return info.si_code > 0;
    default: return false;
  }
}

bool is_job_control(int number) {
  return number == SIGTSTP || number == SIGTTIN || number == SIGTTOU;
}

class Init {
 public:
  explicit Init(const Options& options) : options_(options) {}
  int run();

 private:
  bool start();
  [[noreturn]] void become_command(int report);
  void forward(int number);
  void suspend();
  void send(int number);
  /// Reaps everything that has ended. True once the main process is among it.
  bool reap();
  bool has_children() const;
  void end_the_rest();
  int exit_code() const;
  bool record() const;

  const Options& options_;
  sigset_t caught_{}, inherited_{};
  struct sigaction inherited_child_action_ {};
  std::string record_path_;  ///< Absolute; empty: none.
  pid_t main_ = -1;
  int main_status_ = 0;
  bool main_ended_ = false;
  int start_error_ = 0;
};

int Init::run() {
  if (options_.command.empty()) {
    say("no command given");
    return kInitFailed;
  }
  // Before the first fork: a child that ends at once must not be missed.
  sigfillset(&caught_);
  sigprocmask(SIG_SETMASK, &caught_, &inherited_);
  // A caller may have left SIGCHLD ignored: the kernel would then reap the children in our place.
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &plain, &inherited_child_action_);
  if (getpid() != 1) {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    say("not PID 1; acting as subreaper");
  }
  // Relative to where init was started, which it is about to leave.
  std::error_code error;
  if (!options_.exit_record.empty())
    record_path_ = std::filesystem::absolute(options_.exit_record, error);
  if (error) {
    say("find '" + options_.exit_record + "': " + error.message());
    return kInitFailed;
  }
  if (!start()) return start_error_ != 0 && record() ? exit_code() : kInitFailed;
  if (chdir("/") != 0) say(std::string("cannot leave the working folder: ") + std::strerror(errno));
  while (!main_ended_) {
    siginfo_t info{};
    const int number = sigwaitinfo(&caught_, &info);
    if (number < 0) continue;
    if (number == SIGCHLD)
      reap();
    else if (!is_own_fault(info))
      forward(number);
    else
      _exit(kInitFailed);
  }
  end_the_rest();
  if (!record()) return kInitFailed;
  return exit_code();
}

/// Starts the command and learns, through a pipe that exec closes, whether exec succeeded.
bool Init::start() {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) {
    say(std::string("pipe: ") + std::strerror(errno));
    return false;
  }
  main_ = fork();
  if (main_ < 0) {
    say(std::string("fork: ") + std::strerror(errno));
    return false;
  }
  if (main_ == 0) become_command(report[1]);
  close(report[1]);
  int error = 0;
  const ssize_t got = read(report[0], &error, sizeof error);
  close(report[0]);
  if (got != sizeof error) return true;
  start_error_ = error;
  waitpid(main_, nullptr, 0);
  say("start '" + options_.command[0] + "': " + std::strerror(error));
  return false;
}

void Init::become_command(int report) {
  setsid();
  // The command gets the mask and the ignored signals that init was given.
  sigaction(SIGCHLD, &inherited_child_action_, nullptr);
  sigprocmask(SIG_SETMASK, &inherited_, nullptr);
  std::vector<char*> argv;
  for (const std::string& word : options_.command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  const int error = errno;
  (void)!write(report, &error, sizeof error);
  _exit(kInitFailed);
}

void Init::forward(int number) {
  const int mapped = options_.rewrite[static_cast<std::size_t>(number)];
  if (mapped == 0) return;
  if (is_job_control(number) && options_.job_control == JobControl::Suspend)
    suspend();
  else
    send(mapped);
}

/// As a shell does: the group is stopped, then init itself; SIGCONT, which is forwarded, resumes
/// both.
void Init::suspend() {
  kill(-main_, SIGSTOP);
  raise(SIGSTOP);
  kill(-main_, SIGCONT);
}

void Init::send(int number) { kill(options_.forward == Forward::Group ? -main_ : main_, number); }

bool Init::reap() {
  for (;;) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0) return main_ended_;
    if (pid != main_) continue;
    main_ended_ = true;
    main_status_ = status;
  }
}

bool Init::has_children() const {
  siginfo_t info{};
  return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/// TERM to all that is left, time to obey, KILL. As PID 1 "all" is every process of the container;
/// elsewhere it is the main process's session.
void Init::end_the_rest() {
  reap();
  if (!has_children()) return;
  const auto send_all = [this](int number) {
    if (getpid() == 1)
      kill(-1, number);
    else
      kill(-main_, number);
  };
  send_all(SIGTERM);
  send_all(SIGCONT);
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const auto ms_of = [](const timespec& t) { return t.tv_sec * 1000 + t.tv_nsec / 1'000'000; };
  const auto deadline = ms_of(now) + options_.grace.count();
  while (has_children()) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto left = deadline - ms_of(now);
    if (left <= 0) {
      send_all(SIGKILL);
      break;
    }
    const timespec wait{left / 1000, (left % 1000) * 1'000'000};
    siginfo_t info{};
    const int number = sigtimedwait(&caught_, &info, &wait);
    if (number == SIGCHLD)
      reap();
    else if (number > 0)
      forward(number);
  }
  reap();
}

int Init::exit_code() const {
  if (start_error_ == ENOENT || start_error_ == ENOTDIR) return kNotFound;
  if (start_error_ != 0) return kNotExecutable;
  return WIFSIGNALED(main_status_) ? 128 + WTERMSIG(main_status_) : WEXITSTATUS(main_status_);
}

bool Init::record() const {
  if (record_path_.empty()) return true;
  const std::string line = "{\"exit_code\":" + std::to_string(exit_code()) +
                           ",\"raw_status\":" + std::to_string(main_status_) + "}\n";
  const auto written = write_file_durably(record_path_, line);
  if (!written) say(written.error().message);
  return static_cast<bool>(written);
}

}  // namespace

int run(const Options& options) { return Init(options).run(); }

}  // namespace etesian::init
