#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"

namespace etesian::sqlite {

/// What the store's methods catch and return as an Error; thrown in this folder only.
struct Failure {
  Error error;
};
/// A Failure whose message already names the change that was refused.
struct Refusal : Failure {};

/// SQL text that is known at compile time, or joined of such: by type, no outside text gets into a
/// statement. Values are bound.
class Sql {
 public:
  consteval Sql(const char* literal) : text_(literal) {}  // NOLINT(google-explicit-constructor)
  constexpr const char* text() const { return text_; }

 private:
  const char* text_;
};

/// A statement put together at run time, of such texts only.
class JoinedSql {
 public:
  JoinedSql(Sql text) : text_(text.text()) {}  // NOLINT(google-explicit-constructor)
  JoinedSql& operator+=(Sql text) {
    text_ += text.text();
    return *this;
  }
  JoinedSql& operator+=(const JoinedSql& more) {
    text_ += more.text_;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// A prepared statement. Parameters are bound left to right by `bind`, columns are read by
/// position.
class Statement {
 public:
  Statement(sqlite3* db, std::string_view sql, unsigned flags);
  Statement(Statement&& other) noexcept : db_(other.db_), handle_(other.handle_) {
    other.handle_ = nullptr;
  }
  Statement(const Statement&) = delete;
  Statement& operator=(Statement&&) = delete;
  ~Statement() { sqlite3_finalize(handle_); }

  /// Starts anew: parameters from the first. Text and blobs must live until the statement is reset.
  Statement& reset();
  template <class... Values>
  Statement& bind(const Values&... values) {
    (bind_one(values), ...);
    return *this;
  }
  /// True while there is a row. Throws Failure.
  bool step();
  /// Runs a statement that gives no rows. Returns the number of changed rows.
  int run();

  bool is_null(int column) const { return sqlite3_column_type(handle_, column) == SQLITE_NULL; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_, column); }
  int small(int column) const { return sqlite3_column_int(handle_, column); }
  std::string text(int column) const;
  Instant instant(int column) const { return Instant(Duration(integer(column))); }
  std::optional<Instant> maybe_instant(int column) const;
  Uuid uuid(int column) const;
  template <class Enum>
  Enum as(int column) const {
    return static_cast<Enum>(sqlite3_column_int(handle_, column));
  }

 private:
  void bind_one(std::int64_t value);
  void bind_one(std::uint64_t value) { bind_one(static_cast<std::int64_t>(value)); }
  void bind_one(int value) { bind_one(std::int64_t{value}); }
  void bind_one(std::uint32_t value) { bind_one(std::int64_t{value}); }
  void bind_one(bool value) { bind_one(std::int64_t{value}); }
  void bind_one(double) = delete;
  void bind_one(std::nullptr_t);
  void bind_one(std::string_view value);
  void bind_one(const std::string& value) { bind_one(std::string_view(value)); }
  void bind_one(const char* value) { bind_one(std::string_view(value)); }
  void bind_one(Instant value) { bind_one(std::int64_t{value.time_since_epoch().count()}); }
  void bind_one(const Uuid& value);
  template <class Enum>
  requires std::is_enum_v<Enum>
  void bind_one(Enum value) { bind_one(static_cast<std::int64_t>(value)); }
  template <class T>
  void bind_one(const std::optional<T>& value) {
    value ? bind_one(*value) : bind_one(nullptr);
  }
  void check(int code);

  sqlite3* db_;
  sqlite3_stmt* handle_ = nullptr;
  int next_ = 0;
};

/// The one connection. WAL, synchronous=FULL, exclusive lock; see docs/reliability.md#sqlite.
class Database {
 public:
  explicit Database(const std::string& path);
  Database(const Database&) = delete;
  ~Database();

  /// A statement kept for the life of the connection, reset. Keyed by the literal's address.
  Statement& kept(Sql sql);
  /// A statement of the caller's own.
  Statement make(const JoinedSql& sql) { return {db_, sql.text(), 0}; }
  void run(Sql sql);
  sqlite3* handle() const { return db_; }

  /// Copies the WAL into the database when it has outgrown its bounds (above 16 MiB; cut to zero
  /// above 64 MiB).
  void checkpoint_when_large();
  /// Copies whatever the WAL holds.
  void checkpoint_when_idle();

 private:
  void checkpoint(int mode);
  sqlite3* db_ = nullptr;
  int wal_frames_ = 0;
  int page_bytes_ = 4096;
  std::unordered_map<const char*, std::unique_ptr<Statement>> kept_;
};

/// BEGIN IMMEDIATE … COMMIT; rolls back at the end of its life unless committed.
class Transaction {
 public:
  explicit Transaction(Database& db);
  Transaction(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& db_;
  bool is_open_ = true;
};

/// The last error of `db` as a Failure. An error of fsync ends the process: whether the data is on
/// the disk is unknown from then on (docs/reliability.md#sqlite).
Failure failure_from(sqlite3* db, std::string_view action);

}  // namespace etesian::sqlite
