#include "api/bulk.h"
#include "api/handlers.h"
#include "api/json_common.h"
#include "api/pattern.h"
#include "api/query.h"
#include "api/redact.h"
#include "base/log.h"
#include "engine/settings.h"

namespace etesian::api {
namespace {

constexpr std::size_t KeyBytesMax = 250;

json::object variable_json(const Service& service, const VariableRow& row) {
  json::object out{{"key", row.key},
                   {"description", text_or_null(row.description)},
                   {"is_encrypted", true},
                   {"team_name", nullptr}};
  const auto value =
      service.engine.vault().unseal(row.sealed_value, Settings::place_of_variable(row.key));
  if (value) {
    out["value"] = shown_value(row.key, *value);
  } else {
    log_line(LogLevel::Error, "read a variable: " + value.error().message, {{"key", row.key}});
    out["value"] = nullptr;
  }
  return out;
}

Result<std::optional<VariableRow>> find(Reading& reading, const std::string& key) {
  const auto rows = reading.store.variables();
  if (!rows) return rows.error();
  for (const auto& row : *rows) {
    if (row.key == key) return std::optional(row);
  }
  return std::optional<VariableRow>();
}

http::Response not_found(const std::string& key) {
  return http::error_response(404, "The Variable with key: `" + key + "` was not found");
}

/// What a value becomes when it is stored: text stays, everything else is its JSON.
std::string stored_text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

std::optional<Error> mistake_in(const VariableRow& row) {
  if (!row.key.empty() && row.key.size() <= KeyBytesMax) return std::nullopt;
  return Error{ErrorCode::InvalidInput, "key: 1 to 250 bytes"};
}

void merge(const Service& service, VariableRow& row, const json::object& body) {
  if (const auto* value = body.if_contains("value")) {
    row.sealed_value =
        service.engine.vault().seal(stored_text(*value), Settings::place_of_variable(row.key));
  }
  if (const auto text = body_text(body, "description")) row.description = *text;
}

Next saved(const Call& call, VariableRow row, int status) {
  SetVariable event;
  event.row = row;
  event.actor = call.request.user;
  return Command{{event}, [row, status](Reading& later, const CommandDone&) -> Next {
                   auto response = ok(variable_json(later.service(), row));
                   response.status = status;
                   return response;
                 }};
}

struct VariableBulk {
  using Row = VariableRow;
  static constexpr std::string_view plural = "variables", keys = "keys", id = "key",
                                    body = "VariableBody";
  static Result<std::vector<Row>> rows(Reading& reading) { return reading.store.variables(); }
  static std::string key(const Row& row) { return row.key; }
  static Row make(const std::string& key) { return {key, {}, {}}; }
  static void merge(const Service& service, Row& row, const json::object& values) {
    api::merge(service, row, values);
  }
  static std::optional<Error> mistake(const Row& row, const BulkAction&, const json::object*) {
    return mistake_in(row);
  }
  static Event set(Row row, const std::string& actor) { return SetVariable{std::move(row), actor}; }
  static Event remove(const std::string& key, const std::string& actor) {
    return RemoveVariable{key, actor};
  }
};

}  // namespace

Next bulk_variables(Reading& reading) { return SettingsBulk<VariableBulk>::run(reading); }

Next list_variables(Reading& reading) {
  const auto rows = reading.store.variables();
  if (!rows) return refusal(rows.error());
  const Pattern pattern(reading.call.request, "variable_key");
  const Paging paging = query_paging(reading.call.request);
  json::array out;
  std::int64_t total = 0;
  for (const auto& row : *rows) {
    if (!pattern.fits(row.key)) continue;
    const std::int64_t position = total++;
    if (position < paging.offset || position >= paging.offset + paging.limit) continue;
    out.push_back(variable_json(reading.service(), row));
  }
  return listing("variables", std::move(out), total);
}

Next get_variable(Reading& reading) {
  const auto found = find(reading, reading.call.param("variable_key"));
  if (!found) return refusal(found.error());
  if (!*found) return not_found(reading.call.param("variable_key"));
  return ok(variable_json(reading.service(), **found));
}

Next create_variable(Reading& reading) {
  VariableRow row;
  row.key = *body_text(reading.call.body, "key");
  if (const auto mistake = mistake_in(row)) return refusal(*mistake);
  const auto found = find(reading, row.key);
  if (!found) return refusal(found.error());
  if (*found) {
    return http::error_response(409, "The Variable with key: `" + row.key + "` already exists");
  }
  merge(reading.service(), row, reading.call.body);
  return saved(reading.call, std::move(row), 201);
}

Next patch_variable(Reading& reading) {
  const std::string& key = reading.call.param("variable_key");
  auto found = find(reading, key);
  if (!found) return refusal(found.error());
  if (!*found) return not_found(key);
  if (body_text(reading.call.body, "key").value_or(key) != key) {
    return refusal({ErrorCode::InvalidInput,
                    "Invalid body, key from request body doesn't match uri parameter"});
  }
  merge(reading.service(), **found, masked(reading.call));
  return saved(reading.call, std::move(**found), 200);
}

Next delete_variable(Reading& reading) {
  const std::string& key = reading.call.param("variable_key");
  const auto found = find(reading, key);
  if (!found) return refusal(found.error());
  if (!*found) return not_found(key);
  RemoveVariable event;
  event.key = key;
  event.actor = reading.call.request.user;
  return Command{{event}, [](Reading&, const CommandDone&) -> Next { return no_content(); }};
}

}  // namespace etesian::api
