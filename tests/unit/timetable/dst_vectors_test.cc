#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "unit/timetable/support.h"

namespace etesian {
namespace {

using test::CronCase;

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(line);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

/// A column of the file and what it says in the long form of a policy.
struct Column {
  std::string name;
  DstPolicy policy;
};

std::vector<Column> columns() {
  std::vector<Column> out;
  for (const char* name : {"airflow", "debian", "skip", "first", "second", "both"})
    out.push_back({name, *dst_policy_named(name)});
  out.push_back({"systemd252", {DstGap::Skip, DstFold::First, DstHourly::Never, false}});
  out.push_back({"quartz", {DstGap::Skip, DstFold::Second, DstHourly::Never, false}});
  return out;
}

TEST(DstVectors, every_policy_gives_the_recorded_runs) {
  std::istringstream file(test::golden("dst_vectors.tsv"));
  std::string line;
  std::getline(file, line);
  const auto header = split(line, '\t');
  std::size_t checked = 0;
  while (std::getline(file, line)) {
    const auto row = split(line, '\t');
    for (const Column& column : columns()) {
      const auto index = static_cast<std::size_t>(
          std::find(header.begin(), header.end(), column.name) - header.begin());
      ASSERT_LT(index, row.size()) << line;
      if (row[index] == "-") continue;
      ++checked;
      EXPECT_EQ(test::fires(test::schedule_of({row[1], row[2], column.policy}), row[3], 4),
                row[index])
          << row[0] << " " << column.name;
    }
  }
  EXPECT_GT(checked, 200U);
}

}  // namespace
}  // namespace etesian
