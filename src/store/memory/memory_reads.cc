#include <fmt/format.h>

#include <algorithm>

#include "store/memory/filters.h"
#include "store/memory/memory_store.h"
#include "store/past_needs.h"

namespace etesian::memory {
namespace {

Error missing(std::string_view what, const std::string& name) {
  return {ErrorCode::NotFound, fmt::format("read {}: there is no '{}'", what, name)};
}

bool is_less(DagColumn column, const DagSummary& a, const DagSummary& b) {
  switch (column) {
    case DagColumn::Id: break;
    case DagColumn::FirstSeen: return a.first_seen < b.first_seen;
    case DagColumn::LastChanged: return a.last_changed < b.last_changed;
  }
  return a.dag_id < b.dag_id;
}

bool is_less(RunColumn column, const RunRow& a, const RunRow& b) {
  switch (column) {
    case RunColumn::Key: break;
    case RunColumn::DagId: return a.dag_id < b.dag_id;
    case RunColumn::RunId: return a.run_id < b.run_id;
    case RunColumn::State: return a.state < b.state;
    case RunColumn::Type: return a.type < b.type;
    case RunColumn::LogicalDate: return a.logical_date < b.logical_date;
    case RunColumn::RunAfter: return a.run_after < b.run_after;
    case RunColumn::QueuedAt: return a.queued_at < b.queued_at;
    case RunColumn::StartedAt: return a.started_at < b.started_at;
    case RunColumn::EndedAt: return a.ended_at < b.ended_at;
  }
  return a.key < b.key;
}

std::optional<Duration> elapsed(const InstanceRow& row) {
  if (!row.started_at || !row.ended_at) return std::nullopt;
  return *row.ended_at - *row.started_at;
}

bool is_less(InstanceColumn column, const InstanceSummary& a, const InstanceSummary& b) {
  switch (column) {
    case InstanceColumn::Key: break;
    case InstanceColumn::DagId: return a.dag_id < b.dag_id;
    case InstanceColumn::RunId: return a.run_id < b.run_id;
    case InstanceColumn::TaskId: return a.task_id < b.task_id;
    case InstanceColumn::MapIndex: return a.row.key.map_index < b.row.key.map_index;
    case InstanceColumn::State: return a.row.state < b.row.state;
    case InstanceColumn::TryNumber: return a.row.try_number < b.row.try_number;
    case InstanceColumn::LogicalDate: return a.logical_date < b.logical_date;
    case InstanceColumn::RunAfter: return a.run_after < b.run_after;
    case InstanceColumn::StartedAt: return a.row.started_at < b.row.started_at;
    case InstanceColumn::EndedAt: return a.row.ended_at < b.row.ended_at;
    case InstanceColumn::Elapsed: return elapsed(a.row) < elapsed(b.row);
  }
  return a.row.key < b.row.key;
}

bool is_less(BackfillColumn column, const BackfillRow& a, const BackfillRow& b) {
  switch (column) {
    case BackfillColumn::Key: break;
    case BackfillColumn::DagId: return a.dag_id < b.dag_id;
    case BackfillColumn::From: return a.from < b.from;
    case BackfillColumn::To: return a.to < b.to;
    case BackfillColumn::CreatedAt: return a.created_at < b.created_at;
    case BackfillColumn::CompletedAt: return a.completed_at < b.completed_at;
  }
  return a.key < b.key;
}

bool is_less(AuditColumn column, const AuditRow& a, const AuditRow& b) {
  switch (column) {
    case AuditColumn::Id: break;
    case AuditColumn::At: return a.row.at < b.row.at;
    case AuditColumn::Actor: return a.row.actor < b.row.actor;
    case AuditColumn::Event: return a.row.event < b.row.event;
    case AuditColumn::DagId: return a.row.dag_id < b.row.dag_id;
    case AuditColumn::RunId: return a.row.run_id < b.row.run_id;
    case AuditColumn::TaskId: return a.row.task_id < b.row.task_id;
  }
  return a.id < b.id;
}

template <class Column, class Row>
Result<Listing<Row>> page_of(std::vector<Row> rows, const Paging& paging) {
  return sorted_page<Column>(
      std::move(rows), paging,
      [](Column column, const Row& a, const Row& b) { return is_less(column, a, b); });
}

}  // namespace

MemoryStore::MemoryStore() {
  PoolRow pool;
  pool.name = "default_pool";
  pools_.emplace(pool.name, pool);
}

const MemoryStore::Version* MemoryStore::version_of(const RunRow& run) const {
  const auto dag = dags_.find(run.dag_id);
  if (dag == dags_.end()) return nullptr;
  for (const Version& version : dag->second.versions)
    if (version.summary.version == run.dag_version) return &version;
  return nullptr;
}

std::string MemoryStore::task_id(const RunRow& run, TaskIndex task) const {
  const Version* version = version_of(run);
  return version && task < version->tasks.size() ? version->tasks[task].id : std::string();
}

DagSummary MemoryStore::summary_of(const std::string& dag_id, const DagEntry& entry,
                                   const Version& version) const {
  DagSummary summary = version.summary;
  summary.dag_id = dag_id;
  summary.is_paused = entry.is_paused;
  summary.is_removed = entry.is_removed;
  summary.first_seen = entry.first_seen;
  summary.last_changed = entry.version == summary.version ? entry.last_changed : version.created_at;
  return summary;
}

Result<std::vector<DagSummary>> MemoryStore::dag_versions(const std::string& dag_id) {
  const auto found = dags_.find(dag_id);
  if (found == dags_.end()) return missing("dag", dag_id);
  std::vector<DagSummary> rows;
  for (const Version& version : found->second.versions)
    rows.push_back(summary_of(dag_id, found->second, version));
  return rows;
}

Result<DagSummary> MemoryStore::dag_version(const std::string& dag_id, const std::string& version) {
  auto rows = dag_versions(dag_id);
  if (!rows) return rows.error();
  for (DagSummary& row : *rows)
    if (row.version == version) return std::move(row);
  return missing("version of the dag", version);
}

Result<DagSummary> MemoryStore::dag(const std::string& dag_id) {
  const auto found = dags_.find(dag_id);
  return dag_version(dag_id, found == dags_.end() ? "" : found->second.version);
}

Result<Listing<DagSummary>> MemoryStore::dags(const DagFilter& filter, const Paging& paging) {
  std::vector<DagSummary> rows;
  for (const auto& [id, entry] : dags_) {
    const auto row = dag(id);
    if (!contains(id, filter.id_contains) || !is(filter.owner, row->owner) ||
        !is(filter.is_paused, entry.is_paused) || (entry.is_removed && !filter.include_removed))
      continue;
    if (filter.tag && std::find(row->tags.begin(), row->tags.end(), *filter.tag) == row->tags.end())
      continue;
    rows.push_back(*row);
  }
  return page_of<DagColumn>(std::move(rows), paging);
}

Result<Listing<RunRow>> MemoryStore::runs(const RunFilter& filter, const Paging& paging) {
  std::vector<RunRow> rows;
  for (const auto& [key, row] : runs_)
    if (is(filter.key, key) && is(filter.dag_id, row.dag_id) &&
        is_among(filter.states, row.state) && is_among(filter.types, row.type) &&
        contains(row.run_id, filter.run_id_contains) && is(filter.triggered_by, row.triggered_by) &&
        is(filter.backfill, row.backfill) && is_within(filter.logical_date, row.logical_date) &&
        is_within(filter.run_after, row.run_after) &&
        is_within(filter.started_at, row.started_at) && is_within(filter.ended_at, row.ended_at))
      rows.push_back(row);
  return page_of<RunColumn>(std::move(rows), paging);
}

Result<std::vector<RunRow>> MemoryStore::newest_successes() {
  std::map<std::string, const RunRow*> newest;
  for (const auto& [key, run] : runs_) {
    if (run.state != RunState::Success || !run.logical_date) continue;
    const RunRow*& its = newest[run.dag_id];
    if (!its || its->logical_date < run.logical_date) its = &run;
  }
  std::vector<RunRow> rows;
  for (const auto& [dag_id, run] : newest) rows.push_back(*run);
  return rows;
}

Result<RunRow> MemoryStore::run(const std::string& dag_id, const std::string& run_id) {
  for (const auto& [key, row] : runs_)
    if (row.dag_id == dag_id && row.run_id == run_id) return row;
  return missing("run", run_id);
}

InstanceSummary MemoryStore::instance_summary(const InstanceRow& row) {
  const RunRow& run = runs_.at(row.key.run);
  InstanceSummary summary;
  summary.row = row;
  summary.dag_id = run.dag_id;
  summary.run_id = run.run_id;
  summary.task_id = task_id(run, row.key.task);
  summary.dag_version = run.dag_version;
  summary.logical_date = run.logical_date;
  summary.run_after = run.run_after;
  const auto argument = arguments_.find(row.key);
  if (argument != arguments_.end()) summary.map_arguments = argument->second;
  const auto all = tries(row.key);
  if (!all->empty()) summary.last_try = all->back();
  return summary;
}

Result<Listing<InstanceSummary>> MemoryStore::instances(const InstanceFilter& filter,
                                                        const Paging& paging) {
  std::vector<InstanceSummary> rows;
  for (const auto& [key, row] : instances_) {
    const RunRow& run = runs_.at(key.run);
    const Version* version = version_of(run);
    if (!is(filter.dag_id, run.dag_id) || !is(filter.run_id, run.run_id) ||
        !is(filter.task_id, task_id(run, key.task)) || !is_among(filter.states, row.state) ||
        !is(filter.map_index, key.map_index) ||
        !is_among(filter.pools, version->tasks[key.task].pool) ||
        !is_within(filter.logical_date, run.logical_date) ||
        !is_within(filter.started_at, row.started_at) || !is_within(filter.ended_at, row.ended_at))
      continue;
    rows.push_back(instance_summary(row));
  }
  return page_of<InstanceColumn>(std::move(rows), paging);
}

Result<std::vector<InstanceRow>> MemoryStore::instances_of(RunKey run) {
  std::vector<InstanceRow> rows;
  for (const auto& [key, row] : instances_)
    if (key.run == run) rows.push_back(row);
  return rows;
}

Result<std::vector<TryRow>> MemoryStore::tries(const InstanceKey& key) {
  std::vector<TryRow> rows;
  for (auto it = tries_.lower_bound({key, 0, Uuid{}});
       it != tries_.end() && std::get<0>(it->first) == key; ++it)
    rows.push_back(it->second);
  std::stable_sort(rows.begin(), rows.end(), [](const TryRow& a, const TryRow& b) {
    return std::tie(a.number, a.queued_at) < std::tie(b.number, b.queued_at);
  });
  return rows;
}

Result<std::vector<OutputRow>> MemoryStore::outputs(const std::string& dag_id,
                                                    const std::string& run_id,
                                                    const std::string& wanted) {
  std::vector<OutputRow> rows;
  for (const auto& [key, output] : outputs_) {
    const RunRow& run = runs_.at(key.first.run);
    if (run.dag_id == dag_id && run.run_id == run_id && task_id(run, key.first.task) == wanted)
      rows.push_back({key.first, dag_id, run_id, wanted, key.second, output.json, output.at});
  }
  return rows;
}

Result<std::vector<OutputRow>> MemoryStore::outputs(const OutputFilter& filter) {
  const auto date_of = [](const RunRow& run) { return run.logical_date.value_or(run.run_after); };
  std::vector<OutputRow> rows;
  for (const auto& [key, output] : outputs_) {
    const RunRow& run = runs_.at(key.first.run);
    const std::string task = task_id(run, key.first.task);
    if (run.dag_id != filter.dag_id || !is(filter.run_id, run.run_id) ||
        !is(filter.task_id, task) || !is(filter.map_index, key.first.map_index) ||
        !is(filter.name, key.second) || (filter.date_lte && date_of(run) > *filter.date_lte))
      continue;
    rows.push_back({key.first, run.dag_id, run.run_id, task, key.second,
                    filter.has_values ? output.json : std::string(), output.at});
  }
  const auto newness = [&](const OutputRow& row) {
    return std::pair(date_of(runs_.at(row.key.run)), row.key.run);
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const OutputRow& a, const OutputRow& b) { return newness(a) > newness(b); });
  const auto begin = std::min(rows.size(), static_cast<std::size_t>(filter.offset));
  const auto count = filter.limit < 0 ? rows.size() : static_cast<std::size_t>(filter.limit);
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(begin));
  if (rows.size() > count) rows.resize(count);
  return rows;
}

