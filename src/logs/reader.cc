#include "logs/reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "logs/frame.h"

namespace etesian::logs {
namespace {

struct IndexEntry {
  std::uint64_t seq, target;
};

std::vector<IndexEntry> read_index(const std::string& folder, std::uint64_t segment) {
  std::vector<IndexEntry> out;
  const auto text = read_file(index_path(folder, segment), 16UL << 20);
  if (!text) return out;
  for (std::size_t at = 0; at + sizeof(IndexEntry) <= text->size(); at += sizeof(IndexEntry)) {
    IndexEntry entry{};
    text->copy(reinterpret_cast<char*>(&entry), sizeof entry, at);
    out.push_back(entry);
  }
  return out;
}

/// All frames of one try in order, over its chain of segments.
class Chain {
 public:
  Chain(std::string folder, const Uuid& id, std::uint64_t segment, std::uint64_t offset)
      : folder_(std::move(folder)), id_(id), segment_(segment) {
    open(offset);
  }
  bool is_there() const { return static_cast<bool>(file_); }

  /// The next frame of the try, moves followed; nullopt at the end of what is stored.
  std::optional<Frame> next() {
    while (scanner_) {
      const auto frame = scanner_->next();
      if (!frame) {
        if (!scanner_->is_damaged() || !scanner_->skip_damage(id_)) return std::nullopt;
        continue;
      }
      if (frame->try_id != id_) continue;
      if ((frame->flags & kMoved) == 0) return frame;
      is_own_ = true;
      segment_ = frame->next_segment();
      open(0);
    }
    return std::nullopt;
  }

  /// Leaves out as much as the indexes allow of the lines before `seq`. The first, shared segment
  /// has none and is short; call it when the chain has left that (`is_own`).
  void skip_towards(std::uint64_t seq) {
    for (;;) {
      const std::vector<IndexEntry> index = read_index(folder_, segment_);
      const bool has_next = !index.empty() && (index.back().seq & kIndexMoved) != 0;
      if (has_next && (index.back().seq & ~kIndexMoved) <= seq) {
        segment_ = index.back().target;
        open(0);
        continue;
      }
      std::uint64_t offset = 0;
      for (const IndexEntry& entry : index)
        if (entry.seq <= seq && (entry.seq & kIndexMoved) == 0) offset = entry.target;
      if (offset > 0 && starts_frame(offset)) scanner_.emplace(file_.get(), offset);
      return;
    }
  }
  bool is_own() const { return is_own_; }

 private:
  void open(std::uint64_t offset) {
    file_ = Fd(::open(segment_path(folder_, segment_).c_str(), O_RDONLY | O_CLOEXEC));
    scanner_.reset();
    if (file_) scanner_.emplace(file_.get(), offset);
  }
  bool starts_frame(std::uint64_t offset) {
    const auto frame = FrameScanner(file_.get(), offset).next();
    return frame && frame->try_id == id_;
  }

  std::string folder_;
  Uuid id_;
  std::uint64_t segment_;
  bool is_own_ = false;
  Fd file_;
  std::optional<FrameScanner> scanner_;
};

Error not_there(const Uuid& id) {
  return {
      ErrorCode::NotFound,
      fmt::format("read log of try {}: its segment is gone (removed by retention)", to_text(id))};
}

std::string with_commas(std::uint64_t n) {
  std::string out = std::to_string(n);
  for (std::size_t at = out.size(); at > 3;) out.insert(at -= 3, ",");
  return out;
}

}  // namespace

Reader::Reader(std::string folder) : folder_(std::move(folder)) {}

Result<Page> Reader::read(const Uuid& try_id, std::uint64_t segment, std::uint64_t offset,
                          std::uint64_t from_seq, std::size_t lines_max,
                          std::size_t bytes_max) const {
  Chain chain(folder_, try_id, segment, offset);
  if (!chain.is_there()) return not_there(try_id);
  Page page;
  page.next_seq = std::max<std::uint64_t>(from_seq, 1);
  std::size_t bytes = 0;
  bool has_skipped = false;
  while (const auto frame = chain.next()) {
    if ((frame->flags & kEnd) != 0) {
      page.complete = true;
      break;
    }
    if (frame->seq < page.next_seq) {  // before the page, or a repeat
      if (chain.is_own() && !has_skipped) {
        has_skipped = true;
        chain.skip_towards(page.next_seq);
      }
      continue;
    }
    const bool is_full = page.lines.size() >= lines_max || bytes + frame->bytes.size() > bytes_max;
    if (is_full && !page.lines.empty()) break;
    Line line;
    line.stream = static_cast<Line::Stream>(frame->stream);
    line.seq = frame->seq;
    line.at = Instant(std::chrono::floor<Duration>(std::chrono::nanoseconds(frame->wall_ns)));
    line.monotonic_ns = frame->monotonic_ns;
    line.partial = (frame->flags & kPartial) != 0;
    line.bytes = frame->bytes;
    line.missing_before = frame->seq - page.next_seq;
    bytes += line.bytes.size();
    page.next_seq = line.seq + 1;
    page.lines.push_back(std::move(line));
  }
  return page;
}

Result<Verdict> Reader::verify(const Uuid& try_id, std::uint64_t segment, std::uint64_t offset,
                               const Seal& seal) const {
  Chain chain(folder_, try_id, segment, offset);
  if (!chain.is_there()) return not_there(try_id);
  LogHash hash;
  std::uint64_t last = 0, bytes = 0;
  Verdict verdict;
  while (const auto frame = chain.next()) {
    if ((frame->flags & kEnd) != 0) break;
    if (frame->seq <= last) continue;
    last = frame->seq;
    ++verdict.lines_found;
    bytes += frame->bytes.size();
    hash.add(*frame);
  }
  const std::string found = hash.hex();
  if (verdict.lines_found != seal.lines || bytes != seal.bytes) {
    verdict.message =
        fmt::format("incomplete: {} of {} lines, {} of {} bytes", with_commas(verdict.lines_found),
                    with_commas(seal.lines), with_commas(bytes), with_commas(seal.bytes));
  } else if (found != seal.hash) {
    verdict.message = fmt::format("changed: {} lines, but hash {} where {} was sealed",
                                  with_commas(seal.lines), found, seal.hash);
  } else {
    verdict.complete = !seal.cut;
    verdict.message =
        fmt::format("{}: {} lines, {} bytes, hash {}", seal.cut ? "cut at its end" : "complete",
                    with_commas(seal.lines), with_commas(bytes), found);
  }
  return verdict;
}

}  // namespace etesian::logs
