#pragma once
#include <string>
#include <vector>

#include "loader/dag_file.h"
#include "loader/outline.h"

namespace etesian {

/// Checks everything that tasks say in templates and commands: syntax, names, outputs that are not
/// above the task, params put into a shell unquoted, command files that are not there. `root` is
/// the whole file.
void check_texts(const Outline& outline, const json::object& params, const DagFileContext& context,
                 const YamlNode& root, Report& report);

}  // namespace etesian
