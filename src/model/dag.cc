#include "model/dag.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <queue>

#include "base/check.h"

namespace etesian {
namespace {

using Edges = std::vector<std::vector<TaskIndex>>;

/// Downstream task indices of every task, in the order of `tasks`.
Edges downstream_of(const std::vector<Task>& tasks, const std::map<std::string, TaskIndex>& index) {
  Edges down(tasks.size());
  for (TaskIndex i = 0; i < tasks.size(); ++i)
    for (const std::string& up : tasks[i].after) down[index.at(up)].push_back(i);
  return down;
}

/// How far the tasks can be put in order.
struct Placing {
  std::vector<TaskIndex> order;
  std::vector<std::size_t> waits_for;  ///< Unplaced upstreams; 0 for what is in `order`.
};

/// Kahn's algorithm, of the ready tasks always the first in the file.
Placing place(const std::vector<Task>& tasks, const std::map<std::string, TaskIndex>& index) {
  const Edges down = downstream_of(tasks, index);
  std::vector<std::size_t> waits_for(tasks.size());
  std::priority_queue<TaskIndex, std::vector<TaskIndex>, std::greater<>> ready;
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    waits_for[i] = tasks[i].after.size();
    if (waits_for[i] == 0) ready.push(i);
  }
  std::vector<TaskIndex> order;
  order.reserve(tasks.size());
  while (!ready.empty()) {
    const TaskIndex i = ready.top();
    ready.pop();
    order.push_back(i);
    for (const TaskIndex d : down[i])
      if (--waits_for[d] == 0) ready.push(d);
  }
  return {std::move(order), std::move(waits_for)};
}

std::map<std::string, TaskIndex> index_of(const std::vector<Task>& tasks) {
  std::map<std::string, TaskIndex> index;
  for (TaskIndex i = 0; i < tasks.size(); ++i) index.emplace(tasks[i].id, i);
  return index;
}

/// Members of one cycle among the tasks that could not be placed; the first is repeated at the end.
std::vector<std::string> cycle_among(const std::vector<Task>& tasks,
                                     const std::map<std::string, TaskIndex>& index,
                                     const std::vector<std::size_t>& waits_for) {
  const auto is_stuck = [&](const std::string& id) { return waits_for[index.at(id)] > 0; };
  TaskIndex at = 0;
  while (waits_for[at] == 0) ++at;
  // Every stuck task has a stuck upstream: walking up must meet a task again.
  std::vector<std::size_t> step_of(tasks.size(), 0);
  std::vector<std::string> walk;
  while (step_of[at] == 0) {
    walk.push_back(tasks[at].id);
    step_of[at] = walk.size();
    at = index.at(*std::find_if(tasks[at].after.begin(), tasks[at].after.end(), is_stuck));
  }
  std::vector<std::string> cycle(walk.begin() + static_cast<std::ptrdiff_t>(step_of[at] - 1),
                                 walk.end());
  std::reverse(cycle.begin(), cycle.end());
  const auto first =
      std::min_element(cycle.begin(), cycle.end(),
                       [&](const auto& a, const auto& b) { return index.at(a) < index.at(b); });
  std::rotate(cycle.begin(), first, cycle.end());
  cycle.push_back(cycle.front());
  return cycle;
}

Result<Done> check_tasks(const std::vector<Task>& tasks,
                         const std::map<std::string, TaskIndex>& index) {
  const auto refuse = [](const std::string& message) {
    return Error{ErrorCode::InvalidInput, message};
  };
  for (const Task& task : tasks) {
    for (const std::string& up : task.after)
      if (!index.contains(up))
        return refuse(
            fmt::format("task '{}' waits for '{}', which is not a task of this dag", task.id, up));
    if (task.is_setup && task.is_teardown)
      return refuse(fmt::format("task '{}' cannot be both setup and teardown", task.id));
    for (const std::string& setup : task.setups) {
      const auto found = index.find(setup);
      if (found == index.end() || !tasks[found->second].is_setup)
        return refuse(fmt::format("teardown '{}' takes down '{}', which is not a setup task",
                                  task.id, setup));
    }
  }
  return Done{};
}

/// Fills CSR rows from one list of neighbours a task.
void pack(const Edges& edges, std::vector<std::uint32_t>& begin, std::vector<TaskIndex>& flat) {
  begin.assign(1, 0);
  for (const auto& row : edges) {
    flat.insert(flat.end(), row.begin(), row.end());
    begin.push_back(static_cast<std::uint32_t>(flat.size()));
  }
}

/// Own weight plus those of all distinct tasks below each task. `targets(i)` are the direct
/// neighbours in the counted direction and come later in `order` than i. The tasks to be counted
/// are taken in blocks of 512, so that memory stays linear and time is tasks * edges / 512.
class WeightSums {
 public:
  explicit WeightSums(std::vector<std::int64_t> own) : own_(std::move(own)), sums_(own_) {}

