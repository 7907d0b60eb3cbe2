#pragma once
#include "api/dag_cache.h"
#include "base/json.h"
#include "model/change.h"
#include "store/store.h"

namespace etesian::api {

/// `version` may be null where the stored definition is gone.
json::object run_json(const RunRow& run, const DagVersion* version);
json::object instance_json(const InstanceSummary& instance, const DagVersion* version);
/// One try in the form of Airflow's task instance history.
json::object try_json(const TryRow& row, const InstanceSummary& instance,
                      const DagVersion* version);
json::object output_json(const OutputRow& row, const RunRow& run);
json::object backfill_json(const BackfillRow& row);
json::object audit_json(const AuditRow& row);
json::object change_json(const ChangeRecord& change);

}  // namespace etesian::api
