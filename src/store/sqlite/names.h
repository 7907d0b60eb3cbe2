#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "model/dag.h"
#include "model/run.h"
#include "store/sqlite/database.h"

namespace etesian::sqlite {

using Key = std::int64_t;

/// Integer keys of DAGs, their versions and of workers: looked up once, then remembered.
class Names {
 public:
  explicit Names(Database& db) : db_(db) {}

  std::optional<Key> dag(const std::string& dag_id);
  std::optional<Key> version(Key dag, const std::string& version);
  /// Key of the version, made with its tasks and tags when it is new.
  Key add_version(Key dag, const Dag& definition, Instant at);
  /// Key of what a try ran on, made when it is new.
  Key worker(const TryRow& row);
  /// After a rollback: keys that the transaction made are gone.
  void forget();

 private:
  Database& db_;
  std::unordered_map<std::string, Key> dags_;
  std::map<std::pair<Key, std::string>, Key> versions_;
  std::unordered_map<std::string, Key> workers_;
};

}  // namespace etesian::sqlite