  template <class Targets>
  std::vector<std::int64_t> over(const std::vector<TaskIndex>& order, const Targets& targets) {
    std::vector<std::size_t> place(order.size());
    for (std::size_t p = 0; p < order.size(); ++p) place[order[p]] = p;
    std::vector<Mask> reached(order.size());
    for (std::size_t begin = 0; begin < order.size(); begin += kBlock) {
      const std::size_t end = std::min(begin + kBlock, order.size());
      prepare(order, begin, end);
      for (std::size_t p = end; p-- > 0;) {
        Mask mask{};
        for (const TaskIndex target : targets(order[p])) {
          const std::size_t q = place[target];
          if (q >= end) continue;
          for (std::size_t w = 0; w < mask.size(); ++w) mask[w] |= reached[q][w];
          if (q >= begin) mask[(q - begin) / 64] |= std::uint64_t{1} << ((q - begin) % 64);
        }
        reached[p] = mask;
        sums_[order[p]] += sum(mask);
      }
    }
    return std::move(sums_);
  }

 private:
  static constexpr std::size_t kBlock = 512;
  using Mask = std::array<std::uint64_t, kBlock / 64>;

  void prepare(const std::vector<TaskIndex>& order, std::size_t begin, std::size_t end) {
    const std::int64_t first = own_[order[begin]];
    is_uniform_ = true;
    for (std::size_t p = begin; p < end; ++p) is_uniform_ &= own_[order[p]] == first;
    uniform_ = first;
    if (is_uniform_) return;
    for (std::size_t byte = 0; byte < kBlock / 8; ++byte)
      for (unsigned bits = 0; bits < 256; ++bits) {
        std::int64_t total = 0;
        for (std::size_t b = 0; b < 8; ++b)
          if (bits >> b & 1 && begin + byte * 8 + b < end)
            total += own_[order[begin + byte * 8 + b]];
        table_[byte][bits] = total;
      }
  }

  std::int64_t sum(const Mask& mask) const {
    std::int64_t total = 0;
    for (std::size_t w = 0; w < mask.size(); ++w) {
      if (is_uniform_) {
        total += uniform_ * std::popcount(mask[w]);
        continue;
      }
      for (std::size_t b = 0; b < 8; ++b) total += table_[w * 8 + b][mask[w] >> (8 * b) & 255];
    }
    return total;
  }

  std::vector<std::int64_t> own_, sums_;
  bool is_uniform_ = true;
  std::int64_t uniform_ = 0;
  std::vector<std::array<std::int64_t, 256>> table_{kBlock / 8};
};

int clamped_to_int(std::int64_t v) {
  // Airflow's db_safe_priority: the column is a 32-bit integer.
  return static_cast<int>(std::clamp<std::int64_t>(v, std::numeric_limits<int>::min(),
                                                   std::numeric_limits<int>::max()));
}

bool decides_run(const Task& task) { return !task.is_teardown || task.on_failure_fail_run; }

}  // namespace

std::vector<std::string> find_cycle(const std::vector<Task>& tasks) {
  const auto index = index_of(tasks);
  const Placing placing = place(tasks, index);
  if (placing.order.size() == tasks.size()) return {};
  return cycle_among(tasks, index, placing.waits_for);
}

Dag::Dag(DagDefinition definition) : definition_(std::move(definition)) {}

Result<std::shared_ptr<const Dag>> Dag::build(DagDefinition definition) {
  std::vector<Task>& tasks = definition.tasks;
  std::map<std::string, TaskIndex> index;
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    if (!index.emplace(tasks[i].id, i).second)
      return Error{ErrorCode::InvalidInput, fmt::format("task '{}' is defined twice", tasks[i].id)};
  }
  const auto checked = check_tasks(tasks, index);
  if (!checked) return checked.error();
  const Placing placing = place(tasks, index);
  if (placing.order.size() < tasks.size())
    return Error{ErrorCode::InvalidInput,
                 fmt::format("tasks wait for each other: {}",
                             fmt::join(cycle_among(tasks, index, placing.waits_for), " -> "))};
  std::vector<Task> ordered;
  ordered.reserve(tasks.size());
  for (const TaskIndex i : placing.order) ordered.push_back(std::move(tasks[i]));
  tasks = std::move(ordered);
  std::shared_ptr<Dag> dag(new Dag(std::move(definition)));
  dag->link();
  return std::shared_ptr<const Dag>(std::move(dag));
}

