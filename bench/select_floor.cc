// How long the unfinished rows of a store take to read with plain SELECTs, every column of each:
// what a restart cannot do without.
//   select_floor DATABASE     of an installation that does not run
// Prints one JSON object.
#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

[[noreturn]] void fail(const char* message) {
  std::fprintf(stderr, "select_floor: %s\n", message);
  std::exit(1);
}

long read_all(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) != SQLITE_OK) fail(sqlite3_errmsg(db));
  const int columns = sqlite3_column_count(statement);
  long rows = 0;
  int result = SQLITE_ROW;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    for (int i = 0; i < columns; ++i)
      if (sqlite3_column_type(statement, i) == SQLITE_INTEGER)
        sqlite3_column_int64(statement, i);
      else
        sqlite3_column_text(statement, i);
    ++rows;
  }
  if (result != SQLITE_DONE) fail(sqlite3_errmsg(db));
  sqlite3_finalize(statement);
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: select_floor DATABASE\n");
    return 2;
  }
  sqlite3* db = nullptr;
  if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK)
    fail(sqlite3_errmsg(db));
  const auto begin = std::chrono::steady_clock::now();
  long rows = 0;
  for (const char* sql :
       {"SELECT r.* FROM active_run a JOIN dag_run r ON r.key = a.run",
        "SELECT i.* FROM active_run a JOIN task_instance i ON i.run = a.run",
        "SELECT t.* FROM active_run a JOIN try t ON t.run = a.run WHERE t.cause IS NULL"})
    rows += read_all(db, sql);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  sqlite3_close(db);
  std::printf("{\"measure\":\"select-floor\",\"rows\":%ld,\"seconds\":%.6f}\n", rows, took.count());
}
