#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "http/http.h"

namespace etesian::http {

/// Where the head of a request ends, found without reading a byte twice.
struct HeadScan {
  enum class State { Incomplete, Complete, Malformed } state = State::Incomplete;
  std::size_t end = 0;  ///< Complete: just behind the empty line. Incomplete: where to go on.
};
/// `text` is what has come so far; `from` is 0 or the `end` of the scan before. Malformed as soon
/// as a line cannot become right any more (bare LF, another protocol's first byte), not at a
/// time-out.
HeadScan scan_head(std::string_view text, std::size_t from);

struct RequestHead {
  Request request;  ///< method, path, query and headers.
  std::uint64_t content_length = 0;
  bool is_chunked = false;
  bool keep_alive = false;  ///< Asked for; always false for HTTP/1.0.
  bool is_http_1_0 = false;
  bool expects_continue = false;
};

/// Strict RFC 9112: it accepts what every parser in front of us reads the same way and refuses the
/// rest. One blank between the words of the request line, origin-form target, no folding, no blank
/// before a colon, no control byte, Host and Content-Length at most once, Transfer-Encoding only
/// "chunked" and never beside Content-Length. `head` ends with its empty line. Errors:
/// InvalidInput.
Result<RequestHead> parse_request_head(std::string_view head);

/// RFC 9110, section 5.6.2: a method or field name.
bool is_token(std::string_view text);

}  // namespace etesian::http
