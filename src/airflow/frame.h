#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace etesian::airflow {

inline constexpr std::size_t kFrameMax = 256UL << 20;

/// What goes over the sockets of the Python host: 4 bytes of length, big-endian, then that many
/// bytes of JSON.
std::string frame_of(std::string_view body);

/// Cuts a stream into frames, whatever the sizes of the reads.
class FrameReader {
 public:
  void feed(std::string_view bytes) { buffer_.append(bytes); }
  /// The next complete frame's body; empty while there is none. Errors: TooLarge; the stream cannot
  /// be followed further.
  Result<std::optional<std::string>> next();

 private:
  std::string buffer_;
  std::size_t taken_ = 0;
};

}  // namespace etesian::airflow
