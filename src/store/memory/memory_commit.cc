#include <fmt/format.h>

#include "store/first_rows.h"
#include "store/memory/memory_store.h"

namespace etesian::memory {

void MemoryStore::record(ChangeRecord record) {
  record.sequence = changes_.size() + 1;
  record.at = at_;
  undo_.emplace_back([this] { changes_.pop_back(); });
  changes_.push_back(std::move(record));
}

Result<Sequence> MemoryStore::commit(std::span<const Item> items) {
  undo_.clear();
  const RunKey last_run = last_run_;
  for (const Item& item : items) {
    at_ = item.at;
    try {
      std::visit([this](const auto& change) { write(change); }, item.change);
    } catch (const Refusal& refusal) {
      while (!undo_.empty()) {
        undo_.back()();
        undo_.pop_back();
      }
      last_run_ = last_run;
      return Error{ErrorCode::Conflict,
                   fmt::format("commit: {}: {}", to_text(item.change), refusal.why)};
    }
  }
  undo_.clear();
  return Sequence{changes_.size()};
}

const MemoryStore::DagEntry& MemoryStore::expect_dag(const std::string& dag_id) const {
  const auto found = dags_.find(dag_id);
  if (found == dags_.end()) throw Refusal{"there is no such dag"};
  return found->second;
}

const RunRow& MemoryStore::expect_run(RunKey key) const {
  const auto found = runs_.find(key);
  if (found == runs_.end()) throw Refusal{"there is no such run"};
  return found->second;
}

ChangeRecord MemoryStore::record_of(ChangeKind kind, const std::string& name) const {
  ChangeRecord record;
  record.kind = kind_text(kind);
  record.to = outcome_text(kind, kNoState);
  record.reason = name;
  return record;
}

ChangeRecord MemoryStore::record_of(ChangeKind kind, const RunRow& run) const {
  ChangeRecord record = record_of(kind, "");
  record.dag_id = run.dag_id;
  record.run_id = run.run_id;
  return record;
}

ChangeRecord MemoryStore::record_of(ChangeKind kind, const InstanceKey& key) const {
  const RunRow& run = expect_run(key.run);
  ChangeRecord record = record_of(kind, run);
  record.task_id = task_id(run, key.task);
  record.map_index = key.map_index;
  return record;
}

ChangeRecord MemoryStore::record_of(ChangeKind kind, const StatePlace& place,
                                    const std::string& key) const {
  if (place.asset != 0) return record_of(kind, key);
  ChangeRecord record = record_of(kind, place.instance);
  record.reason = key;
  return record;
}

// ---- DAGs ----

void MemoryStore::add_version(DagEntry& entry, const Dag& dag) const {
  const DagDefinition& text = dag.definition();
  for (const Version& version : entry.versions)
    if (version.summary.version == text.version) return;
  Version& version = entry.versions.emplace_back();
  version.created_at = at_;
  DagSummary& summary = version.summary;
  summary.dag_id = text.id;
  summary.version = text.version;
  summary.canonical = text.canonical;
  summary.folder = text.folder;
  summary.relative_file = text.relative_file;
  summary.source = text.source;
  summary.description = text.description;
  summary.owner = text.owner;
  summary.schedule_text = text.schedule_text;
  summary.tags = text.tags;
  summary.version_number = static_cast<int>(entry.versions.size());
  for (const Task& task : text.tasks)
    version.tasks.push_back({task.id, task.pool, task.retry.times});
}

void MemoryStore::write(const DagChanged& change) {
  const DagDefinition& text = change.dag->definition();
  const auto found = dags_.find(text.id);
  DagEntry entry = found == dags_.end() ? DagEntry{} : found->second;
  if (found == dags_.end()) {
    entry.is_paused = change.is_paused;
    entry.first_seen = at_;
  }
  add_version(entry, *change.dag);
  for (Version& version : entry.versions) {
    if (version.summary.version != text.version) continue;
    version.summary.folder = text.folder;
    version.summary.relative_file = text.relative_file;
    version.summary.source = text.source;
  }
  refer(entry, text);
  entry.version = text.version;
  entry.is_removed = false;
  entry.last_changed = at_;
  put(dags_, text.id, std::move(entry));
  ChangeRecord made = record_of(ChangeKind::DagChanged, text.version);
  made.dag_id = text.id;
  record(std::move(made));
}

void MemoryStore::write(const DagRemoved& change) {
  DagEntry entry = expect_dag(change.dag_id);
  entry.is_removed = true;
  entry.references.clear();
  entry.last_changed = at_;
  put(dags_, change.dag_id, std::move(entry));
  ChangeRecord made = record_of(ChangeKind::DagRemoved, "");
  made.dag_id = change.dag_id;
  record(std::move(made));
}

void MemoryStore::write(const DagPaused& change) {
  DagEntry entry = expect_dag(change.dag_id);
  entry.is_paused = change.is_paused;
  put(dags_, change.dag_id, std::move(entry));
  ChangeRecord made =
      record_of(change.is_paused ? ChangeKind::DagPaused : ChangeKind::DagUnpaused, "");
  made.dag_id = change.dag_id;
  record(std::move(made));
}

void MemoryStore::write(const CursorMoved& change) {
  DagEntry entry = expect_dag(change.dag_id);
  entry.cursor = change;
  put(dags_, change.dag_id, std::move(entry));
  ChangeRecord made = record_of(ChangeKind::CursorMoved, "");
  made.dag_id = change.dag_id;
  record(std::move(made));
}

// ---- runs ----

void MemoryStore::write(const RunCreated& change) {
  const RunRow& row = change.row;
  DagEntry entry = expect_dag(row.dag_id);
  if (runs_.contains(row.key)) throw Refusal{"the key exists already"};
  for (const auto& [key, other] : runs_) {
    if (other.dag_id != row.dag_id) continue;
    if (other.run_id == row.run_id) throw Refusal{"the run id exists already"};
    if (row.logical_date && other.logical_date == row.logical_date)
      throw Refusal{"the logical date exists already"};
  }
  add_version(entry, *change.dag);
  put(dags_, row.dag_id, std::move(entry));
  put(runs_, row.key, row);
  runs_[row.key].dag_version = change.dag->version();
  last_run_ = std::max(last_run_, row.key);
  ChangeRecord made = record_of(ChangeKind::Run, row);
  made.to = to_text(row.state);
  record(std::move(made));
  for (TaskIndex i = 0; i < change.dag->tasks().size(); ++i)
    put(instances_, {row.key, i, -1}, first_row({row.key, i, -1}, change.dag->task(i)));
}

void MemoryStore::write(const RunChanged& change) {
  const RunRow& stored = expect_run(change.row.key);
  if (stored.state != change.from) throw Refusal{"the run has another state, or is gone"};
  if (!version_of(change.row)) throw Refusal{"there is no such version of its dag"};
  RunRow row = change.row;
  row.run_id = stored.run_id;
  put(runs_, row.key, row);
  ChangeRecord made = record_of(ChangeKind::Run, row);
  made.from = to_text(change.from);
  made.to = to_text(row.state);
  made.reason = change.reason;
  record(std::move(made));
}

void MemoryStore::write(const RunRemoved& change) {
  const auto is_of_run = [&change](const InstanceKey& key) { return key.run == change.run; };
  ChangeRecord made = record_of(ChangeKind::RunRemoved, expect_run(change.run));
  drop_where(outputs_, [&](const auto& key) { return is_of_run(key.first); });
  drop_where(questions_, [&](const auto& key) { return is_of_run(key.first); });
  drop_where(states_, [&](const auto& key) { return is_of_run(key.first.instance); });
  drop(consumed_, change.run);
  drop_where(arguments_, is_of_run);
  drop_where(tries_, [&](const auto& key) { return is_of_run(std::get<0>(key)); });
  drop_where(instances_, is_of_run);
  drop(runs_, change.run);
  record(std::move(made));
}

// ---- task instances and tries ----

void MemoryStore::write(const TaskExpanded& change) {
  const InstanceKey& key = change.key;
  const Version* version = version_of(expect_run(key.run));
  if (!version || key.task >= version->tasks.size()) throw Refusal{"there is no such task"};
  ChangeRecord made = record_of(ChangeKind::Expanded, key);
  made.try_number = change.count;
  record(std::move(made));
  const auto is_of_task = [&key](const InstanceKey& other) {
    return other.run == key.run && other.task == key.task;
  };
  drop(instances_, {key.run, key.task, -1});
  drop_where(arguments_, is_of_task);
  for (std::int32_t i = 0; i < change.count; ++i) {
    InstanceRow row;
    row.key = {key.run, key.task, i};
    row.max_tries = version->tasks[key.task].retries;
    const auto known = instances_.find(row.key);
    if (known != instances_.end()) {
      if (known->second.state == TaskState::Removed) {
        // An earlier, smaller number had taken it away.
        row = known->second;
        row.state = TaskState::None;
        put(instances_, row.key, row);
      }
    } else {
      put(instances_, row.key, row);
    }
    const auto at = static_cast<std::size_t>(i);
    if (at < change.arguments.size()) put(arguments_, row.key, change.arguments[at]);
  }
  for (auto it = instances_.lower_bound({key.run, key.task, change.count});
       it != instances_.end() && is_of_task(it->first); ++it) {
    InstanceRow row = it->second;
    if (row.state == TaskState::Removed) continue;
    ChangeRecord removed = record_of(ChangeKind::Instance, row.key);
    removed.from = to_text(row.state);
    removed.to = to_text(TaskState::Removed);
    removed.try_number = row.try_number;
    removed.reason = "not mapped any more";
    record(std::move(removed));
    row.state = TaskState::Removed;
    put(instances_, row.key, row);
  }
}

void MemoryStore::write(const InstanceChanged& change) {
  const auto found = instances_.find(change.row.key);
  if (found == instances_.end() || found->second.state != change.from ||
      found->second.try_number != change.from_try)
    throw Refusal{"the task instance has another state or try, or is gone"};
  put(instances_, change.row.key, change.row);
  ChangeRecord made = record_of(ChangeKind::Instance, change.row.key);
  made.from = to_text(change.from);
  made.to = to_text(change.row.state);
  made.try_number = change.row.try_number;
  made.reason = change.reason;
  record(std::move(made));
}

void MemoryStore::write(const TryOpened& change) {
  expect_run(change.row.instance.run);
  const TryKey key{change.row.instance, change.row.number, change.row.id};
  if (tries_.contains(key)) throw Refusal{"the try exists already"};
  put(tries_, key, change.row);
  if (auto& outcome = tries_[key].outcome) outcome->output.clear();
}

void MemoryStore::write(const TryChanged& change) {
  const TryKey key{change.row.instance, change.row.number, change.row.id};
  if (!tries_.contains(key)) throw Refusal{"there is no such try"};
  put(tries_, key, change.row);
  if (auto& outcome = tries_[key].outcome) outcome->output.clear();
}

// ---- outputs and what users set ----

void MemoryStore::write(const OutputStored& change) {
  ChangeRecord made = record_of(ChangeKind::OutputStored, change.key);
  made.reason = change.name;
  record(std::move(made));
  put(outputs_, {change.key, change.name}, {change.json, at_, change.length});
}

void MemoryStore::write(const OutputsRemoved& change) {
  ChangeRecord made = record_of(ChangeKind::OutputsRemoved, change.key);
  made.reason = change.name;
  record(std::move(made));
  drop_where(outputs_, [&change](const auto& key) {
    return key.first == change.key && (change.name.empty() || key.second == change.name);
  });
}

void MemoryStore::write(const PoolChanged& change) {
  put(pools_, change.row.name, change.row);
  record(record_of(ChangeKind::PoolChanged, change.row.name));
}

void MemoryStore::write(const PoolRemoved& change) {
  if (change.name == "default_pool" || !pools_.contains(change.name))
    throw Refusal{"there is no such pool that can be removed"};
  drop(pools_, change.name);
  record(record_of(ChangeKind::PoolRemoved, change.name));
}

void MemoryStore::write(const VariableChanged& change) {
  put(variables_, change.row.key, change.row);
  record(record_of(ChangeKind::VariableChanged, change.row.key));
}

void MemoryStore::write(const VariableRemoved& change) {
  if (!variables_.contains(change.key)) throw Refusal{"there is no such variable"};
  drop(variables_, change.key);
  record(record_of(ChangeKind::VariableRemoved, change.key));
}

void MemoryStore::write(const ConnectionChanged& change) {
  put(connections_, change.row.id, change.row);
  record(record_of(ChangeKind::ConnectionChanged, change.row.id));
}

void MemoryStore::write(const ConnectionRemoved& change) {
  if (!connections_.contains(change.id)) throw Refusal{"there is no such connection"};
  drop(connections_, change.id);
  record(record_of(ChangeKind::ConnectionRemoved, change.id));
}

void MemoryStore::write(const BackfillChanged& change) {
  put(backfills_, change.row.key, change.row);
  ChangeRecord made = record_of(ChangeKind::BackfillChanged, "");
  if (dags_.contains(change.row.dag_id)) made.dag_id = change.row.dag_id;
  record(std::move(made));
}

void MemoryStore::write(const Audited& change) {
  put(audit_, static_cast<std::int64_t>(audit_.size()) + 1, change);
  ChangeRecord made = record_of(ChangeKind::Audited, change.event);
  if (dags_.contains(change.dag_id)) made.dag_id = change.dag_id;
  record(std::move(made));
}

}  // namespace etesian::memory
