#include "api/handlers.h"
#include "api/json_common.h"
#include "api/log_followers.h"
#include "api/log_place.h"
#include "api/log_text.h"
#include "api/query.h"

namespace etesian::api {
namespace {

constexpr std::size_t PageLines = 1000, PageBytes = 1UL << 20;
/// What `full_content` returns at most; the continuation token leads on.
constexpr std::size_t FullLines = 200'000, FullBytes = 16UL << 20;

enum class Form { Json, JsonLines, Text };

Form form_of(const http::Request& request) {
  const auto accept = request.header("accept").value_or("");
  if (accept.find("text/plain") != std::string::npos) return Form::Text;
  if (accept.find("application/x-ndjson") != std::string::npos) return Form::JsonLines;
  return Form::Json;
}

Result<LogPosition> first_line(const http::Request& request) {
  const auto token = request.query_value("token");
  if (!token || token->empty()) return LogPosition{};
  if (const auto position = log_position_from_text(*token)) return *position;
  return Error{ErrorCode::InvalidInput,
               "Bad Signature. Please use only the tokens provided by the API."};
}

http::Response attachment(std::string body, std::string content_type) {
  http::Response response;
  response.body = std::move(body);
  response.content_type = std::move(content_type);
  return response;
}

http::Response render(const LogPart& part, Form form) {
  const std::string token = part.is_complete ? "" : to_text(part.next);
  if (form == Form::Text) {
    std::string text;
    for (const auto& line : part.lines) append_text(text, line);
    auto response = attachment(std::move(text), "text/plain; charset=utf-8");
    response.headers.emplace_back("Content-Disposition", "attachment; filename=\"task.log\"");
    response.headers.emplace_back("Airflow-Continuation-Token", token);
    return response;
  }
  json::array content;
  for (const auto& line : part.lines) append_line(content, line);
  if (form == Form::JsonLines) {
    std::string text;
    for (const auto& line : content) text += json::serialize(line) + "\n";
    auto response = attachment(std::move(text), "application/x-ndjson");
    response.headers.emplace_back("Airflow-Continuation-Token", token);
    return response;
  }
  return ok(
      json::object{{"content", std::move(content)}, {"continuation_token", text_or_null(token)}});
}

}  // namespace

Next get_log(Reading& reading) {
  const http::Request& request = reading.call.request;
  auto log = find_log(reading);
  if (!log) return refusal(log.error());
  const auto from = first_line(request);
  if (!from) return refusal(from.error());
  const bool is_full = query_flag(request, "full_content").value_or(false);
  return WorkerPart([log = std::move(*log), from = *from, is_full, form = form_of(request),
                     service = reading.call.service] {
    const PartSize size = is_full ? PartSize{FullLines, FullBytes} : PartSize{PageLines, PageBytes};
    const auto part = read_part(service->log_reader, log, from, size);
    if (part) return render(*part, form);
    if (part.error().code != ErrorCode::NotFound) return refusal(part.error());
    return http::error_response(404, "The log of this try is not kept any more");
  });
}

Next stream_log(Reading& reading) {
  auto log = find_log(reading);
  if (!log) return refusal(log.error());
  LogPosition from;
  if (const auto last = reading.call.request.header("last-event-id")) {
    if (const auto seen = log_position_from_text(*last)) from = {seen->launch, seen->seq + 1};
  }
  const Call& call = reading.call;
  return StreamPart([service = call.service, request = call.request, log = *log,
                     from](std::shared_ptr<http::Reply> reply) {
    http::Response head;
    head.content_type = "text/event-stream";
    head.headers.emplace_back("Cache-Control", "no-store");
    service->followers->add(service, {log, from, reply->stream(std::move(head)), request});
  });
}

namespace {

Result<logs::Verdict> verdict_of(const logs::Reader& reader, const LogOfLaunch& launch) {
  if (launch.place.segment != 0) {
    return reader.verify(launch.try_id, launch.place.segment, launch.place.offset, *launch.seal);
  }
  logs::Verdict verdict;
  verdict.complete = launch.seal->lines == 0;
  verdict.message =
      verdict.complete ? "complete: the try wrote nothing" : "the log was never stored";
  return verdict;
}

/// The verdicts of all launches as one.
http::Response verified(const logs::Reader& reader, const LogOfTry& log) {
  logs::Verdict whole;
  whole.complete = true;
  std::uint64_t lines = 0, bytes = 0;
  for (std::size_t i = 0; i < log.launches.size(); ++i) {
    const auto verdict = verdict_of(reader, log.launches[i]);
    if (!verdict) {
      if (verdict.error().code != ErrorCode::NotFound) return refusal(verdict.error());
      return http::error_response(404, "The log of this try is not kept any more");
    }
    whole.complete = whole.complete && verdict->complete;
    whole.lines_found += verdict->lines_found;
    lines += log.launches[i].seal->lines;
    bytes += log.launches[i].seal->bytes;
    if (log.launches.size() > 1) {
      whole.message += (i == 0 ? "launch " : "; launch ") + std::to_string(i + 1) + ": ";
    }
    whole.message += verdict->message;
  }
  if (log.launches.empty()) whole.message = "complete: nothing was launched";
  return ok(json::object{{"complete", whole.complete},
                         {"lines_found", whole.lines_found},
                         {"lines_expected", lines},
                         {"bytes_expected", bytes},
                         {"message", whole.message}});
}

}  // namespace

Next verify_log(Reading& reading) {
  auto log = find_log(reading);
  if (!log) return refusal(log.error());
  if (!log->is_over) return http::error_response(409, "The try has not ended; its log still grows");
  return WorkerPart([log = std::move(*log), service = reading.call.service] {
    return verified(service->log_reader, log);
  });
}

}  // namespace etesian::api
