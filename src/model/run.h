#pragma once
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "model/dag.h"
#include "model/schedule.h"
#include "model/state.h"

namespace etesian {

using RunKey = std::int64_t;       ///< Integer key inside; clients see (dag_id, run_id).
using BackfillKey = std::int64_t;  ///< Shown to clients as the backfill's id.

/// One task instance: (run, task, map index). Map index -1: not mapped, or not expanded yet.
struct InstanceKey {
  RunKey run = 0;
  TaskIndex task = 0;
  std::int32_t map_index = -1;
  friend auto operator<=>(const InstanceKey&, const InstanceKey&) = default;
};

/// Whose state a value of the state store is.
struct StatePlace {
  InstanceKey instance;
  AssetKey asset = 0;  ///< Not 0: an asset's; `instance` is the default then.
  friend auto operator<=>(const StatePlace&, const StatePlace&) = default;
};

/// Facts of a run as stored. Times are UTC.
struct RunRow {
  RunKey key = 0;
  std::string dag_id, run_id, dag_version;
  RunType type = RunType::Manual;
  RunState state = RunState::Queued;
  std::optional<Instant> logical_date;
  std::optional<DataInterval> interval;
  Instant run_after{}, queued_at{};
  std::optional<Instant> started_at, ended_at;
  std::string conf = "{}";  ///< Params of this run: a JSON object, validated.
  std::string note, triggered_by;
  BackfillKey backfill = 0;  ///< 0: none.
  int clear_count = 0;
};

/// Where a try's log begins (logs/reader.h). Zero segment: no log.
struct LogPlace {
  std::uint64_t segment = 0, offset = 0;
  friend bool operator==(const LogPlace&, const LogPlace&) = default;
};

/// How a try ended: the durable evidence that an executor gives.
struct Outcome {
  Cause cause = Cause::Exit;
  int exit_code = 0;         ///< 0..255 as exited, 128 + n for signal n.
  int raw_status = 0;        ///< Status word of waitpid(2); 0 where there was no process.
  std::string message;       ///< For people; empty when the code says all.
  bool log_matched = false;  ///< The retry rule's `on_log` matched.
  std::string output;        ///< JSON text of $ETESIAN_OUTPUT; empty: none.
  Instant started_at{}, ended_at{};
  std::uint64_t log_lines = 0, log_bytes = 0;
  std::string log_hash;
  bool log_cut = false;
  LogPlace log;
};

/// A committed order to end an open try. It lives in the try's row, so that a restart remembers it;
/// the instance moves only after the executor has confirmed the end (the drain).
struct StopOrder {
  /// State after the drain. None: cleared, runs again. UpForRetry: retried if its rule allows.
  TaskState then = TaskState::Failed;
  /// A user's mark or clear: holds even when the try turns out to have ended with exit code 0.
  bool overrules_success = false;
  std::optional<RunState> run_then;  ///< The run ends in this state once its last try is drained.
  std::string reason;                ///< For people: "marked failed by ann".
  friend bool operator==(const StopOrder&, const StopOrder&) = default;
};

/// How a try went on or ended, as the SDK's worker says it before its process ends (Execution API,
/// PATCH /task-instances/{id}/state). It is durable before it is acknowledged, and takes effect
/// when the executor confirms the end of the process.
struct WorkerReport {
  /// Success, Failed, Skipped, Removed, UpstreamFailed, UpForRetry, or one that `is_resting`.
  TaskState state = TaskState::Success;
  Instant ended_at{};
  /// UpForReschedule: when to go on. Deferred, AwaitingInput: the deadline; absent: none.
  std::optional<Instant> wake_at;
  std::optional<Duration> retry_delay;  ///< UpForRetry: replaces the rule's delay.
  std::string reason;                   ///< For people.
  std::string resume;                   ///< Deferred, AwaitingInput: see InstanceRow::resume.
  std::string outlets;                  ///< Success: JSON of the asset events; empty: none.
  friend bool operator==(const WorkerReport&, const WorkerReport&) = default;
};
/// JSON text, as it is stored; errors: Corrupt.
std::string to_json_text(const WorkerReport& report);
Result<WorkerReport> report_from_json(const std::string& text);

/// TryRow::worker of an Airflow task that the agent runs itself.
inline constexpr const char* kNativeLane = "native";

/// One launch of a task instance's command. Open until `outcome` is there.
struct TryRow {
  Uuid id;
  InstanceKey instance;
  /// Airflow's try_number, from 1. A try that rested (rescheduled, deferred) has one row for each
  /// of its launches.
  int number = 1;
  int launch = 1;        ///< Grows when a launch is offered again without using up the try.
  std::string executor;  ///< "local"
  std::string session;   ///< Of the agent that the launch is assigned to.
  std::string host;
  int pid = 0;
  Instant queued_at{};
  std::optional<Instant> started_at;
  std::optional<Outcome> outcome;
  TaskState final_state = TaskState::None;  ///< Of the instance when this try ended.
  std::optional<StopOrder> stop;            ///< Ordered, not confirmed yet while the try is open.
  LogPlace log;
  /// Of an SDK worker: "host user pid"; empty: it has not said hello yet. kNativeLane: no worker.
  std::string worker;
  std::string report;    ///< Its report as JSON (WorkerReport); empty: none.
  std::string rendered;  ///< JSON object of its rendered template fields; empty: none.
};

/// A task instance as stored.
struct InstanceRow {
  InstanceKey key;
  TaskState state = TaskState::None;
  int try_number = 0;  ///< 0 before the first try, as in Airflow.
  int max_tries = 0;   ///< Retries allowed; grows by clear, as in Airflow.
  int infrastructure_losses = 0;
  std::optional<Instant> scheduled_at, queued_at, started_at, ended_at;
  std::optional<Instant> first_started_at;  ///< For RetryRule::max_elapsed; reset by clear.
  /// When it may go on by itself: the next try, the next poke, the deadline of a deferral.
  std::optional<Instant> wake_at;
  std::optional<Instant> contact_lost_since;  ///< Suspect: silence, which is not death.
  Uuid open_try;                              ///< Nil: none.
  std::string note;
  std::string rendered_map_index;
  /// What the next launch of a try that rests goes on with, a JSON object: "id" (of the try that
  /// rested), "classpath" and "kwargs" (of the trigger), "next_method", "next_kwargs". Empty: it
  /// starts from its beginning.
  std::string resume;
  int reschedules = 0;  ///< Times that this try was put off (up_for_reschedule).
};

/// Whether another failure may be retried. A loss of the infrastructure uses up no retry.
bool has_retries_left(const InstanceRow& instance);

/// Run ids of Airflow: "scheduled__2024-08-15T05:01:43+00:00", "manual__…". Source:
/// vectors/run_ids.jsonl. Without a logical date a suffix of 8 random characters follows.
std::string make_run_id(RunType type, Instant run_after, std::optional<Instant> logical_date,
                        Random& random);
/// The type that a run id's prefix names; Manual for any other.
RunType run_type_of_id(const std::string& run_id);
/// Airflow's allowed pattern ^[A-Za-z0-9_.~:+-]+$ without "..", and length <= 250. Errors:
/// InvalidInput.
Result<Done> check_run_id(const std::string& run_id);
/// Airflow's rule for dag, task and pool ids: letters (of any script), digits, '_', '-', '.', <=
/// 250 bytes of UTF-8; no control character, nothing invisible. `what` ("task") goes into the
/// message.
Result<Done> check_id(const std::string& what, const std::string& id);

}  // namespace etesian
