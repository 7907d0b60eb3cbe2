#pragma once
#include <set>
#include <string>
#include <utility>

#include "api/json_dag.h"
#include "api/service.h"

namespace etesian::api {

/// The DAGs whose files could not be loaded the last time.
class BrokenDags {
 public:
  explicit BrokenDags(const Service& service);
  bool holds(const DagSummary& row) const;

 private:
  std::set<std::string> ids_, files_;
};

/// What the store holds of a DAG's answer; `add_world` adds the rest. Store's thread.
DagFacts facts_of(Reading& reading, DagSummary summary, const BrokenDags& broken);
/// Engine's thread.
void add_world(DagFacts& facts, const World& world);

}  // namespace etesian::api
