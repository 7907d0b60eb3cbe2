#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "http/http.h"

namespace etesian::api {

struct ApiOptions {
  std::string log_folder;  ///< Segments of this host's agent.
  std::string version;     ///< Of this program, for /api/v2/version.
  Duration token_life = std::chrono::hours(24);
};

/// Accounts and tokens: Argon2id hashes, opaque tokens stored hashed; everything needed to answer the
/// router's authenticator without blocking is in memory.
class Accounts {
 public:
  /// Loads users and tokens. Without any user makes `admin` with `admin_password`, or with a random
  /// one that is returned in `made_password` (to be printed once). An `admin_password` that differs
  /// from the stored one replaces it.
  static Result<std::shared_ptr<Accounts>> open(Engine& engine,
                                                const std::optional<std::string>& admin_password,
                                                std::optional<std::string>& made_password);
  virtual ~Accounts() = default;
  virtual std::optional<std::string> user_of(const http::Request& request) = 0;
};

/// The whole route table: REST v2 with Airflow's paths and bodies, events, metrics, health.
std::shared_ptr<http::Router> make_router(Engine& engine, std::shared_ptr<Accounts> accounts,
                                          const ApiOptions& options);

/// The OpenAPI 3.1 document that is served at /openapi.json.
std::string openapi_document();

}  // namespace etesian::api
