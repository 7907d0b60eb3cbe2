#pragma once
#include <string>

namespace etesian {

/// The JSON Schema (draft 7) of a DAG file, for editors. It accepts every file that loads; the
/// loader finds more mistakes than a schema can say. Indented JSON text.
std::string dag_json_schema();

}  // namespace etesian
