#include <charconv>

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

/// The token is the number of the next line.
Result<std::uint64_t> first_line(const http::Request& request) {
  const auto token = request.query_value("token");
  if (!token || token->empty()) return std::uint64_t{1};
  std::uint64_t seq = 0;
  const auto [end, error] = std::from_chars(token->data(), token->data() + token->size(), seq);
  if (error != std::errc{} || end != token->data() + token->size() || seq == 0) {
    return Error{ErrorCode::InvalidInput,
                 "Bad Signature. Please use only the tokens provided by the API."};
  }
  return seq;
}

http::Response attachment(std::string body, std::string content_type) {
  http::Response response;
  response.body = std::move(body);
  response.content_type = std::move(content_type);
  return response;
}

http::Response render(const logs::Page& page, const LogOfTry& log, Form form) {
  const bool is_complete = page.complete || log.is_complete_without_lines();
  const std::string token = is_complete ? "" : std::to_string(page.next_seq);
  if (form == Form::Text) {
    std::string text;
    for (const auto& line : page.lines) append_text(text, line);
    auto response = attachment(std::move(text), "text/plain; charset=utf-8");
    response.headers.emplace_back("Content-Disposition", "attachment; filename=\"task.log\"");
    response.headers.emplace_back("Airflow-Continuation-Token", token);
    return response;
  }
  json::array content;
  for (const auto& line : page.lines) append_line(content, line);
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
  const auto log = find_log(reading);
  if (!log) return refusal(log.error());
  const auto from = first_line(request);
  if (!from) return refusal(from.error());
  const bool is_full = query_flag(request, "full_content").value_or(false);
  const Form form = form_of(request);
  logs::Page nothing;
  nothing.next_seq = *from;
  nothing.lines = log->words_in_place_of_lines();
  if (log->place.segment == 0) return render(nothing, *log, form);
  return WorkerPart([log = *log, from = *from, is_full, form, service = reading.call.service] {
    const auto page =
        service->log_reader.read(log.try_id, log.place.segment, log.place.offset, from,
                                 is_full ? FullLines : PageLines, is_full ? FullBytes : PageBytes);
    if (page) return render(*page, log, form);
    if (page.error().code != ErrorCode::NotFound) return refusal(page.error());
    return http::error_response(404, "The log of this try is not kept any more");
  });
}

Next stream_log(Reading& reading) {
  auto log = find_log(reading);
  if (!log) return refusal(log.error());
  std::uint64_t from = 1;
  if (const auto last = reading.call.request.header("last-event-id")) {
    std::from_chars(last->data(), last->data() + last->size(), from);
    ++from;
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

Next verify_log(Reading& reading) {
  const auto log = find_log(reading);
  if (!log) return refusal(log.error());
  if (!log->seal) return http::error_response(409, "The try has not ended; its log still grows");
  const auto answer = [seal = *log->seal](const logs::Verdict& verdict) {
    return ok(json::object{{"complete", verdict.complete},
                           {"lines_found", verdict.lines_found},
                           {"lines_expected", seal.lines},
                           {"bytes_expected", seal.bytes},
                           {"message", verdict.message}});
  };
  if (log->place.segment == 0) {
    logs::Verdict verdict;
    verdict.complete = log->seal->lines == 0;
    verdict.message =
        verdict.complete ? "complete: the try wrote nothing" : "the log was never stored";
    return answer(verdict);
  }
  return WorkerPart([log = *log, answer, service = reading.call.service] {
    const auto verdict =
        service->log_reader.verify(log.try_id, log.place.segment, log.place.offset, *log.seal);
    if (verdict) return answer(*verdict);
    if (verdict.error().code != ErrorCode::NotFound) return refusal(verdict.error());
    return http::error_response(404, "The log of this try is not kept any more");
  });
}

}  // namespace etesian::api
