#include <map>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/python_text.h"
#include "api/rows.h"
#include "api/schema.h"
#include "api/xcom_value.h"

namespace etesian::api {
namespace {

/// Ids of the DAGs that {dag_id} names; all of them for "~".
Result<std::vector<std::string>> dags_of(Reading& reading) {
  if (const auto one = unless_all(reading.call.param("dag_id"))) {
    return std::vector<std::string>{*one};
  }
  std::vector<std::string> ids;
  DagFilter filter;
  filter.include_removed = true;
  for (Paging paging{.limit = 1000, .offset = 0, .order_by = {}};; paging.offset += paging.limit) {
    const auto page = reading.store.dags(filter, paging);
    if (!page) return page.error();
    for (const auto& row : page->rows) ids.push_back(row.dag_id);
    if (paging.offset + paging.limit >= page->total) return ids;
  }
}

RowFilter filter_of(const http::Request& request) {
  RowFilter filter;
  filter.like("key", Pattern(request, "xcom_key"));
  filter.like("run_id", Pattern(request, "run_id"));
  filter.like("task_id", Pattern(request, "task_id"));
  filter.like("dag_display_name", Pattern(request, "dag_display_name"));
  filter.within("logical_date", query_range(request, "logical_date"));
  filter.within("run_after", query_range(request, "run_after"));
  return filter;
}

/// Entries of one DAG, as the path and the query name them.
Result<Done> add_entries(Reading& reading, const std::string& dag_id, const RowFilter& wanted,
                         std::vector<json::object>& rows) {
  const http::Request& request = reading.call.request;
  OutputFilter filter;
  filter.dag_id = dag_id;
  filter.run_id = unless_all(reading.call.param("dag_run_id"));
  filter.task_id = unless_all(reading.call.param("task_id"));
  filter.name = request.query_value("xcom_key");
  auto index = query_number(request, "map_index");
  if (!index) index = query_number(request, "map_index_filter");
  if (index) filter.map_index = static_cast<std::int32_t>(*index);
  filter.has_values = false;
  const auto outputs = reading.store.outputs(filter);
  if (!outputs) return outputs.error();
  std::map<RunKey, RunRow> runs;
  for (const auto& output : *outputs) {
    if (rows.size() >= RowsMax) return too_many_rows();
    auto run = runs.find(output.key.run);
    if (run == runs.end()) {
      auto row = reading.store.run(dag_id, output.run_id);
      if (!row) return row.error();
      run = runs.emplace(output.key.run, std::move(*row)).first;
    }
    auto entry = output_json(output, run->second,
                             version_of(reading, dag_id, run->second.dag_version).get());
    if (wanted.fits(entry)) rows.push_back(std::move(entry));
  }
  return Done{};
}

struct Found {
  RunRow run;
  OutputRow output;
};

/// {xcom_key} of the path's task instance. Errors: NotFound with `words`.
Result<Found> find_output(Reading& reading, const std::string& key, std::int32_t map_index,
                          const std::string& words) {
  auto run = find_run(reading);
  if (!run) return run.error();
  OutputFilter filter;
  filter.dag_id = run->dag_id;
  filter.run_id = run->run_id;
  filter.task_id = reading.call.param("task_id");
  filter.name = key;
  filter.map_index = map_index;
  auto rows = reading.store.outputs(filter);
  if (!rows) return rows.error();
  if (rows->empty()) return Error{ErrorCode::NotFound, words};
  return Found{std::move(*run), std::move(rows->front())};
}

std::string no_such_entry(const std::string& key) {
  return "The XCom with key: `" + key + "` with mentioned task instance doesn't exist.";
}

json::object entry_json(Reading& reading, const OutputRow& output, const RunRow& run) {
  return output_json(output, run, version_of(reading, run.dag_id, run.dag_version).get());
}

/// The answer with the value as it is stored, digit by digit: numbers of Python have no end.
http::Response with_stored_value(json::object entry, const std::string& value) {
  http::Response response;
  response.body = json::serialize(entry);
  response.body.pop_back();
  response.body += R"(,"value":)" + value + "}";
  return response;
}

http::Response stored_entry(Reading& reading, const OutputRow& output, const RunRow& run) {
  return parse_json(output.json) ? with_stored_value(entry_json(reading, output, run), output.json)
                                 : with_stored_value(entry_json(reading, output, run),
                                                     json::serialize(json::string(output.json)));
}

/// Sets a value by an event and answers with what is stored then.
Next pushed(Reading& reading, InstanceKey key, std::string name, int status) {
  OutputPushed event;
  event.key = key;
  event.name = std::move(name);
  event.json = json::serialize(reading.call.body.at("value"));
  return Command{{event}, [event, status](Reading& later, const CommandDone&) -> Next {
                   const auto found = find_output(later, event.name, event.key.map_index,
                                                  no_such_entry(event.name));
                   if (!found) return refusal(found.error());
                   auto response = stored_entry(later, found->output, found->run);
                   response.status = status;
                   return response;
                 }};
}

std::optional<http::Response> mistake_in_value(const json::object& body) {
  const auto found = reserved_members(body.at("value"));
  if (!found) return std::nullopt;
  return unprocessable({"body", "value"}, "value_error", "Value error, " + *found);
}

std::int32_t index_in(const json::object& body) {
  return static_cast<std::int32_t>(body_number(body, "map_index").value_or(-1));
}

}  // namespace

Next list_outputs(Reading& reading) {
  const http::Request& request = reading.call.request;
  const bool is_one_run =
      unless_all(reading.call.param("dag_id")) && unless_all(reading.call.param("dag_run_id"));
  if (is_one_run) {
    if (const auto run = find_run(reading); !run) return refusal(run.error());
  }
  const auto dags = dags_of(reading);
  if (!dags) return refusal(dags.error());
  const RowFilter wanted = filter_of(request);
  std::vector<json::object> rows;
  for (const auto& dag_id : *dags) {
    if (auto done = add_entries(reading, dag_id, wanted, rows); !done) return refusal(done.error());
  }
  static const OrderNames names{{"key", "key"},
                                {"dag_id", "dag_id"},
                                {"run_id", "run_id"},
                                {"task_id", "task_id"},
                                {"map_index", "map_index"},
                                {"timestamp", "timestamp"},
                                {"run_after", "run_after"}};
  const auto done = order_rows(rows, request.query_values("order_by"), names,
                               {"dag_id", "task_id", "run_id", "map_index", "key"});
  if (!done) return refusal(done.error());
  return page_of("xcom_entries", std::move(rows), query_paging(request));
}

Next get_output(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  const std::string& key = reading.call.param("xcom_key");
  const auto found =
      find_output(reading, key, *index, "XCom entry with key: `" + key + "` not found");
  if (!found) return refusal(found.error());
  const auto wants = [&](std::string_view name) {
    return query_flag(reading.call.request, name).value_or(false);
  };
  const bool in_python = wants("stringify");
  if (!in_python && !wants("deserialize")) {
    return stored_entry(reading, found->output, found->run);
  }
  json::value value = json_or_text(found->output.json);
  if (wants("deserialize")) value = in_words(value);
  if (in_python && !value.is_null()) value = json::string(python_str(value));
  auto entry = entry_json(reading, found->output, found->run);
  entry["value"] = std::move(value);
  return ok(entry);
}

Next create_output(Reading& reading) {
  if (auto refused = mistake_in_value(reading.call.body)) return *refused;
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  const auto instance = find_instance(reading, index_in(reading.call.body));
  if (!instance) return refusal(instance.error());
  const std::string key = *body_text(reading.call.body, "key");
  const auto found = find_output(reading, key, instance->row.key.map_index, no_such_entry(key));
  if (found) {
    return http::error_response(
        409, "The XCom with key: `" + key + "` with mentioned task instance already exists.");
  }
  if (found.error().code != ErrorCode::NotFound) return refusal(found.error());
  return pushed(reading, instance->row.key, key, 201);
}

Next patch_output(Reading& reading) {
  if (auto refused = mistake_in_value(reading.call.body)) return *refused;
  const std::string& key = reading.call.param("xcom_key");
  const auto found = find_output(reading, key, index_in(reading.call.body), no_such_entry(key));
  if (!found) return refusal(found.error());
  return pushed(reading, found->output.key, key, 200);
}

Next delete_output(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  const std::string& key = reading.call.param("xcom_key");
  const auto found = find_output(reading, key, *index, no_such_entry(key));
  if (!found) return refusal(found.error());
  OutputDropped event;
  event.key = found->output.key;
  event.name = key;
  return Command{{event}, [](Reading&, const CommandDone&) -> Next { return no_content(); }};
}

}  // namespace etesian::api
