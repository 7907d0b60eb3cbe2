#pragma once
#include <string>
#include <string_view>

#include "base/json.h"

namespace etesian::api {

/// Whether a name says that its value is a secret ("db_password", "api_key", "authToken"):
/// Airflow's list of sensitive words.
bool is_sensitive_name(std::string_view name);
/// `value` with every member of a sensitive name replaced by "***", at any depth.
json::value redacted(const json::value& value);
/// `given` with the value of `kept` wherever it says "***" in place of one that `kept` has: what an
/// answer showed in place of a secret is not a new secret.
json::value unredacted(const json::value& given, const json::value& kept);
/// What the API shows of a value called `name`: "***" when the name is sensitive, redacted members
/// when the text is a JSON object or array, else the text itself.
std::string shown_value(std::string_view name, const std::string& text);

}  // namespace etesian::api
