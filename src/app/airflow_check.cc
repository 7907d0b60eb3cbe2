#include "app/airflow_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "airflow/catalog.h"
#include "airflow/host.h"
#include "airflow/outcome.h"
#include "airflow/python.h"
#include "app/airflow_setup.h"
#include "app/airflow_uses.h"
#include "base/clock.h"
#include "http/http.h"

namespace etesian {
namespace {

using airflow::Problem;
using cli::Tone;

/// As the server: `[dag_processor] dag_file_processor_timeout` of Airflow, and what the host needs.
constexpr std::int64_t kParseTimeoutS = 50;
constexpr std::int64_t kParseMemoryBytes = 2LL << 30;
constexpr Duration kAnswerMax = std::chrono::seconds(kParseTimeoutS + 90);
constexpr int kAttempts = 3;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* place = std::getenv("TMPDIR");
    std::string name = std::string(place && *place ? place : "/tmp") + "/etesian-check-XXXXXX";
    if (::mkdtemp(name.data()) == nullptr)
      throw cli::Failure{cli::kFailed, "make a temporary folder '" + name + "'"};
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Stands for the Execution API while files are parsed: nothing is there, and it notes what was
/// asked for.
class EmptyApi {
 public:
  EmptyApi() {
    auto router = std::make_shared<http::Router>();
    for (const char* kind : {"variables", "connections"})
      router->add({.method = "GET",
                   .pattern = fmt::format("/execution/{}/{{name*}}", kind),
                   .access = http::Access::Open,
                   .handler =
                       [this, kind](const http::Request& request,
                                    const std::shared_ptr<http::Reply>& reply) {
                         const std::lock_guard lock(mutex_);
                         asked_[kind].insert(request.params.at("name"));
                         http::Response response;
                         response.status = 404;
                         response.body =
                             R"({"detail":{"reason":"not_found","message":"not here"}})";
                         reply->send(std::move(response));
                       },
                   .operation_id = kind});
    http::ServerOptions options;
    options.port = 0;
    auto server = http::Server::start(options, router);
    if (!server) throw cli::Failure{cli::kFailed, server.error().message};
    server_ = std::move(*server);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}/execution/", server_->port()); }
  std::set<std::string> asked(const std::string& kind) const {
    const std::lock_guard lock(mutex_);
    const auto found = asked_.find(kind);
    return found == asked_.end() ? std::set<std::string>() : found->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::set<std::string>> asked_;
  std::unique_ptr<http::Server> server_;
};

struct CheckedDag {
  std::string id;
  AirflowUses uses;
  std::string refusal;  ///< Why it is not supported; empty: it is.
};

struct CheckedFile {
  std::string path;  ///< Relative to the bundle.
  std::vector<CheckedDag> dags;
  std::vector<Problem> problems;
  std::vector<std::string> warnings;
  std::vector<std::string> unstable;  ///< "dag: field" that differs from parse to parse.
};

std::vector<std::string> texts_at(const json::object& object, const char* name) {
  std::vector<std::string> found;
  if (const json::value* list = object.if_contains(name); list && list->is_array())
    for (const json::value& item : list->get_array())
      if (item.is_string()) found.emplace_back(item.get_string());
  return found;
}

std::vector<const json::object*> objects_at(const json::object& object, const char* name) {
  std::vector<const json::object*> found;
  if (const json::value* list = object.if_contains(name); list && list->is_array())
    for (const json::value& item : list->get_array())
      if (item.is_object()) found.push_back(&item.get_object());
  return found;
}

CheckedDag checked_dag(const json::object& serialized, const AirflowPlace& place) {
  CheckedDag dag;
  const json::value* inner = serialized.if_contains("dag");
  if (inner != nullptr) dag.id = cli::text_of(*inner, "dag_id");
  dag.uses = uses_of(serialized);
  auto definition = definition_from_airflow(json::serialize(serialized), place);
  if (!definition) {
    dag.refusal = definition.error().message;
  } else if (auto built = Dag::build(std::move(*definition)); !built) {
    dag.refusal = built.error().message;
  }
  return dag;
}

CheckedFile checked_file(const json::object& answer, const AirflowPlace& place) {
  CheckedFile file;
  file.path = place.relative_file;
  for (const json::object* serialized : objects_at(answer, "dags"))
    file.dags.push_back(checked_dag(*serialized, place));
  for (const json::object* error : objects_at(answer, "errors")) {
    const std::string where = cli::text_of(*error, "file");
    file.problems.push_back(airflow::problem_from_trace(where.empty() ? place.relative_file : where,
                                                        place, cli::text_of(*error, "trace")));
  }
  file.warnings = texts_at(answer, "warnings");
  file.unstable = texts_at(answer, "unstable");
  return file;
}

/// Has the host parse all files, some at once, and waits for the last answer.
class Parsing {
 public:
  Parsing(airflow::Host& host, const airflow::Bundle& bundle,
          const std::vector<airflow::DagFile>& files)
      : host_(host), bundle_(bundle), files_(files), results_(files.size()) {}

