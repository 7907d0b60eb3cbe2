#pragma once
#include <string>
#include <vector>

#include "model/run.h"
#include "store/store.h"

namespace etesian::task_api {

/// The asset events that a run consumes, a JSON array. Errors: the store's.
Result<std::string> consumed_asset_events(Store& store, const RunRow& run);

/// A run as workers read it: the worker's model is strict, so these are exactly its keys
/// (reference: Airflow protocol 2.3). `consumed`: what `consumed_asset_events` gives.
std::string run_text(const RunRow& run, const std::string& consumed);

/// The answer to PATCH …/run (TIRunContext): the same rule, and `next_method`, `next_kwargs` and
/// `start_date` only when a try goes on that rested.
std::string run_context(const RunRow& run, const std::string& consumed, const InstanceRow& instance,
                        const std::vector<std::string>& xcom_keys_to_clear);

/// Whether a try goes on in a method of its own after it rested.
bool is_resuming(const InstanceRow& instance);

}  // namespace etesian::task_api
