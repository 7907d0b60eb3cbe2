#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/time_text.h"
#include "loader/settings.h"

namespace etesian {
namespace {

/// A need as a place to point at: of a task, or of the whole run (task empty).
struct Place {
  const LoadedFile* file;
  const Dag* dag;
  const Need* need;
  std::string task;
};

Diagnostic at(const Place& place, Severity severity, std::string message, std::string hint) {
  Report report(place.file->relative_file, place.dag->definition().source);
  const Need& need = *place.need;
  report.add(severity, {std::max(need.line, 1), std::max(need.column, 1)},
             static_cast<int>(need.dag.size()), std::move(message), std::move(hint));
  return report.take().front();
}

/// Whether the runs of a schedule have data intervals that are longer than nothing.
bool has_intervals(const Schedule& schedule) {
  if (const auto* cron = std::get_if<CronSchedule>(&schedule.kind))
    return cron->interval == IntervalRule::SincePrevious ||
           cron->trigger_interval > Duration::zero();
  if (const auto* every = std::get_if<IntervalSchedule>(&schedule.kind))
    return every->interval == IntervalRule::SincePrevious ||
           every->trigger_interval > Duration::zero();
  return false;
}

class NeedsCheck {
 public:
  NeedsCheck(const std::vector<LoadedFile>& files, const std::optional<Instant>& now) : now_(now) {
    for (const LoadedFile& file : files) {
      ids_.push_back(file.loaded.id);
      if (file.loaded.dag) dags_.emplace(file.loaded.dag->id(), file.loaded.dag.get());
    }
    for (const LoadedFile& file : files) {
      const Dag* dag = file.loaded.dag.get();
      if (!dag) continue;
      for (const Need& need : dag->definition().needs) places_.push_back({&file, dag, &need, ""});
      for (const Task& task : dag->tasks())
        for (const Need& need : task.needs) places_.push_back({&file, dag, &need, task.id});
    }
  }

  std::vector<Diagnostic> check() {
    for (const Place& place : places_) check_one(place);
    check_cycles();
    return std::move(found_);
  }

 private:
  void error(const Place& place, std::string message, std::string hint = {}) {
    found_.push_back(at(place, Severity::Error, std::move(message), std::move(hint)));
  }

  void check_one(const Place& place) {
    const Need& need = *place.need;
    const auto producer = dags_.find(need.dag);
    if (producer == dags_.end()) {
      const bool is_broken = std::find(ids_.begin(), ids_.end(), need.dag) != ids_.end();
      if (!is_broken)
        error(place, fmt::format("'needs' names the unknown dag '{}'", need.dag),
              did_you_mean(need.dag, ids_));
      return;
    }
    const Dag& dag = *producer->second;
    if (!need.task.empty() && !dag.find(need.task)) {
      std::vector<std::string> tasks;
      for (const Task& task : dag.tasks()) tasks.push_back(task.id);
      error(place, fmt::format("dag '{}' has no task '{}'", need.dag, need.task),
            did_you_mean(need.task, tasks));
      return;
    }
    check_schedules(place, dag.definition().schedule, place.dag->definition().schedule);
  }

  void check_schedules(const Place& place, const Schedule& producer, const Schedule& consumer) {
    const Need& need = *place.need;
    if (need.covers == Need::Covers::Latest ||
        std::holds_alternative<ManualSchedule>(consumer.kind))
      return;
    if (std::holds_alternative<ManualSchedule>(producer.kind)) {
      error(place,
            fmt::format("dag '{}' has no schedule: no run of it belongs to a date of this dag",
                        need.dag),
            "write 'covers: latest', or give it a schedule");
      return;
    }
    if (need.covers == Need::Covers::DataInterval && has_intervals(consumer) &&
        !has_intervals(producer)) {
      error(place,
            fmt::format(
                "the runs of dag '{}' have no data interval and can never cover one of this dag",
                need.dag),
            "write 'covers: logical_date' or 'covers: latest'");
      return;
    }
    if (!producer.end) return;
    const bool has_ended = now_ && *producer.end < *now_;
    const bool goes_on = !consumer.end || *consumer.end > *producer.end;
    if (!goes_on) return;
    found_.push_back(at(place, has_ended || !now_ ? Severity::Error : Severity::Warning,
                        fmt::format("dag '{}' {} at {}, and this dag goes on", need.dag,
                                    has_ended ? "ended" : "ends", to_iso_z(*producer.end)),
                        "end this dag too, or take the need out"));
  }

  // Nodes: a DAG's start, each of its tasks, its end.
  int node(const std::string& name) {
    const auto [entry, is_new] = nodes_.emplace(name, static_cast<int>(edges_.size()));
    if (is_new) {
      edges_.emplace_back();
      names_.push_back(name);
    }
    return entry->second;
  }
  void edge(const std::string& from, const std::string& to, int place) {
    const int source = node(from), target = node(to);
    edges_[static_cast<std::size_t>(source)].emplace_back(target, place);
  }

