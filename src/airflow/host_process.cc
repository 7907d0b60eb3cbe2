#include "airflow/host_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace etesian::airflow {
namespace {

constexpr off_t kLogMax = 16 << 20;
constexpr int kControlFd = 3;

std::string errno_text(int error) { return std::generic_category().message(error); }

std::vector<std::string> environment_of(const HostOptions& options) {
  std::vector<std::string> out;
  bool has_seed = false;
  std::string path = options.package_folder;
  for (const auto& [name, value] : options.environment) {
    has_seed = has_seed || name == "PYTHONHASHSEED";
    if (name == "PYTHONPATH")
      path += ":" + value;
    else
      out.push_back(name + "=" + value);
  }
  out.push_back("PYTHONPATH=" + path);
  // The order of sets must not make a new version of a DAG at each start.
  if (!has_seed) out.emplace_back("PYTHONHASHSEED=0");
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// 0, or errno.
int spawn(const HostOptions& options, int control, pid_t& pid) {
  // -P: the folder that the server was started in is no place for modules.
  std::vector<std::string> words{options.python,    "-P",           "-m",
                                 "etesian_airflow", "--control-fd", std::to_string(kControlFd),
                                 "--socket",        options.socket};
  std::vector<std::string> environment = environment_of(options);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, options.log_file.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_adddup2(&actions, control, kControlFd);
  posix_spawn_file_actions_addclosefrom_np(&actions, kControlFd + 1);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  const int error = ::posix_spawn(&pid, options.python.c_str(), &actions, &attributes,
                                  pointers(words).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

}  // namespace

Result<HostProcess> HostProcess::start(const HostOptions& options) {
  bound_host_log(options.log_file);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return Error{ErrorCode::Unavailable, "start the Python host: " + errno_text(errno)};
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  pid_t pid = 0;
  if (const int error = spawn(options, theirs.get(), pid); error != 0)
    return Error{ErrorCode::Unavailable,
                 fmt::format("start the Python host '{}': {}", options.python, errno_text(error))};
  return HostProcess(pid, Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), std::move(ours));
}

std::string HostProcess::end(Duration grace) {
  socket_.reset();
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(grace).count();
  pollfd wait{process_.get(), POLLIN, 0};
  // Until it is waited for, its pid is nobody else's.
  if (!process_ || ::poll(&wait, 1, static_cast<int>(millis)) <= 0) ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? fmt::format("killed by signal {}", WTERMSIG(status))
                             : fmt::format("exit code {}", WEXITSTATUS(status));
}

void bound_host_log(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && info.st_size > kLogMax)
    static_cast<void>(!::truncate(path.c_str(), 0));
}

std::string last_log_line(const std::string& path) {
  auto text = read_file(path);
  if (!text) return "";
  while (!text->empty() && text->back() == '\n') text->pop_back();
  const std::size_t begin = text->rfind('\n') + 1;  // npos + 1 is 0
  constexpr std::size_t kLineMax = 400;
  return text->substr(begin, kLineMax);
}

}  // namespace etesian::airflow
