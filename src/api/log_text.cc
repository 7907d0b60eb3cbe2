#include "api/log_text.h"

#include <fmt/format.h>

#include "api/json_common.h"

namespace etesian::api {
namespace {

std::string gap_text(std::uint64_t missing) {
  return fmt::format("[{} {} missing]", missing, missing == 1 ? "line is" : "lines are");
}

struct Words {
  std::string_view stream, level, logger;  ///< As Airflow's supervisor tags what a task prints.
};

Words words_of(logs::Line::Stream stream) {
  switch (stream) {
    case logs::Line::Stream::Out: return {"stdout", "info", "task.stdout"};
    case logs::Line::Stream::Error: return {"stderr", "error", "task.stderr"};
    case logs::Line::Stream::System: return {"system", "info", "etesian"};
  }
  return {"stdout", "info", "task.stdout"};
}

}  // namespace

json::object line_json(const logs::Line& line) {
  const Words words = words_of(line.stream);
  json::object out{{"timestamp", instant_json(line.at)},
                   {"event", readable(line.bytes)},
                   {"level", words.level},
                   {"logger", words.logger},
                   {"stream", words.stream},
                   {"seq", line.seq}};
  if (line.partial) out["partial"] = true;
  if (line.missing_before != 0) out["missing_before"] = line.missing_before;
  return out;
}

void append_line(json::array& content, const logs::Line& line) {
  if (line.missing_before != 0) {
    content.push_back(json::object{{"timestamp", instant_json(line.at)},
                                   {"event", gap_text(line.missing_before)},
                                   {"level", "warning"},
                                   {"logger", "etesian"}});
  }
  content.push_back(line_json(line));
}

void append_text(std::string& text, const logs::Line& line) {
  if (line.missing_before != 0) text += gap_text(line.missing_before) + "\n";
  text += line.bytes;
  if (!line.partial) text += '\n';
}

}  // namespace etesian::api
