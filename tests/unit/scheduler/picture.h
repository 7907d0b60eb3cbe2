#pragma once
// A tiny language for scheduler tests: a DAG drawn as text, events by task name, states as text.
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "base/time_text.h"
#include "scheduler/decide.h"
#include "scheduler/gates.h"

namespace etesian::test {

inline Instant at(const std::string& text) { return *instant_from_text(text); }

inline LengthOf length_of(const std::string& text) {
  LengthOf length;
  if (text.find_first_not_of("0123456789") == std::string::npos) {
    length.literal = std::stoi(text);
  } else {
    length.kind = LengthOf::Kind::Output;
    length.task = text;
    length.key = "return_value";
  }
  return length;
}

/// "b: after a c, rule=one_done, retries=2, pool=db" one line a task.
inline DagDefinition drawing(const std::string& id, const std::string& lines) {
  DagDefinition definition;
  definition.id = id;
  definition.version = id + "-1";
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word)) continue;
    if (word.back() == ':') word.pop_back();
    Task task;
    task.id = word;
    if (const auto dot = word.rfind('.'); dot != std::string::npos)
      task.group = word.substr(0, dot);
    task.run = {Command::Kind::Argv, {{"true"}}};
    task.retry.delay = std::chrono::seconds(10);
    while (words >> word) {
      if (word.back() == ',') word.pop_back();
      const auto is = word.find('=');
      const std::string value = is == std::string::npos ? "" : word.substr(is + 1);
      const std::string key = word.substr(0, is);
      if (key == "rule")
        task.trigger_rule = *trigger_rule_from_text(value);
      else if (key == "retries")
        task.retry.times = std::stoi(value);
      else if (key == "pool")
        task.pool = value;
      else if (key == "slots")
        task.pool_slots = std::stoi(value);
      else if (key == "priority")
        task.priority = std::stoi(value), task.weight_rule = WeightRule::Absolute;
      else if (key == "max")
        task.max_active = std::stoi(value);
      else if (key == "map")
        task.map = MapRule{MapRule::Combine::Product, {{"x", value}}, {}, {}};
      else if (key == "over")
        task.map = MapRule{MapRule::Combine::Product, {{"x", TemplateText{value}}}, {}, {}};
      else if (key == "branch")
        task.decides = Decides::Branch;
      else if (key == "short")
        task.decides = Decides::ShortCircuit;
      else if (key == "empty")
        task.run = {};
      else if (key == "setup")
        task.is_setup = true;
      else if (key == "teardown")
        task.is_teardown = true, task.trigger_rule = TriggerRule::AllDoneSetupSuccess;
      else if (key == "worker")
        task.run = {Command::Kind::Worker, {}}, task.airflow.emplace(),
        task.airflow->can_skip_downstream = value == "skips";
      else if (key == "native")
        task.airflow->native = Command{Command::Kind::Shell, {{"true"}}};
      else if (key == "length")  // "length=3", "length=make": mapped over make's output
        task.map = MapRule{MapRule::Combine::Product, {{"x", length_of(value)}}, {}, {}};
      else if (key == "group")
        task.map->group = value;
      else if (key == "past")
        task.depends_on_past = true;
      else if (key == "needs") {
        Need& need = task.needs.emplace_back();
        need.dag = value;
        need.covers = Need::Covers::Latest;
      } else if (key != "after")
        task.after.push_back(word);
    }
    definition.tasks.push_back(std::move(task));
  }
  return definition;
}

