#pragma once
#include <memory>
#include <string>

#include "loader/project.h"

namespace etesian::cli {

/// The project at `folder`, checked against the clock. Failure kNotFound when there is no such
/// folder.
Project open_project(const std::string& folder);

/// A loaded DAG by id. Failure kNotFound with a hint; Failure kFailed with its diagnostics when it
/// is broken.
std::shared_ptr<const Dag> dag_of(const Project& project, const std::string& dag_id);

/// "; did you mean 'x'?" or nothing.
std::string hint_after(const std::string& hint);

}  // namespace etesian::cli
