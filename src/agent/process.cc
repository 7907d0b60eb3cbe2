#include "agent/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace etesian::agent {
namespace {

/// linux/pidfd.h of Linux 6.15; older headers lack it.
struct PidfdInfo {
  std::uint64_t mask, cgroup_id;
  std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
  std::int32_t exit_code;
  std::uint32_t coredump_mask, reserved;
};
constexpr std::uint64_t kPidfdInfoExit = 1ULL << 3;
constexpr unsigned long kPidfdGetInfo = _IOWR(0xFF, 11, PidfdInfo);

struct ChildPlan {
  const char* const* programs;  ///< Candidates for argv[0], tried in order.
  char* const* argv;
  char* const* environment;
  const char* folder;
  const char* out;
  const char* error;
  const char* const* cgroup_procs;
  const std::vector<int>* ignored_signals;
  rlim_t open_files;
  int stdin_fd;
  std::atomic<std::int32_t>* pid_note;
  const char* failed_at;
  int failure;
};

/// Shares the parent's memory: only system calls, no allocation. The parent is suspended meanwhile.
__attribute__((no_sanitize("address", "undefined"))) int fail(ChildPlan& plan, const char* at) {
  plan.failure = errno;
  plan.failed_at = at;
  return 127;
}

/// A descriptor table of the child's own, up to what it needs: the agent's hundreds are neither
/// copied nor closed one by one.
__attribute__((no_sanitize("address", "undefined"))) bool leave_descriptors(int last) {
  constexpr unsigned kUnshare = 1U << 1;  // CLOSE_RANGE_UNSHARE
  return ::syscall(SYS_close_range, static_cast<unsigned>(last) + 1, ~0U, kUnshare) == 0 ||
         ::unshare(CLONE_FILES) == 0;
}

__attribute__((no_sanitize("address", "undefined"))) int run_child(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  if (plan.pid_note != nullptr) plan.pid_note->store(::getpid());
  if (!leave_descriptors(plan.stdin_fd < 2 ? 2 : plan.stdin_fd))
    return fail(plan, "leave the agent's descriptors");
  ::setsid();
  for (const char* const* procs = plan.cgroup_procs; *procs != nullptr; ++procs) {
    const int fd = ::open(*procs, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::write(fd, "0", 1) != 1) return fail(plan, "join cgroup");
    ::close(fd);
  }
  const int out = ::open(plan.out, O_RDWR | O_CLOEXEC);
  const int error = ::open(plan.error, O_RDWR | O_CLOEXEC);
  if (out < 0 || error < 0) return fail(plan, "open the log pipe");
  if (::dup2(plan.stdin_fd, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(error, 2) < 0)
    return fail(plan, "set up the log pipe");
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  rlimit files{};
  if (plan.open_files != 0 && ::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = plan.open_files;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (::chdir(plan.folder) != 0) return fail(plan, "enter the working folder");
  // exec keeps what is ignored: the agent ignores SIGPIPE, and whoever started it maybe more. The
  // handler table is the child's own.
  struct sigaction as_default {};
  for (const int signal : *plan.ignored_signals) ::sigaction(signal, &as_default, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  int failure = ENOENT;
  for (const char* const* program = plan.programs; *program != nullptr; ++program) {
    ::execve(*program, plan.argv, plan.environment);
    if (errno != ENOENT && errno != ENOTDIR) failure = errno;
  }
  errno = failure;
  return fail(plan, "run the command");
}

/// Paths where argv[0] may be: itself, or each folder of the task's PATH.
std::vector<std::string> program_paths(const SpawnPlan& plan) {
  const std::string& name = plan.argv->front();
  if (name.find('/') != std::string::npos) return {name};
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const auto& [key, value] : *plan.environment)
    if (key == "PATH") path = value;
  std::vector<std::string> out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    if (end != 0) out.push_back(std::string(path.substr(0, end)) + "/" + name);
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return out;
}

std::vector<const char*> pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> out;
  for (const std::string& text : texts) out.push_back(text.c_str());
  out.push_back(nullptr);
  return out;
}

/// Asked once: nobody ignores more signals once tasks start.
const std::vector<int>& ignored_signals() {
  static const std::vector<int> ignored = [] {
    std::vector<int> out;
    struct sigaction now {};
    for (int signal = 1; signal < NSIG; ++signal)
      if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN)
        out.push_back(signal);
    return out;
  }();
  return ignored;
}

void block_all_signals(sigset_t& before) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, &before);
}

