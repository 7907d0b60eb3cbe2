#include "store/sqlite/database.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace etesian::sqlite {
namespace {

constexpr std::int64_t kPassiveCheckpointBytes = 16LL << 20;
constexpr std::int64_t kTruncateCheckpointBytes = 64LL << 20;

ErrorCode code_from(int extended) {
  switch (extended & 0xff) {
    case SQLITE_CONSTRAINT: return ErrorCode::Conflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT: return ErrorCode::Corrupt;
    case SQLITE_TOOBIG: return ErrorCode::TooLarge;
    default: return ErrorCode::Unavailable;
  }
}

int remember_wal_frames(void* frames, sqlite3*, const char*, int count) {
  *static_cast<int*>(frames) = count;
  return SQLITE_OK;
}

}  // namespace

Failure failure_from(sqlite3* db, std::string_view action) {
  const int code = sqlite3_extended_errcode(db);
  if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) {
    std::fprintf(stderr,
                 "store: fsync failed: %s; the process ends, because what is durable is unknown\n",
                 std::strerror(sqlite3_system_errno(db)));
    std::abort();
  }
  return Failure{{code_from(code), fmt::format("{}: {}", action, sqlite3_errmsg(db))}};
}

Statement::Statement(sqlite3* db, std::string_view sql, unsigned flags) : db_(db) {
  if (sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), flags, &handle_, nullptr) !=
      SQLITE_OK)
    throw failure_from(db, "prepare statement");
}

Statement& Statement::reset() {
  sqlite3_reset(handle_);
  next_ = 0;
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const Failure failure = failure_from(db_, "run statement");
  sqlite3_reset(handle_);
  throw failure;
}

int Statement::run() {
  while (step()) {
  }
  sqlite3_reset(handle_);
  return sqlite3_changes(db_);
}

std::string Statement::text(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(handle_, column));
  const int size = sqlite3_column_bytes(handle_, column);
  return data ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

std::optional<Instant> Statement::maybe_instant(int column) const {
  if (is_null(column)) return std::nullopt;
  return instant(column);
}

Uuid Statement::uuid(int column) const {
  Uuid id;
  const void* data = sqlite3_column_blob(handle_, column);
  if (data && sqlite3_column_bytes(handle_, column) == static_cast<int>(id.bytes.size()))
    std::memcpy(id.bytes.data(), data, id.bytes.size());
  return id;
}

void Statement::check(int code) {
  if (code != SQLITE_OK) throw failure_from(db_, "bind parameter");
}
void Statement::bind_one(std::int64_t value) { check(sqlite3_bind_int64(handle_, ++next_, value)); }
void Statement::bind_one(std::nullptr_t) { check(sqlite3_bind_null(handle_, ++next_)); }
void Statement::bind_one(std::string_view value) {
  // A null pointer would bind NULL: an empty text has an address too.
  const char* data = value.data() ? value.data() : "";
  check(sqlite3_bind_text64(handle_, ++next_, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}
void Statement::bind_one(const Uuid& value) {
  if (value.is_nil()) return bind_one(nullptr);
  check(sqlite3_bind_blob(handle_, ++next_, value.bytes.data(),
                          static_cast<int>(value.bytes.size()), SQLITE_STATIC));
}

Database::Database(const std::string& path) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(path.c_str(), &db_, flags, nullptr) != SQLITE_OK) {
    const Failure failure = failure_from(db_, "open database");
    sqlite3_close(db_);
    throw failure;
  }
  try {
    // Exclusive locking comes before WAL: then the WAL index lies on the heap, and no second
    // process can attach to it.
    run("PRAGMA locking_mode=EXCLUSIVE");
    run("PRAGMA journal_mode=WAL");
    run("PRAGMA synchronous=FULL");
    run("PRAGMA foreign_keys=ON");
    run("PRAGMA trusted_schema=OFF");
    run("PRAGMA wal_autocheckpoint=0");
    run("PRAGMA cache_size=-2048");
    run("PRAGMA temp_store=MEMORY");
    Statement& size = kept("PRAGMA page_size");
    if (size.step()) page_bytes_ = size.small(0);
    size.reset();
  } catch (const Failure&) {
    kept_.clear();
    sqlite3_close(db_);
    throw;
  }
  sqlite3_wal_hook(db_, remember_wal_frames, &wal_frames_);
}

Database::~Database() {
  kept_.clear();
  ETESIAN_CHECK(sqlite3_close(db_) == SQLITE_OK);
}

Statement& Database::kept(Sql sql) {
  std::unique_ptr<Statement>& statement = kept_[sql.text()];
  if (!statement)
    statement = std::make_unique<Statement>(db_, sql.text(), unsigned{SQLITE_PREPARE_PERSISTENT});
  return statement->reset();
}

void Database::run(Sql sql) {
  if (sqlite3_exec(db_, sql.text(), nullptr, nullptr, nullptr) != SQLITE_OK)
    throw failure_from(db_, "run statement");
}

void Database::checkpoint(int mode) {
  const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, mode, nullptr, nullptr);
  // A full disk leaves the WAL as it is: nothing is lost, the next try may succeed.
  if (code != SQLITE_OK) (void)failure_from(db_, "checkpoint");
  if (code == SQLITE_OK) wal_frames_ = 0;
}

void Database::checkpoint_when_large() {
  const std::int64_t bytes = std::int64_t{wal_frames_} * (page_bytes_ + 24);
  if (bytes > kTruncateCheckpointBytes) return checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  if (bytes > kPassiveCheckpointBytes) checkpoint(SQLITE_CHECKPOINT_PASSIVE);
}

void Database::checkpoint_when_idle() {
  if (wal_frames_ > 0) checkpoint(SQLITE_CHECKPOINT_PASSIVE);
}

Transaction::Transaction(Database& db) : db_(db) { db_.kept("BEGIN IMMEDIATE").run(); }

Transaction::~Transaction() {
  // A failed statement may have rolled the transaction back already (SQLITE_FULL, SQLITE_IOERR).
  if (is_open_ && !sqlite3_get_autocommit(db_.handle()))
    sqlite3_exec(db_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  db_.kept("COMMIT").run();
  is_open_ = false;
}

}  // namespace etesian::sqlite
