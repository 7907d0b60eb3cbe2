#include <fmt/format.h>
#include <re2/re2.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "agent/worker.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/log.h"
#include "logs/reader.h"
#include "wire/causes.h"

namespace etesian::agent {
namespace {

constexpr Ticks kSecond = 1'000'000'000;
constexpr Ticks kDrain = 5 * kSecond;  ///< reliability rules, end of a try: then the log is cut.
constexpr Ticks kStatusWait = 2 * kSecond;  ///< For the process that reaps an adopted task.
constexpr Ticks kOwnEnd = 15'000'000;
constexpr Ticks kServerCommits =
    10'000'000;  ///< A server that is well has committed an end by then.
constexpr int kReadsPerTurn = 8;

std::string signal_name(int signal) {
  const char* const name = ::sigabbrev_np(signal);
  return name != nullptr ? fmt::format("{} ({})", signal, name) : std::to_string(signal);
}

/// As Python's subprocess module tells it.
std::string return_code(int status) {
  return std::to_string(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

void Worker::main_ended(Task& task) {
  if (task.has_ended) return;
  if (task.parent == Task::Parent::Us) {
    siginfo_t info{};
    // The zombie stays: its pid and group number must not be given to others yet.
    if (::waitid(P_PID, static_cast<id_t>(task.pid), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
      return;
    task.status = info.si_code == CLD_EXITED
                      ? (info.si_status & 0xff) << 8
                      : info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
  } else {
    task.is_status_known = false;
    task.status_until = now_ticks() + kStatusWait;
  }
  task.has_ended = true;
  task.ended_at = now_instant();
  task.is_at_end[0] = task.is_at_end[1] = false;
  ended_.push_back(task.claim.slot);
}

bool Worker::learn_status(Task& task) {
  if (task.is_status_known) return true;
  // Birth 0: the last worker died before it could note it, and the process was gone at adoption;
  // the child noted its own pid, and its end may come through the channel only now.
  const auto found = std::find_if(kept_.exits.begin(), kept_.exits.end(), [&](const KeptExit& e) {
    return e.pid == task.pid && (task.birth == 0 || e.birth == task.birth);
  });
  if (found != kept_.exits.end()) {
    task.status = found->status;
    kept_.exits.erase(found);
    return task.is_status_known = true;
  }
  if (task.pidfd && exit_status_of(task.pidfd.get(), task.status))
    return task.is_status_known = true;
  if (now_ticks() < task.status_until) return false;
  task.lost_message =
      "the agent was killed and the kernel does not tell the exit status of its task";
  return task.is_status_known = true;
}

void Worker::take_kept_exits() {
  KeptExit ended;
  for (;;) {
    const ssize_t n = ::read(kept_.channel.get(), &ended, sizeof ended);
    if (n == sizeof ended) {
      kept_.exits.push_back(ended);
      if (kept_.exits.size() > 10'000) kept_.exits.pop_front();
      continue;
    }
    if (n == 0) {
      log_line(LogLevel::Warning,
               "the agent's keeper is gone; tasks will not outlive this worker's death unharmed");
      kept_.channel.reset();
    }
    return;
  }
}

void Worker::settle() {
  if (ended_.empty()) return;
  has_strangers_ = false;
  std::vector<std::uint32_t> open;
  std::vector<Task*> complete;
  for (const std::uint32_t slot : ended_) {
    Task& task = *by_slot_[slot];
    if (!task.is_complete) advance(task);
    if (task.is_complete)
      complete.push_back(&task);
    else
      open.push_back(slot), reschedule(task);
  }
  ended_.swap(open);
  if (!complete.empty()) finish(complete);
}

void Worker::advance(Task& task) {
  if (!task.waits_for_writers() && !end_leftovers(task)) return;
  if (!learn_status(task) || !drain(task)) return;
  if (task.waits_for_writers()) task.ended_at = now_instant();
  task.is_complete = true;
}

bool Worker::end_leftovers(Task& task) {
  const auto left = leftovers(task);
  if (left.empty()) return true;
  const Ticks now = now_ticks();
  if (task.leftovers_seen_at == kNever) {
    task.leftovers_seen_at = now;  // what is ending by itself needs no help: look again in a moment
  } else if (now < task.leftovers_seen_at + kOwnEnd) {
    return false;
  } else if (task.leftovers_kill_at == kNever) {
    task.leftovers_kill_at =
        now + std::min<Ticks>(task.claim.kill_grace.count() * 1000, 10 * kSecond);
    if (task.stop_cause) task.leftovers_kill_at = std::min(task.leftovers_kill_at, task.kill_at);
    for (const ProcessInfo& process : left)
      say(task, fmt::format("left behind by the task, ended now: pid {} {}", process.pid,
                            task.mask.apply(command_line(process))));
    for (const int signal : {SIGTERM, SIGCONT})
      for (const ProcessInfo& process : left) ::kill(process.pid, signal);
  } else if (now >= task.leftovers_kill_at) {
    for (const ProcessInfo& process : left) ::kill(process.pid, SIGKILL);
  }
  return false;
}

bool Worker::drain(Task& task) {
  const std::uint32_t slot = task.claim.slot;
  const LineSink sink = sink_of(task);
  for (int stream = 0; stream < 2; ++stream) {
    Capture& capture = task.streams[stream];
    for (int i = 0; i < kReadsPerTurn && !task.is_at_end[stream]; ++i) {
      if (!commit_batch(capture)) return false;
      const Capture::Got got = capture.read_from(pipes_->read_end(slot, stream));
      if (got == Capture::Got::End) task.is_at_end[stream] = true;
      if (got != Capture::Got::Bytes) break;
      capture.frame_lines(sink, logs::Stamp::now(), Capture::Until::LastNewline);
      if (!commit_batch(capture)) return false;
    }
  }
  const bool is_read = task.is_at_end[0] && task.is_at_end[1];
  if (!is_read) {
    if (task.waits_for_writers()) return false;
    const Ticks now = now_ticks();
    if (task.drain_until == kNever) task.drain_until = now + kDrain;
    if (now < task.drain_until) return false;
    task.is_cut = true;
    say(task, "the log is cut here: a process that cannot be found holds its pipe open");
  }
  for (Capture& capture : task.streams) {
    if (!commit_batch(capture)) return false;
    if (capture.has_bytes()) capture.frame_lines(sink, logs::Stamp::now(), Capture::Until::End);
    if (!commit_batch(capture)) return false;
  }
  return true;
}

bool Worker::commit_batch(Capture& capture) {
  if (!capture.has_batch()) return true;
  if (!store()) return false;
  capture.commit();
  return true;
}

void Worker::finish(std::vector<Task*>& complete) {
  const logs::Stamp at = logs::Stamp::now();
  bool has_lines = false;
  for (Task* const task : complete) {
    if (!task->record && task->waits_for_writers() && task->status != 0)
      say(*task, "Command exited with return code " + return_code(task->status));
    has_lines = has_lines || task->log.lines() > 0;
    if (task->record) continue;  // storage failed the last time
    if (task->mask.count() > 0)
      say(*task, fmt::format("{} secret values were masked", task->mask.count()));
    task->record = make_record(*task);
    task->log.end(task->is_cut ? logs::kCut : 0, at);
  }
  // One sync of the logs for all ends of this turn: until then nobody hears of an end. An empty log
  // has nothing to lose.
  Result<Done> done = logs_->flush();
  if (done && has_lines) done = logs_->sync();
  if (done) {
    for (const Task* const task : complete) journal_->add(*task->record);
    done = keep_ends();
  }
  if (!done) {
    // The next attempt appends the records anew: after a failed sync the kernel may take the lost
    // pages for clean.
    log_line(LogLevel::Error, done.error().message);
    trouble_ = done.error().message;
    blocked_until_ = now_ticks() + kSecond;
    for (Task* const task : complete) ended_.push_back(task->claim.slot);
    return;
  }
  for (Task* const task : complete) {
    if (task->parent == Task::Parent::Us && task->pid != 0) ::waitpid(task->pid, nullptr, WNOHANG);
    auto record = std::make_unique<wire::ExitRecord>(std::move(*task->record));
    if (task->tell_at != kNever) tell_start(*task);
    if (link_) link_->send(wire::Ended{*record});
    if (hooks_.on_ended) hooks_.on_ended(*record);
    release(*task);
    Entry& entry = entries_[task->key()];
    entry.state = Entry::State::Ended;
    ++unacknowledged_;
    entry.record = std::move(record);
    entry.task.reset();
  }
}

/// A server that hears of an end acts on it only once its own commit holds it, mostly before a sync
/// here would be over. So the records are written, survive this process, and are synced only when
/// the server stays away (reliability.md, "The end of a try").
Result<Done> Worker::keep_ends() {
  if (!link_ || !link_->is_connected()) return journal_->sync();
  if (unsynced_until_ == kNever) unsynced_until_ = now_ticks() + kServerCommits;
  return journal_->write();
}

void Worker::sync_ends() {
  unsynced_until_ = kNever;
  if (unacknowledged_ == 0) return;
  const auto synced = journal_->sync();
  if (synced) return;
  log_line(LogLevel::Error, synced.error().message);
  trouble_ = synced.error().message;
  blocked_until_ = now_ticks() + kSecond;
  // After a failed sync the kernel may take the lost pages for clean: they are written anew.
  for (const auto& [key, entry] : entries_)
    if (entry.state == Entry::State::Ended) journal_->add(*entry.record);
  unsynced_until_ = blocked_until_;
}

wire::ExitRecord Worker::make_record(Task& task) {
  wire::ExitRecord record;
  record.try_id = task.key().try_id;
  record.launch = task.key().launch;
  record.raw_status = task.status;
  record.exit_code =
      WIFEXITED(task.status) ? WEXITSTATUS(task.status) : 128 + WTERMSIG(task.status);
  record.started_at = task.started_at;
  record.ended_at = task.ended_at;
  record.log_cut = task.is_cut;
  record.log_segment = task.log.segment();
  record.log_offset = task.log.offset();
  judge(task, record);
  record.log_matched = log_matches(task);
  record.log_lines = task.log.lines();
  record.log_bytes = task.log.bytes();
  record.log_hash = task.log.hash();
  return record;
}

void Worker::judge(Task& task, wire::ExitRecord& record) {
  using namespace wire::cause;
  const bool is_signal = WIFSIGNALED(task.status);
  const std::uint64_t oom_kills = task.cgroup ? task.cgroup->oom_kills() : 0;
  if (!task.lost_message.empty()) {
    record.cause = task.stop_cause.value_or(kLostSupervisor);
    record.message = task.lost_message;
    record.exit_code = record.raw_status = 0;
  } else if (task.stop_cause) {
    record.cause = *task.stop_cause;
  } else if (oom_kills > 0 && record.exit_code != 0) {
    record.cause = kOutOfMemory;
    record.message = "the kernel killed it: its memory limit was reached";
  } else if (is_signal) {
    record.cause = kSignal;
    record.message = "killed by signal " + signal_name(WTERMSIG(task.status));
  } else {
    record.cause = kExit;
  }
  take_output(task, record);
}

/// The last thing that the task printed. What an earlier worker read is in the log alone.
LastLine Worker::last_line(Task& task) {
  if (!task.is_last_line_in_log) return std::move(task.last_line);
  constexpr std::size_t kPageLines = 1000, kPageBytes = 4UL << 20;
  const std::size_t most = task.claim.output_bytes_max;
  // As many frames as the longest line has, and some words of ours between them.
  const std::uint64_t look_back = most / logs::kLineMax + 100;
  const std::uint64_t lines = task.log.lines();
  LastLine last;
  const logs::Reader reader(options_.log_folder);
  for (std::uint64_t from = lines > look_back ? lines - look_back : 1; from <= lines;) {
    const auto page = reader.read(task.claim.key.try_id, task.log.segment(), task.log.offset(),
                                  from, kPageLines, kPageBytes);
    if (!page || page->lines.empty()) break;
    for (const logs::Line& line : page->lines)
      if (line.stream != logs::Line::Stream::System) last.take(line.bytes, line.partial, most);
    from = page->next_seq;
  }
  return last;
}

/// Empty, or why there is no output.
std::string Worker::take_last_line(Task& task, wire::ExitRecord& record) {
  const LastLine line = last_line(task);
  const std::size_t most = task.claim.output_bytes_max;
  std::string text;
  if (!line.is_too_long())
    text = json::serialize(json::string(without_space_at_end(backslash_replaced(line.bytes()))));
  if (line.is_too_long() || text.size() > most)
    return fmt::format("keep the last line: it is larger than {} bytes", most);
  record.output = std::move(text);
  return "";
}

void Worker::take_output(Task& task, wire::ExitRecord& record) {
  if (task.claim.is_bash_operator) {
    if (record.cause != wire::cause::kExit || record.exit_code != 0) return;
    record.message = take_last_line(task, record);
    if (!record.message.empty()) record.cause = wire::cause::kOutputInvalid;
    return;
  }
  const std::string path = output_path(task.key());
  const auto text = read_file(path, task.claim.output_bytes_max);
  if (!text && text.error().code == ErrorCode::NotFound) return;
  task.has_output = true;
  const bool is_success = record.cause == wire::cause::kExit && record.exit_code == 0;
  if (text && text->empty()) return;
  std::string problem;
  if (!text)
    problem = text.error().code == ErrorCode::TooLarge
                  ? fmt::format("it is larger than {} bytes", task.claim.output_bytes_max)
                  : text.error().message;
  else if (const auto value = parse_json(*text, task.claim.output_bytes_max + 1UL); !value)
    problem = "it is not JSON: " + value.error().message;
  else
    record.output = *text;
  if (problem.empty() || !is_success) return;
  record.cause = wire::cause::kOutputInvalid;
  record.message = "read $ETESIAN_OUTPUT: " + problem;
}

bool Worker::log_matches(const Task& task) {
  if (task.claim.log_pattern.empty()) return false;
  RE2::Options quiet;
  quiet.set_log_errors(false);
  quiet.set_encoding(RE2::Options::EncodingLatin1);  // a log line is bytes
  const RE2 pattern(task.claim.log_pattern, quiet);
  return pattern.ok() &&
         std::any_of(task.tail.begin(), task.tail.end(),
                     [&](const std::string& line) { return RE2::PartialMatch(line, pattern); });
}

void Worker::remove_own_folder(const ClaimRecord& claim) {
  if (claim.own_folder.empty()) return;
  std::error_code ignored;  // What a task left behind read-only stays; it harms nobody.
  std::filesystem::remove_all(claim.own_folder, ignored);
}

void Worker::release(Task& task) {
  const std::uint32_t slot = task.claim.slot;
  if (task.wake_at != kNever) timers_.erase({task.wake_at, slot});
  if (task.cgroup) task.cgroup->remove();
  if (task.has_output) ::unlink(output_path(task.key()).c_str());
  remove_own_folder(task.claim);
  const bool is_clean = task.pid == 0 || (task.is_at_end[0] && task.is_at_end[1]);
  by_slot_[slot] = nullptr;
  --running_;
  slots_.clear(slot);
  pipes_->give_back(slot, is_clean ? Pipes::Condition::Clean : Pipes::Condition::Held);
}

}  // namespace etesian::agent
