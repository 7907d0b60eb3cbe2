#pragma once
#include <string>

#include "base/json.h"
#include "base/result.h"
#include "model/dag.h"

namespace etesian {

/// Text of an Airflow definition for storage: {"airflow": {"bundle", "folder", "relative_file"},
/// "serialized": "<the SDK's text>"}, from which `definition_from_airflow` makes the rest again.
std::string airflow_stored_text(const DagDefinition& definition);
/// Whether a stored text is one of those.
bool is_airflow_stored(const json::value& stored);
/// Inverse of `airflow_stored_text`. Errors: Corrupt.
Result<DagDefinition> definition_from_airflow_stored(const json::value& stored);

/// Canonical text of what changes the work: without places of files, colours, and the prefix that
/// Airflow derives from a file's path for modules; with the order of mapped arguments, which
/// decides about map indexes. The bundle is a part: workers find the file by it.
std::string airflow_version_text(json::value serialized, const std::string& bundle);
/// The same of a definition. What does not parse is its own text.
std::string airflow_version_text(const DagDefinition& definition);

}  // namespace etesian
