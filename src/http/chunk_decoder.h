#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace etesian::http {

/// Decodes one chunked body (RFC 9112, section 7.1), strictly: CRLF everywhere, sizes of up to 15
/// hex digits. Extensions and trailers are skipped and bounded; they reach nobody.
class ChunkDecoder {
 public:
  enum class State { NeedsMore, Done, Malformed, TooLarge };
  struct Step {
    State state;
    std::size_t consumed;  ///< Bytes of the input that belong to the body.
  };
  /// Appends the decoded bytes to `body`. TooLarge as soon as the announced sizes pass
  /// `body_bytes_max`.
  Step feed(std::string_view input, std::string& body, std::size_t body_bytes_max);

 private:
  enum class Expect {
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLf,
    EndLf,
    Nothing
  };
  bool take(char c);

  Expect expect_ = Expect::Size;
  std::uint64_t chunk_left_ = 0;
  int size_digits_ = 0;
  std::size_t skipped_ = 0;
};

}  // namespace etesian::http
