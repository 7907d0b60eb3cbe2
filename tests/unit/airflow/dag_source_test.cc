#include "engine/dag_source.h"

#include "airflow/sources.h"
#include "support.h"

namespace etesian::airflow {
namespace {

using namespace std::chrono_literals;

/// Files of the fake host's language (fake_host/etesian_airflow): each line that begins with "#
/// dag" gives a DAG. What the engine would hear comes out of `heard_` in order.
class DagSourceTest : public ::testing::Test {
 protected:
  static std::string file(const std::string& lines) {
    return "from airflow.sdk import dag\n" + lines + "\n";
  }
  void dags(const std::string& name, const std::string& lines) { folder_.write(name, file(lines)); }

  void start(const std::string& environment_key = "env") {
    host_ = *Host::create(fake_.options(), std::make_shared<SystemClock>());
    DagSource::Listener listener;
    listener.on_event = [this](const Event& event) { hear(event); };
    listener.on_first_scan = [this] { heard_.add("first scan"); };
    const Bundle bundle{.name = "b", .folder = folder_.path(), .native_folders = {}};
    std::vector<std::shared_ptr<const Dag>> known;
    for (const auto& [id, dag] : engine_) known.push_back(dag);
    source_ = *dag_source(host_, {bundle}, cache_.path(), std::make_shared<SystemClock>(),
                          environment_key)(known, listener);
  }
  /// As a server that stops: what the engine has heard of is in its store.
  void stop() {
    source_.reset();
    host_.reset();
  }
  int parses() const { return fake_.count("parse"); }

  /// Errors as "file:line [dag] message" lines.
  std::string errors_now() const {
    std::string out;
    for (const ImportError& error : source_->import_errors())
      for (const Diagnostic& diagnostic : error.diagnostics)
        out += error.file + ":" + std::to_string(diagnostic.line) + " [" + error.dag_id + "] " +
               diagnostic.message + "\n";
    return out;
  }
  /// Once they are in the state that is waited for.
  std::string errors_when(const std::function<bool(const std::string&)>& is_there) const {
    eventually([&] { return is_there(errors_now()); });
    return errors_now();
  }
  std::string errors(std::size_t count) const {
    return errors_when(
        [this, count](const std::string&) { return source_->import_errors().size() == count; });
  }

  Folder folder_, cache_;
  FakeHost fake_;
  Heard heard_;
  std::map<std::string, std::shared_ptr<const Dag>> engine_;
  std::shared_ptr<Host> host_;
  std::unique_ptr<DagSource> source_;

