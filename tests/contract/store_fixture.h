#pragma once
// A store with a small vocabulary, and rows as text, for the tests of stores and of their users.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time_text.h"
#include "store/store.h"

namespace etesian {

inline Instant instant(const std::string& text) { return *instant_from_text(text); }

/// The value of a read that must work; by value, so that a range-for may walk over it.
template <class T>
T value_of(Result<T> result) {
  EXPECT_TRUE(result) << (result ? "" : result.error().message);
  return result ? *std::move(result) : T{};
}

inline Uuid numbered_uuid(int n) {
  Uuid id;
  id.bytes[15] = static_cast<std::uint8_t>(n & 255);
  id.bytes[14] = static_cast<std::uint8_t>(n >> 8);
  id.bytes[0] = 1;
  return id;
}

/// A small vocabulary over one store: DAGs by name, runs by key, moves by state.
class StoreFixture {
 public:
  explicit StoreFixture(std::unique_ptr<Store> store) : store_(std::move(store)) {}
  Store& store() { return *store_; }

  std::shared_ptr<const Dag> dag(const std::string& id, const std::vector<std::string>& tasks,
                                 const std::string& version = "v1", bool depends_on_past = false) {
    DagDefinition text;
    text.id = id;
    text.version = version;
    text.canonical = id + ":" + version;
    text.folder = "/dags/" + id;
    text.relative_file = id + "/dag.yaml";
    text.source = "dag: " + id + "\n";
    text.owner = "ann";
    text.tags = {"daily", id + "-tag"};
    text.schedule_text = "@daily";
    for (const std::string& task : tasks) {
      Task& t = text.tasks.emplace_back();
      t.id = task;
      t.retry.times = 2;
      t.depends_on_past = depends_on_past;
      t.pool = task + "_pool";
      if (text.tasks.size() > 1) t.after = {text.tasks[text.tasks.size() - 2].id};
    }
    return add(*Dag::build(text));
  }
  /// Known to `builder()` from now on.
  std::shared_ptr<const Dag> add(std::shared_ptr<const Dag> dag) {
    return built_[{dag->id(), dag->version()}] = std::move(dag);
  }
  Store::DagBuilder builder() {
    return [this](const DagSummary& summary) -> Result<std::shared_ptr<const Dag>> {
      const auto found = built_.find({summary.dag_id, summary.version});
      if (found == built_.end() || summary.canonical != summary.dag_id + ":" + summary.version)
        return Error{ErrorCode::InvalidInput, "cannot be built"};
      return found->second;
    };
  }
  void forget(const std::string& id) {
    std::erase_if(built_, [&](const auto& e) { return e.first.first == id; });
  }

  RunRow run_row(RunKey key, const std::shared_ptr<const Dag>& dag, int day) {
    RunRow row;
    row.key = key;
    row.dag_id = dag->id();
    row.dag_version = dag->version();
    row.logical_date = instant("2026-01-01") + std::chrono::days(day);
    row.interval = DataInterval{*row.logical_date, *row.logical_date + std::chrono::days(1)};
    row.run_after = row.interval->end;
    row.queued_at = row.run_after;
    row.run_id = "scheduled__" + to_iso(*row.logical_date);
    row.type = RunType::Scheduled;
    return row;
  }

  Result<Sequence> commit(std::vector<Change> changes) {
    std::vector<Store::Item> items;
    for (Change& change : changes) items.push_back({std::move(change), now_});
    now_ += std::chrono::seconds(1);
    return store_->commit(items);
  }
  void must(std::vector<Change> changes) {
    const auto done = commit(std::move(changes));
    ASSERT_TRUE(done) << done.error().message;
  }
  InstanceRow stored(const InstanceKey& key) {
    for (const InstanceRow& row : value_of(store_->instances_of(key.run)))
      if (row.key == key) return row;
    ADD_FAILURE() << "no such instance";
    return {};
  }
  /// The move of an instance from its stored state.
  InstanceChanged move(const InstanceKey& key, TaskState to, int try_number = -1) {
    InstanceChanged change;
    change.row = stored(key);
    change.from = change.row.state;
    change.from_try = change.row.try_number;
    change.row.state = to;
    if (try_number >= 0) change.row.try_number = try_number;
    if (is_final(to)) change.row.ended_at = now_;
    change.reason = "test";
    return change;
  }
  TryRow try_row(const InstanceKey& key, int number, int id) {
    TryRow row;
    row.id = numbered_uuid(id);
    row.instance = key;
    row.number = number;
    row.executor = "local";
    row.session = "s1";
    row.host = "h1";
    row.queued_at = now_;
    return row;
  }
  Instant now() const { return now_; }
  /// Everything that load() gives, as text.
  std::string loaded();
  /// Everything that the reads give, as text.
  std::string seen();
  std::vector<std::string> problems;

