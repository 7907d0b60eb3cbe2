#include "app/airflow_commands.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "app/airflow_check.h"
#include "app/airflow_import.h"

namespace etesian {
namespace {

void add_python(CLI::App& command, std::string& python, std::string& home) {
  command
      .add_option("--airflow-python", python,
                  "Python that has Airflow, or its virtual environment (default: that of the "
                  "folder's .venv, or one made in the home folder)")
      ->envname("ETESIAN_AIRFLOW_PYTHON")
      ->check(CLI::ExistingPath);
  command.add_option("--home", home, "The server's home folder, where that environment is made");
}

void add_check(CLI::App& group, cli::Globals& globals, cli::Chosen& chosen) {
  auto options = std::make_shared<AirflowCheckOptions>();
  CLI::App* checking = group.add_subcommand(
      "check", "What DAG files use, what is not supported and why; exit code 1 if there is any");
  checking->add_option("DIR", options->folder, "The folder of DAG files, or the project");
  add_python(*checking, options->python, options->home);
  checking->callback([&globals, &chosen, options] {
    chosen = [&globals, options] { return check_airflow(globals, *options); };
  });
}

void add_import(CLI::App& group, cli::Globals& globals, cli::Chosen& chosen) {
  auto options = std::make_shared<AirflowImportOptions>();
  CLI::App* importing = group.add_subcommand(
      "import", "Take over connections, variables, pools and paused states of an installation");
  importing
      ->add_option("--airflow-home", options->airflow_home,
                   "Folder of its airflow.cfg (default: AIRFLOW_HOME, ~/airflow)")
      ->check(CLI::ExistingDirectory);
  importing
      ->add_option("--sql-alchemy-conn", options->sql_alchemy_conn,
                   "Its metadata database (default: that of airflow.cfg; the environment keeps a "
                   "password better)")
      ->envname("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN");
  importing->add_flag("--dry-run", options->dry_run, "Say what would be done, and do nothing");
  importing->add_flag("--overwrite", options->overwrite, "Replace what has the same name here");
  importing->add_flag("--unpause", options->unpause,
                      "Also let run what is active there: both would run it, unless Airflow's "
                      "scheduler is stopped");
  add_python(*importing, options->python, options->home);
  importing->callback([&globals, &chosen, options] {
    chosen = [&globals, options] { return import_airflow(globals, *options); };
  });
}

}  // namespace

void add_airflow_commands(CLI::App& app, cli::Globals& globals, cli::Chosen& chosen) {
  CLI::App* group =
      app.add_subcommand("airflow", "Airflow DAG files and installations")->require_subcommand(1);
  add_check(*group, globals, chosen);
  add_import(*group, globals, chosen);
}

}  // namespace etesian
