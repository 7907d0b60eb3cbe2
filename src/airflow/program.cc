#include "airflow/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <system_error>

#include "base/file.h"

extern char** environ;

namespace etesian::airflow {
namespace {

constexpr std::size_t kOutputMax = 64 << 10;

Error cannot_run(const std::string& program, int error) {
  return {ErrorCode::Unavailable,
          fmt::format("run '{}': {}", program, std::generic_category().message(error))};
}

int spawn(std::vector<std::string>& words, int output, pid_t& pid) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, output, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A group of its own: what it has started can be killed with it.
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  const int error = ::posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error;
}

/// False: the time is over.
bool read_to_end(int fd, Duration timeout, std::string& output) {
  const SystemClock clock;
  const Duration deadline = clock.uptime() + timeout;
  std::array<char, 8192> buffer;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.uptime());
    pollfd wait{fd, POLLIN, 0};
    if (left.count() <= 0) return false;
    if (::poll(&wait, 1, static_cast<int>(left.count())) <= 0) continue;
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n <= 0) return true;
    output.append(buffer.data(), static_cast<std::size_t>(n));
    if (output.size() > kOutputMax) output.erase(0, output.size() - kOutputMax);
  }
}

}  // namespace

Result<ProgramEnd> run_program(std::vector<std::string> words, Duration timeout) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return cannot_run(words[0], errno);
  const Fd reading(ends[0]);
  Fd writing(ends[1]);
  pid_t pid = 0;
  if (const int error = spawn(words, writing.get(), pid); error != 0)
    return cannot_run(words[0], error);
  writing.reset();
  ProgramEnd end;
  const bool is_in_time = read_to_end(reading.get(), timeout, end.output);
  if (!is_in_time) ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!is_in_time)
    return Error{ErrorCode::Timeout, fmt::format("run '{}': it did not end in time", words[0])};
  end.code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return end;
}

std::string find_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string candidate = std::string(rest.substr(0, end)) + "/" + name;
    if (end != 0 && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return "";
}

}  // namespace etesian::airflow
