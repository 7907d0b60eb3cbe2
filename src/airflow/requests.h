#pragma once
#include "base/json.h"
#include "scheduler/decide.h"

namespace etesian::airflow {

/// A task instance as workloads, callbacks and triggers name it.
json::object instance_json(const Dag& dag, const RunRow& run, const InstanceKey& key,
                           int try_number, const Uuid& try_id);

/// {"op":"callback", …} for the host: DagCallbackRequest or TaskCallbackRequest of Airflow with its
/// context (reference: Airflow protocol 7).
json::object callback_request(const Effect::Callback& what);

/// {"op":"trigger", …}. Errors: InvalidInput: there is no trigger in what the try goes on with.
Result<json::object> trigger_request(const Effect::Watch& what);

}  // namespace etesian::airflow
