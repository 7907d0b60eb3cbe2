#include "http/chunk_decoder.h"

#include <algorithm>

#include "http/encoding.h"
#include "http/request_head.h"

namespace etesian::http {
namespace {

/// All extensions and trailers of a body together; more is an attack.
constexpr std::size_t SkippedBytesMax = 16UL << 10;
constexpr int SizeDigitsMax = 15;

bool is_text(char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f'); }

}  // namespace

/// One byte of framing; false when it is wrong.
bool ChunkDecoder::take(char c) {
  const auto go_on = [this](bool is_right, Expect next) { return expect_ = next, is_right; };
  const auto skip = [&](Expect next) {
    return go_on(is_text(c) && ++skipped_ <= SkippedBytesMax, next);
  };
  switch (expect_) {
    case Expect::Size:
      if (const int digit = hex_value(c); digit >= 0) {
        chunk_left_ = chunk_left_ * 16 + static_cast<std::uint64_t>(digit);
        return ++size_digits_ <= SizeDigitsMax;
      }
      if (size_digits_ == 0) return false;
      if (c == ';') return skip(Expect::Extension);
      return go_on(c == '\r', Expect::SizeLf);
    case Expect::Extension:
      return c == '\r' ? go_on(true, Expect::SizeLf) : skip(Expect::Extension);
    case Expect::SizeLf:
      size_digits_ = 0;
      return go_on(c == '\n', chunk_left_ == 0 ? Expect::TrailerStart : Expect::Data);
    case Expect::DataCr: return go_on(c == '\r', Expect::DataLf);
    case Expect::DataLf: return go_on(c == '\n', Expect::Size);
    case Expect::TrailerStart:
      if (c == '\r') return go_on(true, Expect::EndLf);
      return is_token({&c, 1}) && skip(Expect::TrailerName);
    case Expect::TrailerName:
      if (c == ':') return skip(Expect::TrailerValue);
      return is_token({&c, 1}) && skip(Expect::TrailerName);
    case Expect::TrailerValue:
      return c == '\r' ? go_on(true, Expect::TrailerLf) : skip(Expect::TrailerValue);
    case Expect::TrailerLf: return go_on(c == '\n', Expect::TrailerStart);
    case Expect::EndLf: return go_on(c == '\n', Expect::Nothing);
    case Expect::Data:
    case Expect::Nothing: break;
  }
  return false;
}

ChunkDecoder::Step ChunkDecoder::feed(std::string_view input, std::string& body,
                                      std::size_t body_bytes_max) {
  std::size_t at = 0;
  while (at < input.size() && expect_ != Expect::Nothing) {
    if (expect_ == Expect::Data) {
      const std::size_t length =
          static_cast<std::size_t>(std::min<std::uint64_t>(chunk_left_, input.size() - at));
      body.append(input.substr(at, length));
      at += length;
      chunk_left_ -= length;
      if (chunk_left_ == 0) expect_ = Expect::DataCr;
      continue;
    }
    if (!take(input[at++])) return {State::Malformed, at};
    if (expect_ == Expect::Data &&
        chunk_left_ > body_bytes_max - std::min(body.size(), body_bytes_max)) {
      return {State::TooLarge, at};
    }
  }
  return {expect_ == Expect::Nothing ? State::Done : State::NeedsMore, at};
}

}  // namespace etesian::http
