#pragma once
// Rows as a store would keep them, by the plainest means: for tests that reload a world.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/change.h"
#include "model/stored_state.h"

namespace etesian::test {

class RowStore {
 public:
  /// Broken expectations (`from`, `from_try`, unknown rows, forbidden moves), as sentences.
  std::vector<std::string> problems;

  struct RunRows {
    RunRow row;
    std::shared_ptr<const Dag> dag;
    std::map<InstanceKey, InstanceRow> instances;
    std::map<InstanceKey, std::string> arguments;
    std::map<std::pair<InstanceKey, std::string>, std::string> outputs;
  };
  std::map<RunKey, RunRows> runs;
  std::map<Uuid, TryRow> tries;

  void apply(const Change& change) {
    std::visit([this](const auto& c) { on(c); }, change);
  }

  StoredState state() const {
    StoredState s;
    for (auto dag : dags_) {
      for (const auto& [key, run] : runs)
        if (run.row.dag_id == dag.first && run.row.logical_date &&
            (!dag.second.cursor || *run.row.logical_date > dag.second.cursor->logical_date))
          dag.second.dates_ahead.push_back(*run.row.logical_date);
      s.dags.push_back(std::move(dag.second));
    }
    std::map<std::string, std::map<Instant, const RunRows*>> finished;
    std::map<std::string, std::set<Instant>> active;
    for (const auto& [key, run] : runs) {
      s.next_run_key = key + 1;
      if (!is_final(run.row.state)) {
        s.runs.push_back(rows_of(run));
        if (run.row.logical_date) active[run.row.dag_id].insert(*run.row.logical_date);
      } else if (run.row.logical_date && looks_back(*run.dag)) {
        finished[run.row.dag_id][*run.row.logical_date] = &run;
      }
    }
    for (const auto& [dag_id, dated] : finished)
      for (auto at = dated.begin(); at != dated.end(); ++at) {
        const auto next = std::next(at);
        const auto looker = active[dag_id].upper_bound(at->first);
        if (next == dated.end() || (looker != active[dag_id].end() && *looker <= next->first))
          s.last_runs.push_back(rows_of(*at->second));
      }
    for (const auto& [id, row] : tries)
      if (!row.outcome) s.open_tries.push_back(row);
    for (const auto& [name, row] : pools_) s.pools.push_back(row);
    for (const auto& [key, row] : backfills_) {
      if (!row.completed_at) s.backfills.push_back(row);
      s.next_backfill_key = key + 1;
    }
    add_past(s);
    return s;
  }

 private:
  static bool looks_back(const Dag& dag) {
    return std::any_of(dag.tasks().begin(), dag.tasks().end(),
                       [](const Task& t) { return t.depends_on_past || t.wait_for_downstream; });
  }
  static StoredState::ActiveRun rows_of(const RunRows& run) {
    StoredState::ActiveRun rows;
    rows.row = run.row;
    rows.dag = run.dag;
    for (const auto& [key, row] : run.instances) rows.instances.push_back(row);
    for (const auto& [key, json] : run.arguments) rows.map_arguments.emplace_back(key, json);
    for (const auto& [key, json] : run.outputs)
      rows.outputs.push_back({key.first, key.second, json, {}});
    return rows;
  }
  void add_past(StoredState& s) const {
    std::set<std::pair<std::string, std::string>> producers;
    for (const auto& [id, dag] : dags_) {
      if (!dag.dag) continue;
      for (const Need& need : dag.dag->definition().needs) producers.insert({need.dag, need.task});
      for (const Task& task : dag.dag->tasks())
        for (const Need& need : task.needs) producers.insert({need.dag, need.task});
    }
    for (const auto& [dag_id, task_id] : producers)
      for (const auto& [key, run] : runs) {
        if (run.row.dag_id != dag_id) continue;
        PastSuccess fact{dag_id, task_id, run.row.interval.value_or(DataInterval{}),
                         run.row.logical_date, run.row.ended_at.value_or(Instant{})};
        if (task_id.empty() ? run.row.state == RunState::Success : succeeded(run, task_id, fact))
          s.past.push_back(std::move(fact));
      }
  }
  static bool succeeded(const RunRows& run, const std::string& task_id, PastSuccess& fact) {
    const auto task = run.dag->find(task_id);
    if (!task) return false;
    fact.ended_at = {};
    for (const auto& [key, row] : run.instances) {
      if (key.task != *task || row.state == TaskState::Removed) continue;
      if (row.state != TaskState::Success) return false;
      fact.ended_at = std::max(fact.ended_at, row.ended_at.value_or(Instant{}));
    }
    return true;
  }
  void problem(const Change& change, const std::string& what) {
    problems.push_back(to_text(change) + ": " + what);
  }

