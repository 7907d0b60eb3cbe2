#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace etesian::agent {

inline constexpr std::size_t kStreamCapacity = 128UL << 10;
inline constexpr std::size_t kSecretsCapacity = 64UL << 10;

/// What was read from one pipe and is not stored yet. Lives in memory that outlives a killed
/// worker, and every step of its life can be the last: see capture.h.
struct StreamState {
  std::atomic<std::uint64_t> span;  ///< begin << 32 | end of the bytes that wait.
  std::atomic<std::uint32_t> is_reading;
  std::atomic<std::uint32_t> batch_end;  ///< Offset behind the bytes of the batch being stored …
  std::atomic<std::uint64_t> batch_seq;  ///< … the number of its first frame …
  std::atomic<std::uint32_t> batch_frames;  ///< … and how many it has; 0: no batch.
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

struct SlotState {
  Uuid try_id;
  std::int32_t launch;
  std::atomic<std::int32_t> pid;  ///< Noted by the task's process itself before its exec.
  StreamState streams[2];
  std::uint32_t secrets_size;
};

/// Places for tasks in shared memory that keeper and workers map. Untouched pages cost nothing.
class Slots {
 public:
  /// Errors: Unavailable.
  static Result<Slots> make(std::uint32_t count);
  std::uint32_t count() const { return count_; }
  SlotState& state(std::uint32_t slot) const;
  char* buffer(std::uint32_t slot, int stream) const;
  /// Kept out of every file; gone with the keeper. False: larger than kSecretsCapacity.
  bool keep_secrets(std::uint32_t slot, const std::vector<std::string>& secrets) const;
  std::vector<std::string> secrets(std::uint32_t slot) const;
  /// Zeroes the slot for another try.
  void clear(std::uint32_t slot) const;

 private:
  char* at(std::uint32_t slot) const;
  char* memory_ = nullptr;
  std::uint32_t count_ = 0;
};

}  // namespace etesian::agent
