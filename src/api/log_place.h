#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/lookup.h"
#include "logs/reader.h"

namespace etesian::api {

/// Where the log of one launch lies, and what is known of its end.
struct LogOfLaunch {
  Uuid try_id;
  LogPlace place;  ///< Segment 0: nothing was written (yet).
  Instant ended_at{};
  std::optional<logs::Seal> seal;  ///< Of the exit record; absent while the launch is open.
  std::string message;             ///< Why it ended, where there was no process to write a log.
  bool is_structured = false;  ///< Its standard output is an SDK worker's: a JSON object a line.
  bool is_complete_without_lines() const { return seal && place.segment == 0; }
};

/// The log of a try: of all its launches, one after the other.
struct LogOfTry {
  InstanceKey instance;
  std::string dag_id, run_id, task_id;
  int number = 0;
  std::vector<LogOfLaunch> launches;
  bool is_over = false;  ///< No launch follows the last one, and that has ended.
};

/// The next line to read. As text "launch:line", both from 1: the continuation token.
struct LogPosition {
  std::size_t launch = 0;  ///< Index in `launches`; may be one beyond the last.
  std::uint64_t seq = 1;
};
std::string to_text(const LogPosition& position);
std::optional<LogPosition> log_position_from_text(std::string_view text);

/// One line with what is needed to show it.
struct ShownLine {
  logs::Line line;
  LogPosition at;
  bool is_structured = false;
};
struct LogPart {
  std::vector<ShownLine> lines;
  LogPosition next;
  bool is_complete = false;  ///< Everything was given, and nothing follows.
};
struct PartSize {
  std::size_t lines = 0, bytes = 0;
};

/// {dag_id}, {dag_run_id}, {task_id}, {try_number} and the map index: the newest tries of that
/// number.
Result<LogOfTry> find_log(Reading& reading);
/// The same, found earlier: launches may have ended and begun by now.
Result<LogOfTry> refreshed(Store& store, const LogOfTry& log);

/// Lines from `from` on, over launches; blocks on files. What a launch without a process left is
/// why there was none: one line of Etesian's own, numbered 0. Errors: NotFound (the only launch's
/// log is not kept any more; of several, a line says so), the reader's.
Result<LogPart> read_part(const logs::Reader& reader, const LogOfTry& log, LogPosition from,
                          PartSize size);

}  // namespace etesian::api
