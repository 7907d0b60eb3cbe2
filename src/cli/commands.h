#pragma once
#include <functional>
#include <string>
#include <vector>

#include "cli/session.h"

namespace CLI {
class App;
}

namespace etesian::cli {

/// Adds the commands of this program to `app`. A command that was chosen stores what to do in
/// `chosen`; it runs after the whole line was parsed and returns the exit code.
using Chosen = std::function<int()>;

void add_dag_commands(CLI::App& app, Globals& globals, Chosen& chosen);   ///< dags
void add_run_commands(CLI::App& app, Globals& globals, Chosen& chosen);   ///< runs, backfill
void add_task_commands(CLI::App& app, Globals& globals, Chosen& chosen);  ///< tasks, logs, explain
void add_setting_commands(CLI::App& app, Globals& globals,
                          Chosen& chosen);  ///< pools, variables, …
void add_project_commands(CLI::App& app, Globals& globals,
                          Chosen& chosen);  ///< check, new, preview, schema
void add_test_command(CLI::App& app, Globals& globals, Chosen& chosen);  ///< test
void add_when_command(CLI::App& app, Globals& globals, Chosen& chosen);  ///< when
void add_completion_command(CLI::App& app, Chosen& chosen);              ///< completion bash|zsh

/// Runs `command`; prints a Failure to standard error and turns it into its exit code.
int run_command(const Chosen& command);

}  // namespace etesian::cli
