#include "api/bulk.h"

#include "api/python_text.h"
#include "api/query.h"

namespace etesian::api {
namespace {

using Kind = BulkAction::Kind;
using Otherwise = BulkAction::Otherwise;

constexpr std::string_view kNames[] = {"create", "update", "delete"};

Otherwise otherwise_of(const json::object& action, std::string_view name) {
  const auto text = body_text(action, name).value_or("fail");
  return text == "skip"        ? Otherwise::Skip
         : text == "overwrite" ? Otherwise::Overwrite
                               : Otherwise::Fail;
}

/// Which schema an action has, by its kind.
std::optional<Kind> kind_of(const json::value& action) {
  const auto* object = action.if_object();
  const auto* name = object != nullptr ? object->if_contains("action") : nullptr;
  if (name == nullptr || !name->is_string()) return std::nullopt;
  for (const auto kind : {Kind::Create, Kind::Update, Kind::Delete}) {
    if (name->get_string() == kNames[static_cast<std::size_t>(kind)]) return kind;
  }
  return std::nullopt;
}

const Schema& schema_of(Kind kind) {
  constexpr std::string_view kSchemas[] = {"BulkCreateAction", "BulkUpdateAction",
                                           "BulkDeleteAction"};
  return schema_named(kSchemas[static_cast<std::size_t>(kind)]);
}

}  // namespace

std::variant<std::vector<BulkAction>, http::Response> read_bulk(const json::object& body,
                                                                const Schema& entity) {
  std::vector<BulkAction> actions;
  const json::array& list = body.at("actions").get_array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::vector<std::string> place{"body", "actions", std::to_string(i)};
    const auto kind = kind_of(list[i]);
    if (!kind) {
      return unprocessable(place, "union_tag_invalid",
                           "'action' should be 'create', 'update' or 'delete'");
    }
    const json::object& object = list[i].get_object();
    if (auto refused = check_members(object, schema_of(*kind), place)) return std::move(*refused);
    BulkAction action;
    action.kind = *kind;
    action.on_existence = otherwise_of(object, "action_on_existence");
    action.on_absence = otherwise_of(object, "action_on_non_existence");
    if (const auto* mask = object.if_contains("update_mask"); mask != nullptr && mask->is_array()) {
      for (const auto& name : mask->get_array()) {
        action.update_mask.emplace(name.get_string());
      }
    }
    std::vector<std::string> below = place;
    below.emplace_back("entities");
    for (const auto& one : object.at("entities").get_array()) {
      auto at = below;
      at.push_back(std::to_string(action.entities.size()));
      const bool is_key = *kind == Kind::Delete && one.is_string();
      if (!is_key && !one.is_object()) {
        return unprocessable(at, "model_attributes_type", "Input should be a valid dictionary");
      }
      if (!is_key) {
        if (auto refused = check_members(one.get_object(), entity, at)) return std::move(*refused);
      }
      action.entities.push_back(one);
    }
    actions.push_back(std::move(action));
  }
  return actions;
}

void BulkResult::error(BulkAction::Kind kind, std::string message, int status) {
  parts_[kind].errors.push_back(
      json::object{{"error", std::move(message)}, {"status_code", status}});
}

http::Response BulkResult::response() const {
  json::object out;
  for (const auto kind : {Kind::Create, Kind::Update, Kind::Delete}) {
    const auto name = kNames[static_cast<std::size_t>(kind)];
    const auto found = parts_.find(kind);
    if (found == parts_.end()) {
      out[name] = nullptr;
      continue;
    }
    json::array success;
    for (const auto& key : found->second.success) success.push_back(json::string(key));
    out[name] = json::object{{"success", std::move(success)}, {"errors", found->second.errors}};
  }
  return ok(out);
}

json::object masked(const json::object& body, const std::set<std::string>& mask) {
  if (mask.empty()) return body;
  json::object out;
  for (const auto& member : body) {
    if (mask.count(std::string(member.key())) != 0) out[member.key()] = member.value();
  }
  return out;
}

json::object masked(const Call& call) {
  const auto names = call.request.query_values("update_mask");
  return masked(call.body, std::set<std::string>(names.begin(), names.end()));
}

std::string python_set(const std::set<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "{" : ", ") + python_repr(text);
  return out + "}";
}

}  // namespace etesian::api
