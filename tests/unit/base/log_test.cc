#include "base/log.h"

#include <gtest/gtest.h>

namespace etesian {
namespace {

std::string logged(LogLevel level, std::string_view message,
                   std::initializer_list<std::pair<std::string_view, std::string>> fields) {
  testing::internal::CaptureStderr();
  log_line(level, message, fields);
  const std::string line = testing::internal::GetCapturedStderr();
  return line.empty() ? "" : line.substr(line.find(' ') + 1);
}

TEST(Log, a_value_cannot_forge_a_line) {
  EXPECT_EQ(logged(LogLevel::Info, "run started",
                   {{"dag", "etl"}, {"run", "a b\nERROR \"x\"\x1b"}, {"note", ""}}),
            "INFO  run started dag=etl run=\"a b\\nERROR \\\"x\\\"\\x1b\" note=\"\"\n");
  EXPECT_EQ(logged(LogLevel::Error, "two\nlines", {}), "ERROR two lines\n");
}

TEST(Log, lines_below_the_level_are_dropped) {
  EXPECT_EQ(logged(LogLevel::Debug, "quiet", {}), "");
  set_log_level(LogLevel::Debug);
  EXPECT_EQ(logged(LogLevel::Debug, "loud", {}), "DEBUG loud\n");
  set_log_level(LogLevel::Info);
}

}  // namespace
}  // namespace etesian
