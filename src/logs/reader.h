#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace etesian::logs {

/// One stored line, or a piece of a line over 64 KiB (`partial`: more of the same line follows).
struct Line {
  enum class Stream : std::uint8_t {
    Out = 1,
    Error = 2,
    System = 3
  } stream{};             ///< System: words of Etesian itself.
  std::uint64_t seq = 0;  ///< From 1, numbered at the source over all streams of the try.
  Instant at{};           ///< Wall clock at the source.
  std::int64_t monotonic_ns = 0;
  bool partial = false;
  std::string bytes;  ///< As written, without the newline.
  std::uint64_t missing_before =
      0;  ///< Lines lost between this one and the one before: never silent.
};

struct Page {
  std::vector<Line> lines;
  std::uint64_t next_seq = 1;  ///< Ask again from here.
  bool complete = false;       ///< The try's log has ended and everything was given.
};

/// What an exit record says of a log; `verify` compares it with what is stored.
struct Seal {
  std::uint64_t lines = 0, bytes = 0;
  std::string hash;
  bool cut = false;
};

struct Verdict {
  bool complete = false;
  std::uint64_t lines_found = 0;
  std::string message;  ///< "complete: 1,204 lines, 88,410 bytes, hash 5f…" or what is missing.
};

/// Reads what the agent of this host stored. Thread-safe; keeps no descriptor open between calls.
class Reader {
 public:
  /// `folder`: the agent's log folder. Nothing is created.
  explicit Reader(std::string folder);

  /// Lines of `try_id` from `from_seq` on, whose log begins at (segment, offset): at most
  /// `lines_max` lines and `bytes_max` bytes (at least one line). Memory O(page).
  /// Errors: NotFound (removed by retention), Corrupt is never an error: it is a marked gap.
  Result<Page> read(const Uuid& try_id, std::uint64_t segment, std::uint64_t offset,
                    std::uint64_t from_seq, std::size_t lines_max, std::size_t bytes_max) const;
  /// Recomputes count and hash over everything stored for the try.
  Result<Verdict> verify(const Uuid& try_id, std::uint64_t segment, std::uint64_t offset,
                         const Seal& seal) const;

 private:
  std::string folder_;
};

/// Tells when segments of a folder grow (inotify): for followers. One thread, one descriptor.
class GrowthWatch {
 public:
  /// `on_growth` is called on the watch's thread, at most every 20 ms.
  static Result<std::unique_ptr<GrowthWatch>> start(const std::string& folder,
                                                    std::function<void()> on_growth);
  virtual ~GrowthWatch() = default;
};

}  // namespace etesian::logs
