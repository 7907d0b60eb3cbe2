// The physical limits that the agent is compared with, measured in the same run:
//   agent_floor spawn-floor N   posix_spawn of /bin/true with two pipes, read to EOF, reaped; two
//   threads agent_floor hop-floor N     the same, one after the other in one thread
// Prints one JSON object.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

namespace {

/// Two pipes for the child's stdout and stderr: read ends [0] and [2], write ends [1] and [3].
bool open_pipes(int (&ends)[4]) {
  return ::pipe2(ends, O_CLOEXEC) == 0 && ::pipe2(ends + 2, O_CLOEXEC) == 0;
}

bool run_one() {
  int ends[4];
  if (!open_pipes(ends)) return false;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, ends[3], 2);
  char name[] = "/bin/true";
  char* argv[] = {name, nullptr};
  char* environment[] = {nullptr};
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, name, &actions, nullptr, argv, environment);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  ::close(ends[3]);
  char buffer[4096];
  for (const int fd : {ends[0], ends[2]}) {
    while (::read(fd, buffer, sizeof buffer) > 0) {
    }
    ::close(fd);
  }
  int status = 0;
  return error == 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

double tasks_per_second(int tasks, int threads) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i)
    workers.emplace_back([share = tasks / threads] {
      for (int k = 0; k < share; ++k)
        if (!run_one()) std::abort();
    });
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  return tasks / threads * threads / took.count();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const int tasks = argc > 2 ? std::atoi(argv[2]) : 0;
  if ((what != "spawn-floor" && what != "hop-floor") || tasks <= 0) {
    std::fprintf(stderr, "usage: agent_floor spawn-floor|hop-floor TASKS\n");
    return 2;
  }
  const int threads = what == "spawn-floor" ? 2 : 1;
  std::printf("{\"measure\":\"%s\",\"tasks\":%d,\"threads\":%d,\"tasks_per_s\":%.0f}\n", argv[1],
              tasks, threads, tasks_per_second(tasks, threads));
}