void Dag::link() {
  const std::vector<Task>& tasks = definition_.tasks;
  index_ = index_of(tasks);
  Edges up(tasks.size());
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    for (const std::string& id : tasks[i].after) up[i].push_back(index_.at(id));
    std::sort(up[i].begin(), up[i].end());
    up[i].erase(std::unique(up[i].begin(), up[i].end()), up[i].end());
  }
  Edges down(tasks.size());
  for (TaskIndex i = 0; i < tasks.size(); ++i)
    for (const TaskIndex u : up[i]) down[u].push_back(i);
  pack(up, up_begin_, up_);
  pack(down, down_begin_, down_);

  std::vector<std::int64_t> own(tasks.size());
  std::vector<TaskIndex> order(tasks.size());
  bool any_down = false, any_up = false;
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    own[i] = tasks[i].priority;
    order[i] = i;
    any_down |= tasks[i].weight_rule == WeightRule::Downstream;
    any_up |= tasks[i].weight_rule == WeightRule::Upstream;
  }
  std::vector<std::int64_t> below, above;
  if (any_down) below = WeightSums(own).over(order, [this](TaskIndex i) { return downstream(i); });
  if (any_up) {
    std::reverse(order.begin(), order.end());
    above = WeightSums(own).over(order, [this](TaskIndex i) { return upstream(i); });
  }
  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    const WeightRule rule = tasks[i].weight_rule;
    weights_.push_back(clamped_to_int(rule == WeightRule::Downstream ? below[i]
                                      : rule == WeightRule::Upstream ? above[i]
                                                                     : own[i]));
  }

  for (TaskIndex i = 0; i < tasks.size(); ++i) {
    const auto followers = downstream(i);
    const bool is_looked_through = std::none_of(followers.begin(), followers.end(),
                                                [&](TaskIndex d) { return decides_run(tasks[d]); });
    if (is_looked_through && decides_run(tasks[i])) leaves_.push_back(i);
  }
  if (!leaves_.empty()) return;
  for (TaskIndex i = 0; i < tasks.size(); ++i)  // a DAG of nothing but teardowns
    if (downstream(i).empty()) leaves_.push_back(i);
}

std::optional<TaskIndex> Dag::find(const std::string& task_id) const {
  const auto found = index_.find(task_id);
  if (found == index_.end()) return std::nullopt;
  return found->second;
}

std::span<const TaskIndex> Dag::upstream(TaskIndex i) const {
  ETESIAN_CHECK(i + 1 < up_begin_.size());
  return std::span(up_).subspan(up_begin_[i], up_begin_[i + 1] - up_begin_[i]);
}

std::span<const TaskIndex> Dag::downstream(TaskIndex i) const {
  ETESIAN_CHECK(i + 1 < down_begin_.size());
  return std::span(down_).subspan(down_begin_[i], down_begin_[i + 1] - down_begin_[i]);
}

std::vector<TaskIndex> Dag::group_members(const std::string& group) const {
  std::vector<TaskIndex> members;
  if (group.empty()) return members;
  for (TaskIndex i = 0; i < tasks().size(); ++i) {
    const std::string& of = task(i).group;
    if (of == group ||
        (of.size() > group.size() && of.starts_with(group) && of[group.size()] == '.'))
      members.push_back(i);
  }
  return members;
}

std::vector<TaskIndex> Dag::reach_down(TaskIndex from) const {
  std::vector<char> seen(tasks().size(), 0);
  seen[from] = 1;
  std::vector<TaskIndex> reached;
  for (TaskIndex i = from; i < tasks().size(); ++i) {  // indices are a topological order
    if (!seen[i]) continue;
    reached.push_back(i);
    for (const TaskIndex d : downstream(i)) seen[d] = 1;
  }
  return reached;
}

std::vector<TaskIndex> Dag::reach_up(TaskIndex from) const {
  std::vector<char> seen(tasks().size(), 0);
  seen[from] = 1;
  std::vector<TaskIndex> reached;
  for (TaskIndex i = from + 1; i-- > 0;) {
    if (!seen[i]) continue;
    reached.push_back(i);
    for (const TaskIndex u : upstream(i)) seen[u] = 1;
  }
  std::reverse(reached.begin(), reached.end());
  return reached;
}

Uuid dag_version_uuid(const std::string& dag_id, const std::string& version) {
  return uuid8_of(dag_id + "\n" + version);
}

}  // namespace etesian
