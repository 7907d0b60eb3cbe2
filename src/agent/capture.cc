#include "agent/capture.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace etesian::agent {
namespace {

constexpr std::size_t kTailLines = 100;  ///< What log_pattern is searched in.

struct Piece {
  std::size_t consumed = 0;  ///< Bytes of the pipe that it stands for.
  std::string_view bytes;
  std::uint8_t flags = 0;
};

/// The first frame's worth of `text`: a line, or a piece of one that is too long.
std::optional<Piece> next_piece(std::string_view text, const Mask& mask, Capture::Until until) {
  const std::size_t end = text.substr(0, logs::kLineMax + 1).find('\n');
  if (end != std::string_view::npos) return Piece{end + 1, text.substr(0, end), 0};
  if (text.size() > logs::kLineMax) {
    const std::size_t cut = mask.safe_cut(text, logs::kLineMax);
    return Piece{cut, text.substr(0, cut), logs::kPartial};
  }
  if (until == Capture::Until::LastNewline || text.empty()) return std::nullopt;
  const std::uint8_t flags = until == Capture::Until::Pause ? std::uint8_t{logs::kPartial} : 0;
  return Piece{text.size(), text, flags};
}

}  // namespace

void LastLine::take(std::string_view bytes, bool is_partial, std::size_t bytes_max) {
  if (!is_open_) {
    bytes_.clear();
    is_too_long_ = false;
  }
  is_too_long_ = is_too_long_ || bytes_.size() + bytes.size() > bytes_max;
  if (!is_too_long_) bytes_ += bytes;
  is_open_ = is_partial;
}

std::string_view Capture::waiting() const {
  const std::uint64_t span = state_->span;
  const auto begin = static_cast<std::uint32_t>(span >> 32), end = static_cast<std::uint32_t>(span);
  return {buffer_ + begin, end - begin};
}

bool Capture::has_bytes() const { return !waiting().empty(); }

void Capture::set_span(std::uint32_t begin, std::uint32_t end) {
  state_->span = static_cast<std::uint64_t>(begin) << 32 | end;
}

Capture::Got Capture::read_from(int fd) {
  ETESIAN_CHECK(!has_batch());
  const std::uint64_t span = state_->span;
  const auto end = static_cast<std::uint32_t>(span);
  if (end == kStreamCapacity) return Got::Bytes;  // after a recovery: lines must be taken first
  state_->is_reading = 1;
  const ssize_t n = ::read(fd, buffer_ + end, kStreamCapacity - end);
  if (n > 0) state_->span = span + static_cast<std::uint64_t>(n);
  state_->is_reading = 0;
  if (n > 0) return Got::Bytes;
  return n == 0 ? Got::End : Got::Nothing;
}

void Capture::frame_lines(const LineSink& sink, const logs::Stamp& at, Until until) {
  const std::string_view all = waiting();
  std::string_view rest = all;
  const bool must_mask = !sink.mask->is_empty() && sink.mask->matches(all);
  const std::uint64_t first_seq = sink.log->lines() + 1;
  std::uint32_t frames = 0;
  while (const auto piece = next_piece(rest, *sink.mask, until)) {
    std::string masked;
    if (must_mask) masked = sink.mask->apply(piece->bytes);
    const std::string_view bytes = must_mask ? std::string_view(masked) : piece->bytes;
    sink.log->append(static_cast<std::uint8_t>(stream_), piece->flags, bytes, at);
    if (sink.tail != nullptr) {
      sink.tail->emplace_back(bytes);
      if (sink.tail->size() > kTailLines) sink.tail->pop_front();
    }
    if (sink.last != nullptr)
      sink.last->take(bytes, (piece->flags & logs::kPartial) != 0, sink.last_bytes_max);
    if (sink.on_line != nullptr) (*sink.on_line)(stream_, bytes);
    rest.remove_prefix(piece->consumed);
    ++frames;
  }
  if (frames == 0) return;
  state_->batch_seq = first_seq;
  state_->batch_end = static_cast<std::uint32_t>(rest.data() - buffer_);
  state_->batch_frames = frames;
}

void Capture::commit() {
  if (!has_batch()) return;
  set_span(state_->batch_end, static_cast<std::uint32_t>(state_->span));
  state_->batch_frames = 0;
  make_room();
}

void Capture::make_room() {
  const auto begin = static_cast<std::uint32_t>(state_->span >> 32);
  const auto end = static_cast<std::uint32_t>(state_->span);
  const std::uint32_t left = end - begin;
  // Move the rest to the front when both places do not overlap, so that a death in between harms
  // nothing; then what lies behind must be zero again for `recover`.
  if (left > begin || (left != 0 && end < kStreamCapacity / 2)) return;
  std::memcpy(buffer_, buffer_ + begin, left);
  set_span(0, left);
  std::memset(buffer_ + left, 0, end - left);
}

void Capture::recover(std::uint64_t last_seq, Mask& mask) {
  auto begin = static_cast<std::uint32_t>(state_->span >> 32);
  auto end = static_cast<std::uint32_t>(state_->span);
  if (state_->is_reading != 0) {
    // The worker died in or right after read(2): its bytes are there, their count is not.
    std::uint32_t last = kStreamCapacity;
    while (last > end && buffer_[last - 1] == '\0') --last;
    end = last;
    set_span(begin, end);
    state_->is_reading = 0;
  }
  std::memset(buffer_ + end, 0, kStreamCapacity - end);
  if (!has_batch()) return make_room();
  const std::uint64_t first = state_->batch_seq;
  const auto stored = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(last_seq < first ? 0 : last_seq - first + 1, state_->batch_frames));
  if (stored < state_->batch_frames) {
    std::string_view rest = waiting();
    for (std::uint32_t i = 0; i < stored; ++i)
      rest.remove_prefix(next_piece(rest, mask, Until::End)->consumed);
    state_->batch_end = static_cast<std::uint32_t>(rest.data() - buffer_);
    state_->batch_frames = stored;
  }
  if (stored != 0) commit();
  make_room();
}

}  // namespace etesian::agent
