#include "cli/project.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <memory>

#include "base/clock.h"
#include "base/file.h"
#include "base/time_text.h"
#include "base/time_zone.h"
#include "cli/commands.h"
#include "loader/scaffold.h"
#include "loader/schema.h"
#include "timetable/timetable.h"

namespace etesian::cli {

Project open_project(const std::string& folder) {
  LoadOptions options;
  options.now = SystemClock().now();
  struct stat info {};
  if (stat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    throw Failure{kNotFound, "open project '" + folder + "': is not a folder"};
  return load_project(folder, options);
}

std::string hint_after(const std::string& hint) { return hint.empty() ? "" : "; " + hint; }

std::shared_ptr<const Dag> dag_of(const Project& project, const std::string& dag_id) {
  std::vector<std::string> ids;
  for (const LoadedFile& file : project.files) {
    if (file.loaded.id != dag_id) {
      ids.push_back(file.loaded.id);
      continue;
    }
    if (file.loaded.dag) return file.loaded.dag;
    throw Failure{kFailed, "load '" + dag_id + "': the file has mistakes\n" +
                               render(file.loaded.diagnostics)};
  }
  throw Failure{kNotFound, fmt::format("find DAG '{}' in '{}': there is none{}", dag_id,
                                       project.root, hint_after(did_you_mean(dag_id, ids)))};
}

namespace {

int check(const Globals& globals, const std::string& folder) {
  const Project project = open_project(folder);
  const std::vector<Diagnostic> diagnostics = project.all_diagnostics();
  const auto is_error = [](const Diagnostic& d) { return d.severity == Severity::Error; };
  const auto errors = std::count_if(diagnostics.begin(), diagnostics.end(), is_error);
  if (globals.format != Format::Table) {
    json::array rows;
    for (const Diagnostic& diagnostic : diagnostics) rows.push_back(to_json(diagnostic));
    print_structured(globals, rows);
  } else {
    for (Diagnostic shown : diagnostics) {
      shown.file = visible(shown.file);
      print(render(shown));
    }
    print(fmt::format("{} DAGs, {} errors, {} warnings\n", project.files.size(), errors,
                      std::ssize(diagnostics) - errors));
  }
  return errors == 0 ? kOk : kFailed;
}

/// One run that will be due.
struct Upcoming {
  Instant at;
  std::string dag_id;
  std::string local, note;
  bool waits_for_others = false;
};

const char* note_of(FireTime::Note note) {
  switch (note) {
    case FireTime::Note::FirstPass: return "first pass";
    case FireTime::Note::SecondPass: return "second pass";
    case FireTime::Note::MovedByDst: return "moved by DST";
    case FireTime::Note::MovedByHoliday: return "moved by a holiday";
    case FireTime::Note::None: break;
  }
  return "";
}

std::string zone_of(const Dag& dag) {
  const auto* cron = std::get_if<CronSchedule>(&dag.definition().schedule.kind);
  return cron ? cron->timezone : "UTC";
}

void add_upcoming(const Dag& dag, Instant from, Instant until, std::vector<Upcoming>& out) {
  auto timetable = Timetable::compile(dag.definition().schedule);
  auto zone = TimeZone::find(zone_of(dag));
  if (!timetable || !zone) return;
  constexpr std::size_t kPage = 256;
  for (Instant after = from;;) {
    const std::vector<FireTime> page = timetable->fire_times(after, kPage);
    for (const FireTime& fire : page) {
      if (fire.at > until) return;
      out.push_back({fire.at, dag.id(), zone->to_iso_local(fire.at), note_of(fire.note),
                     !dag.definition().needs.empty()});
    }
    if (page.size() < kPage) return;
    after = page.back().at;
  }
}

int preview(const Globals& globals, const std::string& folder, int days,
            const std::string& from_text) {
  const Project project = open_project(folder);
  Instant from = SystemClock().now();
  if (!from_text.empty()) {
    auto given = instant_from_text(from_text);
    if (!given) throw Failure{kUsage, given.error().message};
    from = *given;
  }
  std::vector<Upcoming> upcoming;
  for (const LoadedFile& file : project.files)
    if (file.loaded.dag)
      add_upcoming(*file.loaded.dag, from, from + std::chrono::hours(24 * days), upcoming);
  std::stable_sort(upcoming.begin(), upcoming.end(),
                   [](const Upcoming& a, const Upcoming& b) { return a.at < b.at; });
  if (globals.format != Format::Table) {
    json::array rows;
    for (const Upcoming& run : upcoming)
      rows.push_back({{"dag_id", run.dag_id},
                      {"run_after", to_iso_z(run.at)},
                      {"local", run.local},
                      {"note", run.note}});
    print_structured(globals, rows);
    return kOk;
  }
  std::vector<std::vector<Cell>> rows;
  for (const Upcoming& run : upcoming) {
    std::string note = run.note;
    if (run.waits_for_others)
      note += std::string(note.empty() ? "" : "; ") + "then waits for what it needs";
    rows.push_back(
        {{run.local, Tone::Strong}, {to_iso_z(run.at)}, {run.dag_id}, {note, Tone::Warn}});
  }
  print(table(globals.terminal, {"LOCAL", "UTC", "DAG", "NOTE"}, rows));
  print(fmt::format("{} runs from {} on for {} days\n", rows.size(), to_iso_z(from), days));
  return kOk;
}

int make_dag(const std::string& name, const std::string& kind, const std::string& folder) {
  auto files = scaffold(kind, name);
  if (!files) throw Failure{kUsage, files.error().message};
  const std::string target = folder + "/dags/" + name;
  struct stat info {};
  if (stat(target.c_str(), &info) == 0)
    throw Failure{kRefused, "make '" + target + "': it exists already"};
  for (const ScaffoldFile& file : *files) {
    const std::string path = target + "/" + file.path;
    if (auto made = make_folders(path.substr(0, path.rfind('/'))); !made)
      throw Failure{kFailed, made.error().message};
    std::ofstream(path, std::ios::binary) << file.text;
    chmod(path.c_str(), file.is_executable ? 0755 : 0644);
    print("made " + visible(path) + "\n");
  }
  print("next: etesian check " + visible(folder) + "\n");
  return kOk;
}

void add_new(CLI::App& app, Chosen& chosen) {
  struct Options {
    std::string name, kind = "hello", folder = ".";
  };
  auto options = std::make_shared<Options>();
  CLI::App* group =
      app.add_subcommand("new", "Make a new DAG from a template")->require_subcommand(1);
  CLI::App* making = group->add_subcommand("dag", "A folder with when, what and how, commented");
  making->add_option("NAME", options->name, "Id of the DAG")->required();
  making->add_option("--template", options->kind, "Which template")
      ->check(CLI::IsMember(scaffold_names()));
  making->add_option("--project", options->folder, "The project's folder")
      ->check(CLI::ExistingDirectory);
  making->callback([&chosen, options] {
    chosen = [options] { return make_dag(options->name, options->kind, options->folder); };
  });
}

}  // namespace

void add_project_commands(CLI::App& app, Globals& globals, Chosen& chosen) {
  auto folder = std::make_shared<std::string>(".");
  CLI::App* checking = app.add_subcommand(
      "check", "Every mistake of a project at once; exit code 1 if there is one");
  checking->add_option("PROJECT", *folder, "The project's folder");
  checking->callback([&globals, &chosen, folder] {
    chosen = [&globals, folder] { return check(globals, *folder); };
  });

  auto project = std::make_shared<std::string>(".");
  auto days = std::make_shared<int>(7);
  auto from = std::make_shared<std::string>();
  CLI::App* previewing =
      app.add_subcommand("preview", "Every run of the next days, on both clocks");
  previewing->add_option("--days", *days, "How many days")->check(CLI::Range(1, 3660));
  previewing->add_option("--from", *from, "From this instant on (default: now)");
  previewing->add_option("--project", *project, "The project's folder")
      ->check(CLI::ExistingDirectory);
  previewing->callback([&globals, &chosen, project, days, from] {
    chosen = [&globals, project, days, from] { return preview(globals, *project, *days, *from); };
  });

  app.add_subcommand("schema", "The JSON Schema of dag.yaml, for editors")->callback([&chosen] {
    chosen = [] {
      print(dag_json_schema() + "\n");
      return kOk;
    };
  });
  add_new(app, chosen);
}

}  // namespace etesian::cli
