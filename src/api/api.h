#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "engine/engine.h"
#include "http/http.h"

namespace etesian::api {

struct ApiOptions {
  std::string log_folder;  ///< Segments of this host's agent; made where it is missing.
  std::string version;     ///< Of this program, for /api/v2/version.
  Duration token_life = std::chrono::hours(24);
};

/// Accounts and tokens: Argon2id hashes, opaque tokens stored hashed; everything needed to answer
/// the router's authenticator without blocking is in memory. Thread-safe.
class Accounts {
 public:
  struct Login {
    std::string name, password;
    std::string address;  ///< Of the client, for the limits.
    Duration life;        ///< Of the token.
  };
  struct LoginResult {
    enum class Kind { Granted, WrongPassword, TooMany, Busy, Failed } kind = Kind::Failed;
    std::string token;        ///< Granted: shown once, stored hashed.
    Duration retry_after{0};  ///< TooMany, Busy.
  };

  /// Loads users and tokens. Without any user makes `admin` with `admin_password`, or with a random
  /// one that is returned in `made_password` (to be printed once). An `admin_password` that differs
  /// from the stored one replaces it and ends its sessions. Blocks on the store and on one hash.
  /// Errors: InvalidInput (a password outside 8..1024 bytes, or a well-known one), the store's.
  static Result<std::shared_ptr<Accounts>> open(Engine& engine,
                                                const std::optional<std::string>& admin_password,
                                                std::optional<std::string>& made_password);
  virtual ~Accounts() = default;
  /// The user of the request's bearer token, if it is known and has not expired. Does not block.
  virtual std::optional<std::string> user_of(const http::Request& request) = 0;
  /// Checks a password on a thread of its own, at most two at once; `done` is called once, from
  /// there or from the store's thread. Unknown users take as long as known ones. At most 5 failures
  /// for an account (from one address), 20 for an address and minute.
  virtual void log_in(Login login, std::function<void(LoginResult)> done) = 0;
  /// Ends the token of the request, durably before `done`.
  virtual void log_out(const http::Request& request, std::function<void(Result<Done>)> done) = 0;
};

/// The whole route table: REST v2 with Airflow's paths and bodies, events, metrics, health.
std::shared_ptr<http::Router> make_router(Engine& engine, std::shared_ptr<Accounts> accounts,
                                          const ApiOptions& options);

/// The OpenAPI 3.1 document that is served at /openapi.json.
std::shared_ptr<const std::string> openapi_document();

}  // namespace etesian::api
