#pragma once
#include <string>

#include "api/log_place.h"
#include "base/json.h"

namespace etesian::api {

/// One line in the form of Airflow's StructuredLogMessage, and `seq`, `stream`, `partial`; `launch`
/// where it is not the first. What an SDK worker wrote keeps its own members. Before it, where
/// lines are missing, an entry of its own says how many.
void append_line(json::array& content, const ShownLine& line);
json::object line_json(const ShownLine& line);
/// The bytes as the task wrote them, a marked line where some are missing. What an SDK worker wrote
/// becomes "[time] INFO - message" and, of an error, Python's traceback.
void append_text(std::string& text, const ShownLine& line);

}  // namespace etesian::api
