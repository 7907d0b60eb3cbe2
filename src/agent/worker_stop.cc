#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "agent/worker.h"
#include "base/time_text.h"

namespace etesian::agent {

void Worker::order_stop(Task& task, std::uint8_t cause, Duration grace, const std::string& reason) {
  const Ticks kill_at = now_ticks() + std::max<std::int64_t>(grace.count(), 0) * 1000;
  if (task.stop_cause) {
    task.kill_at = std::min(task.kill_at, kill_at);
  } else {
    task.stop_cause = cause;
    task.kill_at = kill_at;
    say(task, fmt::format("stopping: {}; TERM now, KILL after {}", reason, to_text(grace)));
    signal_tree(task, SIGTERM);
    signal_tree(task, SIGCONT);  // a stopped process would never see the TERM
  }
  reschedule(task);
}

void Worker::kill_now(Task& task) {
  task.is_killed = true;
  task.kill_at = kNever;
  say(task, "still running after the grace: KILL");
  signal_tree(task, SIGKILL);
}

void Worker::signal_tree(Task& task, int signal) {
  // The group's number is ours while its leader is not reaped; the keeper reaps at once.
  const bool is_group_ours = !task.has_ended || task.parent == Task::Parent::Us;
  const auto others = tree(task);
  if (is_group_ours) ::kill(-task.pid, signal);
  for (const ProcessInfo& process : others)
    if (!is_group_ours || process.group != task.pid) ::kill(process.pid, signal);
}

std::vector<ProcessInfo> Worker::tree(const Task& task) {
  std::vector<ProcessInfo> out = leftovers(task);
  if (task.has_ended) return out;
  std::vector<pid_t> open = children_of(task.pid);
  while (!open.empty()) {
    ProcessInfo info;
    const pid_t pid = open.back();
    open.pop_back();
    if (!read_process(pid, info)) continue;
    const auto children = children_of(pid);
    open.insert(open.end(), children.begin(), children.end());
    out.push_back(std::move(info));
  }
  return out;
}

void Worker::collect_strangers() {
  has_strangers_ = true;
  strangers_.clear();
  const bool is_with_keeper = static_cast<bool>(kept_.channel);
  const auto is_task = [&](pid_t pid) {
    return std::any_of(by_slot_.begin(), by_slot_.end(),
                       [&](const Task* task) { return task != nullptr && task->pid == pid; });
  };
  auto candidates = children_.read();
  if (is_with_keeper) {
    const auto kept = keepers_children_.read();
    candidates.insert(candidates.end(), kept.begin(), kept.end());
  }
  if (candidates.size() <= running_ && !is_with_keeper) {
    if (std::all_of(candidates.begin(), candidates.end(), is_task)) return;
  }
  for (const pid_t pid : candidates) {
    ProcessInfo info;
    if (pid == ::getpid() || is_task(pid) || !read_process(pid, info)) continue;
    // An orphan that a task left to us, ended: nobody else will reap it.
    if (info.state == 'Z' && is_with_keeper && info.parent == ::getpid())
      ::waitpid(pid, nullptr, WNOHANG);
    else if (info.state != 'Z')
      strangers_.push_back(std::move(info));
  }
}

std::vector<ProcessInfo> Worker::leftovers(const Task& task) {
  if (!has_strangers_) collect_strangers();
  const std::string marker = "ETESIAN_TRY_ID=" + to_text(task.key().try_id);
  std::vector<ProcessInfo> out;
  std::vector<pid_t> open;
  const auto add = [&](const ProcessInfo& info) {
    const bool is_new = std::none_of(out.begin(), out.end(),
                                     [&](const ProcessInfo& p) { return p.pid == info.pid; });
    if (!is_new || info.pid == task.pid || info.state == 'Z') return;
    out.push_back(info);
    const auto children = children_of(info.pid);
    open.insert(open.end(), children.begin(), children.end());
  };
  const auto is_marked = [&](const ProcessInfo& info) {
    return info.session == task.pid || has_environment(info.pid, marker);
  };
  for (const ProcessInfo& info : strangers_)
    if (is_marked(info)) add(info);
  if (task.cgroup)
    for (const pid_t pid : task.cgroup->processes()) open.push_back(pid);
  // Orphans of a task that is no descendant of ours went to some other process.
  if (task.parent == Task::Parent::Other)
    for (const pid_t pid : all_processes())
      if (ProcessInfo info; pid != task.pid && read_process(pid, info) && is_marked(info))
        add(info);
  while (!open.empty()) {
    ProcessInfo info;
    const pid_t pid = open.back();
    open.pop_back();
    if (read_process(pid, info)) add(info);
  }
  return out;
}

}  // namespace etesian::agent
