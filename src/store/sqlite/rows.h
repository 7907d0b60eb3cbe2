#pragma once
#include "model/change.h"
#include "store/sqlite/database.h"

namespace etesian::sqlite {

// Column lists and readers that belong together: `x_from` reads the columns of `kXColumns` starting
// at column `at`. Aliases: r dag_run, d dag, v dag_version, i task_instance, t try, w worker.

#define ETESIAN_RUN_COLUMNS                                                                   \
  "r.key, d.dag_id, r.run_id, v.version, r.type, r.state, r.logical_date, r.interval_start, " \
  "r.interval_end, r.run_after, r.queued_at, r.started_at, r.ended_at, r.conf, r.note, "      \
  "r.triggered_by, r.backfill, r.clear_count"
#define ETESIAN_RUN_TABLES \
  "dag_run r JOIN dag d ON d.key = r.dag JOIN dag_version v ON v.key = r.version"
inline constexpr int kRunColumnCount = 18;
RunRow run_from(const Statement& s, int at);

#define ETESIAN_INSTANCE_COLUMNS                                                               \
  "i.run, i.task, i.map_index, i.state, i.try_number, i.max_tries, i.losses, i.scheduled_at, " \
  "i.queued_at, i.started_at, i.ended_at, i.first_started_at, i.wake_at, "                     \
  "i.contact_lost_since, i.open_try, i.note, i.rendered_map_index, i.resume, i.reschedules"
inline constexpr int kInstanceColumnCount = 19;
InstanceRow instance_from(const Statement& s, int at);

/// For `instance_summary`, which looks up the rest.
#define ETESIAN_SUMMARY_COLUMNS                                      \
  ETESIAN_INSTANCE_COLUMNS                                           \
      ", d.dag_id, r.run_id, k.task_id, v.version, r.logical_date, " \
      "r.run_after"
inline constexpr int kSummaryColumnCount = kInstanceColumnCount + 6;
#define ETESIAN_SUMMARY_TABLES                                                     \
  "dag_run r JOIN dag d ON d.key = r.dag JOIN dag_version v ON v.key = r.version " \
  "JOIN task_instance i ON i.run = r.key "                                         \
  "LEFT JOIN dag_task k ON k.version = r.version AND k.task = i.task"

#define ETESIAN_TRY_COLUMNS                                                                      \
  "t.run, t.task, t.map_index, t.number, t.id, t.launch, w.executor, w.session, w.host, t.pid, " \
  "t.queued_at, t.started_at, t.final_state, t.log_segment, t.log_offset, t.stop_then, "         \
  "t.stop_overrules, t.stop_run_then, t.stop_reason, t.cause, "                                  \
  "t.exit_code, t.raw_status, t.message, t.log_matched, t.outcome_started_at, "                  \
  "t.outcome_ended_at, t.log_lines, t.log_bytes, t.log_hash, t.log_cut, t.outcome_segment, "     \
  "t.outcome_offset, t.sdk_worker, t.report, t.rendered"
#define ETESIAN_TRY_TABLES "try t JOIN worker w ON w.key = t.worker"
TryRow try_from(const Statement& s, int at);

#define ETESIAN_BACKFILL_COLUMNS                                                                  \
  "key, dag_id, from_date, to_date, max_active_runs, is_paused, run_backwards, reprocess, conf, " \
  "created_at, completed_at, created_by"
BackfillRow backfill_from(const Statement& s, int at);

#define ETESIAN_HUMAN_INPUT_COLUMNS                                                    \
  "h.run, h.task, h.map_index, h.try_number, h.try_id, h.options, h.subject, h.body, " \
  "h.defaults, h.is_multiple, h.params, h.assigned, h.asked_at, h.answered_at, "       \
  "h.answered_by, h.answered_by_name, h.chosen, h.params_input"
/// Throws Failure where a list does not parse.
HumanInput human_input_from(const Statement& s, int at);

#define ETESIAN_ASSET_COLUMNS \
  "a.key, a.name, a.uri, a.asset_group, a.extra, a.is_active, a.created_at, a.updated_at"
inline constexpr int kAssetColumnCount = 8;
AssetRow asset_from(const Statement& s, int at);

/// Why a DAG names an asset. Values are stored.
enum class ReferenceKind : std::uint8_t { Schedule, Inlet, Outlet };

}  // namespace etesian::sqlite
