#pragma once
// The simulated host: its agent, its journal and the processes it runs.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "scheduler/decide.h"

namespace etesian::test {

class SimulatedAgent {
 public:
  SimulatedAgent(Random& random, std::vector<std::string>& problems)
      : random_(random), problems_(problems) {}

  using Send = std::function<void(Event)>;
  /// What is durable of a try: an SDK worker repeats its word until it is answered.
  using DurableTry = std::function<const TryRow*(const Uuid&)>;
  using IsWorker = std::function<bool(const InstanceKey&)>;
  void knows(IsWorker is_worker, DurableTry durable_try) {
    is_worker_ = std::move(is_worker);
    durable_try_ = std::move(durable_try);
  }

  std::string session() const { return "boot" + std::to_string(boots_); }
  bool is_up() const { return is_up_; }
  std::uint64_t started() const { return started_; }

  /// An order of the server arrives. `assigned` is the session that a start names.
  void receive(const Effect& effect, const std::string& assigned, Instant now, Duration uptime,
               const Send& send) {
    if (!is_up_) return;
    std::visit([&](const auto& order) { obey(order, assigned, now, uptime, send); }, effect.what);
  }
  /// Processes end; ends that nobody acknowledged are told again.
  void pass(Instant now, Duration uptime, const Send& send) {
    for (auto& [id, record] : journal_) {
      if (record.state != State::Running || record.ends_at > uptime) continue;
      if (!record.is_worker || !speaks(id, record, now, uptime, send))
        end(record, record.code, now);
    }
    if (!is_up_) return;
    for (auto& [id, record] : journal_)
      if (record.state == State::Ended && record.synced_at <= uptime) record.is_synced = true;
    for (auto& [id, record] : journal_)
      if (record.state == State::Ended && record.told_at <= uptime) tell(id, record, uptime, send);
  }
  std::optional<Duration> next_event() const {
    std::optional<Duration> next;
    for (const auto& [id, record] : journal_) {
      const bool is_running = record.state == State::Running;
      if (!is_running && !(is_up_ && record.state == State::Ended)) continue;
      const Duration at = is_running ? record.ends_at : record.told_at;
      if (!next || at < *next) next = at;
    }
    return next;
  }
  /// Tasks survive it, as their processes do not belong to it.
  void crash() { is_up_ = false; }
  void restart() { is_up_ = true; }
  /// Every process is gone, and what was not fsynced: also an exit record that the server, while it
  /// was well, was told of first.
  void reboot() {
    ++boots_;
    is_up_ = false;
    for (auto& [id, record] : journal_) {
      const bool is_lost = record.state == State::Ended && !record.is_synced;
      if (record.state != State::Running && !is_lost) continue;
      if (is_lost) unsure_.insert(id.first);
      running_.erase(record.instance);
      record.state = State::Dead;
    }
    std::erase_if(journal_, [this](const auto& entry) {
      const State state = entry.second.state;
      return (state == State::Dead || state == State::Refused) && random_.chance(0.5);
    });
  }
  /// Whether the record of a try that is no SDK worker's says exit code 0; nullopt: a reboot took
  /// the record, and the server may have been faster.
  std::optional<bool> has_succeeded(const Uuid& try_id) const {
    if (unsure_.contains(try_id)) return std::nullopt;
    return succeeded_.contains(try_id);
  }

 private:
  enum class State { Running, Ended, Acknowledged, Refused, Dead };
  struct Record {
    State state = State::Running;
    InstanceKey instance;
    Duration ends_at{0}, told_at{0}, synced_at{0};
    bool is_synced = false;
    int code = 0;
    Outcome outcome;
    bool is_worker = false;
    WorkerReport report;  ///< What an SDK worker will say at its end.
    int words_left = 12;  ///< Requests until it gives up.
  };
  using Id = std::pair<Uuid, int>;
  static LaunchId launch(const Id& id) { return {id.first, id.second}; }

