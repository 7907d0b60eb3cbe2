#include "airflow/tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include "airflow/tree_watch.h"
#include "support.h"

namespace etesian::airflow {
namespace {

/// A folder of files; the picture names each that matters, "-" before those that only others may
/// import.
class TreeTest : public ::testing::Test {
 protected:
  void files(std::initializer_list<const char*> names) {
    for (const char* name : names) folder_.write(name, "");
  }
  void link(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlink(target.c_str(), folder_.at(name).c_str()), 0);
  }
  std::string picture() {
    std::string out;
    for (const TreeFile& file : look_at(bundle_).files)
      out += (file.is_ignored ? " -" : " ") + file.path;
    return out.empty() ? out : out.substr(1);
  }
  std::string with_rules(const std::string& rules) {
    folder_.write(".airflowignore", rules);
    return picture();
  }

  Folder folder_;
  Bundle bundle_{.name = "b", .folder = folder_.path(), .native_folders = {}};
};

TEST_F(TreeTest, PythonArchivesAndDataMatterAndNothingElse) {
  files({"a.py", "b.zip", "c.yaml", "sub/d.py", "notes.txt", "x.pyc", "etesian.yaml"});
  EXPECT_EQ(picture(), "a.py b.zip c.yaml sub/d.py");
}

TEST_F(TreeTest, WhatToolsKeepAndVirtualEnvironmentsAreLeftOut) {
  files({"a.py", "__pycache__/a.py", ".git/hooks/x.py", "env/pyvenv.cfg", "env/lib/x.py",
         ".venv/pyvenv.cfg", ".venv/x.py", ".hidden/b.py"});
  EXPECT_EQ(picture(), ".hidden/b.py a.py");
}

TEST_F(TreeTest, NativeFoldersAreLeftOut) {
  files({"a.py", "etl/dag.yaml", "etl/clean.py"});
  bundle_.native_folders = {folder_.at("etl")};
  EXPECT_EQ(picture(), "a.py");
}

TEST_F(TreeTest, PipesAndLinksToNowhereAreNoFiles) {
  files({"a.py"});
  ASSERT_EQ(::mkfifo(folder_.at("pipe.py").c_str(), 0600), 0);
  link("/nowhere", "lost.py");
  EXPECT_EQ(picture(), "a.py");
}

TEST_F(TreeTest, LinksAreFollowedAndLoopsEnd) {
  const Folder elsewhere;
  elsewhere.write("b.py", "");
  files({"sub/a.py"});
  link(elsewhere.path(), "far");
  link("..", "sub/up");
  link("sub", "again");
  EXPECT_EQ(picture(), "far/b.py sub/a.py") << "each folder counts once, by its real path";
}

// ---- .airflowignore; each result was compared with Airflow 3.3.2's own walk ----

TEST_F(TreeTest, IgnoredFilesMayStillBeImported) {
  files({"a.py", "helpers/h.py"});
  EXPECT_EQ(with_rules("helpers"), "a.py -helpers/h.py");
}

TEST_F(TreeTest, ARuleWithoutASlashHoldsAtAnyDepth) {
  files({"x.py", "sub/x.py", "sub/y.py"});
  EXPECT_EQ(with_rules("x.py"), "-sub/x.py sub/y.py -x.py");
  EXPECT_EQ(with_rules("/x.py"), "sub/x.py sub/y.py -x.py");
  EXPECT_EQ(with_rules("sub/x.py"), "-sub/x.py sub/y.py x.py");
}

TEST_F(TreeTest, StarsBracketsAndQuestionMarksStayInTheirSegment) {
  files({"a1.py", "a2.py", "b/a1.py", "b/c/d.py"});
  EXPECT_EQ(with_rules("a?.py"), "-a1.py -a2.py -b/a1.py b/c/d.py");
  EXPECT_EQ(with_rules("a[!1].py"), "a1.py -a2.py b/a1.py b/c/d.py");
  EXPECT_EQ(with_rules("*/a1.py"), "a1.py a2.py -b/a1.py b/c/d.py");
  EXPECT_EQ(with_rules("b/**/d.py"), "a1.py a2.py b/a1.py -b/c/d.py");
  EXPECT_EQ(with_rules("**/c"), "a1.py a2.py b/a1.py -b/c/d.py");
}

TEST_F(TreeTest, LaterRulesWinAndAnExclamationMarkTakesBack) {
  files({"a.py", "b.py"});
  EXPECT_EQ(with_rules("*.py\n!a.py"), "a.py -b.py");
  EXPECT_EQ(with_rules("!a.py\n*.py"), "-a.py -b.py");
}

TEST_F(TreeTest, ATrailingSlashMeansFoldersOnly) {
  files({"x/a.py", "y/x.py"});
  folder_.write("x.py", "");
  EXPECT_EQ(with_rules("x/"), "x.py -x/a.py y/x.py");
}

TEST_F(TreeTest, CommentsBlankLinesAndLoneSlashesAreNoRules) {
  files({"a.py", "b.py"});
  EXPECT_EQ(with_rules("# a.py\n\n/\n  \nb.py  # not this\n"), "a.py -b.py");
}

TEST_F(TreeTest, RulesOfAFolderHoldBelowIt) {
  files({"a.py", "sub/a.py", "sub/b.py", "sub/deep/a.py"});
  folder_.write("sub/.airflowignore", "/a.py");
  EXPECT_EQ(picture(), "a.py -sub/a.py sub/b.py sub/deep/a.py");
}

TEST_F(TreeTest, BrokenRulesAreLeftOut) {
  files({"a.py", "b.py"});
  EXPECT_EQ(with_rules("a[\n[z-a]\nb.py"), "a.py -b.py");
}

// ---- safe mode ----

TEST(SafeModeTest, AirflowAndDagsOrAssetsMustBeMentioned) {
  EXPECT_TRUE(might_hold_dags("from airflow.sdk import DAG"));
  EXPECT_TRUE(might_hold_dags("AIRFLOW ... Asset"));
  EXPECT_FALSE(might_hold_dags("import airflow"));
  EXPECT_FALSE(might_hold_dags("dag = 1"));
}

TEST_F(TreeTest, AFolderIsOfAirflowWhenAFileOfItIs) {
  folder_.write("a.py", "print('dag')");
  EXPECT_FALSE(has_airflow_files(bundle_));
  folder_.write("b.py", "from airflow.sdk import dag");
  EXPECT_TRUE(has_airflow_files(bundle_));
  folder_.write(".airflowignore", "b.py");
  EXPECT_FALSE(has_airflow_files(bundle_));
  folder_.write("c.zip", "PK\x03\x04");
  EXPECT_TRUE(has_airflow_files(bundle_));
}

// ---- watching ----

TEST_F(TreeTest, ChangesAreHeardAndNoiseIsNot) {
  files({"sub/a.py"});
  TreeWatch watch;
  EXPECT_TRUE(watch.follow(look_at(bundle_).places)) << "all of it is new";
  EXPECT_FALSE(watch.follow(look_at(bundle_).places));
  EXPECT_FALSE(watch.take());
  std::filesystem::create_directory(folder_.at("sub/__pycache__"));
  EXPECT_FALSE(watch.take());
  folder_.write("sub/a.py", "new");
  EXPECT_TRUE(watch.take());
  std::filesystem::remove(folder_.at("sub/a.py"));
  EXPECT_TRUE(watch.take());
  EXPECT_FALSE(watch.take());
}

TEST_F(TreeTest, ALinkThatIsPointedElsewhereIsHeard) {
  const Folder real;
  real.write("v1/a.py", "");
  real.write("v2/b.py", "");
  ASSERT_EQ(::symlink(real.at("v1").c_str(), folder_.at("current").c_str()), 0);
  bundle_.folder = folder_.at("current");
  TreeWatch watch;
  watch.follow(look_at(bundle_).places);
  ASSERT_EQ(::symlink(real.at("v2").c_str(), folder_.at("next").c_str()), 0);
  EXPECT_FALSE(watch.take()) << "what lies beside the link is none of its business";
  std::filesystem::rename(folder_.at("next"), folder_.at("current"));
  EXPECT_TRUE(watch.take());
  EXPECT_EQ(picture(), "b.py");
}

}  // namespace
}  // namespace etesian::airflow
