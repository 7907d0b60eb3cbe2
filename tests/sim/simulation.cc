#include "sim/simulation.h"

#include <fmt/format.h>

#include <deque>

#include "base/time_text.h"
#include "scheduler/gates.h"
#include "sim/agent.h"

namespace etesian::test {
namespace {

using namespace std::chrono_literals;
using enum TaskState;

constexpr Instant kStart = Instant(1'772'323'200s);  // 2026-03-01T00:00Z
constexpr int kFaultySteps = 1200;
constexpr int kStepsMax = 60'000;

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed), agent_(random_, report_.problems) {
    for (auto& planned : report_.planned) planned = random_.chance(0.6);
    limits_.parallelism = 4 + static_cast<int>(random_.below(12));
    limits_.infrastructure_retries = 1000;
    world_ = World(limits_);
    agent_.knows(
        [this](const InstanceKey& key) {
          const auto run = rows_.runs.find(key.run);
          return run != rows_.runs.end() &&
                 run->second.dag->task(key.task).run.kind == Command::Kind::Worker;
        },
        [this](const Uuid& id) -> const TryRow* {
          const auto row = rows_.tries.find(id);
          return row == rows_.tries.end() ? nullptr : &row->second;
        });
  }

  SimulationReport run() {
    PoolRow small;
    small.name = "small";
    small.slots = 2;
    send_now(SetPool{small, "sim"});
    for (int i = 0; i < 3; ++i) load_dag(i);
    agent_connects();
    is_peaceful_ = false;
    for (int i = 0; i < kFaultySteps && report_.problems.empty(); ++i) {
      disturb();
      advance();
    }
    make_peace();
    for (int i = 1; i < kStepsMax && report_.problems.empty() && !is_over(); ++i) {
      advance();
      if (i % 200 == 0) operator_helps();
    }
    if (report_.problems.empty() && !is_over())
      report_.problems.push_back("a run has not ended though the faults stopped (I7):\n" +
                                 world_.dump());
    report_.task_runs = agent_.started();
    return std::move(report_);
  }

 private:
  struct Message {
    std::variant<Event, std::pair<Effect, std::string>> content;  ///< To the server; to the agent.
  };
  struct Pending {
    std::vector<Change> changes;
    std::vector<Effect> effects;
  };

  bool happens(Fault fault, double chance) {
    if (is_peaceful_ || !report_.planned[static_cast<std::size_t>(fault)]) return false;
    if (!random_.chance(chance)) return false;
    ++report_.faults[static_cast<std::size_t>(fault)];
    return true;
  }

  // ---- the network ----
  void post(Message message) {
    if (happens(Fault::MessageLost, 0.1)) return;
    const int copies = happens(Fault::MessageRepeated, 0.1) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      Duration delay = std::chrono::microseconds(100 + random_.below(5000));
      if (happens(Fault::MessageDelayed, 0.05)) delay += std::chrono::seconds(random_.below(90));
      network_.emplace(uptime_ + delay, message);
    }
  }
  SimulatedAgent::Send to_server() {
    return [this](Event e) { post({std::move(e)}); };
  }
  void agent_connects() {
    // A connection is made anew until it stands: this message is never lost.
    network_.emplace(uptime_ + 1ms,
                     Message{Event{ExecutorUp{"local", agent_.session(), "host", 8}}});
  }
  void deliver() {
    while (!network_.empty() && network_.begin()->first <= uptime_) {
      const Message message = std::move(network_.extract(network_.begin()).mapped());
      if (const auto* event = std::get_if<Event>(&message.content)) {
        // What an old connection still holds is gone with it.
        const auto* up = std::get_if<ExecutorUp>(event);
        if (up && up->session != agent_.session()) continue;
        send_now(*event);
      } else {
        const auto& [effect, session] = std::get<1>(message.content);
        agent_.receive(effect, session, now_, uptime_, to_server());
      }
    }
  }

