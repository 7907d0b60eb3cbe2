// With the official packages and our own Python package, where they are there
// (ETESIAN_AIRFLOW_PYTHON, or build/airflow).
#include "airflow/python.h"
#include "airflow/sources.h"
#include "base/time_text.h"
#include "support.h"

namespace etesian::airflow {
namespace {

std::string airflow_python() {
  const char* given = std::getenv("ETESIAN_AIRFLOW_PYTHON");
  return given && *given ? given : ETESIAN_SOURCE_DIR "/build/airflow/bin/python";
}

constexpr const char* kDag = R"(
import datetime
from airflow.sdk import DAG, task
from airflow.providers.standard.operators.bash import BashOperator

with DAG("one", tags={"z", "y", "x", "w", "v"}, start_date=datetime.datetime(2024, 1, 1)) as dag:
    BashOperator(task_id="a", bash_command="true") >> BashOperator(task_id="b", bash_command="true")
)";

class RealHostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(airflow_python()))
        << airflow_python() << ": `./dev test` makes it";
  }

  void start_host() {
    HostOptions options;
    options.python = airflow_python();
    options.package_folder = ETESIAN_SOURCE_DIR "/python";
    options.socket = home_.at("host.sock");
    options.log_file = home_.at("host.log");
    const std::string bundles =
        R"([{"name":"b","classpath":"airflow.dag_processing.bundles.local.LocalDagBundle","kwargs":{"path":")" +
        folder_.path() + R"("}}])";
    options.environment = {
        {"PATH", "/usr/bin:/bin"},
        {"AIRFLOW_HOME", home_.path()},
        {"AIRFLOW__CORE__LOAD_EXAMPLES", "False"},
        {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL", "http://127.0.0.1:9/execution/"},
        {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", bundles},
        {"ETESIAN_AIRFLOW_HOST_TOKEN", "token"}};
    host_ = *Host::create(std::move(options), std::make_shared<SystemClock>());
  }
  void start() {
    start_host();
    DagSource::Listener listener;
    listener.on_event = [this](const Event& event) { hear(event); };
    listener.on_first_scan = [this] { heard_.add("first scan"); };
    const Bundle bundle{.name = "b", .folder = folder_.path(), .native_folders = {}};
    source_ = *dag_source(host_, {bundle}, home_.at("parsed"), std::make_shared<SystemClock>())(
        {}, listener);
  }
  void stop() {
    source_.reset();
    host_.reset();
    std::filesystem::remove_all(home_.at("parsed"));
  }
  void hear(const Event& event) {
    if (const auto* loaded = std::get_if<DagLoaded>(&event)) {
      dags_[loaded->dag->id()] = loaded->dag;
      heard_.add("loaded " + loaded->dag->id());
    }
    if (const auto* gone = std::get_if<DagGone>(&event)) heard_.add("gone " + gone->dag_id);
    if (const auto* resumed = std::get_if<ResumeInstance>(&event))
      heard_.add((resumed->failed ? "fail " : "go on ") + resumed->next_kwargs);
  }

  Folder folder_, home_;
  Heard heard_;
  std::map<std::string, std::shared_ptr<const Dag>> dags_;
  std::shared_ptr<Host> host_;
  std::unique_ptr<DagSource> source_;
};

TEST_F(RealHostTest, ADagHasTheSameVersionInEachProcess) {
  folder_.write("one.py", kDag);
  start();
  EXPECT_EQ(heard_.next(), "loaded one") << home_.read("host.log");
  EXPECT_EQ(heard_.next(), "first scan");
  const std::string version = dags_.at("one")->version();
  EXPECT_EQ(dags_.at("one")->tasks().size(), 2U);
  stop();
  start();
  EXPECT_EQ(heard_.next(), "loaded one");
  EXPECT_EQ(dags_.at("one")->version(), version);
}

TEST_F(RealHostTest, AnEditAndABreakAreTold) {
  folder_.write("one.py", kDag);
  start();
  EXPECT_EQ(heard_.next(), "loaded one");
  EXPECT_EQ(heard_.next(), "first scan");
  folder_.write("two.py", std::string(kDag) + "\nboom = 1 / 0\n");
  ASSERT_TRUE(eventually([this] { return !source_->import_errors().empty(); }));
  const ImportError error = source_->import_errors()[0];
  EXPECT_EQ(error.file, "two.py");
  EXPECT_EQ(error.diagnostics[0].message, "ZeroDivisionError: division by zero");
  EXPECT_EQ(error.diagnostics[0].line, 9);
  EXPECT_NE(error.trace.find("Traceback"), std::string::npos);
  std::filesystem::remove(folder_.at("one.py"));
  EXPECT_EQ(heard_.next(), "gone one");
}

