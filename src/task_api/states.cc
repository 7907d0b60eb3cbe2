// The state stores of Airflow 3.3: values that a task keeps for its next try or poll, and those of
// an asset.
#include <fmt/format.h>

#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

StatePlace own_place(const CallPtr& call) { return {call->instance(), 0}; }

void answer_value(const CallPtr& call, const StatePlace& place, const std::string& key,
                  std::string_view whose) {
  call->in_store([=, whose = std::string(whose)](Store& store) {
    const auto value = store.state_value(place, key, call->now());
    if (!value) return call->answer(failure(value.error()));
    if (!*value)
      return call->answer(
          refused(404, "not_found", fmt::format("{} state store key '{}' not found", whose, key)));
    call->answer(ok(ObjectText().raw("value", **value).take()));
  });
}

/// {"value": any but null}; its text stays as the worker wrote it.
std::optional<http::Response> read_value(const CallPtr& call, SetState& event, bool may_expire) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return bad;
  BodyReader read(body);
  read.knows("value");
  if (may_expire) event.expires_at = read.maybe_instant("expires_at");
  const json::value* value = body.if_contains("value");
  if (value == nullptr)
    read.mistakes().add("missing", read.location("value"), "Field required", body);
  else if (value->is_null())
    read.mistakes().add("value_error", read.location("value"), "Value error, value cannot be null",
                        nullptr);
  if (auto bad = read.refusal()) return bad;
  event.json = raw_members(call->request().body).at("value");
  return std::nullopt;
}

void submit_state(const CallPtr& call, Event event) {
  call->submit(
      std::move(event), [call](const CommandDone&) { call->answer(nothing(204)); },
      [call](const Error& error) {
        call->answer(error.code == ErrorCode::NotFound ? no_such_instance() : failure(error));
      });
}

/// Goes on with the active asset that the query names by `by` ("name" or "uri").
void with_asset(const CallPtr& call, const char* by, std::function<void(const StatePlace&)> then) {
  QueryReader read(call->request());
  const std::string text = read.text(by);
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  AssetFilter filter;
  (std::string_view(by) == "name" ? filter.name : filter.uri) = text;
  filter.only_active = true;
  call->in_store([=, then = std::move(then)](Store& store) {
    const auto page = store.assets(filter, {.limit = 1, .offset = 0, .order_by = {}});
    if (!page) return call->answer(failure(page.error()));
    if (page->rows.empty())
      return call->answer(
          refused(404, "not_found", fmt::format("Asset with {}='{}' not found", by, text)));
    then({InstanceKey{}, page->rows.front().row.key});
  });
}

template <class Then>
void with_asset_and_key(const CallPtr& call, const char* by, Then then) {
  QueryReader read(call->request());
  const std::string key = read.text("key");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  with_asset(call, by, [key, then](const StatePlace& place) { then(place, key); });
}

void get_asset_state(const CallPtr& call, const char* by) {
  with_asset_and_key(call, by, [call](const StatePlace& place, const std::string& key) {
    answer_value(call, place, key, "Asset");
  });
}

void put_asset_state(const CallPtr& call, const char* by) {
  SetState event;
  if (auto bad = read_value(call, event, false)) return call->answer(std::move(*bad));
  with_asset_and_key(call, by, [=](const StatePlace& place, const std::string& key) {
    SetState its = event;
    its.place = place;
    its.key = key;
    submit_state(call, std::move(its));
  });
}

void drop_asset_state(const CallPtr& call, const char* by) {
  with_asset_and_key(call, by, [call](const StatePlace& place, const std::string& key) {
    submit_state(call, DropState{place, key});
  });
}

void clear_asset_state(const CallPtr& call, const char* by) {
  with_asset(call, by, [call](const StatePlace& place) {
    submit_state(call, DropState{place, {}});
  });
}

}  // namespace

void get_task_state(const CallPtr& call) {
  answer_value(call, own_place(call), call->param("key"), "Task");
}

void put_task_state(const CallPtr& call) {
  SetState event;
  if (auto bad = read_value(call, event, true)) return call->answer(std::move(*bad));
  event.place = own_place(call);
  event.key = call->param("key");
  submit_state(call, std::move(event));
}

void drop_task_state(const CallPtr& call) {
  submit_state(call, DropState{own_place(call), call->param("key")});
}

void clear_task_state(const CallPtr& call) { submit_state(call, DropState{own_place(call), {}}); }

void get_asset_state_by_name(const CallPtr& call) { get_asset_state(call, "name"); }
void get_asset_state_by_uri(const CallPtr& call) { get_asset_state(call, "uri"); }
void put_asset_state_by_name(const CallPtr& call) { put_asset_state(call, "name"); }
void put_asset_state_by_uri(const CallPtr& call) { put_asset_state(call, "uri"); }
void drop_asset_state_by_name(const CallPtr& call) { drop_asset_state(call, "name"); }
void drop_asset_state_by_uri(const CallPtr& call) { drop_asset_state(call, "uri"); }
void clear_asset_state_by_name(const CallPtr& call) { clear_asset_state(call, "name"); }
void clear_asset_state_by_uri(const CallPtr& call) { clear_asset_state(call, "uri"); }

}  // namespace etesian::task_api
