#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/time_text.h"
#include "cli/commands.h"
#include "cli/reference.h"

namespace etesian::cli {
namespace {

std::string runs_path(const std::string& dag_id) {
  return "/api/v2/dags/" + Session::escape(dag_id) + "/dagRuns";
}

std::vector<Cell> run_cells(const json::value& run) {
  const std::string state = text_of(run, "state");
  return {{text_of(run, "dag_run_id"), Tone::Strong},
          {state, tone_of_state(state)},
          {text_of(run, "run_type")},
          {text_of(run, "start_date")},
          {seconds_text(run.at("duration"))},
          {text_of(run, "note"), Tone::Quiet}};
}

int list(const Globals& globals, const std::string& dag_id, const std::vector<std::string>& states,
         int limit) {
  Session session(globals);
  Query query{{"order_by", "-run_after"}, {"limit", std::to_string(limit)}};
  for (const std::string& state : states) query.emplace_back("state", state);
  const json::value page = session.get(runs_path(dag_id), query);
  if (print_structured(globals, page)) return kOk;
  std::vector<std::vector<Cell>> rows;
  for (const json::value& run : page.at("dag_runs").as_array()) rows.push_back(run_cells(run));
  print(
      table(globals.terminal, {"RUN", "STATE", "TYPE", "STARTED (UTC)", "SECONDS", "NOTE"}, rows));
  if (const auto total = page.at("total_entries").to_number<std::int64_t>();
      total > std::ssize(rows))
    print(fmt::format("{} of {} runs; see more with --limit\n", rows.size(), total));
  return kOk;
}

// ---- trigger ----

struct TriggerOptions {
  std::string dag_id, run_id, logical_date, conf, note;
  std::vector<std::string> params;
  bool wait = false;
};

json::object conf_of(const TriggerOptions& options) {
  json::object conf;
  if (!options.conf.empty()) {
    auto given = parse_json(options.conf);
    if (!given || !given->is_object())
      throw Failure{kUsage,
                    "read --conf: " + (given ? "is not a JSON object" : given.error().message)};
    conf = given->as_object();
  }
  for (const std::string& param : options.params) {
    const std::size_t equals = param.find('=');
    if (equals == std::string::npos)
      throw Failure{kUsage, "read --param '" + param + "': expected NAME=VALUE"};
    const std::string value = param.substr(equals + 1);
    auto parsed = parse_json(value);
    conf[param.substr(0, equals)] = parsed ? *parsed : json::value(value);
  }
  return conf;
}

/// Calls `on_change` at once and after each change of the DAG until it returns false.
void watch_changes(const Globals& globals, const std::string& dag_id,
                   const std::function<bool()>& on_change) {
  if (!on_change()) return;
  Session stream(globals);
  bool go_on = true;
  const SystemClock clock;
  Duration drawn = clock.uptime();
  constexpr Duration kFrame = std::chrono::milliseconds(100);
  while (go_on) {
    stream.events("/api/v2/events", {{"dag_id", dag_id}},
                  [&](const std::string&, const std::string&, const std::string& data) {
                    const bool is_end = data.find("\"run\"") != std::string::npos;
                    if (!is_end && clock.uptime() - drawn < kFrame) return true;
                    drawn = clock.uptime();
                    go_on = on_change();
                    return go_on;
                  });
    if (go_on) go_on = on_change();
  }
}

int wait_for(Session& session, const Globals& globals, const std::string& dag_id,
             const std::string& run_id) {
  std::string state;
  watch_changes(globals, dag_id, [&] {
    state = text_of(session.get(run_path(dag_id, run_id)), "state");
    return state != "success" && state != "failed";
  });
  print(visible(dag_id + "/" + run_id) + " " +
        paint(globals.terminal, tone_of_state(state), state) + "\n");
  return state == "success" ? kOk : kFailed;
}

int trigger(const Globals& globals, const TriggerOptions& options) {
  Session session(globals);
  json::object body{{"conf", conf_of(options)}, {"logical_date", nullptr}};
  if (!options.logical_date.empty()) body["logical_date"] = options.logical_date;
  if (!options.run_id.empty()) body["dag_run_id"] = options.run_id;
  if (!options.note.empty()) body["note"] = options.note;
  const json::value run = session.post(runs_path(options.dag_id), body);
  const std::string run_id = text_of(run, "dag_run_id");
  if (!print_structured(globals, run)) print(visible(options.dag_id + "/" + run_id) + "\n");
  return options.wait ? wait_for(session, globals, options.dag_id, run_id) : kOk;
}

// ---- watch ----

struct StateCounts {
  std::map<std::string, int> by_state;
  int total = 0;
};

std::string progress_bar(const Globals& globals, const StateCounts& counts, int width) {
  static const std::pair<const char*, Tone> kOrder[] = {
      {"success", Tone::Good},        {"skipped", Tone::Quiet},     {"failed", Tone::Bad},
      {"upstream_failed", Tone::Bad}, {"up_for_retry", Tone::Warn}, {"running", Tone::Strong}};
  std::string bar;
  int drawn = 0;
  for (const auto& [state, tone] : kOrder) {
    const auto found = counts.by_state.find(state);
    if (found == counts.by_state.end() || found->second == 0) continue;
    const int cells =
        std::min(width - drawn, std::max(1, found->second * width / std::max(1, counts.total)));
    std::string piece;
    for (int i = 0; i < cells; ++i) piece += std::string_view(state) == "running" ? "▒" : "█";
    bar += paint(globals.terminal, tone, piece);
    drawn += cells;
  }
  for (; drawn < width; ++drawn) bar += "·";
  return bar;
}

std::string watch_frame(Session& session, const Globals& globals, const std::string& dag_id,
                        bool& any_active) {
  const json::value page =
      session.get(runs_path(dag_id), {{"order_by", "-run_after"}, {"limit", "15"}});
  std::string out = paint(globals.terminal, Tone::Strong, dag_id) +
                    fmt::format("  {} runs\n", page.at("total_entries").to_number<std::int64_t>());
  any_active = false;
  for (const json::value& run : page.at("dag_runs").as_array()) {
    const std::string run_id = text_of(run, "dag_run_id"), state = text_of(run, "state");
    StateCounts counts;
    std::string busy;
    for (const json::value& row :
         session.all(run_path(dag_id, run_id) + "/taskInstances", "task_instances")) {
      const std::string task_state = text_of(row, "state");
      ++counts.by_state[task_state];
      ++counts.total;
      if (task_state == "running" || task_state == "up_for_retry")
        busy += (busy.empty() ? "" : " ") + text_of(row, "task_id");
    }
    any_active = any_active || state == "running" || state == "queued";
    const std::string head = fmt::format("{:<44.44} ", visible(run_id));
    out += head + progress_bar(globals, counts, 24) + " " +
           paint(globals.terminal, tone_of_state(state), fmt::format("{:<8}", state)) +
           fmt::format(" {:>4}/{:<4} ", counts.by_state["success"], counts.total) +
           visible(busy).substr(0, 40) + "\n";
  }
  return out;
}

enum class Until { Interrupted, Idle };

int watch(const Globals& globals, const std::string& dag_id, Until until) {
  Session session(globals);
  const bool redraw = globals.terminal.is_terminal;
  std::string last;
  watch_changes(globals, dag_id, [&] {
    bool any_active = false;
    const std::string frame = watch_frame(session, globals, dag_id, any_active);
    if (frame != last)
      print((redraw ? "\033[H\033[2J" : "") + frame +
            (redraw ? "\nCtrl-C ends the watch, not the runs\n" : "\n"));
    last = frame;
    return any_active || (redraw && until == Until::Interrupted);
  });
  return kOk;
}

int show(const Globals& globals, const std::string& text) {
  Session session(globals);
  const Reference reference = parse_reference(text, 2);
  const json::value run = session.get(run_path(reference.dag_id, resolve_run(session, reference)));
  if (print_structured(globals, run)) return kOk;
  for (const auto& [name, value] : run.as_object())
    if (!value.is_null())
      print(fmt::format("{:<24} {}\n", std::string_view(name),
                        visible(text_of(run, std::string_view(name)))));
  return kOk;
}

int mark(const Globals& globals, const std::string& text, const std::string& state) {
  Session session(globals);
  const Reference reference = parse_reference(text, 2);
  const std::string run_id = resolve_run(session, reference);
  session.patch(run_path(reference.dag_id, run_id), json::object{{"state", state}});
  print(visible(reference.dag_id + "/" + run_id) + " is marked " + state + "\n");
  return kOk;
}

int remove(const Globals& globals, const std::string& text) {
  Session session(globals);
  const Reference reference = parse_reference(text, 2);
  const std::string run_id = resolve_run(session, reference);
  session.remove(run_path(reference.dag_id, run_id));
  print("deleted " + visible(reference.dag_id + "/" + run_id) + "\n");
  return kOk;
}

// ---- backfill ----

struct BackfillOptions {
  std::string dag_id, from, to, conf, reprocess = "none";
  int max_active_runs = 10;
  bool backwards = false, dry_run = false;
};

/// From the first instant of --from to the last one of --to, by the DAG's own clock.
struct BackfillRange {
  TimeZone zone;
  std::string from, to;
};

BackfillRange range_of(Session& session, const BackfillOptions& options) {
  const json::value dag =
      session.get("/api/v2/dags/" + Session::escape(options.dag_id) + "/details");
  const auto found = TimeZone::find(text_of(dag, "timezone"));
  const TimeZone zone = found ? *found : TimeZone::utc();
  const auto first = window_of(options.from, zone), last = window_of(options.to, zone);
  if (!first || !last)
    throw Failure{kUsage,
                  fmt::format("read '{}': expected a day or an instant, for instance 2024-03-09",
                              first ? options.to : options.from)};
  return {zone, to_iso_z(first->first), to_iso_z(last->second - Duration(1))};
}

void print_preview(Session& session, const Globals& globals, const BackfillOptions& options,
                   const BackfillRange& range, const json::array& planned) {
  std::vector<std::vector<Cell>> rows;
  for (const json::value& run : planned) {
    const std::string date = text_of(run, "logical_date");
    const auto at = instant_from_text(date);
    rows.push_back({{at ? range.zone.to_iso_local(*at) : "", Tone::Strong}, {date}});
  }
  print(table(globals.terminal, {"LOGICAL DATE", "UTC"}, rows));
  for (const json::value& run :
       session.all(runs_path(options.dag_id), "dag_runs",
                   {{"logical_date_gte", range.from}, {"logical_date_lte", range.to}}))
    print(fmt::format("there already: {} ({})\n", visible(text_of(run, "dag_run_id")),
                      text_of(run, "state")));
  print(fmt::format("{} runs, {} at a time; nothing was created (--dry-run)\n", rows.size(),
                    options.max_active_runs));
}

int backfill(const Globals& globals, const BackfillOptions& options) {
  Session session(globals);
  const BackfillRange range = range_of(session, options);
  json::object body{{"dag_id", options.dag_id},
                    {"from_date", range.from},
                    {"to_date", range.to},
                    {"run_backwards", options.backwards},
                    {"reprocess_behavior", options.reprocess},
                    {"max_active_runs", options.max_active_runs},
                    {"dag_run_conf", json::object{}}};
  if (!options.conf.empty()) {
    auto conf = parse_json(options.conf);
    if (!conf) throw Failure{kUsage, "read --conf: " + conf.error().message};
    body["dag_run_conf"] = *conf;
  }
  const json::value answer =
      session.post(options.dry_run ? "/api/v2/backfills/dry_run" : "/api/v2/backfills", body);
  if (print_structured(globals, answer)) return kOk;
  if (!options.dry_run) {
    print(fmt::format("backfill {} of {} is under way; follow it with 'etesian runs watch {}'\n",
                      text_of(answer, "id"), visible(options.dag_id), visible(options.dag_id)));
    return kOk;
  }
  print_preview(session, globals, options, range, answer.at("backfills").as_array());
  return kOk;
}

int list_backfills(const Globals& globals, const std::string& dag_id) {
  Session session(globals);
  Query query;
  if (!dag_id.empty()) query.emplace_back("dag_id", dag_id);
  const json::array rows = session.all("/api/v2/backfills", "backfills", query);
  if (print_structured(globals, rows)) return kOk;
  std::vector<std::vector<Cell>> cells;
  for (const json::value& row : rows)
    cells.push_back({{text_of(row, "id"), Tone::Strong},
                     {text_of(row, "dag_id")},
                     {text_of(row, "from_date")},
                     {text_of(row, "to_date")},
                     {text_of(row, "completed_at").empty()
                          ? (row.at("is_paused").as_bool() ? "paused" : "active")
                          : "completed"}});
  print(table(globals.terminal, {"ID", "DAG", "FROM", "TO", "STATE"}, cells));
  return kOk;
}

int move_backfill(const Globals& globals, const std::string& id, const std::string& verb) {
  Session session(globals);
  const json::value answer = session.put("/api/v2/backfills/" + Session::escape(id) + "/" + verb);
  if (!print_structured(globals, answer))
    print("backfill " + visible(id) + ": " + verb + " done\n");
  return kOk;
}

void add_backfill_commands(CLI::App& app, Globals& globals, Chosen& chosen) {
  CLI::App* group = app.add_subcommand(
      "backfill",
      "Run a range of dates: etesian backfill DAG --from … --to …, or list, pause, resume, cancel");
  auto options = std::make_shared<BackfillOptions>();
  group->add_option("DAG", options->dag_id, "Id of the DAG");
  group->add_option("--from", options->from,
                    "First logical date; a day begins and ends in the DAG's zone");
  group->add_option("--to", options->to, "Last logical date, inclusive");
  group->add_option("--conf", options->conf, "Params of the runs, a JSON object");
  group->add_option("--max-active-runs", options->max_active_runs, "Runs at the same time")
      ->check(CLI::Range(1, 10000));
  group
      ->add_option("--reprocess", options->reprocess,
                   "Which existing runs are run again: none, failed or completed")
      ->check(CLI::IsMember({"none", "failed", "completed"}));
  group->add_flag("--backwards", options->backwards, "Newest first");
  group->add_flag("--dry-run", options->dry_run, "Only show the runs and what they overlap with");
  group->require_subcommand(0, 1);
  group->callback([&globals, &chosen, options, group] {
    if (!group->get_subcommands().empty()) return;
    if (options->dag_id.empty() || options->from.empty() || options->to.empty())
      throw CLI::ValidationError("backfill", "DAG, --from and --to are required");
    chosen = [&globals, options] { return backfill(globals, *options); };
  });
  auto of = std::make_shared<std::string>();
  CLI::App* listing = group->add_subcommand("list", "All backfills");
  listing->add_option("--dag", *of, "Only of this DAG");
  listing->callback([&globals, &chosen, of] {
    chosen = [&globals, of] { return list_backfills(globals, *of); };
  });
  for (const auto& [verb, route, help] :
       {std::tuple{"pause", "pause", "No new runs of a backfill"},
        std::tuple{"resume", "unpause", "Go on with a backfill"},
        std::tuple{"cancel", "cancel", "End a backfill; its running runs end by themselves"}}) {
    auto id = std::make_shared<std::string>();
    CLI::App* command = group->add_subcommand(verb, help);
    command->add_option("ID", *id, "Id of the backfill")->required();
    const std::string path = route;
    command->callback([&globals, &chosen, id, path] {
      chosen = [&globals, id, path] { return move_backfill(globals, *id, path); };
    });
  }
}

}  // namespace

void add_run_commands(CLI::App& app, Globals& globals, Chosen& chosen) {
  CLI::App* runs = app.add_subcommand("runs", "List, trigger, watch, mark and delete runs")
                       ->require_subcommand(1);

  auto dag = std::make_shared<std::string>();
  auto states = std::make_shared<std::vector<std::string>>();
  auto limit = std::make_shared<int>(25);
  CLI::App* listing = runs->add_subcommand("list", "Runs of a DAG, newest first");
  listing->add_option("DAG", *dag, "Id of the DAG, or ~ for all")->required();
  listing->add_option("--state", *states, "Only in these states");
  listing->add_option("--limit", *limit, "How many")->check(CLI::Range(1, 1000));
  listing->callback([&globals, &chosen, dag, states, limit] {
    chosen = [&globals, dag, states, limit] { return list(globals, *dag, *states, *limit); };
  });

  auto options = std::make_shared<TriggerOptions>();
  CLI::App* starting = runs->add_subcommand("trigger", "Start a run now");
  starting->add_option("DAG", options->dag_id, "Id of the DAG")->required();
  starting->add_option("--param,-p", options->params,
                       "NAME=VALUE; the value is JSON or plain text");
  starting->add_option("--conf", options->conf, "All params as a JSON object");
  starting->add_option("--date", options->logical_date, "Logical date");
  starting->add_option("--run-id", options->run_id, "Id of the run");
  starting->add_option("--note", options->note, "A note for people");
  starting->add_flag("--wait", options->wait, "Wait for its end; exit code 1 if it failed");
  starting->callback([&globals, &chosen, options] {
    chosen = [&globals, options] { return trigger(globals, *options); };
  });

  auto watched = std::make_shared<std::string>();
  auto once = std::make_shared<bool>(false);
  CLI::App* watching = runs->add_subcommand("watch", "A live table of a DAG's runs");
  watching->add_option("DAG", *watched, "Id of the DAG")->required();
  watching->add_flag("--until-idle", *once, "End when no run is active");
  watching->callback([&globals, &chosen, watched, once] {
    chosen = [&globals, watched, once] {
      return watch(globals, *watched, *once ? Until::Idle : Until::Interrupted);
    };
  });

  auto shown = std::make_shared<std::string>();
  CLI::App* showing = runs->add_subcommand("show", "All facts of one run");
  showing->add_option("RUN", *shown, "DAG/RUN")->required();
  showing->callback(
      [&globals, &chosen, shown] { chosen = [&globals, shown] { return show(globals, *shown); }; });

  auto marked = std::make_shared<std::string>();
  auto state = std::make_shared<std::string>();
  CLI::App* marking =
      runs->add_subcommand("mark", "Set a run's state by hand; 'queued' runs it again");
  marking->add_option("RUN", *marked, "DAG/RUN")->required();
  marking->add_option("STATE", *state, "success, failed or queued")
      ->required()
      ->check(CLI::IsMember({"success", "failed", "queued"}));
  marking->callback([&globals, &chosen, marked, state] {
    chosen = [&globals, marked, state] { return mark(globals, *marked, *state); };
  });

  auto removed = std::make_shared<std::string>();
  CLI::App* removing = runs->add_subcommand("delete", "Delete a run and its history");
  removing->add_option("RUN", *removed, "DAG/RUN")->required();
  removing->callback([&globals, &chosen, removed] {
    chosen = [&globals, removed] { return remove(globals, *removed); };
  });

  add_backfill_commands(app, globals, chosen);
}

}  // namespace etesian::cli
