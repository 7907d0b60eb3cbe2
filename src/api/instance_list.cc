// Lists of task instances.
#include <algorithm>

#include "api/handlers.h"
#include "api/lookup.h"
#include "api/rows.h"
#include "api/schema.h"

namespace etesian::api {
namespace {

std::vector<TaskState> states_from(const std::vector<std::string>& texts) {
  std::vector<TaskState> states;
  for (const auto& text : texts) {
    if (const auto state = task_state_from_text(text == "no_status" ? "none" : text)) {
      states.push_back(*state);
    }
  }
  return states;
}

/// What the store can filter by, of a query.
InstanceFilter filter_of(const Call& call) {
  const http::Request& request = call.request;
  InstanceFilter filter;
  filter.dag_id = unless_all(call.param("dag_id"));
  filter.run_id = unless_all(call.param("dag_run_id"));
  filter.task_id = request.query_value("task_id");
  filter.states = states_from(request.query_values("state"));
  const auto indexes = request.query_values("map_index");
  if (indexes.size() == 1) {
    filter.map_index = static_cast<std::int32_t>(*query_number(request, "map_index"));
  }
  filter.pools = request.query_values("pool");
  filter.logical_date = query_range(request, "logical_date");
  filter.started_at = query_range(request, "start_date");
  filter.ended_at = query_range(request, "end_date");
  return filter;
}

RowFilter more_of(const http::Request& request) {
  RowFilter filter;
  filter.like("task_id", Pattern(request, "task_id"));
  filter.like("task_display_name", Pattern(request, "task_display_name"));
  filter.like("dag_id", Pattern(request, "dag_id"));
  filter.like("dag_run_id", Pattern(request, "run_id"));
  filter.like("pool", Pattern(request, "pool_name"));
  filter.like("queue", Pattern(request, "queue_name"));
  filter.like("operator_name", Pattern(request, "operator_name"));
  filter.like("rendered_map_index", Pattern(request, "rendered_map_index"));
  filter.any_of("queue", request.query_values("queue"));
  filter.any_of("executor", request.query_values("executor"));
  filter.any_of("operator", request.query_values("operator"));
  filter.any_of("try_number", request.query_values("try_number"));
  if (const auto all = request.query_values("map_index"); all.size() > 1) {
    filter.any_of("map_index", all);
  }
  filter.within("run_after", query_range(request, "run_after"));
  filter.within("duration", query_number_range(request, "duration"));
  return filter;
}

const OrderNames& order_names() {
  static const OrderNames names{{"id", "place"},
                                {"dag_id", "dag_id"},
                                {"run_id", "dag_run_id"},
                                {"dag_run_id", "dag_run_id"},
                                {"task_id", "task_id"},
                                {"state", "state"},
                                {"duration", "duration"},
                                {"start_date", "start_date"},
                                {"end_date", "end_date"},
                                {"map_index", "map_index"},
                                {"try_number", "try_number"},
                                {"logical_date", "logical_date"},
                                {"run_after", "run_after"},
                                {"data_interval_start", "logical_date"},
                                {"data_interval_end", "logical_date"},
                                {"rendered_map_index", "rendered_map_index"},
                                {"operator", "operator"},
                                {"queued_when", "queued_when"},
                                {"queued_dttm", "queued_when"},
                                {"scheduled_dttm", "scheduled_when"},
                                {"pool", "pool"},
                                {"pool_slots", "pool_slots"},
                                {"queue", "queue"},
                                {"priority_weight", "priority_weight"},
                                {"executor", "executor"}};
  return names;
}

/// Those that the store orders by itself.
bool is_stored_order(const std::vector<std::string>& names) {
  constexpr std::string_view kStored[] = {"id",        "dag_id",     "run_id",     "task_id",
                                          "map_index", "state",      "try_number", "logical_date",
                                          "run_after", "start_date", "end_date",   "duration"};
  if (names.empty()) return true;
  if (names.size() > 1) return false;
  std::string_view name = names.front();
  if (name.starts_with('-')) name.remove_prefix(1);
  return std::find(std::begin(kStored), std::end(kStored), name) != std::end(kStored);
}

/// All instances that one of `parts` and `more` fit, in order.
Result<std::vector<json::object>> gathered(Reading& reading,
                                           const std::vector<InstanceFilter>& parts,
                                           const RowFilter& more,
                                           const std::vector<std::string>& order_by) {
  std::vector<json::object> rows;
  std::size_t seen = 0;
  for (const auto& part : parts) {
    for (Paging paging{.limit = 1000, .offset = 0, .order_by = {}};;
         paging.offset += paging.limit) {
      auto page = reading.store.instances(part, paging);
      if (!page) return page.error();
      for (auto& instance : page->rows) {
        if (++seen > RowsMax) return too_many_rows();
        auto row = shown_instance(reading, std::move(instance));
        if (!more.fits(row)) continue;
        row["place"] = seen;
        rows.push_back(std::move(row));
      }
      if (paging.offset + paging.limit >= page->total) break;
    }
  }
  if (auto done = order_rows(rows, order_by, order_names(), {"place"}); !done) return done.error();
  for (auto& row : rows) row.erase("place");
  return rows;
}

Next list_of(Reading& reading, const InstanceFilter& filter) {
  const http::Request& request = reading.call.request;
  const RowFilter more = more_of(request);
  const auto order_by = request.query_values("order_by");
  const Paging paging = query_paging(request);
  if (!more.is_empty() || !is_stored_order(order_by)) {
    auto rows = gathered(reading, {filter}, more, order_by);
    return rows ? page_of("task_instances", std::move(*rows), paging) : refusal(rows.error());
  }
  auto page = reading.store.instances(filter, paging);
  if (!page) return refusal(page.error());
  json::array rows;
  for (auto& row : page->rows) rows.push_back(shown_instance(reading, std::move(row)));
  return listing("task_instances", std::move(rows), page->total);
}

/// A filter for each combination of the ids that a body names.
std::vector<InstanceFilter> parts_of(const json::object& body, const InstanceFilter& common) {
  std::vector<InstanceFilter> parts{common};
  const auto multiply = [&](std::string_view name, std::optional<std::string> InstanceFilter::*id) {
    const auto texts = body_texts(body, name);
    if (texts.empty()) return;
    std::vector<InstanceFilter> more;
    for (const auto& part : parts) {
      for (const auto& text : texts) {
        more.push_back(part);
        more.back().*id = text;
      }
    }
    parts = std::move(more);
  };
  multiply("dag_ids", &InstanceFilter::dag_id);
  multiply("dag_run_ids", &InstanceFilter::run_id);
  multiply("task_ids", &InstanceFilter::task_id);
  return parts;
}

}  // namespace

Next list_instances(Reading& reading) {
  const InstanceFilter filter = filter_of(reading.call);
  if (filter.dag_id && filter.run_id) {
    if (const auto run = find_run(reading); !run) return refusal(run.error());
  } else if (filter.dag_id) {
    if (const auto dag = find_dag(reading); !dag) return refusal(dag.error());
  }
  return list_of(reading, filter);
}

Next list_mapped_instances(Reading& reading) {
  InstanceFilter filter = filter_of(reading.call);
  if (const auto run = find_run(reading); !run) return refusal(run.error());
  filter.task_id = reading.call.param("task_id");
  return list_of(reading, filter);
}

Next list_instances_batch(Reading& reading) {
  for (const auto* name : {"dag_id", "dag_run_id"}) {
    if (reading.call.param(name) != "~") {
      return unprocessable({"path", name}, "literal_error", "Input should be '~'");
    }
  }
  const json::object& body = reading.call.body;
  InstanceFilter common;
  common.states = states_from(body_texts(body, "state"));
  common.pools = body_texts(body, "pool");
  common.logical_date = body_range(body, "logical_date");
  common.started_at = body_range(body, "start_date");
  common.ended_at = body_range(body, "end_date");
  RowFilter more;
  more.any_of("queue", body_texts(body, "queue"));
  more.any_of("executor", body_texts(body, "executor"));
  more.within("run_after", body_range(body, "run_after"));
  more.within("duration", body_number_range(body, "duration"));
  std::vector<std::string> order_by;
  if (const auto name = body_text(body, "order_by")) order_by.push_back(*name);
  auto rows = gathered(reading, parts_of(body, common), more, order_by);
  return rows ? page_of("task_instances", std::move(*rows), body_paging(body))
              : refusal(rows.error());
}

}  // namespace etesian::api
