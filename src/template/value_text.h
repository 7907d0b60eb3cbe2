#pragma once
#include <string>

#include "template/value.h"

namespace etesian::templates {

/// Python's str(): what {{ }} prints. Charges the meter; fails for undefined values and objects.
std::string to_str(const Value& value, Meter& meter);
/// Python's repr(): how values look inside a printed list.
std::string to_repr(const Value& value, Meter& meter);
/// Python's repr of a float: the shortest digits that read back, "1e+16", "inf".
std::string float_text(double number);
/// As Jinja's tojson: keys sorted, blanks after ',' and ':', ASCII only, and <, >, &, ' escaped, so
/// that the text is safe between single quotes. `indent` < 0: one line.
std::string to_json_text(const Value& value, std::int64_t indent, Meter& meter);

}  // namespace etesian::templates
