#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "engine/alarm.h"
#include "engine/asks.h"
#include "engine/launcher.h"
#include "engine/past.h"
#include "engine/settings.h"
#include "engine/store_thread.h"
#include "engine/stored_dag.h"
#include "loader/airflow.h"
#include "loader/params.h"

namespace etesian {
namespace {

using OnDone = std::function<void(Result<CommandDone>)>;

/// Decisions may run ahead of the disk by this many changes; then the loop waits.
constexpr std::size_t kItemsAhead = 50'000;
constexpr Duration kLiveWithin = std::chrono::seconds(10);

/// One thing for the loop to do.
struct Input {
  std::optional<Event> event;
  OnDone on_done;  ///< For commands.
  std::function<void(const World&, const Moment&)> read;
  std::shared_ptr<Ask> asked{};  ///< The store was asked what the world does not know.
  std::vector<StoredState::ActiveRun> past{};         ///< Finished runs that it is about, then.
  std::vector<StoredState::ActiveRun> before_past{};  ///< Those that depends_on_past looks at.
  bool reload = false;
};

class Loop final : public Engine {
 public:
  Loop(EngineOptions options, const Parts& parts)
      : options_(std::move(options)),
        clock_(parts.clock),
        random_(parts.random),
        vault_(parts.vault),
        settings_(vault_),
        launcher_(settings_, options_.worker_place) {}

  Result<Done> open(Parts& parts);
  Result<Done> open_sources(const Parts& parts);
  ~Loop() override;

  void submit(Event command, OnDone on_done) override {
    push(Input{.event = std::move(command), .on_done = std::move(on_done), .read = {}});
  }
  void read_world(std::function<void(const World&, const Moment&)> read) override {
    push(Input{.event = {}, .on_done = {}, .read = std::move(read)});
  }
  void read_store(std::function<void(Store&)> read) override { store_->read(std::move(read)); }
  int subscribe(std::function<void(Sequence)> listener) override;
  void unsubscribe(int handle) override;
  std::vector<ImportError> import_errors() const override;
  EngineHealth health() const override;
  Vault& vault() override { return *vault_; }
  const Clock& clock() const override { return *clock_; }

 private:
  void push(Input input);
  bool is_stopping() {
    const std::lock_guard lock(inbox_mutex_);
    return stopping_;
  }
  void push_event(Event event) {
    push(Input{.event = std::move(event), .on_done = {}, .read = {}});
  }
  void run();
  void turn(std::vector<Input> inputs);
  void decide(Input input);
  bool prepare(Input& input);
  /// What to ask of the store, on its thread: the finished runs that the event is about.
  using Question = std::function<Result<std::vector<RunKey>>(Store&, Event&)>;
  /// Brings the input back with the answer.
  void complete_from_store(Input input, Ask about, Question question);
  bool needs_store(const Input& input, Ask& about, Question& question) const;
  void keep(Decision decision, const Moment& moment, OnDone on_done);
  StoreThread::After release(const Effect& effect);
  bool is_for_host(const Effect::Start& start) const;
  void hand_over();
  Result<StoredState> read_stored_state();
  template <class T>
  Result<T> ask_store(std::function<Result<T>(Store&)> question);
  void reload();
  void learn_past();
  void enter(StoredState state);
  Moment moment() const;
  World::Timers timers() const { return world_.next_timer(); }
  void count_world();

  EngineOptions options_;
  std::shared_ptr<const Clock> clock_;
  std::shared_ptr<Random> random_;
  std::shared_ptr<Vault> vault_;
  Settings settings_;
  Launcher launcher_;
  World world_;
  std::map<std::string, ExecutorUp> executors_up_;
  /// What the files said last, where it changed the world; nullptr: gone. A refused commit forgets
  /// it, and the files will not say it again.
  std::map<std::string, std::shared_ptr<const Dag>> told_;
  std::set<Producer> producers_;    ///< Whose past the world knows.
  bool has_new_producers_ = false;  ///< A DAG of this turn needs the past of others.

  Alarm alarm_;
  std::mutex inbox_mutex_;
  std::vector<Input> inbox_;
  bool stopping_ = false;

