#include <algorithm>

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

constexpr std::string_view kHidden = "***";

json::value shown_extra(const Service& service, const ConnectionRow& row) {
  if (row.sealed_extra.empty()) return nullptr;
  const auto extra =
      service.engine.vault().unseal(row.sealed_extra, Settings::place_of_extra(row.id));
  if (extra) return json::value(shown_value("extra", *extra));
  log_line(LogLevel::Error, "read a connection: " + extra.error().message, {{"id", row.id}});
  return nullptr;
}

/// The password is write-only: an answer says only whether there is one.
json::object connection_json(const Service& service, const ConnectionRow& row) {
  return {{"connection_id", row.id},
          {"conn_type", row.type},
          {"description", text_or_null(row.description)},
          {"host", text_or_null(row.host)},
          {"login", text_or_null(row.login)},
          {"schema", text_or_null(row.schema)},
          {"port", row.port == 0 ? json::value(nullptr) : json::value(row.port)},
          {"password", row.sealed_password.empty() ? json::value(nullptr) : json::value(kHidden)},
          {"extra", shown_extra(service, row)},
          {"team_name", nullptr}};
}

Result<std::optional<ConnectionRow>> find(Reading& reading, const std::string& id) {
  const auto rows = reading.store.connections();
  if (!rows) return rows.error();
  for (const auto& row : *rows) {
    if (row.id == id) return std::optional(row);
  }
  return std::optional<ConnectionRow>();
}

http::Response not_found(const std::string& id) {
  return http::error_response(404, "The Connection with connection_id: `" + id + "` was not found");
}

std::string sealed_or_empty(const Service& service, const std::string& plain,
                            const std::string& place) {
  return plain.empty() ? std::string() : service.engine.vault().seal(plain, place);
}

/// The extra that a body gives, its hidden values taken from what is stored.
std::string merged_extra(const Service& service, const ConnectionRow& row,
                         const std::string& given) {
  if (row.sealed_extra.empty()) return given;
  const auto stored =
      service.engine.vault().unseal(row.sealed_extra, Settings::place_of_extra(row.id));
  if (!stored) return given;
  const auto now = parse_json(given), before = parse_json(*stored);
  return now && before ? json::serialize(unredacted(*now, *before)) : given;
}

/// Takes over what the body says; null takes a value away.
void merge(const Service& service, ConnectionRow& row, const json::object& body) {
  const auto take = [&](std::string& into, std::string_view name) {
    if (body.contains(name)) into = body_text(body, name).value_or("");
  };
  if (const auto type = body_text(body, "conn_type")) row.type = *type;
  take(row.description, "description");
  take(row.host, "host");
  take(row.login, "login");
  take(row.schema, "schema");
  if (body.contains("port")) {
    row.port = static_cast<int>(
        std::clamp<std::int64_t>(body_number(body, "port").value_or(0), -1, 70'000));
  }
  const auto password = body_text(body, "password");
  if (body.contains("password") && password != kHidden) {
    row.sealed_password =
        sealed_or_empty(service, password.value_or(""), Settings::place_of_password(row.id));
  }
  if (body.contains("extra")) {
    const std::string extra = merged_extra(service, row, body_text(body, "extra").value_or(""));
    row.sealed_extra = sealed_or_empty(service, extra, Settings::place_of_extra(row.id));
  }
}

std::optional<Error> mistake_in(const ConnectionRow& row) {
  if (row.port < 0 || row.port > 65'535) {
    return Error{ErrorCode::InvalidInput, "port: 1 to 65535"};
  }
  if (row.type.empty()) return Error{ErrorCode::InvalidInput, "conn_type: not empty"};
  if (auto good = check_id("connection", row.id); !good) return good.error();
  return std::nullopt;
}

Next saved(const Call& call, ConnectionRow row, int status) {
  if (const auto mistake = mistake_in(row)) return refusal(*mistake);
  SetConnection event;
  event.row = row;
  event.actor = call.request.user;
  return Command{{event}, [row, status](Reading& later, const CommandDone&) -> Next {
                   auto response = ok(connection_json(later.service(), row));
                   response.status = status;
                   return response;
                 }};
}

struct ConnectionBulk {
  using Row = ConnectionRow;
  static constexpr std::string_view plural = "connections", keys = "connection_ids",
                                    id = "connection_id", body = "ConnectionBody";
  static Result<std::vector<Row>> rows(Reading& reading) { return reading.store.connections(); }
  static std::string key(const Row& row) { return row.id; }
  static Row make(const std::string& id_of_new) {
    Row row;
    row.id = id_of_new;
    return row;
  }
  static void merge(const Service& service, Row& row, const json::object& values) {
    api::merge(service, row, values);
  }
  static std::optional<Error> mistake(const Row& row, const BulkAction&,
                                      const json::object* values) {
    return values != nullptr ? mistake_in(row) : std::nullopt;
  }
  static Event set(Row row, const std::string& actor) {
    return SetConnection{std::move(row), actor};
  }
  static Event remove(const std::string& key, const std::string& actor) {
    return RemoveConnection{key, actor};
  }
};

}  // namespace

Next bulk_connections(Reading& reading) { return SettingsBulk<ConnectionBulk>::run(reading); }

Next list_connections(Reading& reading) {
  const auto rows = reading.store.connections();
  if (!rows) return refusal(rows.error());
  const Pattern pattern(reading.call.request, "connection_id");
  const Paging paging = query_paging(reading.call.request);
  json::array out;
  std::int64_t total = 0;
  for (const auto& row : *rows) {
    if (!pattern.fits(row.id)) continue;
    const std::int64_t position = total++;
    if (position < paging.offset || position >= paging.offset + paging.limit) continue;
    out.push_back(connection_json(reading.service(), row));
  }
  return listing("connections", std::move(out), total);
}

Next get_connection(Reading& reading) {
  const auto found = find(reading, reading.call.param("connection_id"));
  if (!found) return refusal(found.error());
  if (!*found) return not_found(reading.call.param("connection_id"));
  return ok(connection_json(reading.service(), **found));
}

Next create_connection(Reading& reading) {
  ConnectionRow row;
  row.id = *body_text(reading.call.body, "connection_id");
  const auto found = find(reading, row.id);
  if (!found) return refusal(found.error());
  if (*found) {
    return http::error_response(
        409, "The Connection with connection_id: `" + row.id + "` already exists");
  }
  merge(reading.service(), row, reading.call.body);
  return saved(reading.call, std::move(row), 201);
}

Next patch_connection(Reading& reading) {
  const std::string& id = reading.call.param("connection_id");
  auto found = find(reading, id);
  if (!found) return refusal(found.error());
  if (!*found) return not_found(id);
  if (body_text(reading.call.body, "connection_id").value_or(id) != id) {
    return refusal({ErrorCode::InvalidInput,
                    "The connection_id in the request body does not match the URL parameter"});
  }
  merge(reading.service(), **found, masked(reading.call));
  return saved(reading.call, std::move(**found), 200);
}

Next delete_connection(Reading& reading) {
  const std::string& id = reading.call.param("connection_id");
  const auto found = find(reading, id);
  if (!found) return refusal(found.error());
  if (!*found) return not_found(id);
  RemoveConnection event;
  event.id = id;
  event.actor = reading.call.request.user;
  return Command{{event}, [](Reading&, const CommandDone&) -> Next { return no_content(); }};
}

}  // namespace etesian::api
