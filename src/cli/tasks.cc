#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"
#include "cli/reference.h"

namespace etesian::cli {
namespace {

struct TaskTarget {
  std::string dag_id, run_id, task_id;
  int map_index = -1;
  std::string path() const {
    std::string p = run_path(dag_id, run_id) + "/taskInstances/" + Session::escape(task_id);
    if (map_index >= 0) p += "/" + std::to_string(map_index);
    return p;
  }
  std::string name() const {
    return visible(dag_id + "/" + run_id + "/" + task_id +
                   (map_index >= 0 ? fmt::format("[{}]", map_index) : ""));
  }
};

TaskTarget find_task(Session& session, const std::string& text) {
  const Reference reference = parse_reference(text, 3);
  return {reference.dag_id, resolve_run(session, reference), reference.task_id,
          reference.map_index};
}

// ---- logs ----

struct LogOptions {
  std::string target;
  int try_number = 0;
  bool follow = false, verify = false, timestamps = false;
};

std::string log_line_text(const Globals& globals, const json::value& line,
                          const LogOptions& options) {
  std::string out;
  if (const json::value* missing = line.as_object().if_contains("missing_before");
      missing && missing->is_number() && missing->to_number<std::uint64_t>() > 0)
    out += paint(globals.terminal, Tone::Warn,
                 fmt::format("-- {} lines missing --", json::serialize(*missing))) +
           "\n";
  const std::string stream = text_of(line, "stream");
  const std::string text = text_of(line, "event");
  if (options.timestamps)
    out += paint(globals.terminal, Tone::Quiet, text_of(line, "timestamp")) + " ";
  const Tone tone = stream == "system"   ? Tone::Quiet
                    : stream == "stderr" ? Tone::Warn
                                         : Tone::Plain;
  // A terminal gets nothing that could steer it.
  return out + (globals.terminal.is_terminal ? paint(globals.terminal, tone, text) : text) + "\n";
}

/// A pipe gets the bytes that the task wrote.
void print_bytes(Session& session, const std::string& path, Query query) {
  query.emplace_back("full_content", "true");
  for (Query paged = query;;) {
    const Session::TextPage page = session.get_text(path, paged);
    print(page.text);
    // A running task's log has no end yet: what is there now was shown.
    if (page.next.empty() || page.text.empty()) return;
    paged = query;
    paged.emplace_back("token", page.next);
  }
}

int newest_try(Session& session, const TaskTarget& target, int asked) {
  if (asked > 0) return asked;
  const int number = session.get(target.path()).at("try_number").to_number<int>();
  if (number == 0)
    throw Failure{kNotFound,
                  fmt::format("read log of {}: it has not been tried yet; ask 'etesian explain'",
                              target.name())};
  return number;
}

int logs(const Globals& globals, const LogOptions& options) {
  Session session(globals);
  const TaskTarget target = find_task(session, options.target);
  const int number = newest_try(session, target, options.try_number);
  const std::string base = run_path(target.dag_id, target.run_id) + "/taskInstances/" +
                           Session::escape(target.task_id) + "/logs/" + std::to_string(number);
  const Query query{{"map_index", std::to_string(target.map_index)}};
  if (options.verify) {
    const json::value verdict = session.get(base + "/verify", query);
    if (!print_structured(globals, verdict)) print(visible(text_of(verdict, "message")) + "\n");
    return verdict.at("complete").as_bool() ? kOk : kFailed;
  }
  if (options.follow) {
    session.events(base + "/stream", query,
                   [&](const std::string&, const std::string& event, const std::string& data) {
                     if (event == "end") return false;
                     if (auto line = parse_json(data))
                       print(log_line_text(globals, *line, options));
                     return true;
                   });
    return kOk;
  }
  if (!globals.terminal.is_terminal && !options.timestamps) {
    print_bytes(session, base, query);
    return kOk;
  }
  Query paged = query;
  for (;;) {
    const json::value page = session.get(base, paged);
    for (const json::value& line : page.at("content").as_array())
      print(log_line_text(globals, line, options));
    const std::string token = text_of(page, "continuation_token");
    // A running task's log has no end yet: what is there now was shown.
    if (token.empty() || page.at("content").as_array().empty()) return kOk;
    paged = query;
    paged.emplace_back("token", token);
  }
}

// ---- explain ----

void print_gates(const Globals& globals, const json::value& answer) {
  const json::array& gates = answer.at("gates").as_array();
  if (gates.empty()) {
    print(fmt::format("  {}\n", visible(text_of(answer, "summary"))));
    return;
  }
  for (const json::value& gate : gates) {
    print("  " + paint(globals.terminal, Tone::Warn, text_of(gate, "kind")) + "  " +
          visible(text_of(gate, "sentence")) + "\n");
    if (const std::string until = text_of(gate, "opens_at"); !until.empty())
      print("      until   " + until + "\n");
    if (const std::string remedy = text_of(gate, "remedy"); !remedy.empty())
      print("      unblock " + visible(remedy) + "\n");
  }
}

int explain(const Globals& globals, const std::string& text) {
  Session session(globals);
  const bool whole_run = std::count(text.begin(), text.end(), '/') < 2;
  std::string path, name;
  if (whole_run) {
    const Reference reference = parse_reference(text, 2);
    path = run_path(reference.dag_id, resolve_run(session, reference));
    name = text;
  } else {
    const TaskTarget target = find_task(session, text);
    path = target.path();
    name = target.name();
  }
  const json::value answer = session.get(path + "/explain");
  if (print_structured(globals, answer)) return kOk;
  const std::string state = text_of(answer, "state");
  print(name + ": " +
        paint(globals.terminal, tone_of_state(state), state.empty() ? "none" : state) + "\n");
  print_gates(globals, answer);
  return kOk;
}

// ---- tasks ----

int list(const Globals& globals, const std::string& text) {
  Session session(globals);
  const Reference reference = parse_reference(text, 2);
  const std::string run_id = resolve_run(session, reference);
  const json::array rows =
      session.all(run_path(reference.dag_id, run_id) + "/taskInstances", "task_instances");
  if (print_structured(globals, rows)) return kOk;
  std::vector<std::vector<Cell>> cells;
  for (const json::value& row : rows) {
    const std::string state = text_of(row, "state");
    std::string id = text_of(row, "task_id");
    if (const int index = row.at("map_index").to_number<int>(); index >= 0)
      id += fmt::format("[{}]", index);
    cells.push_back({{id, Tone::Strong},
                     {state.empty() ? "none" : state, tone_of_state(state)},
                     {text_of(row, "try_number")},
                     {text_of(row, "start_date")},
                     {seconds_text(row.at("duration"))},
                     {text_of(row, "note"), Tone::Quiet}});
  }
  print(
      visible(reference.dag_id + "/" + run_id) + "\n" +
      table(globals.terminal, {"TASK", "STATE", "TRY", "STARTED (UTC)", "SECONDS", "NOTE"}, cells));
  return kOk;
}

struct ClearOptions {
  std::string target;
  bool upstream = false, downstream = false, only_failed = false, dry_run = false;
};

int clear(const Globals& globals, const ClearOptions& options) {
  Session session(globals);
  const bool one_task = std::count(options.target.begin(), options.target.end(), '/') >= 2;
  const Reference reference = parse_reference(options.target, one_task ? 3 : 2);
  const std::string run_id = resolve_run(session, reference);
  json::object body{{"dry_run", options.dry_run},
                    {"dag_run_id", run_id},
                    {"only_failed", options.only_failed},
                    {"include_upstream", options.upstream},
                    {"include_downstream", options.downstream}};
  if (one_task) {
    json::value id = json::value(reference.task_id);
    if (reference.map_index >= 0) id = json::array{reference.task_id, reference.map_index};
    body["task_ids"] = json::array{id};
  }
  const json::value answer = session.post(
      "/api/v2/dags/" + Session::escape(reference.dag_id) + "/clearTaskInstances", body);
  if (print_structured(globals, answer)) return kOk;
  const json::array& rows = answer.at("task_instances").as_array();
  print(fmt::format("{} {} task instances of {}\n", options.dry_run ? "would clear" : "cleared",
                    rows.size(), visible(reference.dag_id + "/" + run_id)));
  for (const json::value& row : rows) {
    const int index = row.at("map_index").to_number<int>();
    print("  " + visible(text_of(row, "task_id")) + (index >= 0 ? fmt::format("[{}]", index) : "") +
          "\n");
  }
  return kOk;
}

int mark(const Globals& globals, const std::string& text, const std::string& state) {
  Session session(globals);
  const TaskTarget target = find_task(session, text);
  session.patch(target.path(), json::object{{"new_state", state}});
  print(target.name() + " is marked " + state + "\n");
  return kOk;
}

int kill(const Globals& globals, const std::string& text) {
  Session session(globals);
  const TaskTarget target = find_task(session, text);
  session.post(target.path() + "/kill", json::object{});
  print("stopping " + target.name() + "; its end follows when its processes are gone\n");
  return kOk;
}

}  // namespace

void add_task_commands(CLI::App& app, Globals& globals, Chosen& chosen) {
  auto log = std::make_shared<LogOptions>();
  CLI::App* reading = app.add_subcommand("logs", "A task's log, in order and complete");
  reading
      ->add_option("TASK", log->target,
                   "DAG/RUN/TASK or DAG/RUN/TASK[INDEX]; RUN may be a date or 'latest'")
      ->required();
  reading->add_option("--try", log->try_number, "Number of the try (default: the newest)");
  reading->add_flag("-f,--follow", log->follow, "Go on until the task ends");
  reading->add_flag("--verify", log->verify,
                    "Prove that the log is complete: count and hash of the exit record");
  reading->add_flag("-t,--timestamps", log->timestamps, "Show when each line was written");
  reading->callback(
      [&globals, &chosen, log] { chosen = [&globals, log] { return logs(globals, *log); }; });

  auto why = std::make_shared<std::string>();
  CLI::App* explaining = app.add_subcommand(
      "explain", "Why a task or run waits, until when, and what would unblock it");
  explaining->add_option("TARGET", *why, "DAG/RUN or DAG/RUN/TASK")->required();
  explaining->callback(
      [&globals, &chosen, why] { chosen = [&globals, why] { return explain(globals, *why); }; });

  CLI::App* tasks = app.add_subcommand("tasks", "List, clear, mark and kill task instances")
                        ->require_subcommand(1);
  auto run = std::make_shared<std::string>();
  CLI::App* listing = tasks->add_subcommand("list", "Task instances of a run");
  listing->add_option("RUN", *run, "DAG/RUN")->required();
  listing->callback(
      [&globals, &chosen, run] { chosen = [&globals, run] { return list(globals, *run); }; });

  auto options = std::make_shared<ClearOptions>();
  CLI::App* clearing = tasks->add_subcommand("clear", "Run finished task instances again");
  clearing->add_option("TARGET", options->target, "DAG/RUN or DAG/RUN/TASK")->required();
  clearing->add_flag("--upstream", options->upstream, "Also everything before");
  clearing->add_flag("--downstream", options->downstream, "Also everything after");
  clearing->add_flag("--only-failed", options->only_failed, "Only failed and upstream_failed ones");
  clearing->add_flag("--dry-run", options->dry_run, "Only say which");
  clearing->callback([&globals, &chosen, options] {
    chosen = [&globals, options] { return clear(globals, *options); };
  });

  auto target = std::make_shared<std::string>();
  auto state = std::make_shared<std::string>("success");
  CLI::App* marking =
      tasks->add_subcommand("mark", "Set the state of a task instance by hand (audited)");
  marking->add_option("TASK", *target, "DAG/RUN/TASK")->required();
  marking->add_option("STATE", *state, "success, failed or skipped")
      ->check(CLI::IsMember({"success", "failed", "skipped"}))
      ->required();
  marking->callback([&globals, &chosen, target, state] {
    chosen = [&globals, target, state] { return mark(globals, *target, *state); };
  });

  auto victim = std::make_shared<std::string>();
  CLI::App* killing =
      tasks->add_subcommand("kill", "Stop a running task: its whole process tree, TERM, then KILL");
  killing->add_option("TASK", *victim, "DAG/RUN/TASK")->required();
  killing->callback([&globals, &chosen, victim] {
    chosen = [&globals, victim] { return kill(globals, *victim); };
  });
}

}  // namespace etesian::cli
