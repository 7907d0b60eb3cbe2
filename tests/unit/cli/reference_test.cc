#include "cli/reference.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace etesian::cli {
namespace {

/// "dag=… run=… task=… index=…", or the exit code and message of the refusal.
std::string read(const std::string& text, int parts) {
  try {
    const Reference r = parse_reference(text, parts);
    return fmt::format("dag={} run={} task={} index={}", r.dag_id, r.run, r.task_id, r.map_index);
  } catch (const Failure& failure) {
    return fmt::format("{}: {}", failure.code, failure.message);
  }
}

TEST(ReferenceTest, NamesADag) {
  EXPECT_EQ(read("flights_daily", 1), "dag=flights_daily run= task= index=-1");
}

TEST(ReferenceTest, NamesARunByIdDateOrLatest) {
  EXPECT_EQ(read("etl/latest", 2), "dag=etl run=latest task= index=-1");
  EXPECT_EQ(read("etl/…", 2), "dag=etl run=… task= index=-1");
  EXPECT_EQ(read("etl/2013-03-10", 2), "dag=etl run=2013-03-10 task= index=-1");
  EXPECT_EQ(read("etl/scheduled__2013-03-10T00:00:00+00:00", 2),
            "dag=etl run=scheduled__2013-03-10T00:00:00+00:00 task= index=-1");
}

TEST(ReferenceTest, NamesATaskOrOneOfItsInstances) {
  EXPECT_EQ(read("etl/latest/load.clean", 3), "dag=etl run=latest task=load.clean index=-1");
  EXPECT_EQ(read("etl/latest/clean[0]", 3), "dag=etl run=latest task=clean index=0");
  EXPECT_EQ(read("etl/latest/clean[1023]", 3), "dag=etl run=latest task=clean index=1023");
}

TEST(ReferenceTest, SaysWhatIsMissing) {
  EXPECT_EQ(read("", 1), "2: read '': expected DAG, for instance flights_daily/latest/report");
  EXPECT_EQ(read("etl", 2),
            "2: read 'etl': expected DAG/RUN, for instance flights_daily/latest/report");
  EXPECT_EQ(read("etl/", 2),
            "2: read 'etl/': expected DAG/RUN, for instance flights_daily/latest/report");
  EXPECT_EQ(read("/latest", 2),
            "2: read '/latest': expected DAG/RUN, for instance flights_daily/latest/report");
  EXPECT_EQ(
      read("etl/latest", 3),
      "2: read 'etl/latest': expected DAG/RUN/TASK, for instance flights_daily/latest/report");
  EXPECT_EQ(
      read("etl//clean", 3),
      "2: read 'etl//clean': expected DAG/RUN/TASK, for instance flights_daily/latest/report");
  EXPECT_EQ(
      read("etl/latest/[3]", 3),
      "2: read 'etl/latest/[3]': expected DAG/RUN/TASK, for instance flights_daily/latest/report");
}

TEST(ReferenceTest, AMapIndexIsANumberFromZero) {
  for (const std::string index : {"x", "3x", "", " 3", "-1", "99999999999"}) {
    const std::string text = "etl/latest/clean[" + index + "]";
    EXPECT_EQ(read(text, 3), "2: read '" + text + "': the map index in brackets is not a number");
  }
}

TEST(ReferenceTest, PathsCarryEverySegmentEncoded) {
  EXPECT_EQ(run_path("etl", "manual__2026-01-01T00:00:00+00:00"),
            "/api/v2/dags/etl/dagRuns/manual__2026-01-01T00%3A00%3A00%2B00%3A00");
  EXPECT_EQ(run_path("a/b", "x y"), "/api/v2/dags/a%2Fb/dagRuns/x%20y");
}

}  // namespace
}  // namespace etesian::cli
