#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <string>

#include "agent/mask.h"
#include "agent/slots.h"
#include "logs/writer.h"

namespace etesian::agent {

/// The last line of a task, put together from its frames.
class LastLine {
 public:
  /// `is_partial`: more of the same line follows. Beyond `bytes_max` only that it is too long is
  /// kept.
  void take(std::string_view bytes, bool is_partial, std::size_t bytes_max);
  const std::string& bytes() const { return bytes_; }
  bool is_too_long() const { return is_too_long_; }

 private:
  std::string bytes_;
  bool is_open_ = false, is_too_long_ = false;
};

/// Where lines of a task go; shared by its two streams.
struct LineSink {
  logs::TryLog* log = nullptr;
  Mask* mask = nullptr;
  std::deque<std::string>* tail = nullptr;  ///< The last lines, where a log_pattern wants them.
  LastLine* last = nullptr;                 ///< Where the output is the last line.
  std::size_t last_bytes_max = 0;           ///< Of `last`.
  const std::function<void(int stream, std::string_view line)>* on_line = nullptr;
};

/// Reads one pipe of a task and cuts it into frames. Exactly once even over kill -9: bytes are read
/// straight into shared memory, a batch is announced there before its frames are stored, and taken
/// off after; a later worker compares the announcement with the last stored frame.
class Capture {
 public:
  Capture(StreamState& state, char* buffer, int stream)
      : state_(&state), buffer_(buffer), stream_(stream) {}

  enum class Got { Bytes, Nothing, End };
  /// One read(2), at most the free room. A batch must have been committed.
  Got read_from(int fd);
  /// Appends what waits as frames to the log (in memory) and announces them as a batch. The rest of
  /// an unfinished line waits on until the End; a Pause stores it as a partial frame.
  enum class Until { LastNewline, End, Pause };
  void frame_lines(const LineSink& sink, const logs::Stamp& at, Until until);
  /// The store has written the batch.
  void commit();
  bool has_batch() const { return state_->batch_frames != 0; }
  bool has_bytes() const;
  /// After the death of a worker: finds bytes that it read but did not note, and skips the frames
  /// of an announced batch that were stored (numbers up to `last_seq`).
  void recover(std::uint64_t last_seq, Mask& mask);

 private:
  std::string_view waiting() const;
  void make_room();
  void set_span(std::uint32_t begin, std::uint32_t end);

  StreamState* state_;
  char* buffer_;
  int stream_;  ///< 1 or 2.
};

}  // namespace etesian::agent
