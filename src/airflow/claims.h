#pragma once
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "airflow/tree.h"
#include "model/event.h"

namespace etesian::airflow {

/// Which file's DAG counts, when files claim the same id: the first by bundle and path. Tells what
/// changes for the engine. Not thread-safe.
class Claims {
 public:
  using Dags = std::map<std::string, std::shared_ptr<const Dag>>;

  /// `known`: what the engine has already.
  explicit Claims(const std::vector<std::shared_ptr<const Dag>>& known);
  /// The file has these DAGs now, and no others.
  void set(const BundleFile& file, const Dags& dags);
  /// DagLoaded for what is new to the engine, and, when `may_be_gone`, DagGone for what nobody
  /// claims any more; until then that is put off.
  enum class Gone { Later, Now };
  std::vector<Event> settle(Gone gone);
  /// DAGs that the file claims and another has, with that file.
  std::vector<std::pair<std::string, BundleFile>> lost_by(const BundleFile& file) const;

 private:
  std::map<std::string, std::map<BundleFile, std::shared_ptr<const Dag>>> claims_;  ///< By id.
  std::map<BundleFile, std::set<std::string>> ids_;
  Dags told_;
  std::set<std::string> unsettled_;
};

}  // namespace etesian::airflow