  // ---- the server ----
  void send_now(const Event& event) {
    Decision decision = step(world_, event, {now_, uptime_, random_.next()});
    ++report_.steps;
    if (report_.steps % 64 == 0)
      if (std::string wrong = world_.check(); !wrong.empty()) report_.problems.push_back(wrong);
    pending_.push_back({std::move(decision.changes), std::move(decision.effects)});
    check_limits();
    if (happens(Fault::CommitDelayed, 0.1)) return;
    if (happens(Fault::CommitRefused, 0.01)) return reload();
    commit();
  }
  void commit() {
    for (Pending& group : std::exchange(pending_, {})) {
      for (const Change& change : group.changes) {
        check_change(change);
        rows_.apply(change);
        remember(to_text(change));
      }
      for (Effect& effect : group.effects) {
        std::string session;
        if (const auto* start = std::get_if<Effect::Start>(&effect.what))
          if (const auto row = rows_.tries.find(start->try_id); row != rows_.tries.end())
            session = row->second.session;
        post({std::pair(std::move(effect), std::move(session))});
      }
    }
    report_.problems.insert(report_.problems.end(), rows_.problems.begin(), rows_.problems.end());
    rows_.problems.clear();
  }
  /// What was not committed never happened; everything else comes from the rows.
  void reload() {
    pending_.clear();
    world_ = World::load(rows_.state(), {now_, uptime_, 0}, limits_);
    if (agent_.is_up()) agent_connects();
  }

  // ---- time ----
  void advance() {
    const auto timers = world_.next_timer();
    Duration next = uptime_ + 30s;
    const auto sooner = [&next](Duration at) { next = std::min(next, at); };
    if (!network_.empty()) sooner(network_.begin()->first);
    if (timers.uptime) sooner(*timers.uptime);
    if (timers.wall) sooner(uptime_ + (*timers.wall - now_));
    if (const auto end = agent_.next_event()) sooner(*end);
    const Duration by = std::max(next - uptime_, Duration{0});
    now_ += by, uptime_ += by;
    if (!pending_.empty() && (is_peaceful_ || random_.chance(0.5))) commit();
    agent_.pass(now_, uptime_, to_server());
    deliver();
    const auto due = world_.next_timer();
    if ((due.wall && *due.wall <= now_) || (due.uptime && *due.uptime <= uptime_))
      send_now(TimeReached{});
  }

  void disturb() {
    if (happens(Fault::AgentCrashed, 0.01)) {
      agent_.crash();
      send_now(ExecutorDown{"local", agent_.session(), "connection lost"});
    }
    if (happens(Fault::HostRebooted, 0.004)) {
      const std::string session = agent_.session();
      agent_.reboot();
      send_now(ExecutorDown{"local", session, "connection lost"});
    }
    if (!agent_.is_up() && random_.chance(0.1)) {
      agent_.restart();
      agent_connects();
    }
    if (happens(Fault::ServerCrashed, 0.005)) reload();
    if (happens(Fault::ClockStepped, 0.005))
      now_ += std::chrono::seconds(static_cast<std::int64_t>(random_.below(7200)) - 3600);
    if (random_.chance(0.05)) user_acts();
  }

  void user_acts() {
    if (rows_.runs.empty()) return;
    std::vector<RunKey> active;
    for (const auto& [key, run] : rows_.runs)
      if (world_.run(key)) active.push_back(key);
    const std::string dag_id = fmt::format("d{}", random_.below(3));
    const auto what = random_.below(8);
    if (what == 0) return send_now(SetPaused{dag_id, "ann", random_.chance(0.5)});
    if (what <= 2 || active.empty()) {
      TriggerRun trigger;
      trigger.dag_id = dag_id;
      return send_now(trigger);
    }
    const RunKey run = active[random_.below(active.size())];
    const auto instances = world_.instances(run);
    const InstanceKey key = instances[random_.below(instances.size())].key;
    if (what == 3) return send_now(ClearInstances{{key}, false, "ann"});
    if (what == 4) return send_now(KillInstance{key, random_.chance(0.5), "ann"});
    if (what == 5)
      return send_now(MarkInstances{{key}, random_.chance(0.5) ? Success : Failed, "ann"});
    if (what == 6) return send_now(ClearInstances{{key}, true, "ann"});
    if (random_.chance(0.2)) send_now(MarkRun{run, RunState::Failed, "ann"});
  }

