#include "api/dag_cache.h"

#include "api/json_common.h"
#include "base/log.h"
#include "loader/canonical.h"

namespace etesian::api {
namespace {

constexpr std::size_t VersionsMax = 512;

Result<std::shared_ptr<const Dag>> build(const DagSummary& summary) {
  auto definition = definition_from_canonical(summary.canonical);
  if (!definition) return definition.error();
  definition->canonical = summary.canonical;
  definition->version = summary.version;
  definition->folder = summary.folder;
  definition->relative_file = summary.relative_file;
  return Dag::build(std::move(*definition));
}

}  // namespace

const std::string& DagVersion::bundle() const {
  static const std::string project = "project";
  return dag != nullptr && dag->definition().airflow ? dag->definition().airflow->bundle : project;
}

std::shared_ptr<const DagVersion> DagCache::of(const DagSummary& summary) {
  Key key{summary.dag_id, summary.version};
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second.version;
  }
  auto version = std::make_shared<DagVersion>();
  version->dag_id = summary.dag_id;
  version->version = summary.version;
  version->uuid = to_text(dag_version_uuid(summary.dag_id, summary.version));
  version->number = summary.version_number;
  version->created_at = summary.last_changed;
  if (auto dag = build(summary)) {
    version->dag = std::move(*dag);
    version->airflow = airflow_facts_of(*version->dag);
  } else {
    log_line(LogLevel::Warning, "read a stored definition: " + dag.error().message,
             {{"dag", summary.dag_id}, {"version", summary.version}});
  }
  uses_.push_front(key);
  entries_.emplace(std::move(key), Entry{version, uses_.begin()});
  if (entries_.size() > VersionsMax) {
    entries_.erase(uses_.back());
    uses_.pop_back();
  }
  return version;
}

Result<std::shared_ptr<const DagVersion>> DagCache::find(Store& store, const std::string& dag_id,
                                                         const std::string& version) {
  const auto found = entries_.find({dag_id, version});
  if (found != entries_.end()) {
    uses_.splice(uses_.begin(), uses_, found->second.use);
    return found->second.version;
  }
  const auto summary = store.dag_version(dag_id, version);
  if (!summary) return summary.error();
  return of(*summary);
}

}  // namespace etesian::api
