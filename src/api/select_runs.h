#pragma once
#include <set>
#include <vector>

#include "api/lookup.h"
#include "scheduler/select.h"

namespace etesian::api {

/// Instances of one run that a clear or a mark is about.
struct Chosen {
  RunRow run;
  std::set<InstanceKey> keys;
};

/// What a clear or a mark names: tasks (some with one map index) and how far it spreads.
struct Choice {
  std::vector<std::string> task_ids;                         ///< With `mapped` empty too: all.
  std::vector<std::pair<std::string, std::int32_t>> mapped;  ///< [task id, map index] pairs.
  bool upstream = false, downstream = false, only_failed = false, only_running = false;
  bool with_setups = false;               ///< For a clear: see Selection.
  std::optional<TaskState> unless_state;  ///< Instances that are in it already are left out.
};

/// Errors: NotFound (naming an unknown task), Conflict (the run's definition is unreadable).
Result<Chosen> choose_in(Reading& reading, const RunRow& run, const Choice& choice);

/// `run`, and with include_past / include_future of `body` the runs of its DAG with an earlier /
/// later logical date. Errors: the store's.
Result<std::vector<RunRow>> runs_around(Reading& reading, const RunRow& run,
                                        const json::object& body);

/// {"task_instances": …} of everything chosen, as the store holds it now; with `state` in place of
/// each one's own, where it is on its way there.
http::Response chosen_response(Reading& reading, const std::vector<Chosen>& chosen,
                               const std::optional<std::string>& state = std::nullopt);
std::vector<InstanceKey> keys_of(const std::vector<Chosen>& chosen);

}  // namespace etesian::api
