#include "model/dag.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "base/json.h"
#include "base/random.h"

namespace etesian {
namespace {

/// "a; b a; c a b" = task b waits for a, c for a and b.
DagDefinition definition_of(const std::string& picture) {
  DagDefinition definition;
  definition.id = "picture";
  std::istringstream lines(picture);
  for (std::string part; std::getline(lines, part, ';');) {
    std::istringstream words(part);
    Task task;
    words >> task.id;
    for (std::string up; words >> up;) task.after.push_back(up);
    if (const auto dot = task.id.rfind('.'); dot != std::string::npos)
      task.group = task.id.substr(0, dot);
    definition.tasks.push_back(task);
  }
  return definition;
}

std::string order_of(const Dag& dag) {
  std::string text;
  for (const Task& task : dag.tasks()) text += (text.empty() ? "" : " ") + task.id;
  return text;
}

std::string names_of(const Dag& dag, std::span<const TaskIndex> tasks) {
  std::string text;
  for (const TaskIndex i : tasks) text += (text.empty() ? "" : " ") + dag.task(i).id;
  return text;
}

std::string error_of(const std::string& picture) {
  const auto dag = Dag::build(definition_of(picture));
  return dag ? "no error" : dag.error().message;
}

TEST(Dag, OrdersTasksByNeedAndKeepsFileOrderAmongEquals) {
  EXPECT_EQ(order_of(**Dag::build(definition_of("c a b; b; a; d c"))), "b a c d");
  EXPECT_EQ(order_of(**Dag::build(definition_of("z; y; x"))), "z y x");
}

TEST(Dag, NamesEveryMemberOfACycleInOrder) {
  EXPECT_EQ(error_of("start; a start c; b a; c b; tail c"),
            "tasks wait for each other: a -> b -> c -> a");
  EXPECT_EQ(error_of("a a"), "tasks wait for each other: a -> a");
}

TEST(Dag, RefusesRepeatedAndUnknownTasks) {
  EXPECT_EQ(error_of("a; a"), "task 'a' is defined twice");
  EXPECT_EQ(error_of("a b"), "task 'a' waits for 'b', which is not a task of this dag");
}

TEST(Dag, RefusesATeardownOfWhatIsNoSetup) {
  DagDefinition definition = definition_of("a; b a");
  definition.tasks[1].is_teardown = true;
  definition.tasks[1].setups = {"a"};
  EXPECT_EQ(Dag::build(definition).error().message,
            "teardown 'b' takes down 'a', which is not a setup task");
  definition.tasks[0].is_setup = true;
  EXPECT_TRUE(Dag::build(definition));
  definition.tasks[1].is_setup = true;
  EXPECT_EQ(Dag::build(definition).error().message, "task 'b' cannot be both setup and teardown");
}

TEST(Dag, KnowsNeighboursGroupsAndReach) {
  const auto dag = *Dag::build(definition_of("a; g.b a; g.h.c g.b; gg.d a; e g.h.c gg.d"));
  EXPECT_EQ(names_of(*dag, dag->upstream(*dag->find("e"))), "g.h.c gg.d");
  EXPECT_EQ(names_of(*dag, dag->downstream(*dag->find("a"))), "g.b gg.d");
  EXPECT_EQ(names_of(*dag, dag->group_members("g")), "g.b g.h.c");
  EXPECT_EQ(names_of(*dag, dag->group_members("nothing")), "");
  EXPECT_EQ(names_of(*dag, dag->reach_down(*dag->find("g.b"))), "g.b g.h.c e");
  EXPECT_EQ(names_of(*dag, dag->reach_up(*dag->find("gg.d"))), "a gg.d");
  EXPECT_EQ(dag->find("f"), std::nullopt);
}

TEST(Dag, LooksThroughTeardownsForItsLeaves) {
  DagDefinition definition = definition_of("a; work a; clean work");
  definition.tasks[2].is_teardown = true;
  const auto dag = *Dag::build(definition);
  EXPECT_EQ(names_of(*dag, dag->leaves()), "work");
  definition.tasks[2].on_failure_fail_run = true;
  const auto strict = *Dag::build(definition);
  EXPECT_EQ(names_of(*strict, strict->leaves()), "clean");
}

TEST(Dag, ComputesAirflowsPriorityWeights) {
  std::ifstream lines(ETESIAN_SOURCE_DIR "/tests/golden/oracle/priority_weights.jsonl");
  int cases = 0;
  for (std::string line; std::getline(lines, line); ++cases) {
    const json::object vector = json::parse(line).as_object();
    for (const auto& [rule, totals] : vector.at("totals").as_object()) {
      DagDefinition definition;
      for (const auto& weight : vector.at("weights").as_array()) {
        Task task;
        task.id = "t" + std::to_string(definition.tasks.size());
        task.priority = static_cast<int>(weight.as_int64());
        task.weight_rule = *weight_rule_from_text({rule.data(), rule.size()});
        definition.tasks.push_back(task);
      }
      for (const auto& edge : vector.at("edges").as_array()) {
        const auto to = static_cast<std::size_t>(edge.as_array()[1].as_int64());
        definition.tasks[to].after.push_back("t" + std::to_string(edge.as_array()[0].as_int64()));
      }
      const auto dag = *Dag::build(definition);
      for (std::size_t i = 0; i < definition.tasks.size(); ++i) {
        EXPECT_EQ(dag->priority_weight(*dag->find("t" + std::to_string(i))),
                  totals.as_array()[i].as_int64())
            << line << " rule " << rule << " task " << i;
      }
    }
  }
  EXPECT_EQ(cases, 15);
}

TEST(Dag, WeighsLargeGraphsAsTheDefinitionSays) {
  SeededRandom random(7);
  DagDefinition definition;
  std::vector<std::set<std::size_t>> above(1500);
  for (std::size_t i = 0; i < above.size(); ++i) {
    Task task;
    task.id = "t" + std::to_string(i);
    task.priority = static_cast<int>(random.below(i < 600 ? 1 : 50)) + 1;
    task.weight_rule = WeightRule::Upstream;
    for (int e = 0; e < 2 && i > 0; ++e) {
      const std::size_t up = random.below(i);
      if (!above[i].insert(up).second) continue;
      above[i].insert(above[up].begin(), above[up].end());
      if (std::find(task.after.begin(), task.after.end(), "t" + std::to_string(up)) ==
          task.after.end())
        task.after.push_back("t" + std::to_string(up));
    }
    definition.tasks.push_back(task);
  }
  const auto dag = *Dag::build(definition);
  for (std::size_t i = 0; i < above.size(); ++i) {
    int expected = definition.tasks[i].priority;
    for (const std::size_t up : above[i]) expected += definition.tasks[up].priority;
    EXPECT_EQ(dag->priority_weight(*dag->find("t" + std::to_string(i))), expected) << i;
  }
}

TEST(Dag, KeepsWeightsWithinThirtyTwoBits) {
  DagDefinition definition = definition_of("a; b a");
  definition.tasks[0].priority = definition.tasks[1].priority = 2147483647;
  EXPECT_EQ((*Dag::build(definition))->priority_weight(0), 2147483647);
}

}  // namespace
}  // namespace etesian
