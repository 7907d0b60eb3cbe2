#pragma once
#include <string>

#include "base/json.h"
#include "logs/reader.h"

namespace etesian::api {

/// One line in the form of Airflow's StructuredLogMessage, and `seq`, `stream`, `partial`.
/// Before it, where lines are missing, an entry of its own says how many.
void append_line(json::array& content, const logs::Line& line);
json::object line_json(const logs::Line& line);
/// The bytes as the task wrote them, a marked line where some are missing.
void append_text(std::string& text, const logs::Line& line);

}  // namespace etesian::api