std::string read_proc(pid_t pid, const char* name) {
  const Fd fd(::open(fmt::format("/proc/{}/{}", pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  std::string out;
  if (!fd) return out;
  for (char buffer[8192];;) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

/// "12 34 " as the kernel writes them.
void add_pids(const std::string& text, std::vector<pid_t>& out) {
  for (const char* at = text.c_str(); *at != '\0';) {
    char* end = nullptr;
    out.push_back(static_cast<pid_t>(std::strtol(at, &end, 10)));
    at = *end == ' ' ? end + 1 : end;
  }
}

std::uint64_t start_time_of(pid_t pid) {
  const std::string stat = read_proc(pid, "stat");
  const std::size_t end = stat.rfind(')');
  if (end == std::string::npos) return 0;
  std::string_view rest = std::string_view(stat).substr(end + 1);
  for (int field = 2; field < 21; ++field)
    rest.remove_prefix(std::min(rest.find(' ') + 1, rest.size()));
  return std::strtoull(std::string(rest).c_str(), nullptr, 10);
}

/// On pidfs every process has an inode number of its own; before Linux 6.9 all pidfds share one.
bool has_pidfs() {
  static const bool is_there = [] {
    const Fd self = open_process(::getpid());
    const Fd parent = open_process(1);
    struct stat a {
    }, b{};
    return self && parent && ::fstat(self.get(), &a) == 0 && ::fstat(parent.get(), &b) == 0 &&
           (a.st_ino != b.st_ino);
  }();
  return is_there;
}

}  // namespace

Spawned spawn(const SpawnPlan& plan, SpawnFailure& failure) {
  const std::vector<std::string> candidates = program_paths(plan);
  std::vector<std::string> assignments;
  assignments.reserve(plan.environment->size());
  for (const auto& [name, value] : *plan.environment) assignments.push_back(name + "=" + value);
  const auto programs = pointers(candidates), argv = pointers(*plan.argv),
             environment = pointers(assignments), cgroups = pointers(plan.cgroup_procs);
  ChildPlan child{programs.data(),
                  const_cast<char* const*>(argv.data()),
                  const_cast<char* const*>(environment.data()),
                  plan.working_folder.c_str(),
                  plan.stdout_path.c_str(),
                  plan.stderr_path.c_str(),
                  cgroups.data(),
                  &ignored_signals(),
                  plan.open_files,
                  plan.stdin_fd,
                  plan.pid_note,
                  nullptr,
                  0};
  alignas(16) static char stack[64 << 10];
  sigset_t before;
  block_all_signals(before);
  int pidfd = -1;
  const pid_t pid =
      ::clone(run_child, stack + sizeof stack,
              CLONE_VM | CLONE_FILES | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &pidfd);
  const int clone_error = errno;
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    failure = {true,
               fmt::format("start a process: {}", std::generic_category().message(clone_error))};
    return {};
  }
  Spawned out{pid, Fd(pidfd), 0};
  if (child.failure == 0) {
    out.birth = birth_of(pid, pidfd);
    return out;
  }
  ::waitpid(pid, nullptr, 0);
  const bool is_folder = std::strstr(child.failed_at, "folder") != nullptr;
  failure = {child.failure == EAGAIN || child.failure == ENOMEM || child.failure == EMFILE,
             fmt::format("{} '{}': {}", child.failed_at,
                         is_folder ? plan.working_folder : plan.argv->front(),
                         std::generic_category().message(child.failure))};
  return {};
}

Fd open_silence() {
  Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  socklen_t length = sizeof own;
  // A name alone means: any that is free (unix(7), autobind).
  const bool is_ready =
      fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&own), sizeof own.sun_family) == 0 &&
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
      ::connect(fd.get(), reinterpret_cast<sockaddr*>(&own), length) == 0;
  return is_ready ? std::move(fd) : Fd();
}

std::uint64_t birth_of(pid_t pid, int pidfd) {
  if (!has_pidfs()) return start_time_of(pid);
  struct stat info {};
  return ::fstat(pidfd, &info) == 0 ? info.st_ino : 0;
}

Fd open_process(pid_t pid, std::uint64_t birth) {
  Fd pidfd = open_process(pid);
  if (pidfd && birth_of(pid, pidfd.get()) != birth) pidfd.reset();
  return pidfd;
}

Fd open_process(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool exit_status_of(int pidfd, int& status) {
  PidfdInfo info{};
  info.mask = kPidfdInfoExit;
  if (::ioctl(pidfd, kPidfdGetInfo, &info) != 0 || (info.mask & kPidfdInfoExit) == 0) return false;
  status = info.exit_code;
  return true;
}

bool read_process(pid_t pid, ProcessInfo& info) {
  const std::string stat = read_proc(pid, "stat");
  const std::size_t open = stat.find('('), close = stat.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return false;
  info.pid = pid;
  info.command = stat.substr(open + 1, close - open - 1);
  return std::sscanf(stat.c_str() + close + 1, " %c %d %d %d", &info.state, &info.parent,
                     &info.group, &info.session) == 4;
}

std::string command_line(const ProcessInfo& info) {
  std::string text = read_proc(info.pid, "cmdline");
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (text.size() > 200) text.resize(200);
  return text.empty() ? "[" + info.command + "]" : text;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> out;
  const std::string tasks = fmt::format("/proc/{}/task", pid);
  DIR* const list = ::opendir(tasks.c_str());
  if (list == nullptr) return out;
  while (const dirent* entry = ::readdir(list)) {
    if (entry->d_name[0] == '.') continue;
    add_pids(read_proc(pid, fmt::format("task/{}/children", entry->d_name).c_str()), out);
  }
  ::closedir(list);
  return out;
}

ChildList::ChildList(pid_t pid) : pid_(pid) {
  struct stat info {};
  // "." and ".." and a folder for each thread.
  if (::stat(fmt::format("/proc/{}/task", pid).c_str(), &info) != 0 || info.st_nlink != 3) return;
  file_ =
      Fd(::open(fmt::format("/proc/{}/task/{}/children", pid, pid).c_str(), O_RDONLY | O_CLOEXEC));
}

std::vector<pid_t> ChildList::read() const {
  if (!file_) return children_of(pid_);
  std::vector<pid_t> out;
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0;
       (n = ::pread(file_.get(), buffer, sizeof buffer, static_cast<off_t>(text.size()))) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  add_pids(text, out);
  return out;
}

bool has_environment(pid_t pid, const std::string& assignment) {
  const std::string text = '\0' + read_proc(pid, "environ");
  return text.find('\0' + assignment + '\0') != std::string::npos;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> out;
  DIR* const list = ::opendir("/proc");
  if (list == nullptr) return out;
  while (const dirent* entry = ::readdir(list))
    if (const int pid = std::atoi(entry->d_name); pid > 0) out.push_back(pid);
  ::closedir(list);
  return out;
}

std::string boot_id() {
  const auto file = read_file("/proc/sys/kernel/random/boot_id", 64);
  std::string text = file ? *file : std::string();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

}  // namespace etesian::agent
