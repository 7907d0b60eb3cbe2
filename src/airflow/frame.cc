#include "airflow/frame.h"

namespace etesian::airflow {

namespace {
constexpr std::size_t kHead = 4;
}

std::string frame_of(std::string_view body) {
  std::string out;
  out.reserve(kHead + body.size());
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(body.size() >> shift & 0xFF));
  out.append(body);
  return out;
}

Result<std::optional<std::string>> FrameReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(taken_);
  std::size_t size = 0;
  if (rest.size() >= kHead)
    for (const char c : rest.substr(0, kHead)) size = size << 8 | static_cast<unsigned char>(c);
  if (size > kFrameMax)
    return Error{ErrorCode::TooLarge, "read frame: " + std::to_string(size) + " bytes"};
  if (rest.size() < kHead || rest.size() - kHead < size) {
    buffer_.erase(0, taken_);
    taken_ = 0;
    return std::optional<std::string>();
  }
  std::optional<std::string> body(rest.substr(kHead, size));
  taken_ += kHead + size;
  return body;
}

}  // namespace etesian::airflow
