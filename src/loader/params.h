#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace etesian {

/// The values of a run: `conf_json` (a JSON object) laid over the defaults of `schema_json`
/// (DagDefinition::params_schema: name -> JSON Schema, draft 7), checked against the schemas. A DAG
/// that declares params takes no others; one that declares none takes any, as Airflow does. Errors:
/// InvalidInput, "param 'carrier': 'XX' is not one of UA, AA, DL"; several are joined by "; ".
Result<std::string> validate_params(const std::string& schema_json, const std::string& conf_json);

/// A mistake in the schema of one param. Empty message: none.
struct ParamProblem {
  std::string message, hint;
  std::string keyword;  ///< Of the schema, where it is to blame; else empty.
};
/// Whether one param's schema is itself right, and its default matches it. `$ref`,
/// `patternProperties` and conditionals are refused: a schema must be readable in one place, and
/// cheap to check.
ParamProblem check_param_schema(const std::string& name, const json::object& schema);
/// Keywords that a param's schema may use.
const std::vector<std::string>& param_keywords();

}  // namespace etesian
