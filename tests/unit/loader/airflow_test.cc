#include "loader/airflow.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "loader/airflow_json.h"
#include "loader/airflow_schema.h"
#include "loader/canonical.h"
#include "unit/loader/airflow_picture.h"

namespace etesian {
namespace {

const std::filesystem::path kGolden = ETESIAN_SOURCE_DIR "/tests/golden/airflow";
const AirflowPlace kPlace{"dags-folder", "/dags", "x.py"};

std::string golden(const std::string& name) { return *read_file(kGolden / name, 16 << 20); }

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

/// Every DAG that make.py had the SDK serialise, those to be refused among them; by file.
std::map<std::string, std::vector<std::string>> serialized_files() {
  std::map<std::string, std::vector<std::string>> files;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".json") && name != "defaults.json")
      files[entry.path().stem().string()] = lines(golden(name));
  }
  return files;
}

std::string message(const Result<DagDefinition>& result) {
  return result ? "loaded" : result.error().message;
}

json::object parsed(const std::string& text) { return parse_json(text)->as_object(); }

/// A DAG of one task (two where `second` is given), written as the SDK does.
struct Draft {
  json::object dag{
      {"dag_id", "d"},
      {"timetable",
       {{"__type", "airflow.timetables.simple.NullTimetable"}, {"__var", json::object{}}}},
      {"tasks", json::array{}}};
  json::object root{{"__version", 3}};

  Draft& task(json::object fields) {
    if (!fields.contains("task_type")) fields["task_type"] = "BashOperator";
    dag["tasks"].as_array().push_back(json::object{{"__type", "operator"}, {"__var", fields}});
    return *this;
  }
  Draft& set(const char* name, json::value value) {
    dag[name] = std::move(value);
    return *this;
  }
  std::string text() const {
    json::object all = root;
    all["dag"] = dag;
    return json::serialize(all);
  }
  Result<DagDefinition> load() const { return definition_from_airflow(text(), kPlace); }
};

/// What python/etesian_airflow/lane.py says of a task.
json::object lane(const std::string& command, json::object more = {}) {
  json::object out{{"kind", "bash"},      {"command", command}, {"env", nullptr},
                   {"append_env", false}, {"cwd", nullptr},     {"skip_on_exit_code", {99}}};
  for (const auto& [name, value] : more) out[name] = value;
  return out;
}

json::value timetable(const std::string& name, json::object fields) {
  return json::object{{"__type", name}, {"__var", std::move(fields)}};
}

TEST(Airflow, reads_each_dag_as_airflows_scheduler_does) {
  int dags = 0;
  for (const auto& [file, texts] : serialized_files()) {
    if (file == "refused") continue;
    std::string picture;
    for (const std::string& text : texts) {
      const auto definition = definition_from_airflow(text, kPlace);
      ASSERT_TRUE(definition) << file << ": " << definition.error().message;
      picture += test::AirflowPicture::of(*definition);
      EXPECT_EQ(definition->folder, "/dags");
      EXPECT_EQ(definition->relative_file, "x.py");
      ++dags;
    }
    EXPECT_EQ(picture, golden(file + ".txt")) << file;
  }
  EXPECT_GT(dags, 150);
}

TEST(Airflow, refuses_what_the_engine_cannot_do_and_names_it) {
  std::string text;
  for (const std::string& dag : lines(golden("refused.json")))
    text += std::string(parsed(dag).at("dag").at("dag_id").as_string()) + ": " +
            message(definition_from_airflow(dag, kPlace)) + "\n";
  EXPECT_EQ(text, golden("refused.txt"));
}

