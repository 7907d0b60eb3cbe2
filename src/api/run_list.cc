// Lists of runs.
#include <algorithm>

#include "api/handlers.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/rows.h"
#include "api/schema.h"

namespace etesian::api {
namespace {

/// What the store can filter by, of a query.
RunFilter filter_of(const Call& call) {
  const http::Request& request = call.request;
  RunFilter filter;
  filter.dag_id = unless_all(call.param("dag_id"));
  for (const auto& text : request.query_values("state")) {
    if (const auto state = run_state_from_text(text)) filter.states.push_back(*state);
  }
  for (const auto& text : request.query_values("run_type")) {
    if (const auto type = run_type_from_text(text)) filter.types.push_back(*type);
  }
  filter.backfill = query_number(request, "backfill_id");
  filter.logical_date = query_range(request, "logical_date");
  filter.run_after = query_range(request, "run_after");
  filter.started_at = query_range(request, "start_date");
  filter.ended_at = query_range(request, "end_date");
  return filter;
}

RowFilter more_of(const http::Request& request) {
  RowFilter filter;
  filter.like("dag_run_id", Pattern(request, "run_id"));
  filter.like("dag_id", Pattern(request, "dag_id"));
  filter.like("triggering_user_name", Pattern(request, "triggering_user_name"));
  filter.within("duration", query_number_range(request, "duration"));
  filter.any_of("bundle_version", request.query_values("bundle_version"));
  if (const auto text = request.query_value("conf_contains")) {
    filter.like("conf", Pattern::containing(*text));
  }
  return filter;
}

const OrderNames& order_names() {
  static const OrderNames names{{"id", "place"},
                                {"state", "state"},
                                {"dag_id", "dag_id"},
                                {"run_id", "dag_run_id"},
                                {"dag_run_id", "dag_run_id"},
                                {"logical_date", "logical_date"},
                                {"run_after", "run_after"},
                                {"start_date", "start_date"},
                                {"end_date", "end_date"},
                                {"updated_at", "end_date"},
                                {"conf", "conf"},
                                {"duration", "duration"},
                                {"run_type", "run_type"},
                                {"queued_at", "queued_at"},
                                {"triggering_user_name", "triggering_user_name"}};
  return names;
}

/// Those that the store orders by itself.
bool is_stored_order(const std::vector<std::string>& names) {
  constexpr std::string_view kStored[] = {"id",        "dag_id",     "run_id",    "dag_run_id",
                                          "state",     "run_type",   "run_after", "logical_date",
                                          "queued_at", "start_date", "end_date"};
  if (names.empty()) return true;
  if (names.size() > 1) return false;
  std::string_view name = names.front();
  if (name.starts_with('-')) name.remove_prefix(1);
  return std::find(std::begin(kStored), std::end(kStored), name) != std::end(kStored);
}

json::object shown(Reading& reading, const RunRow& run) {
  return run_json(run, version_of(reading, run.dag_id, run.dag_version).get());
}

/// All runs that one of `parts` and `more` fit, in order.
Result<std::vector<json::object>> gathered(Reading& reading, const std::vector<RunFilter>& parts,
                                           const RowFilter& more,
                                           const std::vector<std::string>& order_by) {
  std::vector<json::object> rows;
  std::size_t seen = 0;
  for (const auto& part : parts) {
    for (Paging paging{.limit = 1000, .offset = 0, .order_by = "id"};;
         paging.offset += paging.limit) {
      const auto page = reading.store.runs(part, paging);
      if (!page) return page.error();
      for (const auto& run : page->rows) {
        if (++seen > RowsMax) return too_many_rows();
        auto row = shown(reading, run);
        if (!more.fits(row)) continue;
        row["place"] = run.key;
        rows.push_back(std::move(row));
      }
      if (paging.offset + paging.limit >= page->total) break;
    }
  }
  if (auto done = order_rows(rows, order_by, order_names(), {"place"}); !done) return done.error();
  for (auto& row : rows) row.erase("place");
  return rows;
}

}  // namespace

Next list_runs(Reading& reading) {
  const http::Request& request = reading.call.request;
  const RunFilter filter = filter_of(reading.call);
  if (filter.dag_id) {
    if (const auto dag = find_dag(reading); !dag) return refusal(dag.error());
  }
  const RowFilter more = more_of(request);
  const auto order_by = request.query_values("order_by");
  const Paging paging = query_paging(request);
  if (!more.is_empty() || !is_stored_order(order_by)) {
    auto rows = gathered(reading, {filter}, more, order_by);
    return rows ? page_of("dag_runs", std::move(*rows), paging) : refusal(rows.error());
  }
  const auto page = reading.store.runs(filter, paging);
  if (!page) return refusal(page.error());
  json::array rows;
  for (const auto& run : page->rows) rows.push_back(shown(reading, run));
  return listing("dag_runs", std::move(rows), page->total);
}

Next list_runs_batch(Reading& reading) {
  const json::object& body = reading.call.body;
  if (reading.call.param("dag_id") != "~") {
    return unprocessable({"path", "dag_id"}, "literal_error", "Input should be '~'");
  }
  RunFilter filter;
  for (const auto& text : body_texts(body, "states")) {
    if (const auto state = run_state_from_text(text)) filter.states.push_back(*state);
  }
  filter.logical_date = body_range(body, "logical_date");
  filter.run_after = body_range(body, "run_after");
  filter.started_at = body_range(body, "start_date");
  filter.ended_at = body_range(body, "end_date");
  RowFilter more;
  more.within("duration", body_number_range(body, "duration"));
  if (const auto text = body_text(body, "conf_contains")) {
    more.like("conf", Pattern::containing(*text));
  }
  std::vector<RunFilter> parts;
  for (const auto& dag_id : body_texts(body, "dag_ids")) {
    parts.push_back(filter);
    parts.back().dag_id = dag_id;
  }
  if (parts.empty()) parts.push_back(filter);
  std::vector<std::string> order_by;
  if (const auto name = body_text(body, "order_by")) order_by.push_back(*name);
  auto rows = gathered(reading, parts, more, order_by);
  return rows ? page_of("dag_runs", std::move(*rows), body_paging(body)) : refusal(rows.error());
}

}  // namespace etesian::api
