#pragma once
#include <list>
#include <map>
#include <memory>
#include <string>

#include "api/airflow_facts.h"
#include "model/dag.h"
#include "store/store.h"

namespace etesian::api {

/// A version of a DAG, as answers show it. Immutable.
struct DagVersion {
  std::string dag_id, version, uuid;  ///< `uuid`: made of the two, because clients expect one.
  int number = 1;
  Instant created_at{};
  std::shared_ptr<const Dag> dag;  ///< Null: its stored definition cannot be read any more.
  std::shared_ptr<const AirflowFacts> airflow;  ///< Null: not a DAG of Airflow's.

  /// As clients name its source: the Airflow bundle, or "project".
  const std::string& bundle() const;
  const std::string& display_name() const { return airflow ? airflow->display_name : dag_id; }
};

/// The versions that answers asked for lately, rebuilt from what the store holds. At most 512 of
/// them. Belongs to the store's thread.
class DagCache {
 public:
  /// Errors: NotFound, and what the store says.
  Result<std::shared_ptr<const DagVersion>> find(Store& store, const std::string& dag_id,
                                                 const std::string& version);
  /// Of a summary that was read already.
  std::shared_ptr<const DagVersion> of(const DagSummary& summary);

 private:
  using Key = std::pair<std::string, std::string>;
  struct Entry {
    std::shared_ptr<const DagVersion> version;
    std::list<Key>::iterator use;
  };
  std::map<Key, Entry> entries_;
  std::list<Key> uses_;  ///< Latest first.
};

}  // namespace etesian::api