  void on(const DagChanged& c) {
    auto& dag = dags_[c.dag->id()];
    if (dag.dag_id.empty()) dag.is_paused = c.is_paused;
    dag.dag_id = c.dag->id();
    dag.dag = c.dag;
    dag.is_removed = false;
  }
  void on(const DagRemoved& c) { dags_[c.dag_id].dag = nullptr, dags_[c.dag_id].is_removed = true; }
  void on(const DagPaused& c) { dags_[c.dag_id].is_paused = c.is_paused; }
  void on(const CursorMoved& c) {
    auto& cursor = dags_[c.dag_id].cursor;
    if (cursor && c.logical_date <= cursor->logical_date) problem(c, "the cursor goes back (I9)");
    cursor = c;
  }
  void on(const RunCreated& c) {
    for (const auto& [key, run] : runs)
      if (run.row.dag_id == c.row.dag_id &&
          (run.row.run_id == c.row.run_id ||
           (run.row.logical_date && run.row.logical_date == c.row.logical_date)))
        problem(c, "this run exists already (I9)");
    RunRows& run = runs[c.row.key];
    run.row = c.row;
    run.dag = c.dag;
    for (TaskIndex t = 0; t < c.dag->tasks().size(); ++t) add_instance(run, {c.row.key, t, -1});
  }
  void add_instance(RunRows& run, const InstanceKey& key) {
    InstanceRow& row = run.instances[key];
    row.key = key;
    row.max_tries = run.dag->task(key.task).retry.times;
  }
  void on(const RunChanged& c) {
    RunRows& run = runs.at(c.row.key);
    if (run.row.state != c.from) problem(c, "the run is " + std::string(to_text(run.row.state)));
    run.row = c.row;
  }
  void on(const RunRemoved& c) { runs.erase(c.run); }
  void on(const TaskExpanded& c) {
    RunRows& run = runs.at(c.key.run);
    run.instances.erase(c.key);
    for (std::int32_t i = 0; i < c.count; ++i) {
      const InstanceKey key{c.key.run, c.key.task, i};
      if (!run.instances.contains(key)) add_instance(run, key);
      run.arguments[key] = c.arguments[static_cast<std::size_t>(i)];
    }
    for (auto& [key, row] : run.instances)
      if (key.task == c.key.task && key.map_index >= c.count) row.state = TaskState::Removed;
  }
  void on(const InstanceChanged& c) {
    RunRows& run = runs.at(c.row.key.run);
    const auto found = run.instances.find(c.row.key);
    if (found == run.instances.end()) return problem(c, "no such instance");
    const InstanceRow& old = found->second;
    if (old.state != c.from || old.try_number != c.from_try)
      problem(c, "the row is " + std::string(to_text(old.state)) + " (I15)");
    if (old.state != c.row.state && !may_move(old.state, c.row.state))
      problem(c, "forbidden move (I6)");
    if (c.row.try_number != old.try_number && c.row.try_number != old.try_number + 1)
      problem(c, "the try number jumps (I10)");
    found->second = c.row;
  }
  void on(const TryOpened& c) {
    if (!tries.emplace(c.row.id, c.row).second) problem(c, "this try exists already");
  }
  void on(const TryChanged& c) {
    TryRow& row = tries.at(c.row.id);
    if (row.outcome) problem(c, "this try has ended already (I6)");
    row = c.row;
  }
  void on(const OutputStored& c) { runs.at(c.key.run).outputs[{c.key, c.name}] = c.json; }
  void on(const OutputsRemoved& c) {
    std::erase_if(runs.at(c.key.run).outputs, [&c](const auto& output) {
      return output.first.first == c.key && (c.name.empty() || output.first.second == c.name);
    });
  }
  void on(const PoolChanged& c) { pools_[c.row.name] = c.row; }
  void on(const PoolRemoved& c) { pools_.erase(c.name); }
  void on(const BackfillChanged& c) { backfills_[c.row.key] = c.row; }
  template <class Setting>
  void on(const Setting&) {}  // Settings and the audit are no part of the world.

  std::map<std::string, StoredState::DagState> dags_;
  std::map<std::string, PoolRow> pools_;
  std::map<BackfillKey, BackfillRow> backfills_;
};

}  // namespace etesian::test
