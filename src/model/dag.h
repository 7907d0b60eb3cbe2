#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "model/asset.h"
#include "model/schedule.h"
#include "model/state.h"

namespace etesian {

/// Position of a task in Dag::tasks(): topological order.
using TaskIndex = std::uint32_t;

/// When a failed try is run again, in the spirit of tenacity. docs/dag-format.md#retry
struct RetryRule {
  static constexpr int kForever = -1;
  int times = 0;  ///< Retries after the first try; kForever = no limit.
  Duration delay = std::chrono::minutes(5);
  double backoff = 1.0;               ///< Factor per try: 1 = fixed. Range 1..100.
  std::optional<Duration> max_delay;  ///< Bounds a delay (24 h when absent).
  Duration jitter{0};                 ///< Up to this much is added, drawn from a hash of the try.
  std::optional<Duration>
      max_elapsed;               ///< No retry starts later than this after the first try's start.
  std::vector<int> on_exit;      ///< Not empty: only these exit codes are retried …
  std::vector<int> not_on_exit;  ///< … and these never.
  std::string on_log;            ///< RE2 pattern; only when it matches the log's last lines.
  std::vector<Cause> on_cause, not_on_cause;
  /// Exact delays of Airflow 3 (deterministic hash jitter) when its exponential backoff is on:
  /// the multiplier of `retry_exponential_backoff`; 0 = not an Airflow rule.
  double airflow_exponential_backoff = 0;
  friend bool operator==(const RetryRule&, const RetryRule&) = default;
};

/// Text that may hold templates, with its place in the file for diagnostics at run time.
struct TemplateText {
  std::string text;
  int line = 0, column = 0;
  friend bool operator==(const TemplateText&, const TemplateText&) = default;
};

/// What a task does when its turn comes.
struct Command {
  enum class Kind {
    Empty,  ///< Nothing: the task succeeds when its turn comes.
    Argv,
    Shell,
    Worker  ///< The Airflow SDK's worker runs it (Task::airflow); no words.
  } kind = Kind::Empty;
  /// Argv: one text an argument. Shell: one text, given to `/bin/sh -c` (run without a shell where
  /// it holds no character that a shell interprets: the result is the same).
  std::vector<TemplateText> words;
  friend bool operator==(const Command&, const Command&) = default;
};

/// What the output of a task decides about its direct followers.
enum class Decides : std::uint8_t {
  Nothing,
  Branch,       ///< Output = task or group id(s) that run; other direct followers are skipped.
  ShortCircuit  ///< Output false (or exit code in `skip_on_exit`) skips everything below.
};

/// How many values an expression over outputs has. It is all that the engine needs of an Airflow
/// map: the values themselves are seen by the worker alone.
struct LengthOf {
  enum class Kind {
    Literal,  ///< `literal`.
    Output,   ///< Of the output `key` of `task`; of a mapped task: how many instances pushed one.
    Zip,      ///< The shortest of `parts`.
    ZipLongest,  ///< The longest of `parts`.
    Concat       ///< The sum of `parts`.
  } kind = Kind::Literal;
  int literal = 0;
  std::string task, key;
  std::vector<LengthOf> parts;
  friend bool operator==(const LengthOf&, const LengthOf&) = default;
};

/// How a mapped task's instances are made (docs/dag-format.md#map).
struct MapRule {
  struct Argument {
    std::string name;
    /// A JSON array or object, or a template of exactly one expression over upstream outputs.
    std::variant<std::string /*json*/, TemplateText, LengthOf> source;
    friend bool operator==(const Argument&, const Argument&) = default;
  };
  enum class Combine { Product, Zip } combine = Combine::Product;
  std::vector<Argument> arguments;  ///< Declaration order; the last varies fastest, as in Airflow.
  std::optional<int> max_active;    ///< Instances of one run at the same time.
  /// Mapped task group whose rule this is; its members' instances of one index belong together.
  /// Empty: the task's own rule.
  std::string group;
  friend bool operator==(const MapRule&, const MapRule&) = default;
};

/// This DAG's run or task waits for another DAG's work that covers its data interval.
struct Need {
  std::string dag;
  std::string task;  ///< Empty: the whole run.
  enum class Covers { DataInterval, LogicalDate, Latest } covers = Covers::DataInterval;
  Duration offset{0};             ///< Added to both ends of this run's interval before comparing.
  std::optional<Duration> fresh;  ///< The success is at most this old when the waiting ends.
  int line = 0, column = 0;
  friend bool operator==(const Need&, const Need&) = default;
};

/// What the engine, the worker and clients must know of an Airflow task besides its rules
/// (loader/airflow.h).
struct AirflowTask {
  std::string operator_type;  ///< Class: "BashOperator".
  std::string operator_name;  ///< As shown: "@task.bash"; the class where it has no other name.
  std::string queue = "default";
  std::string owner = "airflow";
  bool can_skip_downstream = false;  ///< May leave a "skipmixin_key" that holds for later clears.
  /// What the agent can run itself, without Python, to the same end (docs/airflow.md#native-lane);
  /// Task::environment and working_folder belong to it. Absent: the worker must run it.
  std::optional<Command> native;
  bool native_has_environment = false;      ///< Declared, be it empty.
  bool native_inherits_environment = true;  ///< Else it sees `environment` alone.
  bool has_failure_callback = false, has_retry_callback = false;
  friend bool operator==(const AirflowTask&, const AirflowTask&) = default;
};

struct Task {
  std::string id;     ///< Full id: "group.sub.task".
  std::string group;  ///< "group.sub"; empty at the top.
  std::string description;
  Command run;
  std::vector<std::pair<std::string, TemplateText>> environment;  ///< Declaration order.
  std::optional<TemplateText> working_folder;                     ///< Relative to the DAG's folder.
  std::vector<std::string> after;                                 ///< Ids of direct upstream tasks.
  TriggerRule trigger_rule = TriggerRule::AllSuccess;
  Decides decides = Decides::Nothing;
  std::vector<int> skip_on_exit = {
      99};  ///< Exit codes that mean "skipped", as Airflow's Bash operator.
  bool is_setup = false, is_teardown = false;
  std::vector<std::string> setups;   ///< Teardown only: ids of the setups that it takes down.
  bool on_failure_fail_run = false;  ///< Teardown only.
  std::optional<MapRule> map;
  std::optional<AirflowTask> airflow;  ///< Present: the task of an Airflow DAG.
  std::vector<Need> needs;
  std::vector<AssetUse> inlets, outlets;  ///< Assets that it says to read and to write.
  RetryRule retry;
  std::optional<Duration> timeout;
  Duration kill_grace = std::chrono::seconds(10);
  std::string pool = "default_pool";
  int pool_slots = 1;
  int priority = 1;
  WeightRule weight_rule = WeightRule::Downstream;
  std::optional<int> max_active;          ///< Instances of this task over all runs.
  std::optional<int> max_active_per_run;  ///< … and within one run.
  bool depends_on_past = false, wait_for_downstream = false;
  bool ignore_first_depends_on_past = true;
  std::string executor = "local";
  std::string image;
  double cpu = 0;                  ///< Cores; 0 = no limit.
  std::uint64_t memory_bytes = 0;  ///< 0 = no limit.
  std::uint32_t output_bytes_max = 256 << 10;
  int line = 0, column = 0;  ///< Where the file defines it.
  friend bool operator==(const Task&, const Task&) = default;
};

/// What a new run does when its DAG is busy (max_active_runs reached).
enum class Overlap : std::uint8_t { Wait, Skip, CancelOldest };

/// Where an Airflow DAG comes from.
struct AirflowSource {
  std::string bundle = "dags-folder";
  bool has_success_callback = false, has_failure_callback = false;
  std::string serialized;  ///< The SDK's JSON object {"__version", "dag", …}, as text.
  friend bool operator==(const AirflowSource&, const AirflowSource&) = default;
};

/// All that a DAG file says, before `Dag::build` checks and orders it.
struct DagDefinition {
  std::string id;
  std::string description, owner;
  std::vector<std::string> tags;
  Schedule schedule;
  std::string schedule_text;  ///< As written, for lists: "0 3 * * *".
  Overlap overlap = Overlap::Wait;
  std::string params_schema = "{}";  ///< JSON object: name -> JSON Schema with "default".
  int max_active_runs = 16, max_active_tasks = 16;
  std::optional<Duration> run_timeout;
  bool fail_fast = false;
  bool paused_on_creation = false;
  std::vector<Need> needs;
  std::optional<AssetCondition> schedule_assets;  ///< Makes runs besides those of `schedule`.
  std::vector<Asset> assets;                      ///< All that the schedule and the tasks name.
  std::vector<AssetAlias> aliases;
  std::vector<Task> tasks;
  std::optional<AirflowSource> airflow;  ///< Present: an Airflow DAG.
  std::string folder;                    ///< Absolute; where relative commands and files are found.
  std::string relative_file;             ///< "dags/flights_daily/dag.yaml"
  std::string source;                    ///< The file's text, for display.
  std::string canonical;  ///< Canonical text of the members above `folder` (loader/canonical.h).
  std::string version;    ///< SHA-256 of `canonical` and the bundle's content.
};

/// The members of one cycle among tasks, each waiting for the one before it, the first repeated at
/// the end; empty: there is none. Every name in `after` must be the id of one of the tasks.
std::vector<std::string> find_cycle(const std::vector<Task>& tasks);

/// A validated workflow: immutable, shared by everything that runs on it; ignorant of files,
/// clocks, runs and executors.
class Dag {
 public:
  /// Checks what needs the whole graph and orders tasks topologically (ties keep file order).
  /// Errors: InvalidInput, naming the task: repeated id, unknown upstream, a cycle (all its members
  /// in order), a teardown whose setup is unknown, a task that is setup and teardown.
  static Result<std::shared_ptr<const Dag>> build(DagDefinition definition);