 private:
  void hear(const Event& event) {
    if (const auto* loaded = std::get_if<DagLoaded>(&event)) {
      engine_[loaded->dag->id()] = loaded->dag;
      std::string tags;
      for (const std::string& tag : loaded->dag->definition().tags) tags += " " + tag;
      heard_.add("loaded " + loaded->dag->id() + tags);
    } else if (const auto* gone = std::get_if<DagGone>(&event)) {
      engine_.erase(gone->dag_id);
      heard_.add("gone " + gone->dag_id);
    }
  }
};

TEST_F(DagSourceTest, DagsOfAFolderAreToldBeforeTheFirstScanIsOver) {
  dags("a.py", "# dag one red\n# dag two");
  folder_.write("helper.py", "# dag none");
  start();
  EXPECT_EQ(heard_.next(), "loaded one red");
  EXPECT_EQ(heard_.next(), "loaded two");
  EXPECT_EQ(heard_.next(), "first scan");
  const DagDefinition& one = engine_.at("one")->definition();
  EXPECT_EQ(one.relative_file, "a.py");
  EXPECT_EQ(one.folder, folder_.path());
  EXPECT_EQ(one.source, file("# dag one red\n# dag two"));
  EXPECT_EQ(one.airflow->bundle, "b");
}

TEST_F(DagSourceTest, AnEmptyFolderNeedsNoPython) {
  start();
  EXPECT_EQ(heard_.next(), "first scan");
  EXPECT_EQ(fake_.count("start"), 0);
}

TEST_F(DagSourceTest, EditsAreTold) {
  dags("a.py", "# dag one red");
  start();
  EXPECT_EQ(heard_.next(), "loaded one red");
  EXPECT_EQ(heard_.next(), "first scan");
  dags("a.py", "# dag one blue");
  EXPECT_EQ(heard_.next(), "loaded one blue");
  dags("sub/deep/b.py", "# dag two");
  EXPECT_EQ(heard_.next(), "loaded two");
  dags("sub/deep/b.py", "# dag three");
  EXPECT_EQ(heard_.next(), "loaded three");
  EXPECT_EQ(heard_.next(), "gone two");
  std::filesystem::remove_all(folder_.at("sub"));
  EXPECT_EQ(heard_.next(), "gone three");
}

TEST_F(DagSourceTest, ADagThatMovesToAnotherFileStays) {
  dags("a.py", "# dag one");
  start();
  EXPECT_EQ(heard_.next(), "loaded one");
  EXPECT_EQ(heard_.next(), "first scan");
  std::filesystem::rename(folder_.at("a.py"), folder_.at("b.py"));
  EXPECT_EQ(heard_.next(), "loaded one");
  EXPECT_EQ(engine_.at("one")->definition().relative_file, "b.py");
}

TEST_F(DagSourceTest, ABrokenFileKeepsItsDagsAndSaysWhereItBroke) {
  dags("a.py", "# dag one");
  start();
  EXPECT_EQ(heard_.next(), "loaded one");
  EXPECT_EQ(heard_.next(), "first scan");
  dags("a.py", "# error NameError: name 'x' is not defined");
  EXPECT_EQ(errors(1), "a.py:2 [one] NameError: name 'x' is not defined\n");
  EXPECT_NE(source_->import_errors()[0].trace.find("Traceback"), std::string::npos);
  const std::int64_t id = source_->import_errors()[0].id;
  dags("a.py", "# dag one fixed");
  EXPECT_EQ(heard_.next(), "loaded one fixed");
  EXPECT_EQ(errors(0), "");
  dags("a.py", "# error again");
  EXPECT_EQ(errors(1), "a.py:2 [one] again\n");
  EXPECT_EQ(source_->import_errors()[0].id, id);
  std::filesystem::remove(folder_.at("a.py"));
  EXPECT_EQ(heard_.next(), "gone one");
  EXPECT_EQ(errors(0), "");
}

TEST_F(DagSourceTest, OneBrokenDagOfAFileLeavesTheOthers) {
  dags("a.py", "# dag one\n# dag two");
  start();
  EXPECT_EQ(heard_.next(), "loaded one");
  EXPECT_EQ(heard_.next(), "loaded two");
  EXPECT_EQ(heard_.next(), "first scan");
  dags("a.py", "# dag two blue\n# error cannot serialise 'one'");
  EXPECT_EQ(heard_.next(), "loaded two blue");
  EXPECT_EQ(errors(1), "a.py:2 [] cannot serialise 'one'\n");
  EXPECT_TRUE(engine_.contains("one"));
}

TEST_F(DagSourceTest, TheSameIdInTwoFilesIsAnErrorOfTheSecond) {
  dags("b.py", "# dag one of_b");
  dags("c.py", "# dag one of_c");
  start();
  std::string told = heard_.next();
  while (told != "first scan") told = heard_.next();
  EXPECT_EQ(engine_.at("one")->definition().relative_file, "b.py");
  EXPECT_EQ(errors(1),
            "c.py:1 [one] DAG 'one' is defined in 'b.py' already; this one is left out\n");
  std::filesystem::remove(folder_.at("b.py"));
  EXPECT_EQ(heard_.next(), "loaded one of_c");
  EXPECT_EQ(errors(0), "");
}

TEST_F(DagSourceTest, AChangedHelperHasItsImportersParsedAgain) {
  dags("a.py", "# import helper.py");
  folder_.write("helper.py", "# dag one red");
  start();
  EXPECT_EQ(heard_.next(), "loaded one red");
  EXPECT_EQ(heard_.next(), "first scan");
  folder_.write("helper.py", "# dag one blue");
  EXPECT_EQ(heard_.next(), "loaded one blue");
}

TEST_F(DagSourceTest, ARestartWithUnchangedFilesNeedsNoPython) {
  dags("a.py", "# dag one\n# dag two");
  dags("b.py", "# error broken");
  start();
  while (heard_.next() != "first scan") {
  }
  stop();
  const int starts = fake_.count("start");
  start();
  EXPECT_EQ(heard_.next(), "first scan");
  EXPECT_EQ(errors(1), "b.py:2 [] broken\n");
  EXPECT_EQ(fake_.count("start"), starts);
  stop();
  dags("a.py", "# dag one");
  start();
  EXPECT_EQ(heard_.next(), "loaded one") << "its source text has changed";
  EXPECT_EQ(heard_.next(), "gone two");
  EXPECT_EQ(heard_.next(), "first scan");
}

TEST_F(DagSourceTest, AnotherEnvironmentHasEverythingParsedAgain) {
  dags("a.py", "# dag one");
  start("env");
  while (heard_.next() != "first scan") {
  }
  stop();
  start("another");
  EXPECT_EQ(heard_.next(), "first scan");
  EXPECT_EQ(fake_.count("start"), 2);
}

TEST_F(DagSourceTest, ABadCacheIsNoCache) {
  dags("a.py", "# dag one");
  start();
  while (heard_.next() != "first scan") {
  }
  stop();
  for (const auto& entry : std::filesystem::directory_iterator(cache_.path()))
    std::ofstream(entry.path()) << R"({"format":1,"input":7)";
  start();
  EXPECT_EQ(heard_.next(), "first scan");
  EXPECT_EQ(fake_.count("start"), 2);
  EXPECT_TRUE(engine_.contains("one"));
}

TEST_F(DagSourceTest, KnownDagsWithoutAFileAreGoneAfterTheFirstScan) {
  dags("a.py", "# dag one");
  start();
  while (heard_.next() != "first scan") {
  }
  stop();
  std::filesystem::remove(folder_.at("a.py"));
  start();
  EXPECT_EQ(heard_.next(), "gone one");
  EXPECT_EQ(heard_.next(), "first scan");
}

TEST_F(DagSourceTest, AFolderThatIsNotThereTakesNoDagAway) {
  dags("a.py", "# dag one");
  start();
  while (heard_.next() != "first scan") {
  }
  stop();
  std::filesystem::rename(folder_.path(), folder_.path() + ".away");
  start();
  EXPECT_EQ(heard_.next(), "first scan");
  EXPECT_NE(errors(1).find("it is not there"), std::string::npos);
  stop();
  EXPECT_TRUE(engine_.contains("one"));
  std::filesystem::rename(folder_.path() + ".away", folder_.path());
}

TEST_F(DagSourceTest, AFileThatKillsTheHostIsNamedAndTheOthersAreLoaded) {
  dags("a.py", "# die");
  dags("b.py", "# dag one");
  start();
  EXPECT_EQ(heard_.next(), "loaded one");
  const auto is_named = [](const std::string& text) {
    return text.starts_with("a.py:1 [] the Python host died each time that it parsed this file");
  };
  const std::string text = errors_when(is_named);
  EXPECT_TRUE(is_named(text)) << text;
  EXPECT_EQ(source_->import_errors().size(), 1U);
  dags("a.py", "# dag two");
  std::string told = heard_.next();
  if (told == "first scan") told = heard_.next();
  EXPECT_EQ(told, "loaded two");
}

TEST_F(DagSourceTest, AHostThatCannotStartIsSaidOnceAndNoDagIsLost) {
  dags("a.py", "# dag one");
  start();
  while (heard_.next() != "first scan") {
  }
  stop();
  fake_.behave({{"broken", "No module named 'airflow'"}});
  start("another");
  EXPECT_EQ(heard_.next(), "first scan");
  const std::string text = errors(1);
  EXPECT_NE(text.find("No module named 'airflow'"), std::string::npos) << text;
  fake_.behave({});
  EXPECT_EQ(errors(0), "") << "it is tried again";
  EXPECT_TRUE(engine_.contains("one"));
}

TEST_F(DagSourceTest, AFileThatGivesSomethingElseEachTimeKeepsItsFirstVersion) {
  dags("a.py", "# dag one now");
  start();
  heard_.next();
  EXPECT_EQ(heard_.next(), "first scan");
  ASSERT_TRUE(eventually([this] { return parses() >= 3; }));
  dags("b.py", "# dag two");
  EXPECT_EQ(heard_.next(), "loaded two");
}

TEST_F(DagSourceTest, AWorldThatHasChangedBetweenParsesIsNoInstability) {
  dags("a.py", "# once red\n# dag one");
  start();
  EXPECT_EQ(heard_.next(), "loaded one red");
  EXPECT_EQ(heard_.next(), "first scan");
  EXPECT_EQ(heard_.next(), "loaded one") << "as two later parses agree";
}

TEST_F(DagSourceTest, AFileThatCannotBeReadSaysSo) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  dags("a.py", "# dag one");
  std::filesystem::permissions(folder_.at("a.py"), std::filesystem::perms::none);
  start();
  EXPECT_EQ(heard_.next(), "first scan");
  EXPECT_NE(errors(1).find("Permission denied"), std::string::npos);
}

}  // namespace
}  // namespace etesian::airflow