TEST(Airflow, refuses_what_only_plugins_know) {
  EXPECT_EQ(message(Draft().set("timetable", timetable("my.plugin.Workdays", {})).load()),
            "unsupported: timetable of a plugin (my.plugin.Workdays): use a cron expression or a "
            "timedelta");
  EXPECT_EQ(message(Draft().task({{"task_id", "a"}, {"weight_rule", "my.plugin.Strategy"}}).load()),
            "unsupported: task 'a': 'weight_rule' is my.plugin.Strategy: use 'downstream', "
            "'upstream' or 'absolute'");
  EXPECT_EQ(message(Draft().task({{"task_id", "a"}, {"executor", "KubernetesExecutor"}}).load()),
            "unsupported: executor 'KubernetesExecutor' of task 'a': leave 'executor' out, or use "
            "LocalExecutor");
  Draft old;
  old.root["__version"] = 2;
  EXPECT_EQ(message(old.load()),
            "unsupported: format version 2 of serialised dags: use apache-airflow 3.3");
  EXPECT_EQ(message(Draft()
                        .set("timetable",
                             timetable("airflow.timetables.interval.CronDataInterval"
                                       "Timetable",
                                       {{"expression", "0 0 * * *"}, {"timezone", "Asia/Soul"}}))
                        .load()),
            "unsupported: schedule '0 0 * * *': find time zone 'Asia/Soul': there is no such zone; "
            "did you mean 'Asia/Seoul'?");
}

TEST(Airflow, every_golden_dag_builds_and_survives_storage) {
  for (const auto& [file, texts] : serialized_files()) {
    for (const std::string& text : texts) {
      const auto loaded = definition_from_airflow(text, kPlace);
      if (!loaded) {
        EXPECT_EQ(file, "refused") << loaded.error().message;
        continue;
      }
      EXPECT_TRUE(Dag::build(*loaded)) << loaded->id;
      EXPECT_EQ(loaded->canonical, to_canonical(*loaded, CanonicalUse::Storage));
      EXPECT_EQ(loaded->version, version_of(*loaded, ""));
      const auto back = definition_from_canonical(loaded->canonical);
      ASSERT_TRUE(back) << back.error().message;
      EXPECT_EQ(back->version, loaded->version);
      EXPECT_EQ(back->canonical, loaded->canonical);
      EXPECT_EQ(back->airflow, loaded->airflow);
      EXPECT_EQ(back->tasks, loaded->tasks);
      EXPECT_EQ(back->schedule, loaded->schedule);
      EXPECT_EQ(back->params_schema, loaded->params_schema);
      EXPECT_EQ(back->folder + back->relative_file, "/dagsx.py");
    }
  }
}

TEST(Airflow, stored_text_that_is_damaged_is_corrupt) {
  for (const char* text :
       {R"({"airflow":5})", R"({"airflow":{"bundle":"b","folder":"f","relative_file":"r"}})",
        R"({"airflow":{"bundle":"b","folder":"f","relative_file":"r"},"serialized":"{}"})",
        R"({"airflow":{"bundle":"b","folder":5,"relative_file":"r"},"serialized":"{}"})"}) {
    const auto back = definition_from_canonical(text);
    ASSERT_FALSE(back) << text;
    EXPECT_EQ(back.error().code, ErrorCode::Corrupt) << text;
  }
}

// ---- versions ----

std::string version_after(const std::string& text, const std::function<void(json::object&)>& edit) {
  json::object root = parsed(text);
  edit(root);
  return definition_from_airflow(json::serialize(root), kPlace)->version;
}

json::object& task_of(json::object& root, std::size_t at) {
  return root["dag"].as_object()["tasks"].as_array()[at].as_object()["__var"].as_object();
}

TEST(AirflowVersion, says_nothing_about_places_and_colours) {
  const std::string text = lines(golden("mapping.json")).front();
  const std::string version = definition_from_airflow(text, kPlace)->version;
  EXPECT_EQ(definition_from_airflow(text, {"dags-folder", "/other", "y.py"})->version, version);
  EXPECT_NE(definition_from_airflow(text, {"other", "/dags", "x.py"})->version, version);
  EXPECT_EQ(version_after(text,
                          [](json::object& root) {
                            json::object& dag = root["dag"].as_object();
                            dag["fileloc"] = "/elsewhere/y.py";
                            dag["relative_fileloc"] = "y.py";
                            dag["_processor_dags_folder"] = "/elsewhere";
                            task_of(root, 0)["ui_color"] = "#123456";
                            dag["task_group"].as_object()["ui_color"] = "red";
                          }),
            version);
}

