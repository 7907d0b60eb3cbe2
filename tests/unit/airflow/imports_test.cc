#include "airflow/imports.h"

#include <gtest/gtest.h>

#include "airflow/catalog.h"
#include "support.h"

namespace etesian::airflow {
namespace {

std::string modules(std::string_view text) {
  const Imports imports = imports_of(text);
  std::string out = imports.is_dynamic ? "(dynamic)" : "";
  for (const std::string& module : imports.modules) out += (out.empty() ? "" : " ") + module;
  return out;
}

TEST(ImportsTest, ImportStatementsNameModules) {
  EXPECT_EQ(modules("import os, common.util as u\n"), "common.util os");
  EXPECT_EQ(modules("from common import factory, other as o"),
            "common common.factory common.other");
  EXPECT_EQ(modules("if True:\n    import late"), "late");
  EXPECT_EQ(modules("important = 1\nfromage = 2\n# import no\n"), "");
}

TEST(ImportsTest, StatementsMayGoOverLines) {
  EXPECT_EQ(modules("from a import (  # why\n    b,\n    c as d,\n)\nimport e"), "a a.b a.c e");
  EXPECT_EQ(modules("from a import b, \\\n    c\n"), "a a.b a.c");
  EXPECT_EQ(modules("import a; import b"), "a") << "two on one line are rare, and not seen";
}

TEST(ImportsTest, RelativeImportsLoseTheirDots) {
  EXPECT_EQ(modules("from . import x\nfrom ..pkg import y\n"), "pkg pkg.y x");
}

TEST(ImportsTest, NamesMadeAtRunTimeMayBeAnything) {
  EXPECT_EQ(modules("import importlib"), "(dynamic) importlib");
  EXPECT_EQ(modules("m = __import__(name)"), "(dynamic)");
}

/// "a.py: import b" for each file; what `from` reaches.
std::string reach(const std::vector<std::pair<std::string, std::string>>& files,
                  const std::string& from) {
  ImportGraph graph("/opt/airflow/dags");
  std::size_t start = 0;
  for (const auto& [path, text] : files) {
    const std::size_t number = graph.add(path, imports_of(text));
    if (path == from) start = number;
  }
  std::string out;
  for (const std::size_t i : graph.reach(start)) out += (out.empty() ? "" : " ") + files[i].first;
  return out;
}

TEST(ImportGraphTest, WhatIsImportedIsReachedAndWhatThatImports) {
  EXPECT_EQ(reach({{"a.py", "import b"},
                   {"b.py", "from pkg import c"},
                   {"pkg/c.py", ""},
                   {"d.py", "import a"}},
                  "a.py"),
            "b.py pkg/c.py");
}

TEST(ImportGraphTest, ALoopOfImportsEnds) {
  EXPECT_EQ(reach({{"a.py", "import b"}, {"b.py", "import a"}}, "a.py"), "b.py");
}

TEST(ImportGraphTest, PackagesRunBeforeTheirModules) {
  EXPECT_EQ(reach({{"a.py", "from pkg.sub import x"},
                   {"pkg/__init__.py", "import hidden"},
                   {"pkg/sub/__init__.py", ""},
                   {"pkg/sub/x.py", ""},
                   {"hidden.py", ""}},
                  "a.py"),
            "pkg/__init__.py pkg/sub/__init__.py pkg/sub/x.py hidden.py");
}

TEST(ImportGraphTest, ModulesMayBeNamedFromAboveTheBundleOrFromAFolderInIt) {
  EXPECT_EQ(reach({{"a.py", "from dags.common import x"}, {"common.py", ""}}, "a.py"), "common.py");
  EXPECT_EQ(reach({{"team/a.py", "import helper"}, {"team/helper.py", ""}}, "team/a.py"),
            "team/helper.py");
}

TEST(ImportGraphTest, NamesOfOthersPackagesReachNothing) {
  EXPECT_EQ(
      reach({{"a.py", "from airflow.sdk import dag, task"}, {"dag.py", ""}, {"x/task.py", ""}},
            "a.py"),
      "");
}

TEST(ImportGraphTest, WhoImportsByNamesMadeAtRunTimeReachesEverything) {
  EXPECT_EQ(reach({{"a.py", "import importlib"}, {"b.py", ""}, {"c/d.py", ""}}, "a.py"),
            "b.py c/d.py");
}

// ---- catalog: which files' input changes with what ----

class CatalogTest : public ::testing::Test {
 protected:
  static constexpr const char* kDag = "from airflow.sdk import dag\n";
  /// DAG files whose input is another than at the last look.
  std::string changed() {
    std::string out;
    std::map<std::string, std::string> now;
    for (const DagFile& file : catalog_.look().files) now[file.path] = file.input;
    for (const auto& [path, input] : now)
      if (last_[path] != input) out += (out.empty() ? "" : " ") + path;
    last_ = now;
    return out;
  }

  Folder folder_;
  Catalog catalog_{{.name = "b", .folder = folder_.path(), .native_folders = {}}, "env"};
  std::map<std::string, std::string> last_;
};

TEST_F(CatalogTest, OnlyWhatMayHoldDagsIsADagFile) {
  folder_.write("a.py", kDag);
  folder_.write("helper.py", "x = 1");
  folder_.write("notes.yaml", "dag airflow");
  folder_.write("z.zip", "PK\x03\x04");
  folder_.write("no.zip", "airflow dag");
  EXPECT_EQ(changed(), "a.py z.zip");
  EXPECT_EQ(changed(), "");
}

TEST_F(CatalogTest, AnEditChangesItsFileAndThoseThatImportIt) {
  folder_.write("a.py", std::string(kDag) + "import b");
  folder_.write("b.py", kDag);
  folder_.write("c.py", kDag);
  changed();
  folder_.write("b.py", std::string(kDag) + "# edited");
  EXPECT_EQ(changed(), "a.py b.py");
  folder_.write("c.py", std::string(kDag) + "# edited");
  EXPECT_EQ(changed(), "c.py");
}

TEST_F(CatalogTest, AHelperOrDataFileChangesAll) {
  folder_.write("a.py", kDag);
  folder_.write("b.py", kDag);
  folder_.write("helper.py", "x = 1");
  changed();
  folder_.write("helper.py", "x = 2");
  EXPECT_EQ(changed(), "a.py b.py");
  folder_.write("config.yaml", "x: 1");
  EXPECT_EQ(changed(), "a.py b.py");
  folder_.write("notes.txt", "x: 1");
  EXPECT_EQ(changed(), "");
}

TEST_F(CatalogTest, AnEditOfTheSameSizeAtOnceIsSeen) {
  for (char c = 'a'; c <= 'z'; ++c) {
    std::ofstream(folder_.at("a.py")) << kDag << c;
    EXPECT_EQ(changed(), "a.py");
  }
}

TEST_F(CatalogTest, TouchingAFileIsNoChange) {
  folder_.write("a.py", kDag);
  changed();
  std::filesystem::last_write_time(folder_.at("a.py"),
                                   std::filesystem::file_time_type::clock::now());
  EXPECT_EQ(changed(), "");
}

TEST_F(CatalogTest, AFolderThatIsGoneKeepsItsFiles) {
  folder_.write("a.py", kDag);
  changed();
  std::filesystem::rename(folder_.path(), folder_.path() + ".away");
  const Catalog::Look look = catalog_.look();
  EXPECT_EQ(look.files.size(), 1U);
  EXPECT_NE(look.problem, "");
  std::filesystem::rename(folder_.path() + ".away", folder_.path());
  EXPECT_EQ(changed(), "");
}

}  // namespace
}  // namespace etesian::airflow
