#include "logs/frame.h"

#include <sodium.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/bytes.h"

namespace etesian::logs {
namespace {

static_assert(sizeof(crypto_generichash_state) <= 384);
constexpr std::size_t kWindow = 256UL << 10;
constexpr std::size_t kTryIdAt = 32;

template <class T>
void put(char* out, T value) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
  std::memcpy(out, &value, sizeof value);
}
template <class T>
T get(const char* in) {
  T value;
  std::memcpy(&value, in, sizeof value);
  return value;
}

std::string path_of(const std::string& folder, std::uint64_t number, const char* suffix) {
  char name[32];
  std::snprintf(name, sizeof name, "/%016llx%s", static_cast<unsigned long long>(number), suffix);
  return folder + name;
}

crypto_generichash_state* as_sodium(unsigned char* state) {
  return reinterpret_cast<crypto_generichash_state*>(state);
}

/// A frame at the front of `in`, nullopt when it is not whole or its checksum is wrong.
std::optional<Frame> frame_at(std::string_view in) {
  if (in.size() < kFrameSize) return std::nullopt;
  const std::size_t length = get<std::uint32_t>(in.data());
  if (length > kLineMax || in.size() < kFrameSize + length) return std::nullopt;
  const std::size_t end = kFrameHead + length;
  if (crc32c(in.substr(0, end)) != get<std::uint32_t>(in.data() + end)) return std::nullopt;
  Frame frame;
  frame.stream = static_cast<std::uint8_t>(in[4]);
  frame.flags = static_cast<std::uint8_t>(in[5]);
  frame.seq = get<std::uint64_t>(in.data() + 8);
  frame.wall_ns = get<std::int64_t>(in.data() + 16);
  frame.monotonic_ns = get<std::int64_t>(in.data() + 24);
  std::memcpy(frame.try_id.bytes.data(), in.data() + kTryIdAt, frame.try_id.bytes.size());
  frame.bytes = in.substr(kFrameHead, length);
  return frame;
}

}  // namespace

std::uint64_t Frame::next_segment() const {
  return bytes.size() >= 8 ? get<std::uint64_t>(bytes.data()) : 0;
}

void append_frame(std::string& out, const Frame& frame) {
  const std::size_t begin = out.size();
  char head[kFrameHead] = {};
  put(head, static_cast<std::uint32_t>(frame.bytes.size()));
  put(head + 4, frame.stream);
  put(head + 5, frame.flags);
  put(head + 8, frame.seq);
  put(head + 16, frame.wall_ns);
  put(head + 24, frame.monotonic_ns);
  std::memcpy(head + kTryIdAt, frame.try_id.bytes.data(), frame.try_id.bytes.size());
  out.append(head, sizeof head);
  out.append(frame.bytes);
  char crc[4];
  put(crc, crc32c(std::string_view(out).substr(begin)));
  out.append(crc, sizeof crc);
}

std::string segment_path(const std::string& folder, std::uint64_t number) {
  return path_of(folder, number, ".seg");
}
std::string index_path(const std::string& folder, std::uint64_t number) {
  return path_of(folder, number, ".idx");
}

LogHash::LogHash() { crypto_generichash_init(as_sodium(state_.data()), nullptr, 0, 32); }

void LogHash::add(const Frame& line) {
  unsigned char head[9];
  std::memcpy(head, &line.seq, 8);
  head[8] = line.stream;
  crypto_generichash_update(as_sodium(state_.data()), head, sizeof head);
  crypto_generichash_update(as_sodium(state_.data()),
                            reinterpret_cast<const unsigned char*>(line.bytes.data()),
                            line.bytes.size());
}

std::string LogHash::hex() const {
  LogHash copy = *this;
  unsigned char digest[32];
  crypto_generichash_final(as_sodium(copy.state_.data()), digest, sizeof digest);
  std::string out;
  for (const unsigned char byte : digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

bool FrameScanner::fill(std::size_t size) {
  const bool is_inside = offset_ >= window_at_ && offset_ + size <= window_at_ + window_.size();
  if (is_inside) return true;
  window_.resize(std::max(size, kWindow));
  const ssize_t n = ::pread(fd_, window_.data(), window_.size(), static_cast<off_t>(offset_));
  window_.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  window_at_ = offset_;
  return window_.size() >= size;
}

std::optional<Frame> FrameScanner::next() {
  if (!fill(kFrameSize)) return std::nullopt;
  const auto view = [&] { return std::string_view(window_).substr(offset_ - window_at_); };
  const std::size_t length = get<std::uint32_t>(view().data());
  is_damaged_ = length > kLineMax;
  if (is_damaged_ || !fill(kFrameSize + length)) return std::nullopt;
  const auto frame = frame_at(view());
  is_damaged_ = !frame;
  if (frame) offset_ += kFrameSize + length;
  return frame;
}

bool FrameScanner::skip_damage(const Uuid& id) {
  const std::string_view mark(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  for (++offset_; fill(kFrameSize);) {
    const std::string_view view = std::string_view(window_).substr(offset_ - window_at_);
    const std::size_t at = view.find(mark);
    if (at == std::string_view::npos) {
      offset_ += view.size() - mark.size() + 1;
    } else if (at < kTryIdAt) {
      offset_ += at + 1;
    } else {
      offset_ += at - kTryIdAt;
      is_damaged_ = false;
      if (fill(kFrameSize + kLineMax) || fill(kFrameSize)) {
        if (frame_at(std::string_view(window_).substr(offset_ - window_at_))) return true;
      }
      offset_ += 1;
    }
  }
  return false;
}

}  // namespace etesian::logs
