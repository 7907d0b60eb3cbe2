#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/vault.h"
#include "model/change.h"
#include "model/event.h"
#include "store/store.h"

namespace etesian {

/// Variables and connections as templates read them. Kept sealed in memory; opened one at a time.
/// Belongs to the engine's thread.
class Settings {
 public:
  explicit Settings(std::shared_ptr<Vault> vault) : vault_(std::move(vault)) {}

  /// Becomes what the store holds. Errors: what the store says; then nothing changed.
  Result<Done> load(Store& store);
  void apply(const Change& change);
  /// NotFound when the event removes what does not exist (two may have asked for it at once).
  std::optional<Error> check(const Event& event) const;

  /// Plain value; nullopt: there is none, or it cannot be unsealed (logged).
  std::optional<std::string> variable(const std::string& key) const;
  /// JSON object text with host, port, login, password, schema, conn_type, extra, uri.
  std::optional<std::string> connection(const std::string& id) const;

  /// Associated data of each sealed member; the API seals with the same.
  static std::string place_of_variable(const std::string& key);
  static std::string place_of_password(const std::string& connection_id);
  static std::string place_of_extra(const std::string& connection_id);

 private:
  std::optional<std::string> open(const std::string& sealed, const std::string& place) const;

  std::shared_ptr<Vault> vault_;
  std::map<std::string, VariableRow> variables_;
  std::map<std::string, ConnectionRow> connections_;
};

}  // namespace etesian
