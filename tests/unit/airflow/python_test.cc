#include "airflow/python.h"

#include <sys/stat.h>

#include "airflow/package.h"
#include "airflow/program.h"
#include "support.h"

namespace etesian::airflow {
namespace {

using namespace std::chrono_literals;

/// Interpreters that say of themselves what a test wants.
class PythonTest : public ::testing::Test {
 protected:
  PythonTest() { ::setenv("PATH", "/nowhere", 1); }
  ~PythonTest() override { ::setenv("PATH", path_.c_str(), 1); }
  void python(const std::string& name, const std::string& says) {
    folder_.write(name, "#!/bin/sh\n" + says + "\n");
    ::chmod(folder_.at(name).c_str(), 0700);
  }
  void airflow(const std::string& name, const std::string& version) {
    python(name, "echo noise\necho airflow=" + version);
  }
  std::string find(const PythonSearch& search) const {
    const auto found = find_python(search);
    std::string text = found ? *found : found.error().message;
    for (std::size_t at = text.find(folder_.path()); at != std::string::npos;
         at = text.find(folder_.path()))
      text.replace(at, folder_.path().size(), "T");
    return text;
  }
  PythonSearch search() const {
    return {.given = "",
            .dags_folder = folder_.at("project/dags"),
            .virtual_env = folder_.at("active"),
            .home = folder_.at("home")};
  }

  const std::string path_ = std::getenv("PATH");
  Folder folder_;
};

TEST_F(PythonTest, PlacesAreAskedInOrder) {
  EXPECT_EQ(find(search()),
            "find a Python with Airflow 3.3.2: none beside the DAGs, in VIRTUAL_ENV or in PATH; "
            "pass --airflow-python, or have one made in 'T/home/airflow-venv'");
  airflow("bin/python3", "3.3.2");
  ::setenv("PATH", folder_.at("bin").c_str(), 1);
  EXPECT_EQ(find(search()), "T/bin/python3");
  airflow("active/bin/python", "3.3.2");
  EXPECT_EQ(find(search()), "T/active/bin/python");
  airflow("project/venv/bin/python", "3.3.2");
  EXPECT_EQ(find(search()), "T/project/venv/bin/python");
  airflow("project/dags/.venv/bin/python", "3.3.2");
  EXPECT_EQ(find(search()), "T/project/dags/.venv/bin/python");
  airflow("given/bin/python", "3.3.2");
  PythonSearch with_given = search();
  with_given.given = folder_.at("given");
  EXPECT_EQ(find(with_given), "T/given/bin/python") << "a folder stands for its interpreter";
}

TEST_F(PythonTest, AnEnvironmentWithoutAirflowIsPassedOver) {
  python("project/dags/.venv/bin/python", "exit 1");
  airflow("active/bin/python", "3.3.2");
  EXPECT_EQ(find(search()), "T/active/bin/python");
}

TEST_F(PythonTest, AnotherVersionIsNamed) {
  airflow("active/bin/python", "3.0.1");
  EXPECT_EQ(
      find(search()),
      "use 'T/active/bin/python' for Airflow DAG files: it has Airflow 3.0.1, and 3.3.2 is "
      "supported; install apache-airflow==3.3.2 there, or pass --airflow-python with another");
}

TEST_F(PythonTest, AGivenInterpreterIsTakenAtItsWord) {
  airflow("active/bin/python", "3.3.2");
  PythonSearch with_given = search();
  with_given.given = folder_.at("nothing");
  EXPECT_EQ(find(with_given),
            "use 'T/nothing' for Airflow DAG files: no Python with Airflow; install "
            "apache-airflow==3.3.2 there");
}

TEST_F(PythonTest, WithoutAPythonNoEnvironmentIsMade) {
  const auto made = make_venv(search());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, ErrorCode::NotFound);
}

/// `python -m venv X` makes an X whose python notes how pip is called.
TEST_F(PythonTest, AnEnvironmentIsMadeOfThePinnedPackagesAndTheRequirements) {
  python("bin/python3.11",
         "[ \"$2\" = venv ] || exit 0\n"
         "/bin/mkdir -p \"$3/bin\"\n"
         "printf '#!/bin/sh\\necho \"$@\" >> " +
             folder_.at("calls") +
             "\\necho airflow=3.3.2\\n' > \"$3/bin/python\"\n/bin/chmod 700 \"$3/bin/python\"");
  ::setenv("PATH", folder_.at("bin").c_str(), 1);
  std::filesystem::create_directories(folder_.at("home/airflow-venv.new/half"));
  folder_.write("project/dags/requirements.txt", "pandas\n");
  const auto made = make_venv(search());
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(*made, folder_.at("home/airflow-venv/bin/python"));
  EXPECT_FALSE(std::filesystem::exists(folder_.at("home/airflow-venv/half")));
  EXPECT_NE(folder_.read("calls").find("install --disable-pip-version-check --no-input "
                                       "apache-airflow==3.3.2 "
                                       "apache-airflow-providers-standard==1.21.0 -r " +
                                       folder_.at("project/dags/requirements.txt")),
            std::string::npos)
      << folder_.read("calls");
  EXPECT_EQ(find(search()), "T/home/airflow-venv/bin/python");
  folder_.write("project/dags/requirements.txt", "pandas\nnumpy\n");
  EXPECT_TRUE(find(search()).starts_with("find a Python")) << "it is to be made anew";
}

TEST_F(PythonTest, AFailedInstallationSaysPipsLastLines) {
  python("bin/python3.11",
         "[ \"$2\" = venv ] || exit 0\n"
         "/bin/mkdir -p \"$3/bin\"\n"
         "printf '#!/bin/sh\\necho ERROR: no matching distribution\\nexit 1\\n' > "
         "\"$3/bin/python\"\n/bin/chmod 700 \"$3/bin/python\"");
  ::setenv("PATH", folder_.at("bin").c_str(), 1);
  const auto made = make_venv(search());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().message, "install Airflow: exit code 1\nERROR: no matching distribution");
  EXPECT_FALSE(std::filesystem::exists(folder_.at("home/airflow-venv")));
}

