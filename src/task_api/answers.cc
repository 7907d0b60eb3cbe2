#include "task_api/answers.h"

#include "base/log.h"
#include "task_api/json_text.h"

namespace etesian::task_api {

http::Response ok(std::string json) {
  http::Response response;
  response.body = std::move(json);
  return response;
}

http::Response created(std::string_view message) {
  http::Response response = ok(ObjectText().text("message", message).take());
  response.status = 201;
  return response;
}

http::Response nothing(int status) {
  http::Response response;
  response.status = status;
  response.content_type.clear();
  return response;
}

http::Response refused(int status, std::string_view reason, std::string_view message) {
  return refused(status, reason, message, "");
}

http::Response refused(int status, std::string_view reason, std::string_view message,
                       std::string_view more) {
  std::string detail = ObjectText().text("reason", reason).text("message", message).take();
  detail.insert(detail.size() - 1, more);
  http::Response response = ok(ObjectText().raw("detail", detail).take());
  response.status = status;
  return response;
}

http::Response no_such_instance() { return refused(404, "not_found", "Task Instance not found"); }

http::Response try_later(std::string_view cause) {
  log_line(LogLevel::Warning, "a worker's request must be repeated",
           {{"cause", std::string(cause)}});
  http::Response response =
      refused(503, "unavailable", "The server cannot take this now; try again");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

http::Response failure(const Error& error) {
  switch (error.code) {
    case ErrorCode::Unavailable:
    case ErrorCode::Timeout:
    case ErrorCode::Conflict: return try_later(error.message);
    case ErrorCode::NotFound: return refused(404, "not_found", error.message);
    case ErrorCode::Denied: return refused(403, "access_denied", error.message);
    case ErrorCode::TooLarge: return refused(413, "too_large", error.message);
    case ErrorCode::InvalidInput: return refused(400, "value_error", error.message);
    case ErrorCode::Corrupt: break;
  }
  log_line(LogLevel::Error, "answer a worker: " + error.message);
  return refused(500, "internal_error", "Stored data cannot be read; see the server's log");
}

std::string state_text(TaskState state) {
  return state == TaskState::None ? "null" : quoted(to_text(state));
}

}  // namespace etesian::task_api
