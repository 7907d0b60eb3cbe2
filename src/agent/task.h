#pragma once
#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/capture.h"
#include "agent/cgroup.h"
#include "agent/journal.h"
#include "agent/mask.h"
#include "base/file.h"
#include "logs/writer.h"

namespace etesian::agent {

/// CLOCK_MONOTONIC in nanoseconds; "never" where nothing is due.
using Ticks = std::int64_t;
inline constexpr Ticks kNever = INT64_MAX;

/// One launch whose process was started and whose end is not recorded yet.
struct Task {
  Task(const ClaimRecord& claimed, Slots& slots, logs::TryLog try_log, Mask secrets_mask)
      : claim(claimed),
        log(std::move(try_log)),
        mask(std::move(secrets_mask)),
        streams{Capture(slots.state(claim.slot).streams[0], slots.buffer(claim.slot, 0), 1),
                Capture(slots.state(claim.slot).streams[1], slots.buffer(claim.slot, 1), 2)} {}

  ClaimRecord claim;
  logs::TryLog log;
  Mask mask;
  Capture streams[2];
  bool is_at_end[2] = {false, false};  ///< The pipe has no writer any more.
  bool is_ready[2] = {false, false};   ///< The pipe may hold bytes (edge-triggered).
  std::deque<std::string> tail;
  LastLine last_line;
  bool is_last_line_in_log = false;  ///< An earlier worker may have read a part of it.

  pid_t pid = 0;
  Fd pidfd;
  std::uint64_t birth = 0;
  enum class Parent { Us, Keeper, Other } parent = Parent::Us;
  Instant started_at{};
  Ticks tell_at = kNever;  ///< When the server must hear of the start, which it has not yet.
  Ticks timeout_at = kNever;
  std::optional<Cgroup> cgroup;

  // Stopping, in order: TERM sent, KILL sent.
  std::optional<std::uint8_t> stop_cause;
  Ticks kill_at = kNever;
  bool is_killed = false;

  // Ending, in order: main process ended, leftovers gone, pipes read.
  bool has_ended = false;
  bool is_status_known = true;
  int status = 0;
  Instant ended_at{};
  Ticks status_until = kNever;  ///< Of an adopted task: how long its status is waited for.
  Ticks leftovers_seen_at = kNever;
  Ticks leftovers_kill_at = kNever;
  Ticks drain_until = kNever;
  bool is_cut = false;
  bool is_complete = false;  ///< Nothing more comes; only the record is missing.
  std::string lost_message;  ///< For StartFailed, LostSupervisor and Lost.
  bool has_output = false;   ///< There is a file to remove when the record is durable.
  std::optional<wire::ExitRecord> record;

  Ticks wake_at = kNever;  ///< Key in the worker's timer set.
  const Key& key() const { return claim.key; }
  /// A BashOperator reads until nobody holds its pipe open, however long its command has ended. A
  /// task that is to stop is not waited for.
  bool waits_for_writers() const {
    return claim.is_bash_operator && !stop_cause && lost_message.empty();
  }
  /// Nothing but its record is missing, or it is being cleaned up.
  bool is_over() const { return has_ended && !waits_for_writers(); }
};

}  // namespace etesian::agent
