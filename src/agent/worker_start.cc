#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "agent/worker.h"
#include "base/log.h"
#include "wire/causes.h"

namespace etesian::agent {
namespace {

/// With the rest of its exit record it must fit into a message, and into the journal.
constexpr std::uint32_t kOutputMost = 15U << 20;
/// A task that ends sooner is told of in one message with its end: the server has one thing to
/// commit, and does not do it while the task wants the processor.
constexpr Ticks kStartNews = 3'000'000;

/// In the words of BashOperator.execute; empty: none.
std::string problem_of_cwd(const std::string& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return "Can not find the cwd: " + folder;
  return S_ISDIR(info.st_mode) ? "" : fmt::format("The cwd {} must be a directory", folder);
}

}  // namespace

std::string Worker::output_path(const Key& key) const {
  return fmt::format("{}/tries/{}.{}.json", options_.folder, to_text(key.try_id), key.launch);
}

bool Worker::make_own_folder(const ClaimRecord& claim, SpawnFailure& failure) const {
  if (::mkdir(claim.own_folder.c_str(), 0700) == 0) return true;
  failure.message = fmt::format("make the folder '{}': {}", claim.own_folder, std::strerror(errno));
  return false;
}

void Worker::refuse(const Key& key, wire::Refused::Reason reason, const std::string& message) {
  if (link_) link_->send(wire::Refused{reason, key.try_id, key.launch, message});
  if (!hooks_.on_ended) return;
  wire::ExitRecord record;
  record.try_id = key.try_id;
  record.launch = key.launch;
  record.cause = wire::cause::kStartFailed;
  record.message = message;
  hooks_.on_ended(record);
}

void Worker::start(const wire::StartTry& launch) {
  using Reason = wire::Refused::Reason;
  const Key key{launch.try_id, launch.launch};
  if (launch.session != session_)
    return refuse(key, Reason::WrongSession,
                  "the launch was assigned to another session of this agent");
  if (const auto known = entries_.find(key); known != entries_.end()) {
    if (known->second.state == Entry::State::Revoked)
      return refuse(key, Reason::Revoked, "the launch was revoked");
    return tell(key);
  }
  if (is_shutting_down_) return refuse(key, Reason::Busy, "the agent is shutting down");
  if (blocked_until_ > now_ticks()) return refuse(key, Reason::Busy, trouble_);
  std::uint32_t slot = 0;
  if (!pipes_->take(kept_, slot))
    return refuse(
        key, Reason::Busy,
        fmt::format("{} of {} slots of host {} are in use", running_, slots_.count(), host_));
  std::unique_ptr<Task> task = claim(launch, slot);
  if (task == nullptr) return refuse(key, Reason::Busy, trouble_);
  SpawnFailure failure;
  if (run_process(*task, launch, failure)) {
    if (link_) task->tell_at = now_ticks() + kStartNews;
    return add_task(std::move(task));
  }
  if (failure.is_ours) {
    // The claim is journalled: this launch must stay dead, the server offers another one.
    journal_->add(RevokedRecord{key});
    static_cast<void>(journal_->write());
    entries_[key].state = Entry::State::Revoked;
    if (task->cgroup) task->cgroup->remove();
    remove_own_folder(task->claim);
    slots_.clear(slot);
    pipes_->give_back(slot, Pipes::Condition::Clean);
    return refuse(key, Reason::Busy, failure.message);
  }
  failure.message = task->mask.apply(failure.message);
  say(*task, failure.message);
  task->lost_message = failure.message;
  task->stop_cause = wire::cause::kStartFailed;
  task->status = 0;
  task->ended_at = task->started_at;
  task->has_ended = task->is_complete = true;
  ended_.push_back(slot);
  add_task(std::move(task));
}

std::unique_ptr<Task> Worker::claim(const wire::StartTry& launch, std::uint32_t slot) {
  logs::TryLog log = logs_->begin(launch.try_id);
  ClaimRecord record;
  record.key = {launch.try_id, launch.launch};
  record.label = launch.label;
  record.timeout = launch.timeout;
  record.kill_grace = launch.kill_grace;
  record.output_bytes_max = std::min(launch.output_bytes_max, kOutputMost);
  record.log_pattern = launch.log_pattern;
  record.is_bash_operator = launch.is_bash_operator;
  if (launch.has_own_folder)
    record.own_folder = fmt::format("{}/airflowtmp{}.{}", launch.working_folder,
                                    to_text(launch.try_id), launch.launch);
  record.has_secrets = !launch.secrets.empty();
  record.has_cgroup = (launch.cpu > 0 || launch.memory_bytes != 0) && Cgroup::is_available();
  record.slot = slot;
  record.log_segment = log.segment();
  record.log_offset = log.offset();
  record.at = now_instant();
  SlotState& state = slots_.state(slot);
  state.try_id = launch.try_id;
  state.launch = launch.launch;
  journal_->add(record);
  if (const auto written = journal_->write(); !written) {
    trouble_ = written.error().message;
    slots_.clear(slot);
    pipes_->give_back(slot, Pipes::Condition::Clean);
    return nullptr;
  }
  return std::make_unique<Task>(record, slots_, std::move(log), Mask(launch.secrets));
}

bool Worker::run_process(Task& task, const wire::StartTry& launch, SpawnFailure& failure) {
  const Key key = task.key();
  const std::uint32_t slot = task.claim.slot;
  task.started_at = now_instant();
  if (launch.argv.empty()) {
    failure.message = "run the command: it is empty";
    return false;
  }
  if (!slots_.keep_secrets(slot, launch.secrets)) {
    failure.message = "start the task: its secrets are larger than 64 KiB";
    return false;
  }
  if (launch.working_folder.empty() || launch.working_folder.front() != '/') {
    failure.message = fmt::format("enter the working folder '{}': it is not an absolute path",
                                  launch.working_folder);
    return false;
  }
  if (launch.is_bash_operator) {
    failure.message = problem_of_cwd(launch.working_folder);
    if (!failure.message.empty()) return false;
  }
  const bool has_own_folder = launch.has_own_folder;
  if (has_own_folder && !make_own_folder(task.claim, failure)) return false;
  std::vector<std::pair<std::string, std::string>> environment = launch.environment;
  environment.emplace_back("ETESIAN_TRY_ID", to_text(key.try_id));
  if (!launch.is_bash_operator) environment.emplace_back("ETESIAN_OUTPUT", output_path(key));
  const Fd silence = launch.is_bash_operator ? open_silence() : Fd();
  SpawnPlan plan;
  plan.argv = &launch.argv;
  plan.environment = &environment;
  plan.working_folder = has_own_folder ? task.claim.own_folder : launch.working_folder;
  plan.stdin_fd = silence ? silence.get() : null_.get();
  plan.stdout_path = pipes_->path(slot, 0);
  plan.stderr_path = pipes_->path(slot, launch.is_bash_operator ? 0 : 1);
  // The SDK's worker, forked by the Python host, has what the server could get.
  plan.open_files = launch.is_bash_operator ? 0 : task_open_files_;
  plan.pid_note = &slots_.state(slot).pid;
  std::string problem;
  if (launch.cpu > 0 || launch.memory_bytes != 0) {
    task.cgroup = Cgroup::make(to_text(key.try_id), launch, problem);
    plan.cgroup_procs = task.cgroup->procs_files();
  }
  Spawned spawned = spawn(plan, failure);
  if (!problem.empty()) say(task, problem);
  if (spawned.pid == 0) return false;
  task.pid = spawned.pid;
  task.pidfd = std::move(spawned.pidfd);
  task.birth = spawned.birth;
  if (launch.timeout.count() > 0) task.timeout_at = now_ticks() + launch.timeout.count() * 1000;
  journal_->add(PidRecord{key, task.pid, task.birth, task.started_at, task.timeout_at});
  // Without room for it a later agent finds the process by its environment.
  if (const auto written = journal_->write(); !written)
    log_line(LogLevel::Error, written.error().message);
  return true;
}

void Worker::tell_start(Task& task) {
  task.tell_at = kNever;
  const Key& key = task.key();
  if (link_)
    link_->send(wire::Started{key.try_id, key.launch, task.pid, task.started_at, task.log.segment(),
                              task.log.offset()});
}

void Worker::add_task(std::unique_ptr<Task> task) {
  Task& added = *task;
  const std::uint32_t slot = added.claim.slot;
  by_slot_[slot] = &added;
  ++running_;
  entries_[added.key()].task = std::move(task);
  if (added.pidfd) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLONESHOT;
    event.data.u64 = 1ULL << 61 | static_cast<std::uint64_t>(slot) << 2;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, added.pidfd.get(), &event);
  }
  reschedule(added);
}

}  // namespace etesian::agent