  void add_dag(const Dag& dag) {
    const std::string start = dag.id() + "/<", end = dag.id() + "/>";
    for (TaskIndex i = 0; i < dag.tasks().size(); ++i) {
      const std::string task = dag.id() + "/" + dag.task(i).id;
      edge(start, task, -1);
      edge(task, end, -1);
      for (const TaskIndex d : dag.downstream(i)) edge(task, dag.id() + "/" + dag.task(d).id, -1);
    }
  }

  /// Depth-first; every need that closes a circle is reported with the DAGs on it.
  void check_cycles() {
    std::set<std::string> added;
    for (std::size_t p = 0; p < places_.size(); ++p) {
      const Need& need = *places_[p].need;
      const auto producer = dags_.find(need.dag);
      if (producer == dags_.end() || need.covers == Need::Covers::Latest ||
          need.offset != Duration::zero())
        continue;
      if (!need.task.empty() && !producer->second->find(need.task)) continue;
      for (const Dag* dag : {producer->second, places_[p].dag})
        if (added.insert(dag->id()).second) add_dag(*dag);
      edge(need.dag + "/" + (need.task.empty() ? ">" : need.task),
           places_[p].dag->id() + "/" + (places_[p].task.empty() ? "<" : places_[p].task),
           static_cast<int>(p));
    }
    std::vector<char> state(edges_.size(), 0);  // 0 new, 1 on the path, 2 done
    for (int start = 0; start < static_cast<int>(edges_.size()); ++start) walk(start, state);
  }

  void walk(int start, std::vector<char>& state) {
    if (state[static_cast<std::size_t>(start)] != 0) return;
    struct Step {
      int node;
      std::size_t next;
      int place;  ///< Of the need by which it was reached; -1: none.
    };
    std::vector<Step> path = {{start, 0, -1}};
    state[static_cast<std::size_t>(start)] = 1;
    while (!path.empty()) {
      Step& top = path.back();
      const auto& out = edges_[static_cast<std::size_t>(top.node)];
      if (top.next == out.size()) {
        state[static_cast<std::size_t>(top.node)] = 2;
        path.pop_back();
        continue;
      }
      const auto [target, place] = out[top.next++];
      if (state[static_cast<std::size_t>(target)] == 1) {
        std::vector<std::string> dags;
        int blamed = place;
        bool is_on_circle = false;
        for (const Step& step : path) {
          if (step.node == target)
            is_on_circle = true;
          else if (is_on_circle && step.place >= 0 && blamed < 0)
            blamed = step.place;
          const std::string& name = names_[static_cast<std::size_t>(step.node)];
          const std::string dag = name.substr(0, name.find('/'));
          if (is_on_circle && (dags.empty() || dags.back() != dag)) dags.push_back(dag);
        }
        if (dags.empty() || blamed < 0) continue;
        if (dags.size() > 1 && dags.back() == dags.front()) dags.pop_back();
        dags.push_back(dags.front());
        error(places_[static_cast<std::size_t>(blamed)],
              fmt::format("dags wait for each other: {}", fmt::join(dags, " -> ")),
              "take one of the needs out");
      } else if (state[static_cast<std::size_t>(target)] == 0) {
        state[static_cast<std::size_t>(target)] = 1;
        path.push_back({target, 0, place});
      }
    }
  }

  std::optional<Instant> now_;
  std::vector<std::string> ids_;
  std::map<std::string, const Dag*> dags_;
  std::vector<Place> places_;
  std::vector<Diagnostic> found_;
  std::map<std::string, int> nodes_;
  std::vector<std::string> names_;
  std::vector<std::vector<std::pair<int, int>>> edges_;
};

}  // namespace

std::vector<Diagnostic> check_between(std::vector<LoadedFile>& files,
                                      const std::optional<Instant>& now) {
  std::vector<Diagnostic> found;
  std::map<std::string, std::string> first_file;
  for (LoadedFile& file : files) {
    if (!file.loaded.dag) continue;
    const auto [entry, is_new] = first_file.emplace(file.loaded.dag->id(), file.relative_file);
    if (is_new) continue;
    Diagnostic problem;
    problem.file = file.relative_file;
    problem.message = fmt::format("dag id '{}' is already used by {}", entry->first, entry->second);
    problem.hint = "give one of them another id with 'dag:'";
    found.push_back(std::move(problem));
    file.loaded.dag.reset();
  }
  for (Diagnostic& d : NeedsCheck(files, now).check()) found.push_back(std::move(d));
  return found;
}

}  // namespace etesian
