#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "loader/outline.h"

namespace etesian {
namespace {

constexpr int kCyclesShownMax = 20;

/// Finds what names mean, and what a group stands for.
class Linker {
 public:
  Linker(Outline& outline, Report& report) : outline_(outline), report_(report) {
    for (std::size_t i = 0; i < outline.tasks.size(); ++i)
      index_.emplace(outline.tasks[i].task.id, Target{static_cast<int>(i), -1});
    for (std::size_t i = 0; i < outline.groups.size(); ++i)
      index_.emplace(outline.groups[i].id, Target{-1, static_cast<int>(i)});
    for (const auto& [id, target] : index_) {
      names_.push_back(id);
      if (const auto dot = id.rfind('.'); dot != std::string::npos)
        names_.push_back(id.substr(dot + 1));
    }
  }

  void link() {
    const auto tasks = outline_.tasks.size(), groups = outline_.groups.size();
    task_after_.resize(tasks);
    group_after_.resize(groups);
    for (std::size_t i = 0; i < tasks; ++i)
      for (const YamlNode* name : outline_.tasks[i].after) resolve_after(i, *name);
    for (std::size_t i = 0; i < groups; ++i)
      for (const YamlNode* name : outline_.groups[i].after) resolve_group_after(i, *name);
    resolve_setups();
    find_ends();
    write_edges();
  }

 private:
  struct Target {
    int task = -1, group = -1;
    friend auto operator<=>(const Target&, const Target&) = default;
  };

  OutlineTask& task(int i) { return outline_.tasks[static_cast<std::size_t>(i)]; }
  OutlineGroup& group(int i) { return outline_.groups[static_cast<std::size_t>(i)]; }

  std::optional<Target> find(const std::string& name, int from) {
    for (int g = from; g >= 0; g = group(g).parent)
      if (const auto found = index_.find(group(g).id + "." + name); found != index_.end())
        return found->second;
    const auto found = index_.find(name);
    return found == index_.end() ? std::nullopt : std::optional(found->second);
  }

  bool is_inside(int member_group, int outer) {
    for (int g = member_group; g >= 0; g = group(g).parent)
      if (g == outer) return true;
    return false;
  }

  std::optional<Target> resolve(const YamlNode& name, int from, const std::string& who) {
    const auto target = find(name.text, from);
    if (!target)
      report_.error(name,
                    fmt::format("{} waits for {}, which is not a task or group of this dag", who,
                                shown(name)),
                    did_you_mean(name.text, names_));
    return target;
  }

  void resolve_after(std::size_t i, const YamlNode& name) {
    OutlineTask& entry = outline_.tasks[i];
    const std::string who = fmt::format("task '{}'", entry.key->text);
    const auto target = resolve(name, entry.group, who);
    if (!target) return;
    if (target->group >= 0 && is_inside(entry.group, target->group)) {
      report_.error(name,
                    fmt::format("{} waits for '{}', the group that it is in", who, name.text));
      return;
    }
    if (std::find(task_after_[i].begin(), task_after_[i].end(), *target) == task_after_[i].end())
      task_after_[i].push_back(*target);
    else
      report_.error(name, fmt::format("{} names '{}' twice", who, name.text));
  }

  void resolve_group_after(std::size_t i, const YamlNode& name) {
    const OutlineGroup& self = outline_.groups[i];
    const std::string who = fmt::format("group '{}'", self.key->text);
    const auto target = resolve(name, self.parent, who);
    if (!target) return;
    const bool is_own = target->task >= 0 ? is_inside(task(target->task).group, static_cast<int>(i))
                                          : is_inside(target->group, static_cast<int>(i)) ||
                                                is_inside(static_cast<int>(i), target->group);
    if (is_own)
      report_.error(name,
                    fmt::format("{} waits for '{}', which it holds or is in", who, name.text));
    else
      group_after_[i].push_back(*target);
  }

  void resolve_setups() {
    for (std::size_t i = 0; i < outline_.tasks.size(); ++i) {
      OutlineTask& entry = outline_.tasks[i];
      for (const YamlNode* name : entry.setups) {
        const auto target = find(name->text, entry.group);
        if (!target || target->task < 0 || !task(target->task).task.is_setup) {
          std::vector<std::string> setups;
          for (const OutlineTask& other : outline_.tasks)
            if (other.task.is_setup) setups.push_back(other.task.id);
          report_.error(*name,
                        fmt::format("teardown '{}' takes down {}, which is not a setup task",
                                    entry.key->text, shown(*name)),
                        target && target->task >= 0
                            ? fmt::format("write 'setup: true' in '{}'", name->text)
                            : did_you_mean(name->text, setups));
          continue;
        }
        entry.task.setups.push_back(task(target->task).task.id);
        if (std::find(task_after_[i].begin(), task_after_[i].end(), *target) ==
            task_after_[i].end())
          task_after_[i].push_back(*target);
      }
    }
  }

