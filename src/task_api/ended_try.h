#pragma once
#include <optional>

#include "store/store.h"
#include "task_api/call.h"

namespace etesian::task_api {

/// A launch that is over. Airflow keeps one id for a task instance until it is retried or cleared;
/// here each launch has its own, so that "archived" stands for the instance having moved on.
struct EndedTry {
  TryRow row;
  bool is_archived = false;

  /// Whether its worker has said this state, or it ended in it.
  bool has_state(TaskState state) const;
};

/// The launch of the call's token, which the world does not know as open. nullopt: there is none,
/// its run was removed. Errors: the store's.
Result<std::optional<EndedTry>> find_ended(Store& store, const Call& call);

/// The state that a stop order stands for while the try is drained; Airflow shows it at once.
TaskState state_of(const StopOrder& stop);

/// What the worker of an open try has reported; None: nothing yet.
TaskState reported_state(const TryRow& row);

http::Response moved_to_history();  ///< 410

}  // namespace etesian::task_api