Result<Listing<BackfillRow>> MemoryStore::backfills(const std::optional<std::string>& dag_id,
                                                    const Paging& paging) {
  std::vector<BackfillRow> rows;
  for (const auto& [key, row] : backfills_)
    if (is(dag_id, row.dag_id)) rows.push_back(row);
  return page_of<BackfillColumn>(std::move(rows), paging);
}

Result<Listing<AuditRow>> MemoryStore::audit(const AuditFilter& filter, const Paging& paging) {
  std::vector<AuditRow> rows;
  for (const auto& [id, row] : audit_)
    if (is(filter.dag_id, row.dag_id) && is(filter.run_id, row.run_id) &&
        is(filter.task_id, row.task_id) && is(filter.event, row.event) &&
        is(filter.actor, row.actor) && is_within(filter.at, row.at))
      rows.push_back({id, row});
  return page_of<AuditColumn>(std::move(rows), paging);
}

Result<std::vector<ChangeRecord>> MemoryStore::changes(Sequence after, std::size_t count_max) {
  const auto begin = std::min<std::size_t>(after, changes_.size());
  const auto end = begin + std::min(count_max, changes_.size() - begin);
  return std::vector<ChangeRecord>(changes_.begin() + static_cast<std::ptrdiff_t>(begin),
                                   changes_.begin() + static_cast<std::ptrdiff_t>(end));
}