 private:
  std::unique_ptr<Store> store_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const Dag>> built_;
  Instant now_ = instant("2026-03-01");
};

// ---- rows as text: two stores are compared by it ----

inline std::string show(std::optional<Instant> t) { return t ? to_iso(*t) : "-"; }
inline std::string show(const RunRow& r) {
  return std::to_string(r.key) + " " + r.dag_id + " " + r.run_id + " " + r.dag_version + " " +
         std::string(to_text(r.type)) + " " + std::string(to_text(r.state)) + " " +
         show(r.logical_date) + " " +
         (r.interval ? show(r.interval->start) + "/" + show(r.interval->end) : "-") + " " +
         show(r.run_after) + " " + show(r.queued_at) + " " + show(r.started_at) + " " +
         show(r.ended_at) + " " + r.conf + " '" + r.note + "' " + r.triggered_by + " " +
         std::to_string(r.backfill) + " " + std::to_string(r.clear_count) + "\n";
}
inline std::string show(const InstanceKey& k) {
  return std::to_string(k.run) + "." + std::to_string(k.task) + "[" + std::to_string(k.map_index) +
         "]";
}
inline std::string show(const InstanceRow& i) {
  return "  " + show(i.key) + " " + std::string(to_text(i.state)) + " try " +
         std::to_string(i.try_number) + "/" + std::to_string(i.max_tries) + " losses " +
         std::to_string(i.infrastructure_losses) + " " + show(i.scheduled_at) + " " +
         show(i.queued_at) + " " + show(i.started_at) + " " + show(i.ended_at) + " " +
         show(i.first_started_at) + " " + show(i.wake_at) + " " + show(i.contact_lost_since) + " " +
         to_text(i.open_try) + " '" + i.note + "' '" + i.rendered_map_index + "'\n";
}
inline std::string show(const TryRow& t) {
  std::string text = "  " + show(t.instance) + " #" + std::to_string(t.number) + " " +
                     to_text(t.id) + " launch " + std::to_string(t.launch) + " " + t.executor +
                     " " + t.session + " " + t.host + " pid " + std::to_string(t.pid) + " " +
                     show(t.queued_at) + " " + show(t.started_at) + " -> " +
                     std::string(to_text(t.final_state)) + " log " + std::to_string(t.log.segment) +
                     ":" + std::to_string(t.log.offset);
  if (t.stop)
    text += " stop " + std::string(to_text(t.stop->then)) +
            std::to_string(t.stop->overrules_success) +
            (t.stop->run_then ? std::string(to_text(*t.stop->run_then)) : "-") + t.stop->reason;
  if (t.outcome) {
    const Outcome& o = *t.outcome;
    text += " " + std::string(to_text(o.cause)) + " " + std::to_string(o.exit_code) + " " +
            std::to_string(o.raw_status) + " '" + o.message + "' " + std::to_string(o.log_matched) +
            " " + show(o.started_at) + " " + show(o.ended_at) + " " + std::to_string(o.log_lines) +
            " " + std::to_string(o.log_bytes) + " " + o.log_hash + " " + std::to_string(o.log_cut) +
            " " + std::to_string(o.log.segment) + ":" + std::to_string(o.log.offset);
  }
  return text + "\n";
}
inline std::string show(const StoredState::ActiveRun& run) {
  std::string text = show(run.row) + "  on " + run.dag->id() + " " + run.dag->version() + "\n";
  for (const auto& row : run.instances) text += show(row);
  for (const auto& [key, json] : run.map_arguments)
    text += "  map " + show(key) + " " + json + "\n";
  for (const auto& o : run.outputs)
    text += "  out " + show(o.key) + " " + o.name + "=" + o.json + "\n";
  return text;
}
inline std::string show(const StoredState& state) {
  std::string text;
  for (const auto& dag : state.dags) {
    text += "dag " + dag.dag_id + " " + (dag.dag ? dag.dag->version() : "gone") +
            (dag.is_paused ? " paused" : "") + (dag.is_removed ? " removed" : "");
    if (dag.cursor)
      text += " cursor " + show(dag.cursor->run_after) + " " + show(dag.cursor->logical_date) +
              " " + show(dag.cursor->interval.end);
    for (const Instant t : dag.dates_ahead) text += " ahead " + show(t);
    text += "\n";
  }
  for (const auto& run : state.runs) text += "run " + show(run);
  for (const auto& row : state.open_tries) text += "open " + show(row);
  for (const auto& row : state.pools)
    text += "pool " + row.name + " " + std::to_string(row.slots) + "\n";
  for (const auto& row : state.backfills)
    text += "backfill " + std::to_string(row.key) + " " + row.dag_id + "\n";
  for (const auto& p : state.past)
    text += "past " + p.dag_id + "." + p.task_id + " " + show(p.interval.start) + " " +
            show(p.logical_date) + " " + show(p.ended_at) + "\n";
  for (const auto& run : state.last_runs) text += "last " + show(run);
  return text + "next " + std::to_string(state.next_run_key) + " " +
         std::to_string(state.next_backfill_key) + "\n";
}

inline std::string StoreFixture::loaded() {
  problems.clear();
  const auto state = store_->load(builder(), problems);
  return state ? show(*state) : state.error().message;
}

inline std::string StoreFixture::seen() {
  std::string text;
  const Paging all{.limit = 1000, .offset = 0, .order_by = ""};
  for (const auto& d : value_of(store_->dags({.id_contains = {},
                       .owner = {},
                       .tag = {},
                       .is_paused = {},
                       .include_removed = true},
                                             all))
                           .rows)
    text += d.dag_id + " " + d.version + " " + std::to_string(d.version_number) + " " + d.folder +
            " " + show(d.first_seen) + " " + show(d.last_changed) + "\n";
  for (const auto& run : value_of(store_->runs({}, all)).rows) {
    text += show(run);
    for (const auto& row : value_of(store_->instances_of(run.key))) {
      text += show(row);
      for (const auto& its : value_of(store_->tries(row.key))) text += show(its);
    }
  }
  for (const auto& i : value_of(store_->instances({}, all)).rows)
    text += i.dag_id + "/" + i.run_id + "/" + i.task_id + show(i.row) + i.map_arguments +
            (i.last_try ? show(*i.last_try) : "\n");
  for (const auto& c : value_of(store_->changes(0, 100000)))
    text += std::to_string(c.sequence) + " " + show(c.at) + " " + c.kind + " " + c.dag_id + "/" +
            c.run_id + "/" + c.task_id + "[" + std::to_string(c.map_index) + "] " + c.from + "->" +
            c.to + " " + std::to_string(c.try_number) + " " + c.reason + "\n";
  return text;
}

}  // namespace etesian
