#pragma once
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/change_kind.h"
#include "store/sqlite/database.h"
#include "store/sqlite/names.h"
#include "store/store.h"

namespace etesian::sqlite {

/// Map index of a record that is about a whole run.
inline constexpr std::int32_t kWholeRun = -2;

/// Writes one group of changes inside an open transaction. Several changes of one task instance or
/// try become one write of its last row: the first one's expectation is checked by that write, the
/// following ones' in memory. Rows are written in key order, so that a page is touched once.
class CommitGroup {
 public:
  CommitGroup(Database& db, Names& names, Sequence last_sequence)
      : db_(db), names_(names), last_sequence_(last_sequence) {}

  /// `item` must live until `flush` returned. Throws Failure (Conflict: an expectation is broken).
  void add(const Store::Item& item);
  void flush();
  Sequence last_sequence() const { return last_sequence_; }

 private:
  struct Record {
    ChangeKind kind{};
    std::optional<Key> dag{};
    std::optional<InstanceKey> instance{};  ///< Map index kWholeRun: of the run as a whole.
    int from = kNoState, to = kNoState, try_number = 0;
    std::string_view reason{};
  };
  struct InstanceWrite {
    const InstanceRow* row;
    const InstanceChanged* first;  ///< Whose expectation the stored row must meet; null: a new row.
  };
  struct TryWrite {
    const TryRow* row;
    bool is_new;
  };
  struct InstanceHash {
    std::size_t operator()(const InstanceKey& key) const noexcept {
      return (static_cast<std::size_t>(key.run) * 1048573 + key.task) * 8209 +
             static_cast<std::size_t>(key.map_index);
    }
  };

  void write(const DagChanged& change);
  void write(const DagRemoved& change);
  void write(const DagPaused& change);
  void write(const CursorMoved& change);
  void write(const RunCreated& change);
  void write(const RunChanged& change);
  void write(const RunRemoved& change);
  void write(const TaskExpanded& change);
  void write(const InstanceChanged& change);
  void write(const TryOpened& change);
  void write(const TryChanged& change);
  void write(const OutputStored& change);
  void write(const OutputsRemoved& change);
  void write(const PoolChanged& change);
  void write(const PoolRemoved& change);
  void write(const VariableChanged& change);
  void write(const VariableRemoved& change);
  void write(const ConnectionChanged& change);
  void write(const ConnectionRemoved& change);
  void write(const BackfillChanged& change);
  void write(const Audited& change);
  void write(const HumanInputChanged& change);
  void write(const StateStored& change);
  void write(const StateRemoved& change);
  void write(const AssetChanged& change);
  void write(const AssetAliasChanged& change);
  void write(const AssetAliasBound& change);
  void write(const AssetEventAdded& change);
  void write(const AssetQueued& change);
  void write(const AssetUnqueued& change);
  void write(const AssetCursorMoved& change);
  void write(const AssetEventsConsumed& change);

  Key dag_key(const std::string& dag_id);
  void write_references(Key dag, const DagDefinition& definition);
  void shrink(const TaskExpanded& change);
  void flush_instances();
  void flush_tries();
  void insert_instance(const InstanceRow& row);
  void update_instance(const InstanceWrite& write);
  void insert_try(const TryRow& row);
  void update_try(const TryRow& row);
  void update_stop(const TryRow& row);
  void update_words(const TryRow& row);
  void append(const Record& record);
  /// The change being added, in words, as a Conflict.
  Refusal refuse(std::string_view why) const;
  void expect_one_row(int changed_rows, std::string_view why) const;

  Database& db_;
  Names& names_;
  Sequence last_sequence_;
  Instant at_{};
  const Change* current_ = nullptr;
  std::deque<InstanceRow> created_;
  std::vector<InstanceWrite> instances_;
  std::unordered_map<InstanceKey, std::size_t, InstanceHash> instance_at_;
  std::vector<TryWrite> tries_;
  std::unordered_map<Uuid, std::size_t> try_at_;
};

}  // namespace etesian::sqlite
