#include "api/dag_facts.h"

namespace etesian::api {

BrokenDags::BrokenDags(const Service& service) {
  for (const auto& error : service.engine.import_errors()) {
    if (error.dag_id.empty()) {
      files_.insert(error.file);
    } else {
      ids_.insert(error.dag_id);
    }
  }
}

bool BrokenDags::holds(const DagSummary& row) const {
  return ids_.count(row.dag_id) != 0 || files_.count(row.relative_file) != 0;
}

DagFacts facts_of(Reading& reading, DagSummary summary, const BrokenDags& broken) {
  DagFacts facts;
  facts.version = reading.service().dags.of(summary);
  facts.has_import_errors = broken.holds(summary);
  facts.summary = std::move(summary);
  facts.summary.source.clear();
  facts.summary.canonical.clear();
  return facts;
}

void add_world(DagFacts& facts, const World& world) {
  facts.next_run = world.next_run(facts.summary.dag_id);
  for (const RunKey key : world.active_runs(facts.summary.dag_id)) {
    const RunRow* run = world.run(key);
    if (run != nullptr && run->state == RunState::Running) ++facts.active_runs;
  }
}

}  // namespace etesian::api
