#pragma once
#include <map>
#include <optional>
#include <string>

#include "engine/settings.h"
#include "executor/launch_builder.h"
#include "executor/worker_launch.h"
#include "scheduler/decide.h"
#include "scheduler/world.h"

namespace etesian {

/// Turns a Start effect into a complete launch, and a map's template into its values, from the
/// world's outputs and the settings. Belongs to the engine's thread.
class Launcher {
 public:
  Launcher(const Settings& settings, std::optional<WorkerPlace> worker_place)
      : settings_(settings), worker_place_(std::move(worker_place)) {}

  /// Remembers the newest successful run of each DAG (prev_data_interval_…_success).
  void note_success(const RunRow& run);

  /// Errors: InvalidInput with file:line:column of the template that failed.
  Result<wire::StartTry> launch(const World& world, const Effect::Start& start) const;
  /// The rendered template fields of a native try that starts; empty: they cannot be rendered.
  std::string native_fields(const World& world, const TryRow& starts) const;
  Result<std::string> map_source(const World& world, RunKey run, const Task& task,
                                 const TemplateText& source) const;

 private:
  LaunchFacts facts_of(const World& world, const InstanceKey& key, const Dag& dag) const;
  /// What `params` holds for the tasks of a run.
  std::string params_of(const Dag& dag, const std::string& conf) const;
  /// Params of a run that was given none: the defaults of its DAG's version.
  const std::string& default_params(const Dag& dag) const;

  const Settings& settings_;
  std::optional<WorkerPlace> worker_place_;
  mutable std::map<std::string, std::string> defaults_;  ///< By DAG version.
  std::map<std::string, DataInterval> last_success_;
};

}  // namespace etesian