TEST(AirflowVersion, says_nothing_about_the_path_in_module_names) {
  const auto version = [](const std::string& module) {
    return Draft().task({{"task_id", "a"}, {"_task_module", module}}).load()->version;
  };
  const std::string hash(40, 'a'), other(40, 'b');
  EXPECT_EQ(version("unusual_prefix_" + hash + "_etl"),
            version("unusual_prefix_" + other + "_etl"));
  EXPECT_NE(version("unusual_prefix_" + hash + "_etl"), version("unusual_prefix_" + hash + "_elt"));
}

TEST(AirflowVersion, says_all_that_changes_the_work) {
  const std::string text = lines(golden("mapping.json")).front();
  const std::string version = definition_from_airflow(text, kPlace)->version;
  EXPECT_NE(version_after(text, [](json::object& root) { task_of(root, 0)["retries"] = 1; }),
            version);
  EXPECT_NE(version_after(text,
                          [](json::object& root) {
                            root["client_defaults"] = {{"tasks", {{"retries", 3}}}};
                          }),
            version);
  const auto mapped = [](json::object arguments) {
    return Draft()
        .task(
            {{"task_id", "a"},
             {"_is_mapped", true},
             {"_expand_input_attr", "expand_input"},
             {"expand_input",
              {{"type", "dict-of-lists"}, {"value", {{"__type", "dict"}, {"__var", arguments}}}}}})
        .load();
  };
  const json::array one{1}, two{1, 2};
  EXPECT_NE(mapped({{"x", one}, {"y", two}})->version, mapped({{"y", two}, {"x", one}})->version);
}

// ---- where values come from ----

TEST(Airflow, defaults_are_those_of_the_schema) {
  const json::object schema = parsed(golden("defaults.json"));
  for (const auto& [name, value] : airflow_json::operator_defaults()) {
    ASSERT_TRUE(schema.contains(name)) << name;
    EXPECT_EQ(canonical_json(schema.at(name)), canonical_json(value)) << name;
  }
}

TEST(Airflow, a_value_is_the_tasks_own_or_partial_or_of_the_client) {
  Draft draft;
  draft.root["client_defaults"] = {
      {"tasks", {{"retries", 3}, {"queue", "q"}, {"owner", "o"}, {"retry_delay", 60.0}}}};
  draft.task({{"task_id", "plain"}})
      .task({{"task_id", "own"}, {"retries", 1}, {"retry_delay", 5.0}})
      .task({{"task_id", "mapped"},
             {"_is_mapped", true},
             {"_expand_input_attr", "expand_input"},
             {"partial_kwargs",
              {{"retries", 2}, {"retry_delay", {{"__type", "timedelta"}, {"__var", 7.5}}}}},
             {"expand_input", {{"type", "list-of-dicts"}, {"value", json::array{}}}}});
  const auto dag = draft.load();
  ASSERT_TRUE(dag) << dag.error().message;
  EXPECT_EQ(test::AirflowPicture::of(*dag),
            "dag d: 'None' manual\n"
            "  from - to - runs 16 tasks 16 timeout - paused owner o tags []\n"
            "  plain: worker BashOperator retries 3 every 60 x1 most - queue q\n"
            "  own: worker BashOperator retries 1 every 5 x1 most - queue q\n"
            "  mapped: worker BashOperator map expand_kwargs=0 retries 2 every 7.5 x1 most - "
            "queue q\n");
}

TEST(Airflow, callbacks_and_owners_of_tasks_are_known) {
  const auto dag =
      Draft()
          .set("has_on_failure_callback", true)
          .task({{"task_id", "a"}, {"owner", "me"}, {"has_on_failure_callback", true}})
          .task({{"task_id", "b"},
                 {"_is_mapped", true},
                 {"_expand_input_attr", "expand_input"},
                 {"partial_kwargs", {{"has_on_retry_callback", true}, {"owner", "you"}}},
                 {"expand_input", {{"type", "list-of-dicts"}, {"value", json::array{}}}}})
          .load();
  ASSERT_TRUE(dag) << dag.error().message;
  EXPECT_FALSE(dag->airflow->has_success_callback);
  EXPECT_TRUE(dag->airflow->has_failure_callback);
  const AirflowTask &a = *dag->tasks[0].airflow, &b = *dag->tasks[1].airflow;
  EXPECT_TRUE(a.has_failure_callback && !a.has_retry_callback && a.owner == "me");
  EXPECT_TRUE(!b.has_failure_callback && b.has_retry_callback && b.owner == "you");
  EXPECT_EQ(dag->owner, "me");  // Airflow does not look into mapped tasks for it
}

