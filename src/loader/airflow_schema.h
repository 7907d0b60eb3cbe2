#pragma once
#include <optional>
#include <string>

#include "base/json.h"

namespace etesian::airflow_json {

/// What is wrong with a value under the JSON Schema of an Airflow param, in the words of Python's
/// jsonschema; nullopt: nothing. Draft 2020-12 with the formats that its FormatChecker has by
/// default; of those, "duration", "idn-hostname" and "regex" are left to the worker, which checks
/// again. Keywords that `unchecked_keyword` names are not looked at. Bounded: time is linear in
/// schema times value, patterns are RE2's.
std::optional<std::string> schema_mismatch(const json::value& value, const json::value& schema);

/// What `schema_mismatch` cannot check in a schema, for people: "'$ref'", "the pattern '(?=x)'";
/// nullopt: it can check all.
std::optional<std::string> unchecked_keyword(const json::value& schema);

}  // namespace etesian::airflow_json
