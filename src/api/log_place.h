#pragma once
#include <cstdint>
#include <optional>

#include "api/lookup.h"
#include "logs/reader.h"

namespace etesian::api {

/// Where the log of a try lies, and what is known of its end.
struct LogOfTry {
  Uuid try_id;
  InstanceKey instance;
  LogPlace place;  ///< Segment 0: nothing was written (yet).
  Instant ended_at{};
  std::optional<logs::Seal> seal;  ///< Of the exit record; absent while the try is open.
  std::string message;             ///< Why it ended, where there was no process to write a log.
  bool is_complete_without_lines() const { return seal && place.segment == 0; }
  /// What is shown in place of a log that nobody wrote: why there was no process. Numbered 0, since
  /// it is no line of the log.
  std::vector<logs::Line> words_in_place_of_lines() const;
};

/// {dag_id}, {dag_run_id}, {task_id}, the map index and {try_number}: the last try of that number.
Result<LogOfTry> find_log(Reading& reading);
/// The same, of a try found earlier: its end may be known by now.
Result<LogOfTry> refreshed(Store& store, const LogOfTry& log);

}  // namespace etesian::api
