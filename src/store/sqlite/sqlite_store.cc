#include "store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "store/sqlite/commit.h"
#include "store/sqlite/file_system.h"
#include "store/sqlite/schema.h"

namespace etesian::sqlite {
namespace {

/// Creates the file with mode 0600 whatever the umask: SQLite gives WAL and journal the same mode.
Result<Done> create_private(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ::fchmod(fd.get(), 0600) != 0)
    return Error{ErrorCode::Unavailable, std::strerror(errno)};
  return Done{};
}

Result<Done> check_file_system(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path();
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0)
    return Error{ErrorCode::Unavailable,
                 fmt::format("folder '{}': {}", folder.string(), std::strerror(errno))};
  if (is_network_file_system(static_cast<std::uint64_t>(info.f_type)))
    return Error{ErrorCode::InvalidInput,
                 "it lies on a network file system, where locks and fsync cannot be relied on; "
                 "choose a local folder or allow it explicitly"};
  return Done{};
}

}  // namespace

SqliteStore::SqliteStore(LockFile lock, const std::string& path)
    : lock_(std::move(lock)), db_(path), names_(db_) {
  migrate(db_);
  Statement& last = db_.kept("SELECT coalesce(max(sequence), 0) FROM change");
  last.step();
  last_sequence_ = static_cast<Sequence>(last.integer(0));
  last.reset();
}

Result<Sequence> SqliteStore::commit(std::span<const Item> items) {
  if (items.empty()) return last_sequence_;
  auto done = guarded("commit", [&] {
    Transaction transaction(db_);
    CommitGroup group(db_, names_, last_sequence_);
    for (const Item& item : items) group.add(item);
    group.flush();
    transaction.commit();
    return group.last_sequence();
  });
  if (!done) {
    names_.forget();
    return done;
  }
  last_sequence_ = *done;
  db_.checkpoint_when_large();
  return done;
}

// ---- accounts ----

Result<std::vector<UserRow>> SqliteStore::users() {
  return guarded("read users", [&] {
    std::vector<UserRow> rows;
    Statement& s = db_.kept("SELECT name, password_hash, role FROM user ORDER BY name");
    while (s.step()) rows.push_back({s.text(0), s.text(1), s.text(2)});
    return rows;
  });
}

Result<Done> SqliteStore::put_user(const UserRow& user) {
  return guarded("store user", [&] {
    db_.kept("INSERT OR REPLACE INTO user VALUES(?, ?, ?)")
        .bind(user.name, user.password_hash, user.role)
        .run();
    return Done{};
  });
}

Result<std::vector<TokenRow>> SqliteStore::tokens(Instant now) {
  return guarded("read tokens", [&] {
    db_.kept("DELETE FROM token WHERE expires_at <= ?").bind(now).run();
    std::vector<TokenRow> rows;
    Statement& s = db_.kept(
        "SELECT token_hash, user, purpose, created_at, expires_at FROM token ORDER BY token_hash");
    while (s.step()) rows.push_back({s.text(0), s.text(1), s.text(2), s.instant(3), s.instant(4)});
    return rows;
  });
}

Result<Done> SqliteStore::put_token(const TokenRow& token) {
  return guarded("store token", [&] {
    db_.kept("INSERT OR REPLACE INTO token VALUES(?, ?, ?, ?, ?)")
        .bind(token.token_hash, token.user, token.purpose, token.created_at, token.expires_at)
        .run();
    return Done{};
  });
}

Result<Done> SqliteStore::drop_tokens_of(const std::string& user) {
  return guarded("drop tokens", [&] {
    db_.kept("DELETE FROM token WHERE user = ?").bind(user).run();
    return Done{};
  });
}

}  // namespace etesian::sqlite

namespace etesian {

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path,
                                                 const SqliteOptions& options) {
  const auto refuse = [&path](const Error& cause) {
    return Error{cause.code, fmt::format("open store '{}': {}", path, cause.message)};
  };
  if (!options.allow_network_file_system) {
    if (const auto checked = sqlite::check_file_system(path); !checked)
      return refuse(checked.error());
  }
  auto lock = LockFile::acquire(path + ".lock");
  if (!lock) return refuse(lock.error());
  if (const auto created = sqlite::create_private(path); !created) return refuse(created.error());
  try {
    return std::unique_ptr<Store>(std::make_unique<sqlite::SqliteStore>(*std::move(lock), path));
  } catch (const sqlite::Failure& failure) {
    return refuse(failure.error);
  }
}

}  // namespace etesian