TEST_F(RealHostTest, AFactoryAndItsYamlAreFollowed) {
  folder_.write("factory.py",
                "from airflow.sdk import DAG\n"
                "def make(name):\n    return DAG(name)\n");
  folder_.write("names.yaml", "first");
  folder_.write("all.py",
                "import pathlib\nfrom factory import make\n"
                "for name in (pathlib.Path(__file__).parent / 'names.yaml').read_text().split():\n"
                "    globals()[name] = make(name)  # an airflow dag\n");
  start();
  EXPECT_EQ(heard_.next(), "loaded first");
  EXPECT_EQ(heard_.next(), "first scan");
  folder_.write("names.yaml", "second");
  EXPECT_EQ(heard_.next(), "gone first");
  EXPECT_EQ(heard_.next(), "loaded second");
  folder_.write("factory.py",
                "from airflow.sdk import DAG\n"
                "def make(name):\n    return DAG(name + '_of_v2')\n");
  EXPECT_EQ(heard_.next(), "gone second");
  EXPECT_EQ(heard_.next(), "loaded second_of_v2");
}

TEST_F(RealHostTest, AnArchiveIsRead) {
  folder_.write("one.py", kDag);
  const auto zipped = std::system(("cd '" + folder_.path() + "' && '" + airflow_python() +
                                   "' -m zipfile -c all.zip one.py && rm one.py")
                                      .c_str());
  ASSERT_EQ(zipped, 0);
  start();
  EXPECT_EQ(heard_.next(), "loaded one") << home_.read("host.log");
}

TEST_F(RealHostTest, AFileThatGivesSomethingElseEachTimeKeepsItsFirstVersion) {
  folder_.write("now.py",
                "import time\nfrom airflow.sdk import DAG\n"
                "moment = str(time.time())\n"
                "dag = DAG('now', description=moment)\n");
  start();
  EXPECT_EQ(heard_.next(), "loaded now");
  EXPECT_EQ(heard_.next(), "first scan");
  const auto is_noted = [this] {
    for (const auto& entry : std::filesystem::directory_iterator(home_.at("parsed"))) {
      const auto text = read_file(entry.path().string());
      if (text && text->find("now: dag.description") != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(eventually(is_noted));
  EXPECT_TRUE(heard_.is_empty()) << "no second version";
}

TEST_F(RealHostTest, ATriggerFires) {
  start_host();
  const auto triggers = *trigger_host(host_)([this](const Event& event) { hear(event); });
  Effect::Watch watch;
  watch.key = {1, 0, -1};
  watch.try_id = uuid_from_text("01890a5d-ac96-774b-bcce-b302099a8057");
  watch.resume =
      R"({"classpath":"airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",)"
      R"("kwargs":{"delta":{"__classname__":"datetime.timedelta","__version__":2,"__data__":0.01}},)"
      R"("next_method":"go","next_kwargs":{"x":1}})";
  triggers->watch(watch);
  const std::string resumed = heard_.next();
  EXPECT_TRUE(resumed.starts_with(R"(go on {"x":1,"event":{"__classname__":)")) << resumed;
  watch.try_id = uuid_from_text("01890a5d-ac96-774b-bcce-b302099a8058");
  watch.resume = R"({"classpath":"no.such.Trigger","kwargs":{}})";
  triggers->watch(watch);
  const std::string failed = heard_.next();
  EXPECT_TRUE(failed.starts_with(R"(fail {"error":"Trigger failure","traceback":[)")) << failed;
}

TEST_F(RealHostTest, ACallbackIsCalledWithItsContext) {
  folder_.write("one.py",
                "from airflow.sdk import DAG\n"
                "def told(context):\n"
                "    with open('" +
                    home_.at("told") +
                    "', 'w') as file:\n"
                    "        file.write(context['dag_run'].run_id + ' ' + context['reason'])\n"
                    "from airflow.providers.standard.operators.bash import BashOperator\n"
                    "with DAG('one', on_failure_callback=told) as dag:\n"
                    "    BashOperator(task_id='t', bash_command='true')\n");
  start();
  EXPECT_EQ(heard_.next(), "loaded one") << home_.read("host.log");
  const auto triggers = *trigger_host(host_)([](const Event&) {});
  Effect::Callback call;
  call.dag = dags_.at("one");
  call.run.dag_id = "one";
  call.run.run_id = "manual__1";
  call.run.state = RunState::Failed;
  call.run.run_after = call.run.queued_at = *instant_from_text("2026-03-01T12:00:00Z");
  call.run.started_at = call.run.run_after;
  call.instance = InstanceRow{};
  call.instance->key = {1, 0, -1};
  call.instance->try_number = 1;
  call.try_id = uuid_from_text("01890a5d-ac96-774b-bcce-b302099a8057");
  call.is_failure = true;
  call.reason = "task_failure";
  triggers->call(call);
  EXPECT_TRUE(eventually([this] {
    const auto text = read_file(home_.at("told"));
    return text && *text == "manual__1 task_failure";
  })) << home_.read("host.log");
}

TEST_F(RealHostTest, TheInterpreterIsRecognised) {
  PythonSearch search;
  search.given = airflow_python();
  const auto found = find_python(search);
  ASSERT_TRUE(found) << found.error().message;
}

}  // namespace
}  // namespace etesian::airflow