// ---- recovery ----

StoredState::ActiveRun MemoryStore::rows_of(const RunRow& run,
                                            std::shared_ptr<const Dag> dag) const {
  StoredState::ActiveRun rows;
  rows.row = run;
  rows.dag = std::move(dag);
  for (const auto& [key, row] : instances_)
    if (key.run == run.key) rows.instances.push_back(row);
  for (const auto& [key, json] : arguments_)
    if (key.run == run.key) rows.map_arguments.emplace_back(key, json);
  for (const auto& [key, output] : outputs_)
    if (key.first.run == run.key)
      rows.outputs.push_back({key.first, key.second, output.json, output.length});
  for (const auto& [key, asked] : questions_)
    if (key.first.run == run.key) rows.questions.push_back(asked);
  return rows;
}

Result<StoredState::ActiveRun> MemoryStore::revive(RunKey key, const DagBuilder& build) {
  const auto found = runs_.find(key);
  if (found == runs_.end()) return missing("run", std::to_string(key));
  const auto summary = dag_version(found->second.dag_id, found->second.dag_version);
  auto dag = build(*summary);
  if (!dag) return dag.error();
  return rows_of(found->second, *std::move(dag));
}

void MemoryStore::load_past(StoredState& state) const {
  for (const auto& producer : past_needs(state.dags).producers) {
    std::vector<PastSuccess> newest;
    for (auto it = runs_.rbegin(); it != runs_.rend(); ++it) {
      const RunRow& run = it->second;
      if (run.dag_id != producer.first || newest.size() == PastNeeds::kSuccessesMax) continue;
      PastSuccess fact{producer.first,
                       producer.second,
                       run.interval.value_or(DataInterval{}),
                       run.logical_date,
                       {}};
      bool is_success = producer.second.empty() && run.state == RunState::Success;
      if (is_success) fact.ended_at = run.ended_at.value_or(Instant{});
      bool is_none_other = true;
      for (auto i = instances_.lower_bound({run.key, 0, -1});
           !producer.second.empty() && i != instances_.end() && i->first.run == run.key; ++i) {
        if (i->second.state == TaskState::Removed || task_id(run, i->first.task) != producer.second)
          continue;
        is_none_other &= i->second.state == TaskState::Success;
        is_success = true;
        fact.ended_at = std::max(fact.ended_at, i->second.ended_at.value_or(Instant{}));
      }
      if (is_success && is_none_other) newest.push_back(std::move(fact));
    }
    state.past.insert(state.past.end(), newest.rbegin(), newest.rend());
  }
}