// ---- texts that no SDK wrote ----

TEST(Airflow, malformed_text_is_an_error_that_says_where) {
  EXPECT_EQ(message(definition_from_airflow("{", kPlace)),
            "read serialised dag: at byte 1: incomplete JSON");
  EXPECT_EQ(message(definition_from_airflow("[]", kPlace)),
            "read serialised dag: the object is not an object");
  EXPECT_EQ(message(definition_from_airflow("{}", kPlace)),
            "read serialised dag: the object has no '__version'");
  EXPECT_EQ(message(Draft().task({{"task_id", "a"}, {"retries", "many"}}).load()),
            "read serialised dag: task 'a': 'retries' is not a number");
  EXPECT_EQ(
      message(
          Draft().task({{"task_id", "a"}, {"downstream_task_ids", json::array{"ghost"}}}).load()),
      "read serialised dag: task 'a': 'downstream_task_ids' names 'ghost', which is not a task of "
      "this dag");
  EXPECT_EQ(message(Draft().task({{"task_id", "a"}}).task({{"task_id", "a"}}).load()),
            "read serialised dag: task 'a' is defined twice");
  EXPECT_FALSE(definition_from_airflow(std::string(100'000, '['), kPlace));
}

TEST(Airflow, a_cycle_is_found_when_the_dag_is_built) {
  const auto definition = Draft()
                              .task({{"task_id", "a"}, {"downstream_task_ids", json::array{"b"}}})
                              .task({{"task_id", "b"}, {"downstream_task_ids", json::array{"a"}}})
                              .load();
  ASSERT_TRUE(definition);
  const auto built = Dag::build(*definition);
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().message, "tasks wait for each other: a -> b -> a");
}

TEST(Airflow, lengths_beyond_reason_are_cut) {
  const auto definition =
      Draft().task({{"task_id", "a"}, {"retry_delay", 1e300}, {"retries", 1e18}}).load();
  ASSERT_TRUE(definition);
  EXPECT_EQ(definition->tasks[0].retry.delay, std::chrono::hours(24 * 36600));
  EXPECT_EQ(definition->tasks[0].retry.times, std::numeric_limits<int>::max());
}

/// Changes one place of a JSON text at random, as a bug or an attacker might.
class Damage {
 public:
  explicit Damage(std::uint64_t seed) : random_(seed) {}

  void to(json::value& value, int depth = 0) {
    if (depth > 12 || random_.below(depth < 4 ? 40 : 6) == 0) {
      value = other();
    } else if (json::object* object = value.if_object(); object && !object->empty()) {
      const auto at = object->begin() + random_.below(object->size());
      if (random_.below(8) == 0)
        object->erase(at);
      else
        to(at->value(), depth + 1);
    } else if (json::array* array = value.if_array(); array && !array->empty()) {
      json::value& item = (*array)[random_.below(array->size())];
      if (random_.below(8) == 0)
        array->push_back(json::value(item));
      else
        to(item, depth + 1);
    } else {
      value = other();
    }
  }

 private:
  json::value other() {
    switch (random_.below(12)) {
      case 0: return nullptr;
      case 1: return true;
      case 2: return -1;
      case 3: return 1e308;
      case 4: return 1.5;
      case 5: return "";
      case 6: return "a";
      case 7: return json::array{};
      case 8: return json::array{json::array{1, 2}};
      case 9: return json::object{};
      case 10: return json::object{{"__type", "dict"}, {"__var", json::object{{"x", 1}}}};
      default:
        return json::object{{"__type", "xcomref"},
                            {"__var", json::object{{"type", "zip"}, {"args", json::array{}}}}};
    }
  }
  SeededRandom random_;
};

TEST(Airflow, damaged_dags_are_errors_or_dags_never_a_crash) {
  std::vector<std::string> texts;
  for (const auto& [file, dags] : serialized_files())
    for (const std::string& dag : dags)
      if (dag.size() < 8000) texts.push_back(dag);
  int loaded = 0, refused = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    json::value value = parsed(texts[seed % texts.size()]);
    Damage damage(seed);
    for (std::uint64_t n = 0; n <= seed % 3; ++n) damage.to(value);
    const auto definition = definition_from_airflow(json::serialize(value), kPlace);
    if (!definition) {
      EXPECT_EQ(definition.error().code, ErrorCode::InvalidInput);
      EXPECT_TRUE(definition.error().message.starts_with("unsupported: ") ||
                  definition.error().message.starts_with("read serialised dag: "))
          << definition.error().message;
      ++refused;
      continue;
    }
    ++loaded;
    (void)Dag::build(*definition);
    const auto back = definition_from_canonical(definition->canonical);
    ASSERT_TRUE(back) << seed;
    EXPECT_EQ(back->version, definition->version) << seed;
  }
  EXPECT_GT(loaded, 300);
  EXPECT_GT(refused, 500);
}

TEST(Airflow, cut_texts_are_errors) {
  const std::string text = lines(golden("mapping.json")).front();
  for (std::size_t size = 0; size < text.size(); size += 7)
    EXPECT_FALSE(definition_from_airflow(text.substr(0, size), kPlace)) << size;
}

// ---- params ----

TEST(AirflowParams, values_fit_a_schema_where_airflow_says_so) {
  int checked = 0;
  for (const std::string& line : lines(golden("param_checks.jsonl"))) {
    const json::object row = parsed(line);
    const auto found = airflow_json::schema_mismatch(row.at("value"), row.at("schema"));
    EXPECT_EQ(!found, row.at("valid").as_bool()) << line << "\n" << found.value_or("fits");
    EXPECT_FALSE(airflow_json::unchecked_keyword(row.at("schema"))) << line;
    ++checked;
  }
  EXPECT_GT(checked, 150);
}

std::string conf_problem(const std::string& schema, const std::string& conf) {
  const auto checked = check_airflow_conf(schema, conf);
  return checked ? "fits" : checked.error().message;
}

TEST(AirflowParams, conf_is_laid_over_the_defaults) {
  const std::string schema =
      R"({"n":{"type":"integer","minimum":1,"maximum":9,"default":3},"must":{"type":"string"}})";
  EXPECT_EQ(conf_problem(schema, R"({"must":"x"})"), "fits");
  EXPECT_EQ(conf_problem(schema, R"({"must":"x","n":9,"extra":[1]})"), "fits");
  EXPECT_EQ(conf_problem(schema, ""), "Invalid input for param must: No value passed");
  EXPECT_EQ(conf_problem(schema, R"({"must":5,"n":50})"),
            "Invalid input for param n: 50 is greater than the maximum of 9; "
            "Invalid input for param must: 5 is not of type 'string'");
  EXPECT_EQ(conf_problem("{}", R"({"any":1})"), "fits");
  EXPECT_EQ(conf_problem(R"({"n":{"type":"string","default":null}})", "{}"),
            "Invalid input for param n: None is not of type 'string'");
  EXPECT_EQ(conf_problem(schema, "[]"), "check conf: 'conf' must be a JSON object");
}

TEST(AirflowParams, a_long_text_under_a_hard_pattern_takes_no_time) {
  const std::string schema = R"({"p":{"pattern":"^(a|a?)+$"}})";
  EXPECT_NE(conf_problem(schema, R"({"p":")" + std::string(200'000, 'a') + R"(!"})"), "fits");
}

TEST(AirflowParams, keywords_that_cannot_be_checked_are_named) {
  const auto named = [](const char* schema) {
    return airflow_json::unchecked_keyword(*parse_json(schema)).value_or("");
  };
  EXPECT_EQ(named(R"({"items":{"anyOf":[{"$ref":"#/x"}]}})"), "'$ref'");
  EXPECT_EQ(named(R"-({"properties":{"a":{"pattern":"(?=a)"}}})-"), "the pattern '(?=a)'");
  EXPECT_EQ(named(R"({"default":{"$ref":"data"},"enum":[{"$ref":1}]})"), "");
}

TEST(AirflowLane, A_task_takes_what_the_parse_says_of_it) {
  Draft draft;
  draft.task({{"task_id", "a"}}).task({{"task_id", "b"}}).task({{"task_id", "c"}});
  draft.set("params", json::array{json::array{"n", json::object{{"default", 1}}}});
  draft.root["etesian"] = {
      {"lanes",
       {{"a", lane("echo {{ ds }} {{ params.n }}", {{"env", {{"B", "x"}, {"A", "{{ run_id }}"}}},
                                                    {"append_env", true},
                                                    {"cwd", "/tmp"},
                                                    {"skip_on_exit_code", {3, 7}},
                                                    {"timeout_s", 1.5}})},
        {"b", lane("true", {{"env", json::object{}}, {"skip_on_exit_code", json::array{}}})}}}};
  const auto dag = draft.load();
  ASSERT_TRUE(dag) << message(dag);
  const Task &a = dag->tasks[0], &b = dag->tasks[1], &c = dag->tasks[2];
  ASSERT_TRUE(a.airflow->native && b.airflow->native);
  EXPECT_EQ(a.run.kind, Command::Kind::Worker);
  EXPECT_EQ(a.airflow->native->words[0].text, "echo {{ ds }} {{ params.n }}");
  const decltype(Task::environment) environment{{"B", {"x"}}, {"A", {"{{ run_id }}"}}};
  EXPECT_EQ(a.environment, environment);
  EXPECT_TRUE(a.airflow->native_has_environment && a.airflow->native_inherits_environment);
  EXPECT_EQ(a.working_folder->text, "/tmp");
  EXPECT_EQ(a.skip_on_exit, (std::vector<int>{3, 7}));
  EXPECT_EQ(*a.timeout, std::chrono::milliseconds(1500));
  EXPECT_TRUE(b.airflow->native_has_environment && !b.airflow->native_inherits_environment);
  EXPECT_TRUE(b.skip_on_exit.empty() && !b.working_folder && !b.timeout);
  EXPECT_FALSE(c.airflow->native);
}

TEST(AirflowLane, What_our_templates_do_not_know_is_left_to_the_worker) {
  for (const std::string text :
       {"{{ nothing }}", "{{ params.other }}", "{{ ds", "{% include 'x' %}"}) {
    Draft draft;
    draft.task({{"task_id", "a"}});
    draft.root["etesian"] = {{"lanes", {{"a", lane(text)}}}};
    EXPECT_FALSE(draft.load()->tasks[0].airflow->native) << text;
    draft.root["etesian"] = {{"lanes", {{"a", lane("true", {{"env", {{"A", text}}}})}}}};
    const auto dag = draft.load();
    EXPECT_FALSE(dag->tasks[0].airflow->native) << text;
    EXPECT_TRUE(dag->tasks[0].environment.empty());
  }
  Draft later;
  later.task({{"task_id", "a"}});
  later.root["etesian"] = {{"lanes", {{"a", {{"kind", "of a later release"}}}}}};
  EXPECT_FALSE(later.load()->tasks[0].airflow->native);
}

TEST(AirflowLane, It_is_a_part_of_the_version_and_of_what_is_stored) {
  Draft draft;
  draft.task({{"task_id", "a"}});
  const auto without = draft.load();
  draft.root["etesian"] = {{"lanes", {{"a", lane("true")}}}};
  const auto with = draft.load();
  draft.root["etesian"] = {{"lanes", {{"a", lane("true", {{"skip_on_exit_code", {7}}})}}}};
  EXPECT_NE(without->version, with->version);
  EXPECT_NE(draft.load()->version, with->version);
  const auto again = definition_from_canonical(with->canonical);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->version, with->version);
  EXPECT_EQ(again->tasks, with->tasks);
}

TEST(AirflowParams, A_conf_lies_over_the_defaults_as_in_the_sdk) {
  const std::string schema =
      R"({"n":{"default":1,"type":"integer"},"free":{"default":null},"must":{"type":"string"}})";
  EXPECT_EQ(parsed(airflow_params(schema, "{}")), parsed(R"({"n":1,"free":null})"));
  EXPECT_EQ(parsed(airflow_params(schema, R"({"n":5,"other":[1]})")),
            parsed(R"({"n":5,"free":null,"other":[1]})"));
  EXPECT_EQ(airflow_params("{}", "{}"), "{}");
}

}  // namespace
}  // namespace etesian
