#include "base/json.h"
#include "model/run.h"

namespace etesian {
namespace {

std::int64_t micros(Instant t) { return t.time_since_epoch().count(); }

/// Throws what Boost.JSON throws where a member has another type.
WorkerReport report_from(const json::object& object) {
  WorkerReport report;
  const auto state = task_state_from_text(std::string_view(object.at("state").as_string()));
  if (!state) throw std::invalid_argument("no such state");
  report.state = *state;
  report.ended_at = Instant(Duration(object.at("ended_at").to_number<std::int64_t>()));
  if (const auto* at = object.if_contains("wake_at"))
    report.wake_at = Instant(Duration(at->to_number<std::int64_t>()));
  if (const auto* delay = object.if_contains("retry_delay"))
    report.retry_delay = Duration(delay->to_number<std::int64_t>());
  const auto text = [&object](std::string_view name) {
    const auto* found = object.if_contains(name);
    return found ? std::string(found->as_string()) : std::string();
  };
  report.reason = text("reason");
  report.resume = text("resume");
  report.outlets = text("outlets");
  return report;
}

}  // namespace

std::string to_json_text(const WorkerReport& report) {
  json::object object{{"state", to_text(report.state)}, {"ended_at", micros(report.ended_at)}};
  if (report.wake_at) object["wake_at"] = micros(*report.wake_at);
  if (report.retry_delay) object["retry_delay"] = report.retry_delay->count();
  if (!report.reason.empty()) object["reason"] = report.reason;
  if (!report.resume.empty()) object["resume"] = report.resume;
  if (!report.outlets.empty()) object["outlets"] = report.outlets;
  return json::serialize(object);
}

Result<WorkerReport> report_from_json(const std::string& text) {
  const auto value = parse_json(text);
  if (!value || !value->is_object())
    return Error{ErrorCode::Corrupt, "read a try's report: not a JSON object"};
  try {
    return report_from(value->get_object());
  } catch (const std::exception& e) {
    return Error{ErrorCode::Corrupt, std::string("read a try's report: ") + e.what()};
  }
}

}  // namespace etesian
