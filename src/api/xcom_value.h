#pragma once
#include <optional>
#include <string>

#include "base/json.h"

namespace etesian::api {

/// The value in words, as Airflow's REST shows it with `deserialize`: what the SDK serialised
/// ({"__classname__", "__version__", "__data__"}) becomes "class@version=n(…)", a tuple or set
/// "(1,2)"; everything else stays. Source: airflow/serialization/stringify.py. Airflow's own
/// classes are shown the same way, where Airflow would build the object and print that.
json::value in_words(const json::value& value);

/// The path of a member that a user's value must not have, because the SDK would read an object out
/// of it ("value.a[0]"), with the names; nullopt: there is none.
std::optional<std::string> reserved_members(const json::value& value);

}  // namespace etesian::api