  std::vector<CheckedFile> run() {
    const std::size_t at_once = std::max(1U, std::thread::hardware_concurrency());
    std::unique_lock lock(mutex_);
    for (std::size_t next = 0; next < files_.size() || under_way_ > 0;) {
      if (!trouble_.empty() && under_way_ == 0) throw cli::Failure{cli::kFailed, trouble_};
      if (next == files_.size() || under_way_ >= at_once || !trouble_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const std::size_t file = next++;
      ++under_way_;
      lock.unlock();
      begin(file, kAttempts);
      lock.lock();
    }
    if (!trouble_.empty()) throw cli::Failure{cli::kFailed, trouble_};
    return std::move(results_);
  }

 private:
  AirflowPlace place_of(std::size_t file) const {
    return {bundle_.name, bundle_.folder, files_[file].path};
  }

  void begin(std::size_t file, int attempts) {
    if (!files_[file].unreadable.empty()) return end(file, broken(file, files_[file].unreadable));
    host_.ask({{"op", "parse"},
               {"bundle", bundle_.name},
               {"bundle_path", bundle_.folder},
               {"file", bundle_.folder + "/" + files_[file].path},
               {"timeout_s", kParseTimeoutS},
               {"memory_bytes", kParseMemoryBytes},
               {"twice", true}},
              2 * kAnswerMax, [this, file, attempts](Result<json::object> answer) {
                take(file, attempts, std::move(answer));
              });
  }

  void take(std::size_t file, int attempts, Result<json::object> answer) {
    if (answer) {
      const json::value* op = answer->if_contains("op");
      if (op != nullptr && *op == "parsed") return end(file, checked_file(*answer, place_of(file)));
      return end(file, broken(file, "the Python host answered: " + json::serialize(*answer)));
    }
    const bool has_been_up = !host_.versions().empty();
    if (answer.error().code == ErrorCode::Unavailable && !has_been_up) {
      const std::lock_guard lock(mutex_);
      trouble_ = answer.error().message;
      --under_way_;
      changed_.notify_all();
      return;
    }
    // It died while this or another file was parsed.
    if (answer.error().code == ErrorCode::Unavailable && attempts > 1)
      return begin(file, attempts - 1);
    end(file, broken(file, answer.error().message));
  }

  CheckedFile broken(std::size_t file, const std::string& why) const {
    CheckedFile result;
    result.path = files_[file].path;
    result.problems.push_back({files_[file].path, why, 1, ""});
    return result;
  }

  void end(std::size_t file, CheckedFile result) {
    const std::lock_guard lock(mutex_);
    results_[file] = std::move(result);
    --under_way_;
    changed_.notify_all();
  }

  airflow::Host& host_;
  const airflow::Bundle& bundle_;
  const std::vector<airflow::DagFile>& files_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t under_way_ = 0;
  std::string trouble_;  ///< The host does not come up.
  std::vector<CheckedFile> results_;
};

/// The first file by path has a DAG that several define.
void refuse_doubles(std::vector<CheckedFile>& files) {
  std::map<std::string, std::string> owners;
  for (CheckedFile& file : files)
    for (CheckedDag& dag : file.dags) {
      const auto [owner, is_first] = owners.emplace(dag.id, file.path);
      if (!is_first && dag.refusal.empty())
        dag.refusal = "it is defined in '" + owner->second + "' already; this one is left out";
    }
}

struct Sums {
  std::size_t files = 0, dags = 0, supported = 0, broken = 0;
  std::size_t unsupported() const { return dags - supported; }
};

Sums sums_of(const std::vector<CheckedFile>& files) {
  Sums sums;
  sums.files = files.size();
  for (const CheckedFile& file : files) {
    sums.dags += file.dags.size();
    sums.broken += file.problems.empty() ? 0 : 1;
    for (const CheckedDag& dag : file.dags) sums.supported += dag.refusal.empty() ? 1 : 0;
  }
  return sums;
}

// ---- output ----

template <class Names>
json::array texts(const Names& names) {
  json::array out;
  for (const std::string& name : names) out.emplace_back(name);
  return out;
}

json::object json_of(const CheckedDag& dag) {
  json::object operators;
  for (const auto& [name, count] : dag.uses.operators) operators[name] = count;
  return {{"dag_id", dag.id},
          {"supported", dag.refusal.empty()},
          {"reason", dag.refusal.empty() ? json::value(nullptr) : json::value(dag.refusal)},
          {"timetable", dag.uses.timetable},
          {"operators", std::move(operators)},
          {"native_tasks", dag.uses.native_tasks},
          {"features", texts(dag.uses.features)},
          {"pools", texts(dag.uses.pools)},
          {"without_effect", texts(dag.uses.ineffective)}};
}

json::object json_of(const CheckedFile& file) {
  json::array dags, errors;
  for (const CheckedDag& dag : file.dags) dags.push_back(json_of(dag));
  for (const Problem& problem : file.problems)
    errors.push_back({{"file", problem.file},
                      {"line", problem.line},
                      {"message", problem.message},
                      {"trace", problem.trace}});
  return {{"file", file.path},
          {"dags", std::move(dags)},
          {"errors", std::move(errors)},
          {"warnings", texts(file.warnings)},
          {"unstable", texts(file.unstable)}};
}

/// "5 tasks: BashOperator 3, @task 2"
std::string tasks_text(const AirflowUses& uses) {
  int count = 0;
  std::vector<std::string> kinds;
  for (const auto& [name, of_it] : uses.operators) {
    count += of_it;
    kinds.push_back(of_it == 1 ? name : fmt::format("{} {}", of_it, name));
  }
  if (count == 0) return "no tasks";
  return fmt::format("{} task{}: {}", count, count == 1 ? "" : "s", fmt::join(kinds, ", "));
}

void print_dag(const cli::Terminal& terminal, const CheckedDag& dag) {
  const bool is_good = dag.refusal.empty();
  cli::print(fmt::format("  {}  {}\n", cli::paint(terminal, Tone::Strong, dag.id),
                         cli::paint(terminal, is_good ? Tone::Good : Tone::Bad,
                                    is_good ? "supported" : "not supported")));
  if (!is_good) cli::print("    " + cli::visible(dag.refusal) + "\n");
  cli::print(fmt::format("    schedule {}; {}\n", cli::visible(dag.uses.timetable),
                         cli::visible(tasks_text(dag.uses))));
  if (dag.uses.native_tasks > 0)
    cli::print(fmt::format("    without Python: {} of them\n", dag.uses.native_tasks));
  std::vector<std::string> uses(dag.uses.features.begin(), dag.uses.features.end());
  if (!dag.uses.pools.empty())
    uses.push_back(fmt::format("pools {}", fmt::join(dag.uses.pools, ", ")));
  if (!uses.empty())
    cli::print(cli::visible(fmt::format("    uses {}", fmt::join(uses, ", "))) + "\n");
  for (const std::string& what : dag.uses.ineffective)
    cli::print(cli::paint(terminal, Tone::Warn, "    without effect: " + what) + "\n");
}

void print_file(const cli::Terminal& terminal, const CheckedFile& file) {
  if (file.dags.empty() && file.problems.empty()) return;
  cli::print(cli::visible(file.path) + "\n");
  for (const Problem& problem : file.problems)
    cli::print(
        cli::paint(terminal, Tone::Bad,
                   fmt::format("  {}:{}: error: {}", problem.file, problem.line, problem.message)) +
        "\n");
  const auto warn = [&](const std::string& text) {
    cli::print(cli::paint(terminal, Tone::Warn, "  warning: " + text.substr(0, text.find('\n'))) +
               "\n");
  };
  for (const std::string& warning : file.warnings) warn(warning);
  for (const std::string& field : file.unstable) warn("differs from parse to parse: " + field);
  for (const CheckedDag& dag : file.dags) print_dag(terminal, dag);
}

void print_asked(const EmptyApi& api) {
  const std::pair<const char*, const char*> kinds[] = {{"variables", "AIRFLOW_VAR_"},
                                                       {"connections", "AIRFLOW_CONN_"}};
  for (const auto& [kind, prefix] : kinds)
    if (const auto names = api.asked(kind); !names.empty())
      cli::print(cli::visible(fmt::format(
                     "at their top level, files read the {} {}: they were not there; set {}… where "
                     "this is run",
                     kind, fmt::join(names, ", "), prefix)) +
                 "\n");
}

json::object report(const std::vector<CheckedFile>& files, const Sums& sums, const EmptyApi& api,
                    const json::object& versions) {
  json::array rows;
  for (const CheckedFile& file : files) rows.push_back(json_of(file));
  return {{"versions", versions},
          {"files", std::move(rows)},
          {"variables_read", texts(api.asked("variables"))},
          {"connections_read", texts(api.asked("connections"))},
          {"summary",
           {{"files", sums.files},
            {"dags", sums.dags},
            {"supported", sums.supported},
            {"not_supported", sums.unsupported()},
            {"broken_files", sums.broken}}}};
}

}  // namespace

int check_airflow(const cli::Globals& globals, const AirflowCheckOptions& options) {
  struct stat info {};
  if (::stat(options.folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    throw cli::Failure{cli::kNotFound, "open '" + options.folder + "': is not a folder"};
  const airflow::Bundle bundle = airflow_bundle_at(options.folder);
  const airflow::Catalog::Look look = airflow::Catalog(bundle, "").look();
  if (!look.problem.empty()) throw cli::Failure{cli::kFailed, look.problem};
  if (look.files.empty())
    throw cli::Failure{cli::kNotFound, "find Airflow DAG files in '" + bundle.folder +
                                           "': there is no .py file that mentions airflow and dag"};

  const TemporaryFolder folder;
  const EmptyApi api;
  const std::string home = std::filesystem::absolute(options.home).lexically_normal().string();
  AirflowFolders folders{
      .dags = options.folder, .home = home, .program = "", .python = options.python};
  auto python = airflow_python(folders, bundle);
  if (!python) throw cli::Failure{cli::kFailed, python.error().message};
  auto package = airflow::unpack_package(folder.path() + "/python");
  if (!package) throw cli::Failure{cli::kFailed, package.error().message};
  folders.home = folder.path();  // Nothing is left behind in the installation.
  airflow::HostOptions host_options;
  host_options.python = *python;
  host_options.package_folder = *package;
  host_options.socket = folder.path() + "/tasks.sock";
  host_options.log_file = folder.path() + "/host.log";
  host_options.environment = airflow_environment(folders, bundle, api.url(), *python);
  host_options.environment.emplace_back("ETESIAN_AIRFLOW_HOST_TOKEN", "none");
  // The default of 2 innermost frames often leaves out the DAG file's own line.
  if (std::getenv("AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH") == nullptr)
    host_options.environment.emplace_back("AIRFLOW__CORE__DAGBAG_IMPORT_ERROR_TRACEBACK_DEPTH",
                                          "100");
  auto host = airflow::Host::create(std::move(host_options), std::make_shared<SystemClock>());
  if (!host) throw cli::Failure{cli::kFailed, host.error().message};

  std::vector<CheckedFile> files = Parsing(**host, bundle, look.files).run();
  refuse_doubles(files);
  const Sums sums = sums_of(files);
  json::object versions = (*host)->versions();
  versions.erase("pid");
  if (!cli::print_structured(globals, report(files, sums, api, versions))) {
    for (const CheckedFile& file : files) print_file(globals.terminal, file);
    print_asked(api);
    cli::print(fmt::format("{} files, {} DAGs: {} supported, {} not supported; {} files broken\n",
                           sums.files, sums.dags, sums.supported, sums.unsupported(), sums.broken));
  }
  return sums.unsupported() == 0 && sums.broken == 0 ? cli::kOk : cli::kFailed;
}

}  // namespace etesian
