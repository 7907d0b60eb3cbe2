// Backfills: many runs of past dates, a few at a time.
#include <fmt/format.h>

#include <algorithm>

#include "base/time_text.h"
#include "scheduler/stepper.h"

namespace etesian {
namespace {

constexpr std::size_t kRunsMax = 100'000;

bool is_reprocessed(BackfillRow::Reprocess rule, RunState state) {
  switch (rule) {
    case BackfillRow::Reprocess::None: return false;
    case BackfillRow::Reprocess::Failed: return state == RunState::Failed;
    case BackfillRow::Reprocess::Completed: return is_final(state);
  }
  return false;
}

}  // namespace

void Stepper::on(const CreateBackfill& e) {
  const auto dag = world_.dag(e.row.dag_id);
  if (!dag)
    return refuse(ErrorCode::NotFound, fmt::format("backfill '{}': no such DAG", e.row.dag_id));
  DagEntry& entry = s_.entry(e.row.dag_id);
  for (const auto& [key, other] : s_.backfills)
    if (other.row.dag_id == e.row.dag_id)
      return refuse(
          ErrorCode::Conflict,
          fmt::format("backfill '{}': backfill {} is not completed yet", e.row.dag_id, key));
  auto slots = entry.timetable ? entry.timetable->runs_between(e.row.from, e.row.to, kRunsMax)
                               : std::vector<RunSlot>{};
  std::map<Instant, RunKey> active;
  for (const RunKey key : entry.runs)
    if (const auto& date = s_.find(key)->row.logical_date) active[*date] = key;
  std::erase_if(slots, [&](const RunSlot& slot) {
    if (std::find(e.existing.begin(), e.existing.end(), slot.logical_date) != e.existing.end())
      return true;
    const auto found = active.find(slot.logical_date);
    return found != active.end() &&
           !is_reprocessed(e.row.reprocess, s_.find(found->second)->row.state);
  });
  if (slots.empty())
    return refuse(ErrorCode::InvalidInput,
                  fmt::format("backfill '{}': no run to make from {} to {}", e.row.dag_id,
                              to_iso_z(e.row.from), to_iso_z(e.row.to)));
  if (e.row.run_backwards) std::reverse(slots.begin(), slots.end());
  BackfillRow row = e.row;
  row.key = s_.next_backfill_key;
  row.created_at = moment_.now;
  decision_.backfill = row.key;
  emit(BackfillChanged{row});
  for (const RunSlot& slot : slots) {
    if (const auto found = active.find(slot.logical_date); found != active.end()) {
      Run& run = *s_.find(found->second);
      RunRow again = run.row;
      again.backfill = row.key;
      const RunState from = again.state;
      emit(RunChanged{from, std::move(again), "taken into a backfill"});
      std::vector<InstanceKey> keys;
      for (const Node& node : run.nodes)
        for (const InstanceRow& item : node.items) keys.push_back(item.key);
      for (const InstanceKey& key : keys) clear_instance(run, key, "backfill");
      requeue(run, "backfill");
      continue;
    }
    RunRow made;
    made.type = RunType::Backfill;
    made.logical_date = slot.logical_date;
    made.interval = slot.interval;
    made.run_after = slot.run_after;
    made.backfill = row.key;
    made.conf = row.conf;
    made.triggered_by = row.created_by;
    made.run_id = make_run_id(made.type, made.run_after, made.logical_date, random_);
    create_run(std::move(made), dag);
  }
  audit(e.row.created_by, "create_backfill", e.row.dag_id);
}

void Stepper::on(const SetBackfill& e) {
  const auto found = s_.backfills.find(e.key);
  if (found == s_.backfills.end())
    return refuse(ErrorCode::NotFound, fmt::format("backfill {}: not found or completed", e.key));
  BackfillRow row = found->second.row;
  const auto queued = found->second.queued;
  const std::string dag_id = row.dag_id;
  row.is_paused = e.to != SetBackfill::To::Resume;
  emit(BackfillChanged{std::move(row)});
  if (e.to == SetBackfill::To::Cancel)
    for (const RunKey key : queued)
      stop_run(*s_.find(key), RunState::Failed, TaskState::Failed, TaskState::Skipped, true,
               fmt::format("backfill cancelled by {}", e.actor));
  static constexpr const char* kEvents[] = {"pause_backfill", "resume_backfill", "cancel_backfill"};
  audit(e.actor, kEvents[static_cast<int>(e.to)], dag_id);
}

void Stepper::finish_backfills(const std::string& dag_id) {
  std::vector<BackfillRow> done;
  for (const auto& [key, backfill] : s_.backfills)
    if (backfill.row.dag_id == dag_id && backfill.unfinished.empty()) done.push_back(backfill.row);
  for (BackfillRow& row : done) {
    row.completed_at = moment_.now;
    emit(BackfillChanged{std::move(row)});
  }
}

}  // namespace etesian
