#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "base/time_text.h"
#include "cli/commands.h"

namespace etesian::cli {
namespace {

std::string dag_path(const std::string& dag_id) {
  return "/api/v2/dags/" + Session::escape(dag_id);
}

int list(const Globals& globals) {
  Session session(globals);
  const json::array dags = session.all("/api/v2/dags", "dags");
  const json::array errors = session.all("/api/v2/importErrors", "import_errors");
  if (print_structured(globals, json::object{{"dags", dags}, {"import_errors", errors}}))
    return kOk;
  std::vector<std::vector<Cell>> rows;
  for (const json::value& dag : dags) {
    const bool paused = dag.at("is_paused").as_bool();
    const bool broken =
        dag.as_object().contains("has_import_errors") && dag.at("has_import_errors").as_bool();
    std::string state = broken ? "broken" : paused ? "paused" : "active";
    rows.push_back({{text_of(dag, "dag_id"), Tone::Strong},
                    {state, broken   ? Tone::Bad
                            : paused ? Tone::Quiet
                                     : Tone::Good},
                    {text_of(dag, "timetable_summary")},
                    {text_of(dag, "next_dagrun_run_after")},
                    {text_of(dag, "description"), Tone::Quiet}});
  }
  print(
      table(globals.terminal, {"DAG", "STATE", "SCHEDULE", "NEXT RUN (UTC)", "DESCRIPTION"}, rows));
  for (const json::value& error : errors)
    print("\n" + paint(globals.terminal, Tone::Bad, "cannot load " + text_of(error, "filename")) +
          "\n" + visible_lines(text_of(error, "stack_trace")));
  return kOk;
}

/// The ids of the tasks that `id` directly follows, joined: the server tells only what comes after
/// a task.
std::string upstream_of(const json::array& tasks, const std::string& id) {
  std::string ids;
  for (const json::value& task : tasks)
    for (const json::value& below : task.at("downstream_task_ids").as_array())
      if (std::string(below.as_string()) == id)
        ids += (ids.empty() ? "" : ", ") + text_of(task, "task_id");
  return ids;
}

int show(const Globals& globals, const std::string& dag_id) {
  Session session(globals);
  const json::value dag = session.get(dag_path(dag_id) + "/details");
  const json::value tasks = session.get(dag_path(dag_id) + "/tasks");
  json::object whole = dag.as_object();
  whole["tasks"] = tasks.at("tasks");
  if (print_structured(globals, whole)) return kOk;
  for (const char* member :
       {"dag_id", "description", "owners", "timetable_summary", "timezone", "is_paused",
        "relative_fileloc", "next_dagrun_run_after", "max_active_runs", "max_active_tasks"})
    print(fmt::format("{:<22} {}\n", member, visible(text_of(dag, member))));
  std::vector<std::vector<Cell>> rows;
  const json::array& all = tasks.at("tasks").as_array();
  for (const json::value& task : all) {
    const std::string after = upstream_of(all, text_of(task, "task_id"));
    rows.push_back({{text_of(task, "task_id"), Tone::Strong},
                    {after},
                    {text_of(task, "trigger_rule")},
                    {text_of(task, "retries")},
                    {text_of(task, "pool")}});
  }
  print("\n" + table(globals.terminal, {"TASK", "AFTER", "TRIGGER RULE", "RETRIES", "POOL"}, rows));
  return kOk;
}

int set_paused(const Globals& globals, const std::vector<std::string>& dag_ids,
               json::value paused) {
  Session session(globals);
  for (const std::string& dag_id : dag_ids) {
    session.patch(dag_path(dag_id), json::object{{"is_paused", paused}});
    print(fmt::format("{} {}\n", visible(dag_id), paused.as_bool() ? "is paused" : "is active"));
  }
  return kOk;
}

std::string quoted_dot(const std::string& id) {
  std::string out = "\"";
  for (const char c : id) out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  return out + "\"";
}

std::string length_of(const json::value& seconds) {
  const std::chrono::duration<double> length(seconds.to_number<double>());
  return (length.count() < 0 ? "-" : "") +
         to_text(std::chrono::duration_cast<Duration>(std::chrono::abs(length)));
}

/// "data_interval, offset -1h, fresh 6h"
std::string label_of(const json::value& edge) {
  std::string label = text_of(edge, "covers");
  if (const json::value& offset = edge.at("offset_s"); offset.to_number<double>() != 0)
    label += ", offset " + length_of(offset);
  if (const json::value& fresh = edge.at("fresh_s"); !fresh.is_null())
    label += ", fresh " + length_of(fresh);
  return label;
}

int graph(const Globals& globals, const std::string& form) {
  Session session(globals);
  const json::value needs = session.get("/api/v2/needs");
  if (form == "json" || globals.format != Format::Table) {
    print(globals.format == Format::Yaml ? to_yaml(needs) : json::serialize(needs) + "\n");
    return kOk;
  }
  std::string out = form == "dot" ? "digraph needs {\n  rankdir=LR;\n" : "";
  for (const json::value& dag : needs.at("dags").as_array()) {
    const std::string id(dag.as_string());
    out += form == "dot" ? "  " + quoted_dot(id) + ";\n" : visible(id) + "\n";
    for (const json::value& edge : needs.at("edges").as_array()) {
      if (text_of(edge, "dag_id") != id) continue;
      const std::string producer = text_of(edge, "needs_dag_id"),
                        task = text_of(edge, "needs_task_id");
      const std::string consumer = text_of(edge, "task_id");
      if (form == "dot") {
        out += fmt::format("  {} -> {} [label={}];\n", quoted_dot(producer), quoted_dot(id),
                           quoted_dot((task.empty() ? "" : task + ": ") + label_of(edge)));
      } else {
        out += visible(fmt::format("  {}needs {}{} ({})", consumer.empty() ? "" : consumer + " ",
                                   producer, task.empty() ? "" : "/" + task, label_of(edge))) +
               "\n";
      }
    }
  }
  print(out + (form == "dot" ? "}\n" : ""));
  return kOk;
}

}  // namespace

void add_dag_commands(CLI::App& app, Globals& globals, Chosen& chosen) {
  CLI::App* dags =
      app.add_subcommand("dags", "List, show, pause and draw DAGs")->require_subcommand(1);
  dags->add_subcommand("list", "All DAGs, their schedules, and files that cannot be loaded")
      ->callback([&] { chosen = [&] { return list(globals); }; });
  const auto with_id = [&](const char* name, const char* help,
                           int (*run)(const Globals&, const std::string&)) {
    auto id = std::make_shared<std::string>();
    CLI::App* command = dags->add_subcommand(name, help);
    command->add_option("DAG", *id, "Id of the DAG")->required();
    command->callback([&globals, &chosen, id, run] {
      chosen = [&globals, id, run] { return run(globals, *id); };
    });
  };
  with_id("show", "One DAG and its tasks", show);
  const auto pausing = [&](const char* name, const char* help, json::value paused) {
    auto ids = std::make_shared<std::vector<std::string>>();
    CLI::App* command = dags->add_subcommand(name, help);
    command->add_option("DAG", *ids, "Ids of the DAGs")->required();
    command->callback([&globals, &chosen, ids, paused] {
      chosen = [&globals, ids, paused] { return set_paused(globals, *ids, paused); };
    });
  };
  pausing("pause", "No new runs; running ones stop after their present tasks", true);
  pausing("unpause", "Run by the schedule again", false);
  auto form = std::make_shared<std::string>("text");
  CLI::App* drawing = dags->add_subcommand("graph", "What each DAG needs of others");
  drawing->add_option("--as", *form, "text, dot (Graphviz) or json")
      ->check(CLI::IsMember({"text", "dot", "json"}));
  drawing->callback(
      [&globals, &chosen, form] { chosen = [&globals, form] { return graph(globals, *form); }; });
}

}  // namespace etesian::cli
