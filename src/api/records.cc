#include "api/handlers.h"
#include "api/json_common.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/pattern.h"
#include "api/query.h"
#include "loader/diagnostic.h"

namespace etesian::api {
namespace {

json::object import_error_json(const ImportError& error) {
  return {{"import_error_id", error.id},
          {"timestamp", instant_json(error.at)},
          {"filename", error.file},
          {"bundle_name", error.bundle.empty() ? "project" : error.bundle},
          {"stack_trace", error.trace.empty() ? render(error.diagnostics) : error.trace}};
}

}  // namespace

Next list_import_errors(Reading& reading) {
  const Paging paging = query_paging(reading.call.request);
  const Pattern file(reading.call.request, "filename");
  json::array rows;
  std::int64_t total = 0;
  for (const auto& error : reading.service().engine.import_errors()) {
    if (!file.fits(error.file)) continue;
    const std::int64_t position = total++;
    if (position < paging.offset || position >= paging.offset + paging.limit) continue;
    rows.push_back(import_error_json(error));
  }
  return listing("import_errors", std::move(rows), total);
}

Next get_import_error(Reading& reading) {
  const std::string& id = reading.call.param("import_error_id");
  for (const auto& error : reading.service().engine.import_errors()) {
    if (std::to_string(error.id) == id) return ok(import_error_json(error));
  }
  return http::error_response(404,
                              "The ImportError with import_error_id: `" + id + "` was not found");
}

Next list_event_logs(Reading& reading) {
  const http::Request& request = reading.call.request;
  AuditFilter filter;
  filter.dag_id = request.query_value("dag_id");
  filter.run_id = request.query_value("run_id");
  filter.task_id = request.query_value("task_id");
  filter.event = request.query_value("event");
  filter.actor = request.query_value("owner");
  filter.at.lt = query_instant(request, "before");
  filter.at.gt = query_instant(request, "after");
  const auto page = reading.store.audit(filter, query_paging(request));
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& row : page->rows) rows.push_back(audit_json(row));
  return listing("event_logs", std::move(rows), page->total);
}

Next get_event_log(Reading& reading) {
  const std::string& id = reading.call.param("event_log_id");
  for (Paging paging{.limit = 1000, .offset = 0, .order_by = "-id"};;
       paging.offset += paging.limit) {
    const auto page = reading.store.audit({}, paging);
    if (!page) return refusal(page.error());
    for (const auto& row : page->rows) {
      if (std::to_string(row.id) == id) return ok(audit_json(row));
    }
    if (paging.offset + paging.limit >= page->total) break;
  }
  return http::error_response(404, "The Event Log with id: `" + id + "` not found");
}

Next list_dag_warnings(Reading&) { return listing("dag_warnings", {}, 0); }

}  // namespace etesian::api
