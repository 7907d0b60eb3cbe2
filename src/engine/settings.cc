#include "engine/settings.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"

namespace etesian {
namespace {
/// Everything but the unreserved characters of RFC 3986.
std::string uri_part(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) ||
        std::string_view("-._~").find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}
}  // namespace

std::string Settings::place_of_variable(const std::string& key) {
  return "variable/" + key + "/value";
}
std::string Settings::place_of_password(const std::string& id) {
  return "connection/" + id + "/password";
}
std::string Settings::place_of_extra(const std::string& id) {
  return "connection/" + id + "/extra";
}

Result<Done> Settings::load(Store& store) {
  auto variables = store.variables();
  if (!variables) return variables.error();
  auto connections = store.connections();
  if (!connections) return connections.error();
  variables_.clear();
  connections_.clear();
  for (VariableRow& row : *variables) variables_[row.key] = std::move(row);
  for (ConnectionRow& row : *connections) connections_[row.id] = std::move(row);
  return Done{};
}

void Settings::apply(const Change& change) {
  if (const auto* c = std::get_if<VariableChanged>(&change)) variables_[c->row.key] = c->row;
  if (const auto* c = std::get_if<VariableRemoved>(&change)) variables_.erase(c->key);
  if (const auto* c = std::get_if<ConnectionChanged>(&change)) connections_[c->row.id] = c->row;
  if (const auto* c = std::get_if<ConnectionRemoved>(&change)) connections_.erase(c->id);
}

std::optional<Error> Settings::check(const Event& event) const {
  if (const auto* e = std::get_if<RemoveVariable>(&event); e && !variables_.contains(e->key))
    return Error{ErrorCode::NotFound,
                 fmt::format("remove variable '{}': no such variable", e->key)};
  if (const auto* e = std::get_if<RemoveConnection>(&event); e && !connections_.contains(e->id))
    return Error{ErrorCode::NotFound,
                 fmt::format("remove connection '{}': no such connection", e->id)};
  return std::nullopt;
}

std::optional<std::string> Settings::open(const std::string& sealed,
                                          const std::string& place) const {
  if (sealed.empty()) return std::string();
  auto plain = vault_->unseal(sealed, place);
  if (plain) return std::move(*plain);
  log_line(LogLevel::Error, plain.error().message);
  return std::nullopt;
}

std::optional<std::string> Settings::variable(const std::string& key) const {
  const auto found = variables_.find(key);
  if (found == variables_.end()) return std::nullopt;
  return open(found->second.sealed_value, place_of_variable(key));
}

std::optional<std::string> Settings::connection(const std::string& id) const {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return std::nullopt;
  const ConnectionRow& row = found->second;
  const auto password = open(row.sealed_password, place_of_password(id));
  const auto extra = open(row.sealed_extra, place_of_extra(id));
  if (!password || !extra) return std::nullopt;
  std::string uri = row.type + "://";
  // Redis has passwords without a login: "redis://:secret@host", as Airflow writes it.
  if (!row.login.empty() || !password->empty())
    uri += uri_part(row.login) + (password->empty() ? "" : ":" + uri_part(*password)) + "@";
  uri += row.host;
  if (row.port != 0) uri += ":" + std::to_string(row.port);
  if (!row.schema.empty()) uri += "/" + uri_part(row.schema);
  json::object object{
      {"conn_id", row.id},     {"conn_type", row.type}, {"host", row.host}, {"login", row.login},
      {"password", *password}, {"schema", row.schema},  {"extra", *extra},  {"uri", uri}};
  if (row.port != 0)
    object["port"] = row.port;
  else
    object["port"] = nullptr;
  return json::serialize(object);
}

}  // namespace etesian