TEST_F(PythonTest, ThePackageIsWrittenOnce) {
  const auto first = unpack_package(folder_.at("python"));
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_FALSE(package_files().empty());
  for (const PackageFile& file : package_files()) {
    EXPECT_TRUE(*read_file(*first + "/" + file.name) == file.content) << file.name;
    EXPECT_TRUE(*read_file(ETESIAN_SOURCE_DIR "/python/" + std::string(file.name)) == file.content)
        << file.name;
  }
  const auto written = std::filesystem::last_write_time(*first + "/" + package_files()[0].name);
  EXPECT_EQ(*unpack_package(folder_.at("python")), *first);
  EXPECT_EQ(std::filesystem::last_write_time(*first + "/" + package_files()[0].name), written);
}

TEST_F(PythonTest, TheEnvironmentsKeyChangesWithWhatItHoldsAndNotWithTheAddress) {
  using Variables = std::vector<std::pair<std::string, std::string>>;
  const std::string python = folder_.at("venv/bin/python");
  const Variables plain{{"AIRFLOW_HOME", folder_.at("home")}};
  folder_.write("venv/lib/python3.11/site-packages/a-1.dist-info/x", "");
  const std::string key = environment_key(python, plain);
  EXPECT_EQ(environment_key(python, plain), key);
  EXPECT_EQ(
      environment_key(python, {{"AIRFLOW_HOME", folder_.at("home")},
                               {"TERM", "x"},
                               {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.1:1/"}}),
      key);
  EXPECT_NE(environment_key(python, {{"AIRFLOW_HOME", folder_.at("home")}, {"AIRFLOW_VAR_X", "1"}}),
            key);
  folder_.write("home/plugins/p.py", "x = 1");
  const std::string with_plugin = environment_key(python, plain);
  EXPECT_NE(with_plugin, key);
  folder_.write("venv/lib/python3.11/site-packages/b-2.dist-info/x", "");
  EXPECT_NE(environment_key(python, plain), with_plugin);
}

TEST(ProgramTest, OutputAndCodeComeBackAndTimeIsBounded) {
  const auto end = run_program({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}, kPatience);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->output, "out\nerr\n");
  EXPECT_EQ(end->code, 7);
  EXPECT_EQ(run_program({"/bin/sh", "-c", "kill -9 $$"}, kPatience)->code, 137);
  const auto late = run_program({"/bin/sh", "-c", "sleep 100 & sleep 100"}, 50ms);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::Timeout);
  EXPECT_EQ(run_program({"/nowhere"}, kPatience).error().code, ErrorCode::Unavailable);
}

}  // namespace
}  // namespace etesian::airflow