/// A world with one agent, moved by hand.
class Stage {
 public:
  Stage() { now = at("2026-03-01T00:00Z"); }
  explicit Stage(const std::string& lines) : Stage() {
    load(drawing("d", lines));
    agent();
    trigger("d");
  }
  Decision send(const Event& event) {
    const Decision d = step(world, event, {now, uptime, ++entropy});
    changes.insert(changes.end(), d.changes.begin(), d.changes.end());
    effects.insert(effects.end(), d.effects.begin(), d.effects.end());
    EXPECT_EQ(world.check(), "");
    return d;
  }
  void load(DagDefinition definition) {
    auto built = Dag::build(std::move(definition));
    ASSERT_TRUE(built) << built.error().message;
    send(DagLoaded{*built});
  }
  void agent(const std::string& session = "s1", std::uint32_t slots = 0) {
    send(ExecutorUp{"local", session, "host", slots});
  }
  RunKey trigger(const std::string& dag_id, std::optional<Instant> date = {}) {
    TriggerRun e;
    e.dag_id = dag_id;
    e.logical_date = date;
    const Decision d = send(e);
    EXPECT_FALSE(d.refused) << d.refused->message;
    return run = d.run;
  }
  void pass(Duration by) { now += by, uptime += by, send(TimeReached{}); }
  InstanceKey key(const std::string& name) {
    const auto bracket = name.find('[');
    InstanceKey k{run, 0, -1};
    k.task = *shown()->find(name.substr(0, bracket));
    if (bracket != std::string::npos) k.map_index = std::stoi(name.substr(bracket + 1));
    return k;
  }
  LaunchId launch(const std::string& name) {
    const auto row = world.instance(key(name));
    const TryRow* open = row ? world.open_try(row->open_try) : nullptr;
    EXPECT_TRUE(open) << name << " has no open try in\n" << states();
    return open ? LaunchId{open->id, open->launch} : LaunchId{};
  }
  void starts(const std::string& name) { send(LaunchStarted{launch(name), 7, "host", now, {}}); }
  void ends(const std::string& name, int code = 0, const std::string& output = "") {
    Outcome o;
    o.exit_code = code, o.output = output, o.started_at = now, o.ended_at = now;
    send(LaunchEnded{launch(name), o});
  }
  /// "a: success, b: queued, m[0]: none"
  std::string states() {
    remember();
    std::string out;
    for (const InstanceRow& row : rows) {
      if (!out.empty()) out += ", ";
      out += dag->task(row.key.task).id;
      if (row.key.map_index >= 0) out += "[" + std::to_string(row.key.map_index) + "]";
      out += ": " + std::string(to_text(row.state));
    }
    return out;
  }
  std::string run_state() {
    for (auto c = changes.rbegin(); c != changes.rend(); ++c) {
      if (const auto* moved = std::get_if<RunChanged>(&*c); moved && moved->row.key == run)
        return std::string(to_text(moved->row.state));
      if (const auto* made = std::get_if<RunCreated>(&*c); made && made->row.key == run)
        return std::string(to_text(made->row.state));
    }
    return "?";
  }
  std::string why(const std::string& name) {
    std::string out;
    for (const Gate& gate : gates(world, key(name), {now, uptime, 0}))
      out += std::string(to_text(gate.kind)) + ": " + gate.sentence + "\n";
    return out;
  }
  static PoolRow pool(const std::string& name, int slots) {
    PoolRow row;
    row.name = name;
    row.slots = slots;
    return row;
  }
  std::shared_ptr<const Dag> shown() {
    if (auto d = world.dag_of(run)) dag = d;
    return dag;
  }

  World world;
  Instant now{};
  Duration uptime = std::chrono::hours(1);
  std::uint64_t entropy = 0;
  RunKey run = 0;
  std::vector<Change> changes;
  std::vector<Effect> effects;

 private:
  /// A finished run is not in the world: its last rows are in the changes.
  void remember() {
    shown();
    if (world.run(run)) {
      rows = world.instances(run);
      return;
    }
    std::map<InstanceKey, InstanceRow> last;
    for (const Change& change : changes) {
      if (const auto* made = std::get_if<RunCreated>(&change); made && made->row.key == run) {
        dag = made->dag;
        for (TaskIndex t = 0; t < dag->tasks().size(); ++t) last[{run, t, -1}].key = {run, t, -1};
      }
      if (const auto* grown = std::get_if<TaskExpanded>(&change); grown && grown->key.run == run) {
        last.erase({run, grown->key.task, -1});
        for (std::int32_t i = 0; i < grown->count; ++i)
          last[{run, grown->key.task, i}].key = {run, grown->key.task, i};
      }
      if (const auto* moved = std::get_if<InstanceChanged>(&change);
          moved && moved->row.key.run == run)
        last[moved->row.key] = moved->row;
    }
    rows.clear();
    for (auto& [k, row] : last) rows.push_back(row);
  }
  std::shared_ptr<const Dag> dag;
  std::vector<InstanceRow> rows;
};

}  // namespace etesian::test