  void obey(const Effect::Start& order, const std::string& assigned, Instant now, Duration uptime,
            const Send& send) {
    const Id id{order.try_id, order.launch};
    if (const auto known = journal_.find(id); known != journal_.end())
      return answer(id, known->second, uptime, send);
    if (assigned != session())
      return send(LaunchNotStarted{launch(id), LaunchNotStarted::Why::WrongSession, ""});
    if (random_.chance(0.02)) {
      journal_[id].state = State::Refused;
      return send(LaunchNotStarted{launch(id), LaunchNotStarted::Why::NoRoom, ""});
    }
    Record& record = journal_[id];
    record.instance = order.key;
    record.ends_at = uptime + std::chrono::milliseconds(random_.below(60'000));
    record.outcome.started_at = now;
    record.code = random_.chance(0.15) ? 1 : random_.chance(0.05) ? 99 : 0;
    record.is_worker = is_worker_(order.key);
    if (record.is_worker) plan_report(id, record, now);
    if (!running_.insert(order.key).second)
      problems_.push_back("two tries of one instance run at the same time (I1)");
    if (!ever_started_.insert(order.try_id).second)
      problems_.push_back("user code of one try started twice (I2)");
    if (succeeded_instances_.contains({order.key, order.try_id}))
      problems_.push_back("a try that succeeded is run again (I3)");
    ++started_;
    send(LaunchStarted{launch(id), 1000, "host", now, {}});
  }
  void obey(const Effect::Stop& order, const std::string&, Instant now, Duration uptime,
            const Send& send) {
    const Id id{order.id.try_id, order.id.launch};
    const auto known = journal_.find(id);
    if (known == journal_.end())
      return refuse(id, LaunchNotStarted::Why::NeverReceived, uptime, send);
    // The command may have ended well while the order was on its way.
    if (known->second.state == State::Running)
      end(known->second, random_.chance(0.2) ? known->second.code : 143, now);
    answer(id, known->second, uptime, send);
  }
  void obey(const Effect::Revoke& order, const std::string&, Instant, Duration uptime,
            const Send& send) {
    refuse({order.id.try_id, order.id.launch}, LaunchNotStarted::Why::Revoked, uptime, send);
  }
  void obey(const Effect::Inquire& order, const std::string&, Instant, Duration uptime,
            const Send& send) {
    refuse({order.id.try_id, order.id.launch}, LaunchNotStarted::Why::NeverReceived, uptime, send);
  }
  void obey(const Effect::Watch&, const std::string&, Instant, Duration, const Send&) {}
  void obey(const Effect::Unwatch&, const std::string&, Instant, Duration, const Send&) {}
  void obey(const Effect::Callback&, const std::string&, Instant, Duration, const Send&) {}
  void obey(const Effect::Acknowledge& order, const std::string&, Instant, Duration, const Send&) {
    const auto known = journal_.find({order.id.try_id, order.id.launch});
    if (known != journal_.end() && known->second.state == State::Ended)
      known->second.state = State::Acknowledged;
  }
  /// "Never started" is a promise: it is journalled before it is given.
  void refuse(const Id& id, LaunchNotStarted::Why why, Duration uptime, const Send& send) {
    const auto known = journal_.find(id);
    if (known != journal_.end()) return answer(id, known->second, uptime, send);
    journal_[id].state = State::Refused;
    send(LaunchNotStarted{launch(id), why, ""});
  }
  void answer(const Id& id, Record& record, Duration uptime, const Send& send) {
    switch (record.state) {
      case State::Running: return send(LaunchAlive{launch(id)});
      case State::Ended: return tell(id, record, uptime, send);
      case State::Acknowledged: return;
      case State::Refused:
        return send(LaunchNotStarted{launch(id), LaunchNotStarted::Why::NeverReceived, ""});
      case State::Dead:
        return send(LaunchNotStarted{launch(id), LaunchNotStarted::Why::WrongSession, ""});
    }
  }
  void plan_report(const Id& id, Record& record, Instant now) {
    WorkerReport& report = record.report;
    report.state = record.code == 0 ? TaskState::Success : TaskState::UpForRetry;
    if (record.code == 99) report.state = TaskState::Skipped;
    if (random_.chance(0.2)) {
      report.state = random_.chance(0.5) ? TaskState::UpForReschedule : TaskState::Deferred;
      report.wake_at = now + std::chrono::seconds(random_.below(120));
      report.resume = report.state == TaskState::Deferred
                          ? R"({"id":")" + to_text(id.first) + R"(","next_method":"go"})"
                          : "";
    }
    if (random_.chance(0.05)) record.words_left = static_cast<int>(random_.below(3));
    record.code = 0;  // Whatever became of the task, the supervisor ends in order.
  }
  /// The next request of an SDK worker. False: it has said everything, or given up.
  bool speaks(const Id& id, Record& record, Instant now, Duration uptime, const Send& send) {
    const TryRow* row = durable_try_(id.first);
    if (!row || !row->report.empty() || row->outcome || record.words_left-- <= 0) return false;
    record.ends_at = uptime + std::chrono::seconds(2 + random_.below(8));
    if (row->worker.empty()) {
      send(WorkerStarted{id.first, "host user 1000", now});
      return true;
    }
    record.report.ended_at = now;
    send(WorkerReported{id.first, record.report, {}});
    return true;
  }
  void end(Record& record, int code, Instant now) {
    record.state = State::Ended;
    record.outcome.exit_code = code;
    record.outcome.cause = code == 143 ? Cause::Killed : Cause::Exit;
    record.outcome.ended_at = now;
    record.told_at = Duration{0};
    running_.erase(record.instance);
    for (const auto& [id, other] : journal_)
      if (&other == &record && code == 0 && !record.is_worker) {
        succeeded_.insert(id.first);
        succeeded_instances_.insert({record.instance, id.first});
      }
  }
  void tell(const Id& id, Record& record, Duration uptime, const Send& send) {
    // Mostly soon; now and then the disk is slow, or full.
    if (record.told_at == Duration{0})
      record.synced_at = uptime + std::chrono::milliseconds(random_.chance(0.2) ? 30'000 : 10);
    record.told_at = uptime + std::chrono::seconds(20);
    send(LaunchEnded{launch(id), record.outcome});
  }

  Random& random_;
  std::vector<std::string>& problems_;
  IsWorker is_worker_;
  DurableTry durable_try_;
  std::map<Id, Record> journal_;
  std::set<InstanceKey> running_;
  std::set<Uuid> ever_started_, succeeded_, unsure_;
  std::set<std::pair<InstanceKey, Uuid>> succeeded_instances_;
  std::uint64_t started_ = 0;
  int boots_ = 1;
  bool is_up_ = true;
};

}  // namespace etesian::test
