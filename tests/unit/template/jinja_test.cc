// What Jinja 3.1 itself rendered for the same texts and values, kept as a table.
#include <fstream>

#include "unit/template/support.h"

namespace etesian {
namespace {

TEST(Jinja, RendersTheSameText) {
  std::ifstream file(ETESIAN_SOURCE_DIR "/tests/golden/template/jinja.jsonl");
  std::string line;
  std::size_t count = 0;
  while (std::getline(file, line)) {
    const json::value pair = json::parse(line);
    const std::string text(pair.at(0).as_string()), expected(pair.at(1).as_string());
    EXPECT_EQ(rendered(text), expected) << text;
    ++count;
  }
  EXPECT_GT(count, 200U);
}

}  // namespace
}  // namespace etesian