  Asks asks_;
  std::vector<Store::Item> items_;  ///< Decided in this turn.
  std::vector<StoreThread::After> after_;

  mutable std::mutex listeners_mutex_;
  std::map<int, std::function<void(Sequence)>> listeners_;
  int next_listener_ = 1;

  std::atomic<std::int64_t> last_turn_us_{0}, last_turn_uptime_us_{0};
  std::atomic<bool> recovered_{false}, executor_up_{false};
  std::atomic<std::size_t> active_runs_{0}, open_tries_{0}, dags_{0};
  std::atomic<std::uint64_t> changes_{0}, started_{0}, ended_{0};

  std::unique_ptr<StoreThread> store_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<TriggerHost> triggers_;
  std::vector<std::unique_ptr<DagSource>> sources_;
  std::atomic<std::size_t> unscanned_{0};  ///< Sources whose first scan is not over.
  std::thread thread_;
};

/// The conf of a new run as it is kept. The worker of an Airflow DAG lays it over the defaults
/// itself.
Result<std::string> conf_for(const Dag& dag, const std::string& given) {
  const std::string& schema = dag.definition().params_schema;
  if (!dag.definition().airflow) return validate_params(schema, given);
  if (auto fits = check_airflow_conf(schema, given); !fits) return fits.error();
  return given;
}

Result<Done> Loop::open(Parts& parts) {
  std::vector<std::string> problems;
  auto state = parts.store->load(build_stored_dag, problems);
  if (!state) return state.error();
  for (const std::string& problem : problems) log_line(LogLevel::Error, problem);
  if (auto loaded = settings_.load(*parts.store); !loaded) return loaded;
  auto successes = parts.store->newest_successes();
  if (!successes) return successes.error();
  for (const RunRow& run : *successes) launcher_.note_success(run);
  enter(std::move(*state));

  StoreThread::Listener listener;
  listener.on_durable = [this](Sequence sequence) {
    if (executor_) executor_->flush();
    std::vector<std::function<void(Sequence)>> listeners;
    {
      const std::lock_guard lock(listeners_mutex_);
      for (const auto& [handle, call] : listeners_) listeners.push_back(call);
    }
    for (const auto& call : listeners) call(sequence);
  };
  listener.on_refused = [this](const Error& error) {
    log_line(LogLevel::Error, "commit refused; reloading from the store",
             {{"cause", error.message}});
    push(Input{.event = {}, .on_done = {}, .read = {}, .reload = true});
  };
  store_ = std::make_unique<StoreThread>(std::move(parts.store), std::move(listener));

  auto executor = parts.make_executor([this](std::vector<ExecutorEvent> events) {
    std::vector<Input> inputs;
    for (ExecutorEvent& event : events) {
      Event wide = std::visit([](auto& e) -> Event { return std::move(e); }, event);
      inputs.push_back(Input{.event = std::move(wide), .on_done = {}, .read = {}});
    }
    {
      const std::lock_guard lock(inbox_mutex_);
      std::move(inputs.begin(), inputs.end(), std::back_inserter(inbox_));
    }
    alarm_.ring();
  });
  if (!executor) return executor.error();
  executor_ = std::move(*executor);

  // Before the loop turns: its first event leads to calls of it.
  if (parts.make_trigger_host) {
    auto host = parts.make_trigger_host([this](Event event) { push_event(std::move(event)); });
    if (!host) return host.error();
    triggers_ = std::move(*host);
    // Tasks that were handed to a host which ended with the last server wait for the next one.
    for (const TryRow& row : world_.open_tries())
      if (is_for_host({row.instance, row.id, row.launch})) triggers_->expect_task();
  }

  last_turn_uptime_us_ = clock_->uptime().count();
  thread_ = std::thread([this] { run(); });
  return open_sources(parts);
}

Result<Done> Loop::open_sources(const Parts& parts) {
  recovered_ = parts.dag_sources.empty();
  unscanned_ = parts.dag_sources.size();
  DagSource::Listener listener;
  listener.on_event = [this](Event event) { push_event(std::move(event)); };
  listener.on_pool = [this](const PoolRow& pool) {
    read_world([this, pool](const World& world, const Moment&) {
      const std::vector<PoolRow> pools = world.pools();
      const auto same = [&](const PoolRow& row) { return row.name == pool.name; };
      if (std::none_of(pools.begin(), pools.end(), same)) push_event(SetPool{pool, "etesian.yaml"});
    });
  };
  listener.on_first_scan = [this] {
    // After the events of the scan: ready means that the DAGs are there.
    read_world([this](const World&, const Moment&) { recovered_ = --unscanned_ == 0; });
  };
  std::vector<std::shared_ptr<const Dag>> known;
  std::promise<void> told;
  read_world([&](const World& world, const Moment&) {
    for (const std::string& id : world.dag_ids()) known.push_back(world.dag(id));
    told.set_value();
  });
  told.get_future().wait();
  for (const MakeDagSource& make : parts.dag_sources) {
    auto source = make(known, listener);
    if (!source) return source.error();
    sources_.push_back(std::move(*source));
  }
  return Done{};
}

std::vector<ImportError> Loop::import_errors() const {
  std::vector<ImportError> all;
  std::int64_t of = 0;
  for (const auto& source : sources_) {
    constexpr std::int64_t kIdsOfOneSource = 1'000'000;
    for (ImportError& error : source->import_errors()) {
      error.id += of * kIdsOfOneSource;
      all.push_back(std::move(error));
    }
    ++of;
  }
  return all;
}

/// What runs after a commit uses the trigger host and the executor: they go last.
Loop::~Loop() {
  sources_.clear();
  {
    const std::lock_guard lock(inbox_mutex_);
    stopping_ = true;
  }
  alarm_.ring();
  if (store_) store_->stop_waiting();
  if (thread_.joinable()) thread_.join();
  store_.reset();
  triggers_.reset();
  executor_.reset();
}

void Loop::push(Input input) {
  bool was_empty = false;
  {
    const std::lock_guard lock(inbox_mutex_);
    was_empty = inbox_.empty();
    inbox_.push_back(std::move(input));
  }
  if (was_empty) alarm_.ring();
}

int Loop::subscribe(std::function<void(Sequence)> listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

void Loop::unsubscribe(int handle) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.erase(handle);
}

Moment Loop::moment() const { return {clock_->now(), clock_->uptime(), random_->next()}; }

void Loop::run() {
  for (;;) {
    std::vector<Input> inputs;
    bool stop = false;
    {
      const std::lock_guard lock(inbox_mutex_);
      inputs.swap(inbox_);
      stop = stopping_;
    }
    if (stop) return;
    const World::Timers due = timers();
    const bool timer_due =
        (due.wall && *due.wall <= clock_->now()) || (due.uptime && *due.uptime <= clock_->uptime());
    last_turn_us_ = clock_->now().time_since_epoch().count();
    last_turn_uptime_us_ = clock_->uptime().count();
    if (inputs.empty() && !timer_due) {
      alarm_.wait(due.wall, due.uptime);
      continue;
    }
    turn(std::move(inputs));
    store_->wait_below(kItemsAhead);
  }
}

void Loop::turn(std::vector<Input> inputs) {
  for (Input& input : inputs) {
    if (input.reload)
      reload();
    else if (input.read)
      input.read(world_, moment());
    else
      decide(std::move(input));
  }
  if (std::exchange(has_new_producers_, false)) {
    hand_over();
    learn_past();
  }
  const Moment at = moment();
  keep(step(world_, TimeReached{}, at), at, {});
  hand_over();
  count_world();
}

/// Whether something must be asked of the store before the command can be decided, and what.
bool Loop::needs_store(const Input& input, Ask& about, Question& question) const {
  if (input.asked && !input.asked->is_stale) return false;
  std::vector<RunKey> missing = runs_needed(*input.event);
  std::erase_if(missing, [this](RunKey run) { return world_.run(run) != nullptr; });
  if (!missing.empty()) {
    about.runs.insert(missing.begin(), missing.end());
    question = [missing](Store&, Event&) -> Result<std::vector<RunKey>> { return missing; };
    return true;
  }
  if (const auto* trigger = std::get_if<TriggerRun>(&*input.event);
      trigger && (trigger->run_id || trigger->logical_date)) {
    about.dag_id = trigger->dag_id;
    question = [](Store& store, Event& event) -> Result<std::vector<RunKey>> {
      if (auto refused = check_is_new(store, std::get<TriggerRun>(event))) return *refused;
      return std::vector<RunKey>{};
    };
    return true;
  }
  if (const auto* backfill = std::get_if<CreateBackfill>(&*input.event)) {
    about.dag_id = backfill->row.dag_id;
    question = [](Store& store, Event& event) {
      auto& its = std::get<CreateBackfill>(event);
      its.existing.clear();
      return sort_existing(store, its);
    };
    return true;
  }
  return false;
}

void Loop::complete_from_store(Input input, Ask about, Question question) {
  hand_over();  // The store answers with everything that was decided before.
  input.asked = asks_.add(std::move(about));
  input.past.clear();
  input.before_past.clear();
  auto held = std::make_shared<Input>(std::move(input));
  store_->read([this, held, question = std::move(question)](Store& store) {
    const auto refuse = [&](const Error& error) {
      if (held->on_done) held->on_done(error);
    };
    const auto runs = question(store, *held->event);
    if (!runs) return refuse(runs.error());
    const Store::DagBuilder build = building_each_once();
    for (const RunKey run : *runs) {
      auto facts = store.revive(run, build);
      if (!facts) return refuse(facts.error());
      if (auto before = run_before(store, *facts, build))
        held->before_past.push_back(std::move(*before));
      held->past.push_back(std::move(*facts));
    }
    push(std::move(*held));
  });
}

/// False: the input went away to be completed and will come back, or was refused.
bool Loop::prepare(Input& input) {
  Ask about;
  if (Question question; needs_store(input, about, question)) {
    complete_from_store(std::move(input), std::move(about), std::move(question));
    return false;
  }
  if (auto missing = settings_.check(*input.event)) {
    if (input.on_done) input.on_done(*missing);
    return false;
  }
  if (auto* trigger = std::get_if<TriggerRun>(&*input.event)) {
    if (const auto dag = world_.dag(trigger->dag_id)) {
      auto conf = conf_for(*dag, trigger->conf);
      if (!conf) {
        if (input.on_done) input.on_done(conf.error());
        return false;
      }
      trigger->conf = std::move(*conf);
    }
  }
  if (const auto* up = std::get_if<ExecutorUp>(&*input.event)) {
    executors_up_[up->executor] = *up;
    if (up->executor != kTriggerHost) executor_up_ = true;
  }
  if (const auto* down = std::get_if<ExecutorDown>(&*input.event)) {
    executors_up_.erase(down->executor);
    executor_up_ = executors_up_.size() > executors_up_.count(kTriggerHost);
  }
  return true;
}

void Loop::decide(Input input) {
  if (!prepare(input)) return;
  // Just before the command: a finished run leaves the world again with the next step.
  for (StoredState::ActiveRun& run : input.before_past) world_.recall(std::move(run));
  for (StoredState::ActiveRun& run : input.past)
    if (!world_.run(run.row.key) && is_final(run.row.state)) world_.revive(std::move(run));
  const Moment at = moment();
  Decision decision = step(world_, *input.event, at);
  if (!decision.changes.empty()) {
    if (const auto* loaded = std::get_if<DagLoaded>(&*input.event))
      told_[loaded->dag->id()] = loaded->dag;
    if (const auto* gone = std::get_if<DagGone>(&*input.event)) told_[gone->dag_id] = nullptr;
  }
  keep(std::move(decision), at, std::move(input.on_done));
}

void Loop::keep(Decision decision, const Moment& at, OnDone on_done) {
  // A refused command may still have set free what waited for the next step.
  if (decision.refused && on_done) std::exchange(on_done, {})(*decision.refused);
  changes_ += decision.changes.size();
  for (Change& change : decision.changes) {
    settings_.apply(change);
    asks_.note(change);
    if (const auto* dag = std::get_if<DagChanged>(&change))
      for (const Producer& producer : producers_of(*dag->dag))
        has_new_producers_ = producers_.insert(producer).second || has_new_producers_;
    if (const auto* run = std::get_if<RunChanged>(&change)) launcher_.note_success(run->row);
    if (const auto* ended = std::get_if<TryChanged>(&change); ended && ended->row.outcome) ++ended_;
    items_.push_back({std::move(change), at.now});
  }
  for (const Effect& effect : decision.effects) after_.push_back(release(effect));
  if (!on_done) return;
  const CommandDone done{decision.run, decision.backfill, 0, decision.asset_event};
  // Also where nothing changes: what it tells of may still be on its way to the disk.
  after_.push_back([done, on_done](const Result<Sequence>& result) {
    if (!result) return on_done(result.error());
    CommandDone answer = done;
    answer.sequence = *result;
    on_done(answer);
  });
}

/// Whether only the Python host can run this launch.
bool Loop::is_for_host(const Effect::Start& start) const {
  const TryRow* open = world_.open_try(start.try_id);
  const auto dag = world_.dag_of(start.key.run);
  return dag && open && open->worker != kNativeLane &&
         dag->task(start.key.task).run.kind == Command::Kind::Worker;
}

/// What to do once the decision is durable. Launches are rendered now, while the world is as
/// decided.
StoreThread::After Loop::release(const Effect& effect) {
  struct Visitor {
    Loop& loop;
    StoreThread::After operator()(const Effect::Start& start) const {
      const LaunchId id{start.try_id, start.launch};
      auto launch = loop.launcher_.launch(loop.world_, start);
      if (!launch) {
        LaunchEnded failed{id, {}};
        failed.outcome.cause = Cause::TemplateFailed;
        failed.outcome.message = launch.error().message;
        failed.outcome.started_at = failed.outcome.ended_at = loop.clock_->now();
        return [&l = loop, failed](const Result<Sequence>& durable) {
          if (durable) l.push(Input{.event = failed, .on_done = {}, .read = {}});
        };
      }
      ++loop.started_;
      return [&l = loop, is_for_host = loop.is_for_host(start),
              ready = std::make_shared<wire::StartTry>(std::move(*launch))](
                 const Result<Sequence>& durable) {
        if (!durable) return;
        if (is_for_host && l.triggers_) l.triggers_->expect_task();
        l.executor_->start(std::move(*ready));
      };
    }
    StoreThread::After operator()(const Effect::Stop& e) const {
      return [&l = loop, e](const Result<Sequence>& durable) {
        if (durable) l.executor_->stop(e.id, e.grace, e.reason);
      };
    }
    StoreThread::After operator()(const Effect::Revoke& e) const {
      return [&l = loop, e](const Result<Sequence>& durable) {
        if (durable) l.executor_->revoke(e.id);
      };
    }
    StoreThread::After operator()(const Effect::Inquire& e) const {
      return [&l = loop, e](const Result<Sequence>& durable) {
        if (durable) l.executor_->inquire(e.id);
      };
    }
    StoreThread::After operator()(const Effect::Watch& e) const {
      return [&l = loop, e](const Result<Sequence>& durable) {
        if (durable && l.triggers_) l.triggers_->watch(e);
      };
    }
    StoreThread::After operator()(const Effect::Callback& e) const {
      return [&l = loop, e](const Result<Sequence>& durable) {
        if (durable && l.triggers_) l.triggers_->call(e);
      };
    }
    StoreThread::After operator()(const Effect::Unwatch& e) const {
      return [&l = loop, e](const Result<Sequence>& durable) {
        if (durable && l.triggers_) l.triggers_->unwatch(e.try_id);
      };
    }
    StoreThread::After operator()(const Effect::Acknowledge& e) const {
      return [&l = loop, e](const Result<Sequence>& durable) {
        if (durable) l.executor_->acknowledge(e.id);
      };
    }
  };
  return std::visit(Visitor{*this}, effect.what);
}

void Loop::hand_over() {
  if (items_.empty() && after_.empty()) return;
  store_->commit(std::exchange(items_, {}), std::exchange(after_, {}));
}

/// What is stored once everything that was handed over is committed or dropped.
Result<StoredState> Loop::read_stored_state() {
  return ask_store<StoredState>([](Store& store) {
    std::vector<std::string> problems;
    return store.load(build_stored_dag, problems);
  });
}

/// Blocks for the answer. Errors: those of the store, and Unavailable while the server stops.
template <class T>
Result<T> Loop::ask_store(std::function<Result<T>(Store&)> question) {
  auto answer = std::make_shared<std::promise<Result<T>>>();
  auto future = answer->get_future();
  store_->read([answer = std::move(answer), question = std::move(question)](Store& store) {
    answer->set_value(question(store));
  });
  try {
    return future.get();
  } catch (const std::future_error&) {
    return Error{ErrorCode::Unavailable, "the server is stopping"};
  }
}

void Loop::enter(StoredState state) {
  producers_.clear();
  for (const StoredState::DagState& dag : state.dags)
    if (dag.dag) producers_.merge(producers_of(*dag.dag));
  world_ = World::load(std::move(state), moment(), options_.limits);
  world_.set_map_evaluator(
      [this](const World& world, RunKey run, const Task& task, const TemplateText& source) {
        return launcher_.map_source(world, run, task, source);
      });
  world_.set_field_renderer([this](const World& world, const TryRow& starts) {
    return launcher_.native_fields(world, starts);
  });
  // A world between two steps has nothing left to look at.
  const Moment at = moment();
  keep(step(world_, TimeReached{}, at), at, {});
}

/// The one recovery path: what the store holds is the truth, and the executor is asked about the
/// rest.
void Loop::reload() {
  items_.clear();
  for (StoreThread::After& after : std::exchange(after_, {}))
    after(Error{ErrorCode::Unavailable,
                "not done: something that was to be stored before it was refused; try again"});
  store_->begin_epoch();
  auto state = read_stored_state();
  const auto settings = ask_store<Done>([this](Store& store) { return settings_.load(store); });
  if (is_stopping()) return;
  // Without a readable store there is nothing true to go on with; a restart tries again.
  if (!state || !settings) {
    const Error& cause = state ? settings.error() : state.error();
    log_line(LogLevel::Error, "cannot reload from the store; stopping", {{"cause", cause.message}});
    std::abort();
  }
  enter(std::move(*state));
  const Moment at = moment();
  // Once: what is refused again waits for the next edit.
  for (const auto& [id, dag] : std::exchange(told_, {}))
    keep(dag ? step(world_, DagLoaded{dag}, at) : step(world_, DagGone{id}, at), at, {});
  for (const auto& [name, up] : executors_up_) keep(step(world_, up, at), at, {});
}

/// A new DAG needs what others did before it came.
void Loop::learn_past() {
  auto state = read_stored_state();
  if (!state) {
    log_line(LogLevel::Warning, "past successes of producers are not known yet",
             {{"cause", state.error().message}});
    return;
  }
  for (PastSuccess& fact : state->past) world_.learn(std::move(fact));
}

void Loop::count_world() {
  const auto size = world_.size();
  active_runs_ = size.active_runs;
  open_tries_ = size.open_tries;
  dags_ = size.dags;
}

EngineHealth Loop::health() const {
  EngineHealth health;
  health.last_turn = Instant(Duration(last_turn_us_.load()));
  health.is_live = clock_->uptime() - Duration(last_turn_uptime_us_.load()) < kLiveWithin;
  const std::string stall = store_->stall();
  health.is_ready = health.is_live && recovered_ && stall.empty();
  if (!health.is_live)
    health.reason = "the engine's loop does not turn";
  else if (!stall.empty())
    health.reason = "commits do not go through: " + stall;
  else if (!recovered_)
    health.reason = "recovering";
  health.executor_up = executor_up_;
  health.active_runs = active_runs_;
  health.open_tries = open_tries_;
  health.dags = dags_;
  health.commits = store_->commits();
  health.changes = changes_;
  health.tasks_started = started_;
  health.tasks_ended = ended_;
  health.last_commit = store_->last_commit();
  return health;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(EngineOptions options, Parts parts) {
  auto loop = std::make_unique<Loop>(std::move(options), parts);
  if (auto opened = loop->open(parts); !opened) return opened.error();
  return std::unique_ptr<Engine>(std::move(loop));
}

}  // namespace etesian
