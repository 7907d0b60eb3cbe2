#include "api/log_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/json_common.h"
#include "base/bytes.h"

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

/// What an SDK worker wrote; nullopt where a line is not one of its messages.
std::optional<json::object> message_of(const ShownLine& line) {
  const bool may_be = line.is_structured && line.line.stream == logs::Line::Stream::Out &&
                      !line.line.partial && line.line.bytes.starts_with('{');
  if (!may_be) return std::nullopt;
  auto parsed = parse_json(line.line.bytes);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  const auto* event = parsed->get_object().if_contains("event");
  if (event == nullptr || !event->is_string()) return std::nullopt;
  return std::move(parsed->get_object());
}

std::string text_of(const json::object& object, std::string_view name) {
  const auto* found = object.if_contains(name);
  if (found == nullptr || found->is_null()) return {};
  return found->is_string() ? std::string(found->get_string()) : json::serialize(*found);
}

void append_frames(std::string& text, const json::object& error) {
  const auto* frames = error.if_contains("frames");
  if (frames == nullptr || !frames->is_array() || frames->get_array().empty()) return;
  text += "Traceback (most recent call last):\n";
  for (const auto& frame : frames->get_array()) {
    if (!frame.is_object()) continue;
    const auto& at = frame.get_object();
    text += fmt::format("  File \"{}\", line {}, in {}\n", text_of(at, "filename"),
                        text_of(at, "lineno"), text_of(at, "name"));
  }
}

/// The exceptions of "error_detail" (structlog's dicts, the last one raised first) as Python's
/// traceback module prints a chain.
void append_traceback(std::string& text, const json::value& detail) {
  const auto* chain = detail.if_array();
  if (chain == nullptr) return;
  for (auto error = chain->rbegin(); error != chain->rend(); ++error) {
    if (!error->is_object()) continue;
    const auto& one = error->get_object();
    append_frames(text, one);
    const std::string value = text_of(one, "exc_value");
    text += text_of(one, "exc_type") + (value.empty() ? "" : ": " + value) + "\n";
    if (const auto* notes = one.if_contains("exc_notes"); notes != nullptr && notes->is_array()) {
      for (const auto& note : notes->get_array()) {
        if (note.is_string()) text += std::string(note.get_string()) + "\n";
      }
    }
    if (std::next(error) == chain->rend()) continue;
    const auto* is_cause = one.if_contains("is_cause");
    text += is_cause != nullptr && is_cause->is_bool() && is_cause->get_bool()
                ? "\nThe above exception was the direct cause of the following exception:\n\n"
                : "\nDuring handling of the above exception, another exception occurred:\n\n";
  }
}

/// Members that the message's first line shows in its own way, or that say only where it was made.
bool is_shown_elsewhere(std::string_view name) {
  constexpr std::string_view kNames[] = {"timestamp",    "level",     "event",    "logger",
                                         "error_detail", "exception", "filename", "lineno",
                                         "loc",          "func_name"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

void append_message(std::string& text, const json::object& message) {
  std::string level = text_of(message, "level");
  std::transform(level.begin(), level.end(), level.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  if (const auto at = text_of(message, "timestamp"); !at.empty()) text += "[" + at + "] ";
  if (!level.empty()) text += level + " - ";
  text += text_of(message, "event");
  for (const auto& member : message) {
    if (is_shown_elsewhere(member.key())) continue;
    text += " " + std::string(member.key()) + "=" + json::serialize(member.value());
  }
  text += '\n';
  for (const auto* name : {"error_detail", "exception"}) {
    if (const auto* detail = message.if_contains(name)) append_traceback(text, *detail);
  }
}

}  // namespace

json::object line_json(const ShownLine& line) {
  const Words words = words_of(line.line.stream);
  json::object out;
  if (auto message = message_of(line)) {
    out = std::move(*message);
    if (!out.contains("timestamp")) out["timestamp"] = instant_json(line.line.at);
  } else {
    out = {{"timestamp", instant_json(line.line.at)},
           {"event", valid_utf8(line.line.bytes)},
           {"level", words.level},
           {"logger", words.logger}};
  }
  out["stream"] = words.stream;
  out["seq"] = line.line.seq;
  if (line.at.launch != 0) out["launch"] = line.at.launch + 1;
  if (line.line.partial) out["partial"] = true;
  if (line.line.missing_before != 0) out["missing_before"] = line.line.missing_before;
  return out;
}

void append_line(json::array& content, const ShownLine& line) {
  if (line.line.missing_before != 0) {
    content.push_back(json::object{{"timestamp", instant_json(line.line.at)},
                                   {"event", gap_text(line.line.missing_before)},
                                   {"level", "warning"},
                                   {"logger", "etesian"}});
  }
  content.push_back(line_json(line));
}

void append_text(std::string& text, const ShownLine& line) {
  if (line.line.missing_before != 0) text += gap_text(line.line.missing_before) + "\n";
  if (const auto message = message_of(line)) return append_message(text, *message);
  text += line.line.bytes;
  if (!line.line.partial) text += '\n';
}

}  // namespace etesian::api