  void make_peace() {
    is_peaceful_ = true;
    commit();
    agent_.restart();
    agent_connects();
    for (int i = 0; i < 3; ++i) send_now(SetPaused{fmt::format("d{}", i), "ann", false});
  }
  /// A failure that depends_on_past waits behind needs a person: the only state that may.
  void operator_helps() {
    std::vector<InstanceKey> stuck;
    for (const auto& id : world_.dag_ids())
      for (const RunKey run : world_.active_runs(id))
        for (const InstanceRow& row : world_.instances(run)) {
          if (row.state != None && row.state != UpForRetry && row.state != UpForReschedule)
            continue;
          const auto closed = gates(world_, row.key, {now_, uptime_, 0});
          if (closed.empty() && world_.run(run)->state == RunState::Running)
            broken(fmt::format("task {} of run {} is {} and cannot say why:\n{}", row.key.task, run,
                               to_text(row.state), world_.dump()));
          if (closed.size() == 1 && closed.front().kind == GateKind::DependsOnPast)
            stuck.push_back(row.key);
        }
    if (!stuck.empty()) send_now(MarkInstances{stuck, Success, "ann"});
  }
  bool is_over() const {
    return pending_.empty() && world_.size().active_runs == 0 && world_.size().open_tries == 0;
  }

  void load_dag(int number) {
    static constexpr std::array kRules = {
        TriggerRule::AllSuccess, TriggerRule::AllSuccess,
        TriggerRule::AllSuccess, TriggerRule::AllDone,
        TriggerRule::OneSuccess, TriggerRule::NoneFailed,
        TriggerRule::OneFailed,  TriggerRule::NoneFailedMinOneSuccess};
    DagDefinition definition;
    definition.id = fmt::format("d{}", number);
    definition.version = "1";
    definition.max_active_runs = 1 + static_cast<int>(random_.below(4));
    definition.max_active_tasks = 2 + static_cast<int>(random_.below(6));
    definition.fail_fast = random_.chance(0.1);
    definition.overlap = static_cast<Overlap>(random_.chance(0.8) ? 0 : random_.below(3));
    if (random_.chance(0.2)) definition.run_timeout = 10min;
    definition.schedule.kind = IntervalSchedule{.every = 5min};
    definition.schedule.start = kStart;
    definition.schedule.end = kStart + 150min;
    definition.schedule.catchup = random_.chance(0.7);
    const int count = 4 + static_cast<int>(random_.below(5));
    for (int i = 0; i < count; ++i) {
      Task task;
      task.id = fmt::format("t{}", i);
      task.run = {Command::Kind::Argv, {{"true"}}};
      if (random_.chance(0.1)) task.run = {};
      if (random_.chance(0.3)) task.run = {Command::Kind::Worker, {}}, task.airflow.emplace();
      for (int up = 0; up < i; ++up)
        if (random_.chance(0.4)) task.after.push_back(fmt::format("t{}", up));
      task.trigger_rule = kRules[random_.below(kRules.size())];
      task.retry.times = static_cast<int>(random_.below(3));
      task.retry.delay = 10s;
      if (random_.chance(0.3)) task.pool = "small";
      if (random_.chance(0.1)) task.max_active = 1;
      if (random_.chance(0.1)) task.depends_on_past = true;
      if (random_.chance(0.15))
        task.map = MapRule{MapRule::Combine::Product, {{"x", "[1,2,3]"}}, 2, {}};
      task.priority = static_cast<int>(random_.below(4));
      definition.tasks.push_back(std::move(task));
    }
    send_now(DagLoaded{*Dag::build(std::move(definition))});
  }

