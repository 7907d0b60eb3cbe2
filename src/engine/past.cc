#include "engine/past.h"

#include <algorithm>

namespace etesian {
namespace {

bool is_reprocessed(BackfillRow::Reprocess reprocess, RunState state) {
  if (reprocess == BackfillRow::Reprocess::Completed) return true;
  return reprocess == BackfillRow::Reprocess::Failed && state == RunState::Failed;
}

std::vector<RunKey> runs_of(const std::vector<InstanceKey>& keys) {
  std::set<RunKey> runs;
  for (const InstanceKey& key : keys) runs.insert(key.run);
  return {runs.begin(), runs.end()};
}

}  // namespace

std::set<Producer> producers_of(const Dag& dag) {
  std::set<Producer> producers;
  for (const Need& need : dag.definition().needs) producers.emplace(need.dag, need.task);
  for (const Task& task : dag.tasks()) {
    for (const Need& need : task.needs) producers.emplace(need.dag, need.task);
    if (task.depends_on_past || task.wait_for_downstream) producers.emplace(dag.id(), task.id);
  }
  return producers;
}

std::optional<StoredState::ActiveRun> run_before(Store& store, const StoredState::ActiveRun& run,
                                                 const Store::DagBuilder& build) {
  const auto looks_back = [](const Task& task) {
    return task.depends_on_past || task.wait_for_downstream;
  };
  const auto tasks = run.dag->tasks();
  if (!run.row.logical_date || std::none_of(tasks.begin(), tasks.end(), looks_back))
    return std::nullopt;
  RunFilter filter;
  filter.dag_id = run.row.dag_id;
  filter.states = {RunState::Success, RunState::Failed};
  filter.logical_date.lte = *run.row.logical_date - Duration(1);
  const auto found = store.runs(filter, {.limit = 1, .offset = 0, .order_by = "-logical_date"});
  if (!found || found->rows.empty()) return std::nullopt;
  auto before = store.revive(found->rows[0].key, build);
  if (!before) return std::nullopt;
  return std::move(*before);
}

std::optional<Error> check_is_new(Store& store, const TriggerRun& trigger) {
  if (trigger.run_id && store.run(trigger.dag_id, *trigger.run_id))
    return Error{ErrorCode::Conflict, "trigger '" + trigger.dag_id + "': the run '" +
                                          *trigger.run_id + "' exists already"};
  if (!trigger.logical_date) return std::nullopt;
  RunFilter filter;
  filter.dag_id = trigger.dag_id;
  filter.logical_date.gte = filter.logical_date.lte = trigger.logical_date;
  const auto same = store.runs(filter, {.limit = 1, .offset = 0, .order_by = ""});
  if (!same) return same.error();
  if (same->rows.empty()) return std::nullopt;
  return Error{ErrorCode::Conflict, "trigger '" + trigger.dag_id + "': the run '" +
                                        same->rows[0].run_id +
                                        "' has this logical date; clear it to run it again"};
}

Result<std::vector<RunKey>> sort_existing(Store& store, CreateBackfill& backfill) {
  RunFilter filter;
  filter.dag_id = backfill.row.dag_id;
  filter.states = {RunState::Success, RunState::Failed};
  filter.logical_date.gte = backfill.row.from;
  filter.logical_date.lte = backfill.row.to;
  std::vector<RunKey> again;
  constexpr int kPage = 1000;
  for (int offset = 0;; offset += kPage) {
    const auto page =
        store.runs(filter, {.limit = kPage, .offset = offset, .order_by = "logical_date"});
    if (!page) return page.error();
    for (const RunRow& run : page->rows) {
      if (is_reprocessed(backfill.row.reprocess, run.state))
        again.push_back(run.key);
      else if (run.logical_date)
        backfill.existing.push_back(*run.logical_date);
    }
    if (std::ssize(page->rows) < kPage) return again;
  }
}

std::vector<RunKey> runs_needed(const Event& event) {
  if (const auto* e = std::get_if<RemoveRun>(&event)) return {e->run};
  if (const auto* e = std::get_if<MarkRun>(&event)) return {e->run};
  if (const auto* e = std::get_if<SetNote>(&event)) return {e->run};
  if (const auto* e = std::get_if<KillInstance>(&event)) return {e->key.run};
  if (const auto* e = std::get_if<OutputPushed>(&event)) return {e->key.run};
  if (const auto* e = std::get_if<AnswerHuman>(&event)) return {e->key.run};
  if (const auto* e = std::get_if<OutputDropped>(&event)) return {e->key.run};
  if (const auto* e = std::get_if<SetRenderedMapIndex>(&event)) return {e->key.run};
  if (const auto* e = std::get_if<MarkInstances>(&event)) return runs_of(e->keys);
  if (const auto* e = std::get_if<ClearInstances>(&event)) return runs_of(e->keys);
  if (const auto* e = std::get_if<SkipInstances>(&event)) return runs_of(e->keys);
  return {};
}

}  // namespace etesian
