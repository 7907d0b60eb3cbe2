#include "airflow/claims.h"

namespace etesian::airflow {
namespace {

bool is_same(const Dag& a, const Dag& b) {
  const DagDefinition &left = a.definition(), &right = b.definition();
  return left.version == right.version && left.source == right.source &&
         left.relative_file == right.relative_file && left.folder == right.folder;
}

}  // namespace

Claims::Claims(const std::vector<std::shared_ptr<const Dag>>& known) {
  for (const auto& dag : known) {
    told_[dag->id()] = dag;
    unsettled_.insert(dag->id());
  }
}

void Claims::set(const BundleFile& file, const Dags& dags) {
  std::set<std::string>& ids = ids_[file];
  for (const std::string& id : ids) {
    if (dags.contains(id)) continue;
    claims_[id].erase(file);
    unsettled_.insert(id);
  }
  ids.clear();
  for (const auto& [id, dag] : dags) {
    ids.insert(id);
    claims_[id][file] = dag;
    unsettled_.insert(id);
  }
  if (ids.empty()) ids_.erase(file);
}

std::vector<Event> Claims::settle(Gone gone) {
  std::vector<Event> events;
  for (auto next = unsettled_.begin(); next != unsettled_.end();) {
    const std::string& id = *next;
    const auto claims = claims_.find(id);
    const bool is_claimed = claims != claims_.end() && !claims->second.empty();
    if (!is_claimed && gone == Gone::Later) {
      ++next;
      continue;
    }
    const auto told = told_.find(id);
    if (is_claimed) {
      const std::shared_ptr<const Dag>& dag = claims->second.begin()->second;
      if (told == told_.end() || !is_same(*told->second, *dag)) events.emplace_back(DagLoaded{dag});
      told_[id] = dag;
    } else {
      claims_.erase(id);
      if (told != told_.end()) {
        events.emplace_back(DagGone{id});
        told_.erase(told);
      }
    }
    next = unsettled_.erase(next);
  }
  return events;
}

std::vector<std::pair<std::string, BundleFile>> Claims::lost_by(const BundleFile& file) const {
  std::vector<std::pair<std::string, BundleFile>> lost;
  const auto own = ids_.find(file);
  if (own == ids_.end()) return lost;
  for (const std::string& id : own->second) {
    const BundleFile& winner = claims_.at(id).begin()->first;
    if (winner != file) lost.emplace_back(id, winner);
  }
  return lost;
}

}  // namespace etesian::airflow