  // ---- invariants ----
  void broken(const std::string& what) { report_.problems.push_back(what); }

  void check_limits() {
    int used = 0;
    std::map<std::string, int> running;
    for (const auto& id : world_.dag_ids())
      for (const RunKey key : world_.active_runs(id)) {
        running[id] += world_.run(key)->state == RunState::Running;
        const auto dag = world_.dag_of(key);
        int active = 0;
        for (const InstanceRow& row : world_.instances(key)) {
          if (!holds_slots(row.state)) continue;
          ++active;
          used += dag->task(row.key.task).pool == "small";
        }
        if (active > dag->definition().max_active_tasks) broken("max_active_tasks exceeded (I8)");
        if (running[id] > dag->definition().max_active_runs)
          broken("max_active_runs exceeded (I8)");
      }
    if (used > 2) broken("pool exceeded (I8)");
    if (static_cast<int>(world_.open_tries().size()) > limits_.parallelism)
      broken("parallelism exceeded (I8)");
  }
  /// By its exit record, or by the report of its SDK worker; nullopt: both would be right.
  std::optional<bool> has_succeeded(const Uuid& try_id) const {
    const TryRow& row = rows_.tries.at(try_id);
    const Task& task = rows_.runs.at(row.instance.run).dag->task(row.instance.task);
    if (task.run.kind != Command::Kind::Worker) return agent_.has_succeeded(try_id);
    return !row.report.empty() && report_from_json(row.report)->state == Success;
  }
  /// Before the rows take the change.
  void check_change(const Change& change) {
    if (const auto* ended = std::get_if<TryChanged>(&change); ended && ended->row.outcome) {
      const auto& row = ended->row;
      const bool overruled = row.stop && row.stop->overrules_success;
      const std::optional<bool> succeeded = has_succeeded(row.id);
      if (succeeded.value_or(false) && !overruled && row.final_state != Success)
        broken("a recorded success is lost (I3): " + to_text(change));
      if (!succeeded.value_or(true) && !overruled && row.final_state == Success)
        broken("a success without evidence (I4): " + to_text(change));
    }
    const auto* moved = std::get_if<InstanceChanged>(&change);
    if (!moved || moved->row.state != Scheduled || moved->from != None) return;
    const auto& run = rows_.runs.at(moved->row.key.run);
    if (run.dag->task(moved->row.key.task).trigger_rule != TriggerRule::AllSuccess) return;
    for (const TaskIndex up : run.dag->upstream(moved->row.key.task))
      for (const auto& [key, row] : run.instances)
        if (key.task == up && row.state != Success)
          broken("started before its upstream succeeded (I5): " + to_text(change));
  }
  void remember(const std::string& line) {
    for (const char c : line)
      report_.history_hash =
          (report_.history_hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }

  SimulationReport report_;
  SeededRandom random_;
  Limits limits_;
  Instant now_ = kStart;
  Duration uptime_ = 1h;
  World world_;
  RowStore rows_;
  SimulatedAgent agent_;
  std::multimap<Duration, Message> network_;
  std::deque<Pending> pending_;
  bool is_peaceful_ = true;  ///< While the stage is set, and at the end.
};

}  // namespace

const char* to_text(Fault fault) {
  static constexpr std::array<const char*, kFaultCount> kNames = {
      "message lost",   "message repeated", "message delayed", "agent crashed", "host rebooted",
      "server crashed", "commit delayed",   "commit refused",  "clock stepped"};
  return kNames[static_cast<std::size_t>(fault)];
}

SimulationReport simulate(std::uint64_t seed) { return Simulation(seed).run(); }

}  // namespace etesian::test
