#pragma once
#include "cli/commands.h"

namespace etesian {

/// airflow check, airflow import. They need the Python host, which the commands of cli/ do not see.
void add_airflow_commands(CLI::App& app, cli::Globals& globals, cli::Chosen& chosen);

}  // namespace etesian
