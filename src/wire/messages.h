#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace etesian::wire {

/// Version of the protocol between server and agent. A peer one release older or newer is
/// understood: unknown trailing fields of a message are ignored, missing ones keep their default.
inline constexpr std::uint16_t kProtocol = 1;

/// One launch of a try, complete: the agent needs nothing else to run it.
struct StartTry {
  Uuid try_id;
  std::int32_t launch = 1;
  std::string session;  ///< The agent session it was assigned to; another one refuses it.
  std::string label;    ///< "flights_daily/scheduled__…/extract[3] try 1", for people.
  std::vector<std::string>
      argv;  ///< argv[0] is looked up in PATH of `environment` unless it has a '/'.
  std::vector<std::pair<std::string, std::string>>
      environment;             ///< Complete; nothing is inherited.
  std::string working_folder;  ///< Absolute. Must exist.
  Duration timeout{0};         ///< 0: none. From the start of the process, monotonic clock.
  Duration kill_grace = std::chrono::seconds(10);  ///< Between TERM and KILL.
  double cpu = 0;                                  ///< Cores; 0: no limit. Where cgroups allow it.
  std::uint64_t memory_bytes = 0;                  ///< 0: no limit.
  std::uint32_t output_bytes_max = 256 << 10;
  std::vector<std::string> secrets;  ///< Values masked in the log before it is stored.
  std::string log_pattern;  ///< RE2; searched in the last 100 lines at the end. Empty: none.
  /// As Airflow's BashOperator runs a command (SubprocessHook of the standard provider 1.21.0):
  /// both streams are one; standard input is a socket on which nothing comes; it has ended when
  /// nobody holds its output open any more, and who does not is left alone; its output is the last
  /// line that it printed, as a JSON string. There is no $ETESIAN_OUTPUT.
  bool is_bash_operator = false;
  /// Runs in an empty folder of its own below `working_folder`, removed at the end.
  bool has_own_folder = false;
};

/// The durable end of a launch: written and fsynced before anybody is told of the death.
/// `cause` holds the value of model's Cause (the wire knows no domain type).
struct ExitRecord {
  Uuid try_id;
  std::int32_t launch = 1;
  std::uint8_t cause = 0;
  std::int32_t exit_code = 0;
  std::int32_t raw_status = 0;
  std::string message;
  bool log_matched = false;
  std::string output;  ///< Text of $ETESIAN_OUTPUT; empty: none written.
  Instant started_at{}, ended_at{};
  std::uint64_t log_lines = 0, log_bytes = 0;
  std::string log_hash;  ///< Hex; over (seq, stream, bytes) of every frame.
  bool log_cut = false;  ///< The log could not be read to its end.
  std::uint64_t log_segment = 0, log_offset = 0;
};

// ---- agent -> server ----
struct Hello {
  std::uint16_t protocol = kProtocol;
  std::string agent_id;  ///< Uuid of the state folder.
  std::string session;   ///< Changes with the boot id or the state folder.
  std::string host;
  std::int32_t pid = 0;
  std::uint32_t slots = 0;   ///< Tasks that its descriptors allow at the same time.
  std::string capabilities;  ///< Words: "cgroup" "exit-status-after-restart".
};
/// What the agent knows of one try. Sent for every try after Hello, then ListEnd.
struct Holding {
  enum class State : std::uint8_t { Running, Ending, Ended, NeverStarted, Revoked } state{};
  Uuid try_id;
  std::int32_t launch = 1;
};
struct ListEnd {};
struct Started {
  Uuid try_id;
  std::int32_t launch = 1;
  std::int32_t pid = 0;
  Instant at{};
  std::uint64_t log_segment = 0, log_offset = 0;
};
struct Ended {
  ExitRecord record;
};
/// The launch did not start and never will: another session, revoked, or no process can be made.
struct Refused {
  enum class Reason : std::uint8_t { WrongSession, Revoked, Busy } reason{};
  Uuid try_id;
  std::int32_t launch = 1;
  std::string message;
};
/// Every 5 s, for all running tries at once.
struct Beat {
  Instant at{};
  std::uint32_t running = 0;
  std::string trouble;  ///< "disk full: …" while output waits in the pipes; empty: none.
};

// ---- server -> agent ----
struct Welcome {
  std::uint16_t protocol = kProtocol;
  Instant server_time{};
};
struct Stop {
  Uuid try_id;
  std::int32_t launch = 1;
  Duration grace{};
  std::string reason;  ///< Written into the task's log.
};
/// A launch not started yet must never start; answered by Holding Revoked, Running or Ended.
struct Revoke {
  Uuid try_id;
  std::int32_t launch = 1;
};
/// The end is committed; the record may be forgotten.
struct Acknowledge {
  Uuid try_id;
  std::int32_t launch = 1;
};
/// Answered by Holding or Ended for this try (NeverStarted when unknown).
struct Inquire {
  Uuid try_id;
  std::int32_t launch = 1;
};
/// Stop every try (TERM, grace, KILL), report the ends, then leave.
struct Shutdown {};

using Message = std::variant<Hello, Holding, ListEnd, Started, Ended, Refused, Beat, Welcome,
                             StartTry, Stop, Revoke, Acknowledge, Inquire, Shutdown>;

/// One frame: u32 length (little endian, of what follows), u8 kind, fields. At most 16 MiB.
std::string encode(const Message& message);
/// Takes whole frames off the front of `buffer`. Errors: Corrupt (length, kind or field out of
/// range).
Result<std::vector<Message>> take_messages(std::string& buffer);

}  // namespace etesian::wire
