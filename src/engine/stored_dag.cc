#include "engine/stored_dag.h"

#include <map>

#include "loader/canonical.h"

namespace etesian {

Result<std::shared_ptr<const Dag>> build_stored_dag(const DagSummary& stored) {
  auto definition = definition_from_canonical(stored.canonical);
  if (!definition) return definition.error();
  definition->folder = stored.folder;
  definition->relative_file = stored.relative_file;
  definition->source = stored.source;
  definition->canonical = stored.canonical;
  definition->version = stored.version;
  return Dag::build(std::move(*definition));
}

Store::DagBuilder building_each_once() {
  using Built = std::map<std::pair<std::string, std::string>, std::shared_ptr<const Dag>>;
  return [built = std::make_shared<Built>()](
             const DagSummary& stored) -> Result<std::shared_ptr<const Dag>> {
    auto& known = (*built)[{stored.dag_id, stored.version}];
    if (known) return known;
    auto dag = build_stored_dag(stored);
    if (dag) known = *dag;
    return dag;
  };
}

}  // namespace etesian
