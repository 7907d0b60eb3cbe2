#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/random.h"

/// The stored form of one line. Little endian:
///   u32 length | u8 stream | u8 flags | u16 0 | u64 seq | i64 wall ns | i64 monotonic ns |
///   16 bytes try id | bytes | u32 CRC-32C of all before
namespace etesian::logs {

inline constexpr std::size_t kLineMax = 64UL << 10;  ///< Longer lines become partial frames.
inline constexpr std::size_t kFrameHead = 48;
inline constexpr std::size_t kFrameSize = kFrameHead + 4;  ///< Of a frame without bytes.

enum FrameFlag : std::uint8_t {
  kPartial = 1,  ///< More of the same line follows.
  kCut = 2,      ///< On an end frame: the log could not be read to its end.
  kMoved = 4,    ///< No line: the try goes on in the segment whose number the bytes hold.
  kEnd = 8       ///< No line: the try's log is complete.
};

struct Frame {
  std::uint8_t stream = 0;
  std::uint8_t flags = 0;
  std::uint64_t seq = 0;
  std::int64_t wall_ns = 0;
  std::int64_t monotonic_ns = 0;
  Uuid try_id;
  std::string_view bytes;
  bool is_line() const { return (flags & (kMoved | kEnd)) == 0; }
  std::uint64_t next_segment() const;  ///< Of a kMoved frame.
};

void append_frame(std::string& out, const Frame& frame);
std::string segment_path(const std::string& folder, std::uint64_t number);
/// Sparse index beside a segment of one try: (u64 seq, u64 offset of its frame) about every 256
/// KiB. The top bit of seq marks the last entry: the try goes on, from that seq, in segment
/// `offset`.
std::string index_path(const std::string& folder, std::uint64_t number);
inline constexpr std::uint64_t kIndexMoved = 1ULL << 63;

/// Hash over (seq, stream, bytes) of every line of a try: what an exit record seals. BLAKE2b-256.
class LogHash {
 public:
  LogHash();
  void add(const Frame& line);
  std::string hex() const;  ///< Of what was added so far.

 private:
  alignas(64) std::array<unsigned char, 384> state_;
};

/// Reads the frames of a segment in order, from an offset on, in O(1) memory.
class FrameScanner {
 public:
  FrameScanner(int fd, std::uint64_t offset) : fd_(fd), offset_(offset) {}
  /// The next whole frame; its bytes stay valid until the next call. nullopt at the end of what is
  /// stored or at a damaged place (then `is_damaged`).
  std::optional<Frame> next();
  /// Goes on at the next whole frame of `id` behind the damaged place. False: there is none.
  bool skip_damage(const Uuid& id);
  bool is_damaged() const { return is_damaged_; }
  std::uint64_t offset() const { return offset_; }  ///< Behind the last frame that was given.

 private:
  bool fill(std::size_t size);

  int fd_;
  std::uint64_t offset_;
  std::uint64_t window_at_ = 0;
  std::string window_;
  bool is_damaged_ = false;
};

}  // namespace etesian::logs
