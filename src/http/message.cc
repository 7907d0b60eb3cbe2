#include <algorithm>

#include "base/check.h"
#include "base/json.h"
#include "http/http.h"

namespace etesian::http {
namespace {

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidInput: return 422;
    case ErrorCode::NotFound: return 404;
    case ErrorCode::Conflict: return 409;
    case ErrorCode::Unavailable: return 503;
    case ErrorCode::Timeout: return 504;
    case ErrorCode::Corrupt: return 500;
    case ErrorCode::Denied: return 403;
    case ErrorCode::TooLarge: return 413;
  }
  ETESIAN_CHECK(!"an error code");
  return 500;
}

}  // namespace

std::optional<std::string> Request::header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

std::optional<std::string> Request::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> Request::query_values(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : query) {
    if (key == name) values.push_back(value);
  }
  return values;
}

Response error_response(int status, std::string_view detail) {
  Response response;
  response.status = status;
  response.body = json::serialize(json::object{{"detail", json::string_view(detail)}});
  return response;
}

Response error_response(const Error& error) {
  return error_response(status_of(error.code), error.message);
}

}  // namespace etesian::http
