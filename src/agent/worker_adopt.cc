#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "agent/worker.h"
#include "base/log.h"
#include "wire/causes.h"

namespace etesian::agent {
namespace {

/// Everything the journal says of one launch.
struct Story {
  std::optional<ClaimRecord> claim;
  std::optional<PidRecord> pid;
  std::optional<wire::ExitRecord> end;
  bool is_revoked = false, is_acknowledged = false;
};

}  // namespace

void Worker::adopt(const std::vector<JournalRecord>& records) {
  std::unordered_map<Key, Story, KeyHash> stories;
  std::string old_session;
  for (const JournalRecord& record : records) {
    if (const auto* r = std::get_if<SessionRecord>(&record)) old_session = r->session;
    if (const auto* r = std::get_if<ClaimRecord>(&record)) stories[r->key].claim = *r;
    if (const auto* r = std::get_if<PidRecord>(&record)) stories[r->key].pid = *r;
    if (const auto* r = std::get_if<RevokedRecord>(&record)) stories[r->key].is_revoked = true;
    if (const auto* r = std::get_if<AckRecord>(&record)) stories[r->key].is_acknowledged = true;
    if (const auto* r = std::get_if<wire::ExitRecord>(&record))
      stories[{r->try_id, r->launch}].end = *r;
  }
  const bool is_same_boot = old_session == session_;
  std::vector<const Story*> open;
  std::vector<std::uint32_t> slots_in_use;
  for (const auto& [key, story] : stories) {
    if (story.is_acknowledged) {
      // After a change of session no start for it can be accepted any more.
      if (is_same_boot) entries_[key].state = Entry::State::Acknowledged, ++acknowledged_;
    } else if (story.end) {
      Entry& entry = entries_[key];
      entry.state = Entry::State::Ended;
      ++unacknowledged_;
      unsynced_until_ = 0;  // The last worker may have written it only.
      entry.record = std::make_unique<wire::ExitRecord>(*story.end);
    } else if (story.is_revoked) {
      if (is_same_boot) entries_[key].state = Entry::State::Revoked;
    } else if (story.claim && story.claim->slot < slots_.count()) {
      open.push_back(&story);
      if (is_same_boot) slots_in_use.push_back(story.claim->slot);
    }
  }
  pipes_->adopt(kept_, slots_in_use);
  if (old_session.empty()) journal_->add(SessionRecord{session_});
  for (const Story* const story : open)
    adopt_launch(*story->claim, story->pid ? &*story->pid : nullptr, is_same_boot);
  settle();
  if (!old_session.empty() && !is_same_boot) compact_journal();
}

void Worker::adopt_launch(const ClaimRecord& claim, const PidRecord* pid, bool is_same_boot) {
  const SlotState& state = slots_.state(claim.slot);
  const bool has_memory =
      is_same_boot && state.try_id == claim.key.try_id && state.launch == claim.key.launch;
  const bool is_hidden = claim.has_secrets && !has_memory;
  Mask mask = is_hidden ? Mask::everything() : Mask(slots_.secrets(claim.slot));
  auto task = std::make_unique<Task>(
      claim, slots_, logs_->resume(claim.key.try_id, claim.log_segment, claim.log_offset),
      std::move(mask));
  if (has_memory) {
    for (Capture& capture : task->streams) capture.recover(task->log.lines(), task->mask);
  } else {
    slots_.clear(claim.slot);
    slots_.state(claim.slot).try_id = claim.key.try_id;
    slots_.state(claim.slot).launch = claim.key.launch;
    if (is_hidden && is_same_boot)
      say(*task,
          "the agent and its keeper were killed, and with them the values to mask: what follows is "
          "hidden");
  }
  task->is_last_line_in_log = true;
  if (claim.has_cgroup) task->cgroup = Cgroup::find(to_text(claim.key.try_id));
  task->started_at = pid != nullptr ? pid->started_at : claim.at;
  task->ended_at = now_instant();
  if (!is_same_boot) {
    task->stop_cause = wire::cause::kLost;
    task->lost_message = "its host was restarted";
    task->has_ended = task->is_complete = true;
  } else if (pid != nullptr) {
    task->pid = pid->pid;
    task->birth = pid->birth;
    if (pid->timeout_at > 0) task->timeout_at = pid->timeout_at;
    task->pidfd = open_process(pid->pid, pid->birth);
  } else if (has_memory && state.pid == 0) {
    // The child notes its pid before exec, so this one never came to life. The claim itself keeps
    // it from starting later.
    journal_->add(RevokedRecord{claim.key});
    entries_[claim.key].state = Entry::State::Revoked;
    slots_.clear(claim.slot);
    pipes_->give_back(claim.slot, Pipes::Condition::Held);
    return;
  } else {
    find_claimed_process(*task, has_memory ? state.pid.load() : 0);
  }
  ProcessInfo info;
  const bool is_there = task->pidfd && read_process(task->pid, info);
  task->parent =
      is_there && info.parent != kept_.keeper ? Task::Parent::Other : Task::Parent::Keeper;
  if (task->log.has_ended()) {
    task->is_cut = task->log.is_cut();
  } else if (is_same_boot && !has_memory && (!is_there || info.state == 'Z')) {
    // Nobody held its pipes any more: what had not been read went with them.
    task->is_cut = true;
    say(*task,
        "the log is cut here: the task ended while neither the agent nor its keeper was there");
  }
  if (is_same_boot && !task->pidfd) {
    task->has_ended = true;
    task->is_status_known = false;
    // What the keeper reaped while this worker was being forked comes through the channel.
    task->status_until = has_memory ? now_ticks() + 2'000'000'000 : 0;
  }
  for (int stream = 0; stream < 2; ++stream) {
    task->is_ready[stream] = true;
    ready_.emplace_back(claim.slot, stream);
  }
  if (task->has_ended) ended_.push_back(claim.slot);
  add_task(std::move(task));
}

void Worker::find_claimed_process(Task& task, pid_t noted) {
  const std::string marker = "ETESIAN_TRY_ID=" + to_text(task.key().try_id);
  const auto is_it = [&](pid_t pid) {
    ProcessInfo info;
    return has_environment(pid, marker) && read_process(pid, info) && info.session == pid;
  };
  task.pid = noted;
  for (int look = 0; look < 2 && !task.pidfd; ++look) {
    // A child that was just being made when its parent died may need a moment to exec.
    if (look == 1) std::this_thread::sleep_for(std::chrono::seconds(1));
    const auto all = noted != 0 ? std::vector<pid_t>{noted} : all_processes();
    const auto found = std::find_if(all.begin(), all.end(), is_it);
    if (found == all.end()) continue;
    task.pid = *found;
    task.pidfd = open_process(task.pid);
    task.birth = birth_of(task.pid, task.pidfd.get());
  }
  if (task.pidfd || noted == 0) return;
  for (const KeptExit& ended : kept_.exits)
    if (ended.pid == noted) task.birth = ended.birth;
}

}  // namespace etesian::agent
