#pragma once
#include <optional>
#include <string>
#include <utility>

#include "base/time_zone.h"
#include "cli/session.h"

namespace etesian::cli {

/// What a person types to name work: "DAG", "DAG/RUN", "DAG/RUN/TASK" or "DAG/RUN/TASK[INDEX]".
/// RUN is a run id, "latest" (or "…"), or a date or date-time of its logical date in the schedule's
/// zone ("2013-03-10" names the newest run of that local day).
struct Reference {
  std::string dag_id;
  std::string run;
  std::string task_id;
  int map_index = -1;
};

/// Failure kUsage when parts are missing: `parts` = 1 DAG, 2 with RUN, 3 with TASK.
Reference parse_reference(const std::string& text, int parts);

/// A day or instant as the clock of `zone` shows it: [from, to). nullopt: it is neither.
std::optional<std::pair<Instant, Instant>> window_of(const std::string& text, const TimeZone& zone);

/// Asks the server which run is meant. Failure kNotFound, naming the nearest runs there are.
std::string resolve_run(Session& session, const Reference& reference);

/// "/api/v2/dags/D/dagRuns/R" with both segments encoded.
std::string run_path(const std::string& dag_id, const std::string& run_id);

}  // namespace etesian::cli
