#include <sodium.h>

#include <algorithm>
#include <array>
#include <future>
#include <mutex>
#include <unordered_map>

#include "api/api.h"
#include "api/login_limiter.h"
#include "api/workers.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"

namespace etesian::api {
namespace {

// Argon2id, p = 1: OWASP's minimum for interactive logins (m = 19 MiB, t = 2).
constexpr unsigned long long HashPasses = 2;
constexpr std::size_t HashMemory = 19UL << 20;
constexpr std::size_t PasswordBytesMin = 8, PasswordBytesMax = 1024;
constexpr std::size_t TokensPerUserMax = 1000;
constexpr std::string_view TokenPrefix = "etesian_";

constexpr std::string_view kWellKnown[] = {
    "password", "12345678", "123456789",  "1234567890", "password1", "qwertyuiop", "11111111",
    "iloveyou", "admin123", "adminadmin", "changeme",   "letmein1",  "sunshine",   "princess",
    "football", "baseball", "trustno1",   "superman",   "qwerty123", "password123"};

Result<std::string> hash_of(const std::string& password) {
  std::array<char, crypto_pwhash_STRBYTES> text{};
  if (crypto_pwhash_str_alg(text.data(), password.data(), password.size(), HashPasses, HashMemory,
                            crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return Error{ErrorCode::Unavailable, "hash a password: out of memory"};
  }
  return std::string(text.data());
}

bool is_password_of(const std::string& hash, const std::string& password) {
  return crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
}

std::string random_text(std::size_t bytes) {
  std::string raw(bytes, '\0'), text(bytes * 2 + 1, '\0');
  randombytes_buf(raw.data(), raw.size());
  sodium_bin2hex(text.data(), text.size(), reinterpret_cast<const unsigned char*>(raw.data()),
                 raw.size());
  text.pop_back();
  return text;
}

Result<Done> check_password(const std::string& password) {
  if (password.size() < PasswordBytesMin || password.size() > PasswordBytesMax) {
    return Error{ErrorCode::InvalidInput,
                 "set the admin password: it must have 8 to 1,024 bytes; choose another one"};
  }
  if (std::find(std::begin(kWellKnown), std::end(kWellKnown), password) != std::end(kWellKnown)) {
    return Error{ErrorCode::InvalidInput,
                 "set the admin password: it is on every list of common passwords; choose another"};
  }
  return Done{};
}

std::optional<std::string> bearer_of(const http::Request& request) {
  const auto header = request.header("authorization");
  constexpr std::string_view scheme = "bearer ";
  if (!header || header->size() <= scheme.size()) return std::nullopt;
  const auto is_same = [](char wanted, char given) {
    return wanted == (given >= 'A' && given <= 'Z' ? given - 'A' + 'a' : given);
  };
  if (!std::equal(scheme.begin(), scheme.end(), header->begin(), is_same)) return std::nullopt;
  return header->substr(scheme.size());
}

class StoredAccounts final : public Accounts, public std::enable_shared_from_this<StoredAccounts> {
 public:
  StoredAccounts(Engine& engine, std::string dummy_hash)
      : engine_(engine), dummy_hash_(std::move(dummy_hash)), hashers_({.threads = 2}) {}

  void load(std::vector<UserRow> users, std::vector<TokenRow> tokens) {
    for (auto& user : users) users_.insert_or_assign(user.name, std::move(user));
    for (auto& token : tokens) tokens_.insert_or_assign(token.token_hash, std::move(token));
  }

  std::optional<std::string> user_of(const http::Request& request) override {
    const auto token = bearer_of(request);
    if (!token) return std::nullopt;
    // The token is looked up by its digest: what timing tells about a digest helps nobody to find
    // the 256 random bits behind it. The comparison itself is constant-time all the same.
    const std::string digest = sha256_hex(*token);
    const Instant now = engine_.clock().now();
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(digest);
    if (found == tokens_.end() ||
        sodium_memcmp(found->first.data(), digest.data(), digest.size()) != 0) {
      return std::nullopt;
    }
    if (found->second.expires_at <= now) {
      tokens_.erase(found);
      return std::nullopt;
    }
    return found->second.user;
  }

  void log_in(Login login, std::function<void(LoginResult)> done) override {
    {
      const std::lock_guard lock(mutex_);
      if (const auto wait = limiter_.begin(login.name, login.address, engine_.clock().uptime())) {
        return done({LoginResult::Kind::TooMany, {}, *wait});
      }
    }
    const auto refuse = done;
    const bool is_taken =
        hashers_.post([this, login = std::move(login), done = std::move(done)]() mutable {
          verify(std::move(login), std::move(done));
        });
    if (!is_taken) refuse({LoginResult::Kind::Busy, {}, std::chrono::seconds(5)});
  }

  void log_out(const http::Request& request, std::function<void(Result<Done>)> done) override {
    const auto token = bearer_of(request);
    const std::string digest = token ? sha256_hex(*token) : std::string();
    std::optional<TokenRow> row;
    {
      const std::lock_guard lock(mutex_);
      const auto found = tokens_.find(digest);
      if (found != tokens_.end()) {
        row = found->second;
        tokens_.erase(found);
      }
    }
    if (!row) return done(Done{});
    row->expires_at = engine_.clock().now();
    engine_.read_store([row = *row, actor = request.user, done = std::move(done),
                        now = row->expires_at, address = request.peer](Store& store) {
      auto put = store.put_token(row);
      if (put) record(store, now, actor, address, "logout");
      done(std::move(put));
    });
  }

 private:
  void verify(Login login, std::function<void(LoginResult)> done) {
    std::string hash = dummy_hash_;
    bool is_known = false;
    {
      const std::lock_guard lock(mutex_);
      const auto found = users_.find(login.name);
      if (found != users_.end()) hash = found->second.password_hash, is_known = true;
    }
    const bool fits = login.password.size() <= PasswordBytesMax;
    const bool is_right = is_password_of(hash, fits ? login.password : std::string()) && fits;
    sodium_memzero(login.password.data(), login.password.size());
    if (!is_right || !is_known) return done({LoginResult::Kind::WrongPassword, {}, {}});
    {
      const std::lock_guard lock(mutex_);
      limiter_.succeeded(login.name, login.address);
    }
    grant(login, std::move(done));
  }

  void grant(const Login& login, std::function<void(LoginResult)> done) {
    const std::string token = std::string(TokenPrefix) + random_text(32);
    const Instant now = engine_.clock().now();
    const TokenRow row{sha256_hex(token), login.name, "api", now, now + login.life};
    engine_.read_store([self = weak_from_this(), row, token, address = login.address,
                        done = std::move(done)](Store& store) {
      const auto accounts = self.lock();
      if (!accounts || !store.put_token(row)) return done({});
      record(store, row.created_at, row.user, address, "login");
      accounts->remember(row);
      done({LoginResult::Kind::Granted, token, {}});
    });
  }

  void remember(const TokenRow& row) {
    const std::lock_guard lock(mutex_);
    std::erase_if(tokens_,
                  [&](const auto& entry) { return entry.second.expires_at <= row.created_at; });
    if (tokens_.size() >= TokensPerUserMax) {
      const auto oldest = std::min_element(tokens_.begin(), tokens_.end(), [](auto& a, auto& b) {
        return a.second.created_at < b.second.created_at;
      });
      tokens_.erase(oldest);
    }
    tokens_.insert_or_assign(row.token_hash, row);
  }

  static void record(Store& store, Instant at, const std::string& actor, const std::string& address,
                     const std::string& event) {
    Audited row;
    row.at = at;
    row.actor = actor;
    row.event = event;
    row.details = "{\"address\":\"" + file_name_from_id(address) + "\"}";
    const Store::Item item{Change(row), at};
    if (const auto done = store.commit({&item, 1}); !done) {
      log_line(LogLevel::Error, "audit a " + event + ": not written",
               {{"cause", done.error().message}});
    }
  }

  Engine& engine_;
  const std::string dummy_hash_;
  std::mutex mutex_;
  std::unordered_map<std::string, UserRow> users_;
  std::unordered_map<std::string, TokenRow> tokens_;  ///< By digest.
  LoginLimiter limiter_;
  Workers hashers_;  ///< Last: its jobs use the members above.
};

struct Stored {
  std::vector<UserRow> users;
  std::vector<TokenRow> tokens;
};

/// Runs `work` on the store's thread and waits for it.
template <class T>
Result<T> on_store(Engine& engine, std::function<Result<T>(Store&)> work) {
  auto promise = std::make_shared<std::promise<Result<T>>>();
  auto future = promise->get_future();
  engine.read_store(
      [promise, work = std::move(work)](Store& store) { promise->set_value(work(store)); });
  return future.get();
}

Result<Stored> load(Engine& engine) {
  const Instant now = engine.clock().now();
  return on_store<Stored>(engine, [now](Store& store) -> Result<Stored> {
    auto users = store.users();
    if (!users) return users.error();
    auto tokens = store.tokens(now);
    if (!tokens) return tokens.error();
    return Stored{std::move(*users), std::move(*tokens)};
  });
}

Result<Done> put_admin(Engine& engine, const std::string& password) {
  auto hash = hash_of(password);
  if (!hash) return hash.error();
  return on_store<Done>(engine, [hash = *hash](Store& store) -> Result<Done> {
    if (auto put = store.put_user({"admin", hash, "admin"}); !put) return put.error();
    return store.drop_tokens_of("admin");
  });
}

}  // namespace

Result<std::shared_ptr<Accounts>> Accounts::open(Engine& engine,
                                                 const std::optional<std::string>& admin_password,
                                                 std::optional<std::string>& made_password) {
  ETESIAN_CHECK(sodium_init() >= 0);
  auto stored = load(engine);
  if (!stored) return stored.error();
  const auto admin = std::find_if(stored->users.begin(), stored->users.end(),
                                  [](const UserRow& user) { return user.name == "admin"; });
  std::optional<std::string> wanted = admin_password;
  if (stored->users.empty() && !wanted) wanted = made_password = random_text(12);
  if (wanted) {
    if (auto good = check_password(*wanted); !good) return good.error();
    if (admin == stored->users.end() || !is_password_of(admin->password_hash, *wanted)) {
      if (auto put = put_admin(engine, *wanted); !put) return put.error();
      stored = load(engine);
      if (!stored) return stored.error();
    }
  }
  auto dummy = hash_of(random_text(16));
  if (!dummy) return dummy.error();
  auto accounts = std::make_shared<StoredAccounts>(engine, std::move(*dummy));
  accounts->load(std::move(stored->users), std::move(stored->tokens));
  return std::shared_ptr<Accounts>(std::move(accounts));
}

}  // namespace etesian::api
