#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace etesian {

enum class LogLevel { Debug, Info, Warning, Error };

/// One line on standard error: time, level, message, then key=value fields (values are quoted
/// where needed and control characters escaped, so that no value can forge a line).
/// Thread-safe; one write(2) a line. Never log a secret.
void log_line(LogLevel level, std::string_view message,
              std::initializer_list<std::pair<std::string_view, std::string>> fields = {});
/// Lines below `level` are dropped; Info at start.
void set_log_level(LogLevel level);

}  // namespace etesian