Result<StoredState> MemoryStore::load(const DagBuilder& build, std::vector<std::string>& problems) {
  StoredState state;
  std::map<std::pair<std::string, std::string>, Result<std::shared_ptr<const Dag>>> built;
  const auto dag_of = [&](const std::string& dag_id, const std::string& version) {
    const std::pair name(dag_id, version);
    const auto known = built.find(name);
    if (known != built.end()) return known->second;
    return built.emplace(name, build(*dag_version(dag_id, version))).first->second;
  };
  for (const auto& [id, entry] : dags_) {
    StoredState::DagState& dag = state.dags.emplace_back();
    dag.dag_id = id;
    dag.is_paused = entry.is_paused;
    dag.is_removed = entry.is_removed;
    dag.cursor = entry.cursor;
    dag.asset_cursor = entry.asset_cursor;
    for (const auto& [key, run] : runs_)
      if (run.dag_id == id && run.logical_date &&
          (!entry.cursor || *run.logical_date > entry.cursor->logical_date))
        dag.dates_ahead.push_back(*run.logical_date);
    std::sort(dag.dates_ahead.begin(), dag.dates_ahead.end());
    if (entry.is_removed) continue;
    const auto its = dag_of(id, entry.version);
    if (its)
      dag.dag = *its;
    else
      problems.push_back(fmt::format("load dag '{}': {}", id, its.error().message));
  }
  const auto needs = past_needs(state.dags);
  std::map<std::string, std::map<Instant, const RunRow*>> finished;
  std::map<std::string, std::set<Instant>> active;
  for (const auto& [key, run] : runs_) {
    if (run.logical_date && is_final(run.state)) finished[run.dag_id][*run.logical_date] = &run;
    if (is_final(run.state)) continue;
    if (run.logical_date) active[run.dag_id].insert(*run.logical_date);
    const auto its = dag_of(run.dag_id, run.dag_version);
    if (!its) {
      problems.push_back(
          fmt::format("load run '{}/{}': {}", run.dag_id, run.run_id, its.error().message));
      continue;
    }
    state.runs.push_back(rows_of(run, *its));
    for (const auto& [try_key, row] : tries_)
      if (row.instance.run == key && !row.outcome) state.open_tries.push_back(row);
  }
  for (const std::string& dag_id : needs.last_runs) {
    const auto& all = finished[dag_id];
    std::set<const RunRow*> last;
    if (!all.empty()) last.insert(all.rbegin()->second);
    for (const Instant date : active[dag_id])
      if (const auto at = all.lower_bound(date); at != all.begin())
        last.insert(std::prev(at)->second);
    for (const RunRow* run : last)
      if (const auto its = dag_of(dag_id, run->dag_version))
        state.last_runs.push_back(rows_of(*run, *its));
  }
  load_past(state);
  state.assets = values(assets_);
  state.aliases = values(aliases_);
  for (const auto& [alias, assets] : alias_assets_)
    for (const AssetKey asset : assets) state.alias_assets.push_back({alias, asset});
  state.asset_queue = values(queue_);
  const auto next_of = [](const auto& map) { return map.empty() ? 1 : map.rbegin()->first + 1; };
  state.next_asset_key = next_of(assets_);
  state.next_alias_key = next_of(aliases_);
  state.next_asset_event_key = next_of(events_);
  state.pools = values(pools_);
  for (const auto& [key, row] : backfills_)
    if (!row.completed_at) state.backfills.push_back(row);
  state.next_run_key = last_run_ + 1;
  state.next_backfill_key = backfills_.empty() ? 1 : backfills_.rbegin()->first + 1;
  return state;
}

Result<std::vector<std::string>> MemoryStore::verify() {
  std::vector<std::string> findings;
  for (const auto& [key, row] : tries_)
    if (!row.outcome && is_final(runs_.at(row.instance.run).state))
      findings.push_back(fmt::format("I6: run {} ended, but try {} of task {} is open",
                                     row.instance.run, row.number, row.instance.task));
  return findings;
}

// ---- accounts ----

Result<Done> MemoryStore::put_user(const UserRow& user) {
  users_[user.name] = user;
  return Done{};
}

Result<std::vector<TokenRow>> MemoryStore::tokens(Instant now) {
  std::erase_if(tokens_, [now](const auto& entry) { return entry.second.expires_at <= now; });
  return values(tokens_);
}

Result<Done> MemoryStore::put_token(const TokenRow& token) {
  tokens_[token.token_hash] = token;
  return Done{};
}

Result<Done> MemoryStore::drop_tokens_of(const std::string& user) {
  std::erase_if(tokens_, [&user](const auto& entry) { return entry.second.user == user; });
  return Done{};
}

}  // namespace etesian::memory

namespace etesian {

std::unique_ptr<Store> make_memory_store() { return std::make_unique<memory::MemoryStore>(); }

}  // namespace etesian