  const DagDefinition& definition() const { return definition_; }
  const std::string& id() const { return definition_.id; }
  const std::string& version() const { return definition_.version; }
  std::span<const Task> tasks() const { return definition_.tasks; }
  const Task& task(TaskIndex i) const { return definition_.tasks[i]; }
  std::optional<TaskIndex> find(const std::string& task_id) const;
  /// Direct neighbours, ascending.
  std::span<const TaskIndex> upstream(TaskIndex i) const;
  std::span<const TaskIndex> downstream(TaskIndex i) const;
  /// Effective weight by the task's weight rule; Airflow's numbers
  /// (vectors/priority_weights.jsonl).
  int priority_weight(TaskIndex i) const { return weights_[i]; }
  /// Tasks without downstream, teardowns looked through: what decides the run's state. A teardown
  /// with on_failure_fail_run is a leaf itself. Source: oracle README.
  std::span<const TaskIndex> leaves() const { return leaves_; }
  /// Members of a group, nested ones included; empty for an unknown group.
  std::vector<TaskIndex> group_members(const std::string& group) const;
  /// `i` and everything reachable down (or up), ascending.
  std::vector<TaskIndex> reach_down(TaskIndex i) const;
  std::vector<TaskIndex> reach_up(TaskIndex i) const;

 private:
  explicit Dag(DagDefinition definition);
  void link();
  DagDefinition definition_;
  std::map<std::string, TaskIndex> index_;
  std::vector<std::uint32_t> up_begin_, down_begin_;  ///< CSR offsets, size tasks + 1.
  std::vector<TaskIndex> up_, down_;
  std::vector<int> weights_;
  std::vector<TaskIndex> leaves_;
};

/// Stable id of a DAG's version, which Airflow's clients and workers expect beside the DAG's own.
Uuid dag_version_uuid(const std::string& dag_id, const std::string& version);

}  // namespace etesian