  /// First and last tasks of every group, the innermost first: its parents come before it in the
  /// list.
  void find_ends() {
    first_.resize(outline_.groups.size());
    last_.resize(outline_.groups.size());
    for (int g = static_cast<int>(outline_.groups.size()) - 1; g >= 0; --g) {
      std::set<int> has_before, has_behind;
      const auto inside = [&](const Target& t) {
        return t.task >= 0 ? is_inside(task(t.task).group, g)
                           : t.group != g && is_inside(t.group, g);
      };
      const auto note_behind = [&](const Target& t) {
        if (t.task >= 0)
          has_behind.insert(t.task);
        else
          has_behind.insert(last_[static_cast<std::size_t>(t.group)].begin(),
                            last_[static_cast<std::size_t>(t.group)].end());
      };
      for (const int member : group(g).tasks)
        for (const Target& t : task_after_[static_cast<std::size_t>(member)]) {
          if (!inside(t)) continue;
          has_before.insert(member);
          note_behind(t);
        }
      for (int h = g + 1; h < static_cast<int>(outline_.groups.size()); ++h) {
        if (!is_inside(h, g)) continue;
        for (const Target& t : group_after_[static_cast<std::size_t>(h)]) {
          if (!inside(t)) continue;
          has_before.insert(first_[static_cast<std::size_t>(h)].begin(),
                            first_[static_cast<std::size_t>(h)].end());
          note_behind(t);
        }
      }
      for (const int member : group(g).tasks) {
        if (!has_before.contains(member)) first_[static_cast<std::size_t>(g)].push_back(member);
        if (!has_behind.contains(member)) last_[static_cast<std::size_t>(g)].push_back(member);
      }
    }
  }

  void write_edges() {
    for (std::size_t i = 0; i < outline_.tasks.size(); ++i)
      for (const Target& t : task_after_[i]) add_edges(static_cast<int>(i), t);
    for (std::size_t g = 0; g < outline_.groups.size(); ++g)
      for (const Target& t : group_after_[g])
        for (const int member : first_[g]) add_edges(member, t);
    for (OutlineTask& entry : outline_.tasks) {
      std::vector<std::string>& after = entry.task.after;
      std::set<std::string> seen;
      std::erase_if(after, [&](const std::string& id) { return !seen.insert(id).second; });
    }
  }

  void add_edges(int to, const Target& from) {
    std::vector<std::string>& after = task(to).task.after;
    if (from.task >= 0) {
      after.push_back(task(from.task).task.id);
      return;
    }
    for (const int member : last_[static_cast<std::size_t>(from.group)])
      after.push_back(task(member).task.id);
  }

  Outline& outline_;
  Report& report_;
  std::map<std::string, Target> index_;
  std::vector<std::string> names_;
  std::vector<std::vector<Target>> task_after_, group_after_;
  std::vector<std::vector<int>> first_, last_;
};

/// A long cycle by its ends.
std::string shown(const std::vector<std::string>& cycle) {
  constexpr std::ptrdiff_t kEndsShown = 10;
  if (std::ssize(cycle) <= 2 * kEndsShown + 1) return fmt::format("{}", fmt::join(cycle, " -> "));
  return fmt::format(
      "{} -> … {} more … -> {}", fmt::join(cycle.begin(), cycle.begin() + kEndsShown, " -> "),
      std::ssize(cycle) - 2 * kEndsShown, fmt::join(cycle.end() - kEndsShown, cycle.end(), " -> "));
}

/// Reports cycles one by one: each is opened at the edge that closes it, and the search goes on.
void report_cycles(Outline& outline, Report& report) {
  std::vector<Task> tasks;
  std::map<std::string, std::size_t> index;
  for (const OutlineTask& entry : outline.tasks) {
    Task task;
    task.id = entry.task.id;
    task.after = entry.task.after;
    index.emplace(task.id, tasks.size());
    tasks.push_back(std::move(task));
  }
  for (int shown_cycles = 0; shown_cycles < kCyclesShownMax; ++shown_cycles) {
    const std::vector<std::string> cycle = find_cycle(tasks);
    if (cycle.empty()) return;
    const std::string& closing = cycle[cycle.size() - 2];
    const OutlineTask& first = outline.tasks[index.at(cycle.front())];
    const YamlNode* place = first.key;
    for (const YamlNode* name : first.after)
      if (closing == name->text || closing.ends_with("." + name->text)) place = name;
    report.error(*place, "tasks wait for each other: " + shown(cycle),
                 "remove one 'after' of them");
    std::erase(tasks[index.at(cycle.front())].after, closing);
  }
}

}  // namespace

void link_tasks(Outline& outline, Report& report) {
  Linker(outline, report).link();
  report_cycles(outline, report);
}

}  // namespace etesian
