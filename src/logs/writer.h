#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/result.h"
#include "logs/frame.h"

namespace etesian::logs {

struct Segment;
class SegmentStore;

/// Both clocks at one moment: what a frame carries.
struct Stamp {
  std::int64_t wall_ns = 0, monotonic_ns = 0;
  static Stamp now();
};

/// The log of one running try: numbers its lines over all streams and feeds the seal.
/// Ends with its life (without an end frame: an agent's end is not the try's end).
class TryLog {
 public:
  TryLog(TryLog&& other) noexcept;
  TryLog& operator=(TryLog&&) = delete;
  ~TryLog();

  /// Appends one line (at most kLineMax bytes, without newline) to the segment's buffer; stored by
  /// the store's next `flush`. `flags`: 0 or kPartial.
  void append(std::uint8_t stream, std::uint8_t flags, std::string_view bytes, const Stamp& at);
  /// Nothing follows: what is appended later is left out. `flags`: 0 or kCut.
  void end(std::uint8_t flags, const Stamp& at);
  /// `end` was called, by this process or, of a resumed log, by the one before.
  bool has_ended() const { return has_ended_; }
  bool is_cut() const { return is_cut_; }

  std::uint64_t segment() const { return first_segment_; }
  std::uint64_t offset() const { return first_offset_; }
  std::uint64_t lines() const { return lines_; }
  std::uint64_t bytes() const { return bytes_; }
  std::string hash() const { return hash_->hex(); }

 private:
  friend class SegmentStore;
  TryLog(SegmentStore* store, Segment* at, const Uuid& id);
  void move_if_large(const Stamp& at);

  SegmentStore* store_;
  Segment* segment_;
  Uuid id_;
  std::uint64_t first_segment_ = 0, first_offset_ = 0;
  std::uint64_t lines_ = 0, bytes_ = 0;
  std::uint64_t stored_here_ = 0;  ///< Bytes of this try in the current segment.
  bool has_ended_ = false, is_cut_ = false;
  std::unique_ptr<LogHash> hash_;
};

/// The segments of one agent: many small tries share the current one, a try that writes more than
/// 64 KiB moves to segments of its own. One thread.
class SegmentStore {
 public:
  /// Creates `folder`. Numbers continue after the highest that is there.
  static Result<std::unique_ptr<SegmentStore>> open(const std::string& folder);
  ~SegmentStore();

  TryLog begin(const Uuid& id);
  /// A log begun before this process: reads it (O(its size)), trims a torn tail and goes on after
  /// its last line. Where nothing is left of it, numbering starts again at 1 in a new segment.
  TryLog resume(const Uuid& id, std::uint64_t segment, std::uint64_t offset);

  /// Writes all buffers. Errors: Unavailable (disk full, …): everything stays buffered, call again.
  Result<Done> flush();
  /// Bytes that wait for `flush`.
  std::size_t buffered() const { return buffered_; }
  /// fdatasync of what was flushed since the last call. Errors: Unavailable.
  Result<Done> sync();
  /// Removes the oldest segments beyond `bytes_max` in sum, and those not written for `age_max`; 0
  /// is no limit. Segments of running tries stay.
  void remove_old(std::uint64_t bytes_max, Duration age_max, Instant now);

 private:
  friend class TryLog;
  explicit SegmentStore(std::string folder);
  Segment* open_segment(std::uint64_t number);
  Segment* new_segment();
  Segment* current();
  void add_index_entry(Segment& segment, std::uint64_t seq, std::uint64_t target);
  void release(Segment* segment);
  bool flush_one(Segment& segment);

  std::string folder_;
  std::uint64_t next_number_ = 1;
  std::size_t buffered_ = 0;
  bool has_new_files_ = false;
  Segment* current_ = nullptr;
  std::map<std::uint64_t, std::unique_ptr<Segment>> segments_;  ///< Open ones.
};

}  // namespace etesian::logs
