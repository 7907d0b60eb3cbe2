#pragma once
#include <optional>
#include <vector>

#include "api/dag_cache.h"
#include "base/json.h"
#include "model/change.h"
#include "store/store.h"

namespace etesian::api {

/// `version` may be null where the stored definition is gone.
json::object run_json(const RunRow& run, const DagVersion* version);
json::object instance_json(const InstanceSummary& instance, const DagVersion* version);
/// One try as clients count them: all its launches, from the start of the first one.
struct TrySpan {
  int number = 0;
  std::optional<Instant> started_at, queued_at, ended_at;
  TaskState state = TaskState::None;
  TryRow last;  ///< Empty where nothing was launched.
};
/// The tries of an instance out of its rows, which are in their order; never empty: what had no
/// launch stands for itself.
std::vector<TrySpan> try_spans(const InstanceRow& instance, std::vector<TryRow> rows);
/// One try in the form of Airflow's task instance history.
json::object try_json(const TrySpan& span, const InstanceSummary& instance,
                      const DagVersion* version);
json::object output_json(const OutputRow& row, const RunRow& run, const DagVersion* version);
json::object backfill_json(const BackfillRow& row);
json::object audit_json(const AuditRow& row);
json::object change_json(const ChangeRecord& change);

}  // namespace etesian::api
