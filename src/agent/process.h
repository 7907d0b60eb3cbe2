#pragma once
#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"

/// Starting processes and looking at them: the Linux side of a launch. See clone(2), pidfd_open(2),
/// proc(5).
namespace etesian::agent {

struct SpawnPlan {
  const std::vector<std::string>* argv = nullptr;
  const std::vector<std::pair<std::string, std::string>>* environment = nullptr;
  std::string working_folder;
  int stdin_fd = -1;
  std::string stdout_path,
      stderr_path;  ///< FIFOs; opened O_RDWR, so that no reader's end kills the task.
  std::vector<std::string> cgroup_procs;          ///< Files that the child writes itself into.
  std::atomic<std::int32_t>* pid_note = nullptr;  ///< The child stores its pid there before exec.
  std::uint64_t open_files = 0;                   ///< Soft RLIMIT_NOFILE of the task.
};

struct Spawned {
  pid_t pid = 0;
  Fd pidfd;
  std::uint64_t birth = 0;
};

/// Why no process runs: `is_ours` when the system has no room (EAGAIN, ENOMEM), else the task's own
/// mistake (no such command, folder, …).
struct SpawnFailure {
  bool is_ours = false;
  std::string message;
};

/// A socket connected to itself, on which nothing ever comes: as standard input it is neither at
/// its end nor a file, like that of an SDK worker's commands. Bash takes such a one for a login
/// over the network and reads ~/.bashrc where SHLVL says that it is the first shell.
Fd open_silence();

/// Starts a process in a session of its own, with default signals, no core dumps and no inherited
/// descriptors. Returns when exec has happened (vfork). Cost: the exec, plus about 30 µs.
/// On failure the pid is 0 and `failure` says why.
Spawned spawn(const SpawnPlan& plan, SpawnFailure& failure);

/// A number that tells this process from every other with the same pid in this boot: the inode of
/// its pidfd (pidfs, Linux 6.9), else its start time. 0: it is gone.
std::uint64_t birth_of(pid_t pid, int pidfd);
/// A pidfd, if `pid` still is the process of that birth.
Fd open_process(pid_t pid, std::uint64_t birth);
Fd open_process(pid_t pid);  ///< Whoever has the pid now.
/// Wait status of a process that somebody else reaped, from its pidfd (PIDFD_INFO_EXIT,
/// Linux 6.15). False: not known.
bool exit_status_of(int pidfd, int& status);

struct ProcessInfo {
  pid_t pid = 0, parent = 0, group = 0, session = 0;
  char state = '?';
  std::string command;
};
/// False: it is gone.
bool read_process(pid_t pid, ProcessInfo& info);
std::string command_line(const ProcessInfo& info);
/// Direct children of all threads of `pid`.
std::vector<pid_t> children_of(pid_t pid);
/// The same for one process again and again. One that has a single thread costs a read.
class ChildList {
 public:
  ChildList() = default;
  explicit ChildList(pid_t pid);
  std::vector<pid_t> read() const;

 private:
  pid_t pid_ = 0;
  Fd file_;  ///< Of the single thread.
};
/// `environ` of the process holds `NAME=value`.
bool has_environment(pid_t pid, const std::string& assignment);
std::vector<pid_t> all_processes();
std::string boot_id();

}  // namespace etesian::agent
