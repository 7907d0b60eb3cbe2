#include "airflow/claims.h"

#include <gtest/gtest.h>

#include "airflow/parse_queue.h"

namespace etesian::airflow {
namespace {

std::shared_ptr<const Dag> dag(const std::string& id, const std::string& version,
                               const std::string& file = "") {
  DagDefinition definition;
  definition.id = id;
  definition.version = version;
  definition.relative_file = file;
  return *Dag::build(std::move(definition));
}

class ClaimsTest : public ::testing::Test {
 protected:
  void file(const std::string& path, std::initializer_list<std::shared_ptr<const Dag>> dags) {
    Claims::Dags by_id;
    for (const auto& one : dags) by_id[one->id()] = one;
    claims_.set({0, path}, by_id);
  }
  std::string told(Claims::Gone gone = Claims::Gone::Now) {
    std::string out;
    for (const Event& event : claims_.settle(gone)) {
      if (!out.empty()) out += ", ";
      if (const auto* loaded = std::get_if<DagLoaded>(&event))
        out += "loaded " + loaded->dag->id() + " " + loaded->dag->version();
      if (const auto* gone_one = std::get_if<DagGone>(&event)) out += "gone " + gone_one->dag_id;
    }
    return out;
  }
  Claims claims_{{dag("known", "1")}};
};

TEST_F(ClaimsTest, NewAndChangedDagsAreToldOnce) {
  file("a.py", {dag("x", "1"), dag("known", "1")});
  EXPECT_EQ(told(), "loaded x 1") << "what the engine has is not told";
  file("a.py", {dag("x", "1"), dag("known", "1")});
  EXPECT_EQ(told(), "");
  file("a.py", {dag("x", "2"), dag("known", "1")});
  EXPECT_EQ(told(), "loaded x 2");
}

TEST_F(ClaimsTest, WhatNobodyClaimsIsGoneOnceThatIsCertain) {
  EXPECT_EQ(told(Claims::Gone::Later), "");
  EXPECT_EQ(told(), "gone known");
  EXPECT_EQ(told(), "");
}

TEST_F(ClaimsTest, ADagThatMovesIsNeverGone) {
  file("a.py", {dag("known", "1")});
  told();
  file("a.py", {});
  EXPECT_EQ(told(Claims::Gone::Later), "");
  file("b.py", {dag("known", "1", "b.py")});
  EXPECT_EQ(told(), "loaded known 1");
}

TEST_F(ClaimsTest, TheFirstFileByPathHasTheDag) {
  file("known.py", {dag("known", "1")});
  file("b.py", {dag("x", "of b")});
  EXPECT_EQ(told(), "loaded x of b");
  file("c.py", {dag("x", "of c")});
  EXPECT_EQ(told(), "");
  ASSERT_EQ(claims_.lost_by({0, "c.py"}).size(), 1U);
  EXPECT_EQ(claims_.lost_by({0, "c.py"})[0].second.second, "b.py");
  file("a.py", {dag("x", "of a")});
  EXPECT_EQ(told(), "loaded x of a");
  file("a.py", {});
  file("b.py", {});
  EXPECT_EQ(told(), "loaded x of c") << "the next in line takes over";
  EXPECT_TRUE(claims_.lost_by({0, "c.py"}).empty());
}

// ---- the queue ----

class ParseQueueTest : public ::testing::Test {
 protected:
  /// What begins, so many times; "-": nothing may.
  std::string next(int times = 1) {
    std::string out;
    for (int i = 0; i < times; ++i) {
      const auto start = queue_.next();
      out += (i > 0 ? " " : "") + (start ? start->file.second : "-");
    }
    return out;
  }
  static BundleFile file(const char* name) { return {0, name}; }
  ParseQueue queue_{2};
};

TEST_F(ParseQueueTest, TheMostRecentlyChangedComesFirstTwoAtATime) {
  queue_.add(file("old"), Urgency::Changed, 1);
  queue_.add(file("new"), Urgency::Changed, 3);
  queue_.add(file("importer"), Urgency::Affected, 9);
  EXPECT_EQ(next(3), "new old -");
  queue_.end(file("old"));
  EXPECT_EQ(next(), "importer");
}

TEST_F(ParseQueueTest, AFileIsParsedOnceAtATime) {
  queue_.add(file("a"), Urgency::Changed, 1);
  EXPECT_EQ(next(), "a");
  queue_.add(file("a"), Urgency::Changed, 2);
  EXPECT_EQ(next(), "-");
  queue_.end(file("a"));
  EXPECT_EQ(next(), "a");
}

TEST_F(ParseQueueTest, ChecksComeLastAndOneByOne) {
  queue_.add(file("a"), Urgency::Check, 9);
  queue_.add(file("b"), Urgency::Check, 8);
  EXPECT_TRUE(queue_.is_settled());
  EXPECT_EQ(next(2), "a -");
  queue_.add(file("c"), Urgency::Changed, 1);
  EXPECT_FALSE(queue_.is_settled());
  EXPECT_EQ(next(), "c");
}

TEST_F(ParseQueueTest, ASuspectIsParsedAlone) {
  queue_.add(file("suspect"), Urgency::Suspicious, 9);
  queue_.add(file("a"), Urgency::Changed, 1);
  EXPECT_EQ(next(2), "a -");
  queue_.end(file("a"));
  EXPECT_EQ(next(), "suspect");
  queue_.add(file("b"), Urgency::Changed, 1);
  EXPECT_EQ(next(), "-");
  queue_.end(file("suspect"));
  EXPECT_EQ(next(), "b");
}

TEST_F(ParseQueueTest, WhatIsRemovedDoesNotWait) {
  queue_.add(file("a"), Urgency::Changed, 1);
  queue_.remove(file("a"));
  EXPECT_TRUE(queue_.is_settled());
  EXPECT_EQ(next(), "-");
}

}  // namespace
}  // namespace etesian::airflow
