#include "store/sqlite/names.h"

namespace etesian::sqlite {
namespace {

std::optional<Key> first_integer(Statement& statement) {
  std::optional<Key> found;
  if (statement.step()) found = statement.integer(0);
  statement.reset();
  return found;
}

}  // namespace

std::optional<Key> Names::dag(const std::string& dag_id) {
  const auto known = dags_.find(dag_id);
  if (known != dags_.end()) return known->second;
  const auto found = first_integer(db_.kept("SELECT key FROM dag WHERE dag_id = ?").bind(dag_id));
  if (found) dags_.emplace(dag_id, *found);
  return found;
}

std::optional<Key> Names::version(Key dag, const std::string& version) {
  const auto known = versions_.find({dag, version});
  if (known != versions_.end()) return known->second;
  const auto found = first_integer(
      db_.kept("SELECT key FROM dag_version WHERE dag = ? AND version = ?").bind(dag, version));
  if (found) versions_.emplace(std::pair{dag, version}, *found);
  return found;
}

Key Names::add_version(Key dag, const Dag& definition, Instant at) {
  const DagDefinition& text = definition.definition();
  if (const auto known = version(dag, text.version)) return *known;
  db_.kept(
         "INSERT INTO dag_version(dag, number, version, canonical, folder, relative_file, source, "
         "description, owner, schedule_text, created_at) VALUES(?1, 1 + (SELECT "
         "coalesce(max(number), 0) "
         "FROM dag_version WHERE dag = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
      .bind(dag, text.version, text.canonical, text.folder, text.relative_file, text.source,
            text.description, text.owner, text.schedule_text, at)
      .run();
  const Key key = sqlite3_last_insert_rowid(db_.handle());
  for (std::size_t i = 0; i < text.tags.size(); ++i)
    db_.kept("INSERT INTO dag_tag VALUES(?, ?, ?)").bind(key, std::uint64_t{i}, text.tags[i]).run();
  for (TaskIndex i = 0; i < text.tasks.size(); ++i)
    db_.kept("INSERT INTO dag_task VALUES(?, ?, ?, ?, ?)")
        .bind(key, i, text.tasks[i].id, text.tasks[i].pool, text.tasks[i].retry.times)
        .run();
  versions_.emplace(std::pair{dag, text.version}, key);
  return key;
}

Key Names::worker(const TryRow& row) {
  std::string name = row.executor;
  (name += '\0') += row.session;
  (name += '\0') += row.host;
  const auto known = workers_.find(name);
  if (known != workers_.end()) return known->second;
  auto key = first_integer(
      db_.kept("SELECT key FROM worker WHERE executor = ? AND session = ? AND host = ?")
          .bind(row.executor, row.session, row.host));
  if (!key) {
    db_.kept("INSERT INTO worker(executor, session, host) VALUES(?, ?, ?)")
        .bind(row.executor, row.session, row.host)
        .run();
    key = sqlite3_last_insert_rowid(db_.handle());
  }
  workers_.emplace(std::move(name), *key);
  return *key;
}

void Names::forget() {
  dags_.clear();
  versions_.clear();
  workers_.clear();
}

}  // namespace etesian::sqlite
