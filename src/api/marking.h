#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/select_runs.h"

namespace etesian::api {

/// What a PATCH of task instances leads to.
struct Marking {
  std::vector<Event> events;
  std::vector<Chosen> named;    ///< The task's or group's own instances, in their run.
  std::vector<Chosen> changed;  ///< All that get the new state.
};

/// `body` is a PatchTaskInstanceBody; without a map index all instances of the task are meant.
/// Errors: NotFound, Conflict (all of them are in that state already), InvalidInput (nothing to
/// change).
Result<Marking> marking_of(Reading& reading, const RunRow& run,
                           std::optional<std::int32_t> map_index, const std::string& task_or_group,
                           const json::object& body);

/// The same without events: who would be marked.
Result<std::vector<Chosen>> marked_by(Reading& reading, const RunRow& run,
                                      std::optional<std::int32_t> map_index,
                                      const std::string& task_or_group, const json::object& body);

}  // namespace etesian::api
