#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include "airflow/stub.h"
#include "app/airflow_commands.h"
#include "app/up.h"
#include "app/version.h"
#include "cli/commands.h"
#include "init/command_line.h"
#include "loader/diagnostic.h"

namespace etesian {
namespace {

std::string own_path() {
  std::string path(4096, '\0');
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  path.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
  return path;
}

std::string environment_or(const char* name, const char* fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

void add_global_options(CLI::App& app, cli::Globals& globals) {
  globals.url = environment_or("ETESIAN_URL", "http://localhost:8080");
  globals.token = environment_or("ETESIAN_TOKEN", "");
  globals.terminal = cli::Terminal::of_stdout();
  app.add_option("--url", globals.url, "The server (ETESIAN_URL)");
  app.add_option("--token", globals.token, "A token (ETESIAN_TOKEN; 'etesian login' keeps one)");
  const std::map<std::string, cli::Format> formats{
      {"table", cli::Format::Table}, {"json", cli::Format::Json}, {"yaml", cli::Format::Yaml}};
  app.add_option("-o,--output", globals.format, "table, json or yaml")
      ->transform(CLI::CheckedTransformer(formats));
  app.set_version_flag("--version", std::string("etesian ") + kVersion);
}

void add_process_commands(CLI::App& app, cli::Chosen& chosen) {
  auto options = std::make_shared<UpOptions>();
  CLI::App* starting =
      app.add_subcommand("up", "Start server and agent on this machine; SQLite inside");
  starting->add_option("--home", options->home, "Folder for state and logs");
  starting->add_option("--dags", options->dags, "The project, or its dags folder")
      ->check(CLI::ExistingDirectory);
  starting->add_option("--host", options->host, "Address to listen on");
  starting->add_option("--port", options->port, "Port; 0 = a free one, printed");
  starting->add_flag("--allow-plain-http", options->allow_plain_http,
                     "Listen beyond this machine without TLS (put a TLS proxy in front instead)");
  starting
      ->add_option("--airflow-python", options->airflow_python,
                   "Python that has Airflow, for a folder with Airflow DAG files (default: that of "
                   "the folder's .venv, or one made in the home folder)")
      ->envname("ETESIAN_AIRFLOW_PYTHON")
      ->check(CLI::ExistingFile);
  starting
      ->add_flag(
          "--native-lane,!--no-native-lane", options->has_native_lane,
          "Run Airflow tasks that need no Python without it (on; ETESIAN_NATIVE_LANE=0: off)")
      ->envname("ETESIAN_NATIVE_LANE");
  starting->callback([&chosen, options] {
    options->program = own_path();
    chosen = [options] { return up(*options); };
  });
  auto home = std::make_shared<std::string>();
  CLI::App* supervising =
      app.add_subcommand("agent", "Supervise task processes (started by the server)");
  supervising->add_option("--home", *home, "Folder for state and logs")->required();
  supervising->callback([&chosen, home] { chosen = [home] { return supervise(*home); }; });
  auto stopped = std::make_shared<std::string>();
  CLI::App* checking =
      app.add_subcommand("verify", "Check every invariant of a store that no server uses");
  checking->add_option("--home", *stopped, "Folder for state and logs")->required();
  checking->callback([&chosen, stopped] { chosen = [stopped] { return verify(*stopped); }; });
}

/// "no command 'lst'; did you mean 'list'?" where a word stands in a command's place; else empty.
std::string unknown_command(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  for (const std::string& word : words) {
    std::vector<std::string> names;
    const CLI::App* next = nullptr;
    for (const CLI::App* command : at->get_subcommands([](const CLI::App*) { return true; })) {
      names.push_back(command->get_name());
      if (command->get_name() == word) next = command;
    }
    if (next == nullptr) {
      if (word.starts_with('-') || at->get_require_subcommand_min() == 0) return "";
      const std::string hint = did_you_mean(word, names);
      return "no command '" + cli::visible(word) + "'; " +
             (hint.empty() ? "'etesian --help' lists them" : hint);
    }
    at = next;
  }
  return "";
}

int run(int argc, char** argv) {
  CLI::App app(
      "Etesian: workflows for data teams. When, what and how, from files to finished runs.",
      "etesian");
  app.require_subcommand(1);
  app.fallthrough();
  cli::Globals globals;
  cli::Chosen chosen;
  add_global_options(app, globals);
  add_process_commands(app, chosen);
  cli::add_dag_commands(app, globals, chosen);
  cli::add_run_commands(app, globals, chosen);
  cli::add_task_commands(app, globals, chosen);
  cli::add_setting_commands(app, globals, chosen);
  cli::add_project_commands(app, globals, chosen);
  cli::add_test_command(app, globals, chosen);
  cli::add_when_command(app, globals, chosen);
  add_airflow_commands(app, globals, chosen);
  cli::add_completion_command(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (const std::string unknown = unknown_command(app, {argv + 1, argv + argc});
        !unknown.empty()) {
      std::fprintf(stderr, "etesian: %s\n", unknown.c_str());
      return cli::kUsage;
    }
    return app.exit(error) == 0 ? cli::kOk : cli::kUsage;
  }
  return cli::run_command(chosen);
}

}  // namespace
}  // namespace etesian

int main(int argc, char** argv) {
  // Its options end at the command, which may have any options of its own.
  if (argc > 1 && std::string_view(argv[1]) == "init")
    return etesian::init::main_of(argc - 1, argv + 1);
  // Launched once for each task of an Airflow DAG: nothing but that is set up.
  if (argc > 1 && std::string_view(argv[1]) == "airflow-task")
    return etesian::airflow::hand_over_task();
  return etesian::run(argc, argv);
}
