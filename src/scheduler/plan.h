#pragma once
#include <memory>
#include <vector>

#include "model/dag.h"

namespace etesian {

/// What follows from a DAG alone and would be costly to find again for every run. Immutable.
struct Plan {
  struct TaskPlan {
    std::vector<TaskIndex> setups;     ///< Indirect upstream setups in whose scope the task is.
    std::vector<TaskIndex> scope;      ///< Setup: the tasks that have it in `setups`.
    std::vector<TaskIndex> between;    ///< Teardown: all tasks between its setups and itself.
    std::vector<TaskIndex> teardowns;  ///< The teardowns that have this task in `between`.
    std::vector<TaskIndex> deciders;   ///< Direct upstreams that branch or short-circuit.
    std::vector<TaskIndex> sources;    ///< Upstreams whose output decides the number of instances.
    std::vector<TaskIndex> past_of;    ///< Tasks with depends_on_past that look at this task.
    bool has_group_mates = false;      ///< Some upstream is in the same mapped task group.
  };
  std::vector<TaskPlan> tasks;
  bool has_past = false;  ///< Some task has depends_on_past or wait_for_downstream.

  static std::shared_ptr<const Plan> of(const Dag& dag);
};

}  // namespace etesian
