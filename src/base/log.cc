#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/clock.h"
#include "base/time_text.h"

namespace etesian {
namespace {

std::atomic<LogLevel> level_min{LogLevel::Info};

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::Debug: return "DEBUG";
    case LogLevel::Info: return "INFO ";
    case LogLevel::Warning: return "WARN ";
    case LogLevel::Error: return "ERROR";
  }
  return "?";
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void append_escaped(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (is_control(c)) {
      const auto byte = static_cast<unsigned char>(c);
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
}

void append_value(std::string& out, std::string_view value) {
  const bool needs_quotes = value.empty() || std::any_of(value.begin(), value.end(), [](char c) {
                              return c == ' ' || c == '"' || c == '=' || c == '\\' || is_control(c);
                            });
  if (!needs_quotes) {
    out += value;
    return;
  }
  out += '"';
  append_escaped(out, value);
  out += '"';
}

}  // namespace

void log_line(LogLevel level, std::string_view message,
              std::initializer_list<std::pair<std::string_view, std::string>> fields) {
  if (level < level_min.load(std::memory_order_relaxed)) return;
  std::string line = to_iso_z(SystemClock().now());
  line += ' ';
  line += name_of(level);
  line += ' ';
  for (const char c : message) line += is_control(c) ? ' ' : c;
  for (const auto& [key, value] : fields) {
    line += ' ';
    line += key;
    line += '=';
    append_value(line, value);
  }
  line += '\n';
  // A log that cannot be written has nowhere to be reported.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

void set_log_level(LogLevel level) { level_min.store(level, std::memory_order_relaxed); }

}  // namespace etesian
