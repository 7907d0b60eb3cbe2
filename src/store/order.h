#pragma once
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace etesian {

// What the listings can be ordered by. Rows without a value come first (last when descending);
// equal rows are ordered by their key, in the same direction.

enum class DagColumn { Id, FirstSeen, LastChanged };
enum class RunColumn {
  Key,
  DagId,
  RunId,
  State,
  Type,
  LogicalDate,
  RunAfter,
  QueuedAt,
  StartedAt,
  EndedAt
};
enum class InstanceColumn {
  Key,
  DagId,
  RunId,
  TaskId,
  MapIndex,
  State,
  TryNumber,
  LogicalDate,
  RunAfter,
  StartedAt,
  EndedAt,
  Elapsed
};
enum class BackfillColumn { Key, DagId, From, To, CreatedAt, CompletedAt };
enum class HumanInputColumn {
  Key,
  Subject,
  AskedAt,
  AnsweredAt,
  AnsweredById,
  AnsweredByName,
  DagId,
  RunId,
  TaskId,
  RunAfter,
  RenderedMapIndex,
  State
};
enum class AssetColumn { Key, Name, Uri, CreatedAt, UpdatedAt };
enum class AssetAliasColumn { Key, Name };
enum class AssetEventColumn { At, DagId, RunId, TaskId, MapIndex };
enum class AuditColumn { Id, At, Actor, Event, DagId, RunId, TaskId };

template <class Column>
struct Order {
  Column column{};
  bool is_descending = false;
};

/// Reads Paging::order_by and checks limit and offset. Names are those of the REST API
/// ("start_date") and of the rows ("started_at"). Errors: InvalidInput, listing the allowed names.
template <class Column>
Result<Order<Column>> order_from(const Paging& paging);

extern template Result<Order<DagColumn>> order_from(const Paging&);
extern template Result<Order<RunColumn>> order_from(const Paging&);
extern template Result<Order<InstanceColumn>> order_from(const Paging&);
extern template Result<Order<BackfillColumn>> order_from(const Paging&);
extern template Result<Order<HumanInputColumn>> order_from(const Paging&);
extern template Result<Order<AssetColumn>> order_from(const Paging&);
extern template Result<Order<AssetAliasColumn>> order_from(const Paging&);
extern template Result<Order<AssetEventColumn>> order_from(const Paging&);
extern template Result<Order<AuditColumn>> order_from(const Paging&);

}  // namespace etesian
