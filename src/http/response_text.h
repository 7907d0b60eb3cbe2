#pragma once
#include <string>
#include <string_view>

#include "http/http.h"

namespace etesian::http {

struct ResponseFrame {
  enum class Body { Sized, HeadOnly, Chunked, UntilClose } body = Body::Sized;
  bool keep_alive = true;
  bool no_store = false;
  std::string_view date;  ///< IMF-fixdate (RFC 9110, section 5.6.7).
};

/// The Date header's text, made once a second. Not thread-safe.
class DateText {
 public:
  std::string_view at(Instant now);

 private:
  std::int64_t second_ = -1;
  std::string text_;
};

/// Appends the answer as it goes over the wire, security headers included; the body too when Sized
/// and not shared.
void append_response(std::string& out, const Response& response, const ResponseFrame& frame);

}  // namespace etesian::http
