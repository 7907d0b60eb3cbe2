// Variables and connections.
#include <algorithm>

#include "engine/settings.h"
#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

constexpr std::size_t kKeyBytesMax = 250;

http::Response no_such_variable(const std::string& key) {
  return refused(404, "not_found", "Variable with key '" + key + "' not found");
}

/// The row with this key; nullopt: there is none.
Result<std::optional<VariableRow>> find_variable(Store& store, const std::string& key) {
  auto rows = store.variables();
  if (!rows) return rows.error();
  for (VariableRow& row : *rows)
    if (row.key == key) return std::optional(std::move(row));
  return std::optional<VariableRow>();
}

/// The plain text of a secret; empty when there is none.
Result<std::string> opened(const Call& call, const std::string& sealed, const std::string& place) {
  if (sealed.empty()) return std::string();
  return call.vault().unseal(sealed, place);
}

Result<std::string> connection_text(const Call& call, const ConnectionRow& row) {
  const auto password = opened(call, row.sealed_password, Settings::place_of_password(row.id));
  if (!password) return password.error();
  const auto extra = opened(call, row.sealed_extra, Settings::place_of_extra(row.id));
  if (!extra) return extra.error();
  return ObjectText()
      .text("conn_id", row.id)
      .text("conn_type", row.type)
      .text_or_null("host", row.host)
      .text_or_null("schema", row.schema)
      .text_or_null("login", row.login)
      .text_or_null("password", *password)
      .raw("port", row.port == 0 ? "null" : std::to_string(row.port))
      .text_or_null("extra", *extra)
      .take();
}

}  // namespace

void variable_keys(const CallPtr& call) {
  QueryReader read(call->request());
  const std::string prefix = read.maybe_text("prefix").value_or("");
  const std::int64_t limit = read.maybe_integer("limit").value_or(1000);
  const std::int64_t offset = read.maybe_integer("offset").value_or(0);
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  Mistakes mistakes;
  if (limit < 1 || limit > 10'000)
    mistakes.add(limit < 1 ? "greater_than_equal" : "less_than_equal", {"query", "limit"},
                 limit < 1 ? "Input should be greater than or equal to 1"
                           : "Input should be less than or equal to 10000",
                 json::value(std::to_string(limit)));
  if (offset < 0)
    mistakes.add("greater_than_equal", {"query", "offset"},
                 "Input should be greater than or equal to 0", json::value(std::to_string(offset)));
  if (!mistakes.is_empty()) return call->answer(mistakes.response());
  call->in_store([=](Store& store) {
    const auto rows = store.variables();
    if (!rows) return call->answer(failure(rows.error()));
    std::string keys;
    std::int64_t total = 0;
    for (const VariableRow& row : *rows) {
      if (!row.key.starts_with(prefix)) continue;
      const std::int64_t position = total++;
      if (position >= offset && position - offset < limit)
        keys += (keys.empty() ? "" : ",") + quoted(row.key);
    }
    call->answer(
        ok(ObjectText().raw("keys", "[" + keys + "]").number("total_entries", total).take()));
  });
}

void get_variable(const CallPtr& call) {
  const std::string& key = call->param("key");
  call->in_store([call, &key](Store& store) {
    const auto row = find_variable(store, key);
    if (!row) return call->answer(failure(row.error()));
    if (!*row) return call->answer(no_such_variable(key));
    const auto value = opened(*call, (*row)->sealed_value, Settings::place_of_variable(key));
    if (!value) return call->answer(failure(value.error()));
    call->answer(ok(ObjectText().text("key", key).text("value", *value).take()));
  });
}

void put_variable(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  BodyReader read(body);
  VariableRow row;
  row.key = call->param("key");
  // Airflow stores str(None) where it is given null.
  const auto* value = body.if_contains("val");
  const bool is_null = value != nullptr && value->is_null();
  read.knows("val");
  const std::string plain = is_null ? "None" : read.text("val");
  row.description = read.maybe_text("description").value_or("");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  if (row.key.size() > kKeyBytesMax)
    return call->answer(refused(400, "value_error", "A variable's key has at most 250 bytes"));
  row.sealed_value = call->vault().seal(plain, Settings::place_of_variable(row.key));
  call->in_world([call, row](const World& world, const Moment&) {
    call->submit(SetVariable{row, actor_of(world, *call)}, [call](const CommandDone&) {
      call->answer(created("Variable successfully set"));
    });
  });
}

void delete_variable(const CallPtr& call) {
  call->in_store([call](Store& store) {
    const auto row = find_variable(store, call->param("key"));
    if (!row) return call->answer(failure(row.error()));
    if (!*row) return call->answer(nothing(204));
    call->in_world([call](const World& world, const Moment&) {
      call->submit(
          RemoveVariable{call->param("key"), actor_of(world, *call)},
          [call](const CommandDone&) { call->answer(nothing(204)); },
          [call](const Error& error) {
            const bool is_gone = error.code == ErrorCode::NotFound;
            call->answer(is_gone ? nothing(204) : failure(error));
          });
    });
  });
}

void get_connection(const CallPtr& call) {
  const std::string& id = call->param("connection_id");
  call->in_store([call, &id](Store& store) {
    const auto rows = store.connections();
    if (!rows) return call->answer(failure(rows.error()));
    const auto found = std::find_if(rows->begin(), rows->end(),
                                    [&](const ConnectionRow& row) { return row.id == id; });
    if (found == rows->end())
      return call->answer(refused(404, "not_found", "Connection with ID " + id + " not found"));
    const auto text = connection_text(*call, *found);
    call->answer(text ? ok(*text) : failure(text.error()));
  });
}

}  // namespace etesian::task_api
