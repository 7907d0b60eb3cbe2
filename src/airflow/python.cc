#include "airflow/python.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "airflow/package.h"
#include "airflow/program.h"
#include "base/bytes.h"
#include "base/file.h"

namespace etesian::airflow {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kRequirementsNote = "/etesian-requirements";

/// "3.3.2", or empty where there is no Airflow, or no working Python.
std::string airflow_version_of(const std::string& python) {
  if (::access(python.c_str(), X_OK) != 0) return "";
  const auto end =
      run_program({python, "-P", "-c",
                   "import importlib.metadata as m; m.version('apache-airflow-task-sdk');"
                   "print('airflow=' + m.version('apache-airflow-core'))"},
                  30s);
  if (!end || end->code != 0) return "";
  const std::size_t at = end->output.rfind("airflow=");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + 8;
  return end->output.substr(begin, end->output.find('\n', begin) - begin);
}

std::string interpreter_at(const std::string& place) {
  return fs::is_directory(place) ? place + "/bin/python" : place;
}

std::string home_venv(const PythonSearch& search) { return search.home + "/airflow-venv"; }

std::string requirements_of(const PythonSearch& search) {
  const std::string path = search.dags_folder + "/requirements.txt";
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) ? path : "";
}

/// What the environment was made of, to be compared at the next start.
std::string requirements_note(const PythonSearch& search) {
  const std::string path = requirements_of(search);
  const auto text = path.empty() ? Result<std::string>(std::string()) : read_file(path);
  return fmt::format("{} {} {}\n", kAirflowVersion, kStandardProviderVersion,
                     sha256_hex(text ? *text : ""));
}

bool is_up_to_date(const PythonSearch& search) {
  const auto note = read_file(home_venv(search) + kRequirementsNote);
  return note && *note == requirements_note(search);
}

Error other_version(const std::string& python, const std::string& version) {
  return {ErrorCode::InvalidInput,
          fmt::format("use '{}' for Airflow DAG files: it has Airflow {}, and {} is supported; "
                      "install apache-airflow=={} there, or pass --airflow-python with another",
                      python, version, kAirflowVersion, kAirflowVersion)};
}

std::vector<std::string> likely_places(const PythonSearch& search) {
  std::vector<std::string> places;
  if (!search.dags_folder.empty()) {
    const std::string above = fs::path(search.dags_folder).parent_path().string();
    for (const std::string& folder : {search.dags_folder, above})
      for (const char* name : {"/.venv", "/venv"}) places.push_back(folder + name);
  }
  if (!search.virtual_env.empty()) places.push_back(search.virtual_env);
  if (!search.home.empty() && is_up_to_date(search)) places.push_back(home_venv(search));
  return places;
}

/// An interpreter of $PATH that the pinned packages support (requires-python: >=3.10, and what our
/// own package needs); the one that tests run with comes first.
Result<std::string> base_python() {
  for (const char* name : {"python3.11", "python3.12", "python3.13", "python3"}) {
    const std::string path = find_program(name);
    if (path.empty()) continue;
    const auto end = run_program(
        {path, "-c", "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"}, 30s);
    if (end && end->code == 0) return path;
  }
  return Error{ErrorCode::NotFound,
               "make a Python environment for Airflow DAG files: no Python 3.11 to 3.13 in PATH; "
               "install one, or pass --airflow-python"};
}

std::string last_lines(std::string text, int lines) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  std::size_t at = text.size();
  while (at != std::string::npos && at > 0 && lines-- > 0) at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

Result<Done> run_step(const std::string& what, std::vector<std::string> words) {
  auto end = run_program(std::move(words), 30min);
  if (!end) return Error{end.error().code, what + ": " + end.error().message};
  if (end->code != 0)
    return Error{ErrorCode::Unavailable, fmt::format("{}: exit code {}\n{}", what, end->code,
                                                     last_lines(std::move(end->output), 15))};
  return Done{};
}

/// The old one stays for what still runs in it.
Result<Done> move_into_place(const std::string& made, const std::string& place) {
  std::error_code failed;
  fs::remove_all(place + ".old", failed);
  if (fs::exists(place, failed)) fs::rename(place, place + ".old", failed);
  fs::rename(made, place, failed);
  if (failed)
    return Error{ErrorCode::Unavailable, fmt::format("make '{}': {}", place, failed.message())};
  return Done{};
}

/// "<name>-<version>.dist-info" of each installed package, and what else lies beside them.
void add_names(const fs::path& folder, std::vector<std::string>& facts) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    facts.push_back(entry.path().string());
}

void add_file(const fs::path& path, std::vector<std::string>& facts) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return;
  facts.push_back(fmt::format("{} {} {}", path.string(), fs::file_size(path, ignored),
                              fs::last_write_time(path, ignored).time_since_epoch().count()));
}

void add_files(const fs::path& folder, std::vector<std::string>& facts) {
  std::error_code ignored;
  for (auto entry = fs::recursive_directory_iterator(folder, ignored);
       entry != fs::recursive_directory_iterator(); entry.increment(ignored))
    if (entry->path().extension() == ".py") add_file(entry->path(), facts);
}

}  // namespace

Result<std::string> find_python(const PythonSearch& search) {
  if (!search.given.empty()) {
    const std::string python = interpreter_at(search.given);
    const std::string version = airflow_version_of(python);
    if (version == kAirflowVersion) return python;
    if (!version.empty()) return other_version(python, version);
    return Error{ErrorCode::InvalidInput,
                 fmt::format("use '{}' for Airflow DAG files: no Python with Airflow; install "
                             "apache-airflow=={} there",
                             python, kAirflowVersion)};
  }
  for (const std::string& place : likely_places(search)) {
    const std::string python = interpreter_at(place + "/bin/python");
    const std::string version = airflow_version_of(python);
    if (version == kAirflowVersion) return python;
    if (!version.empty()) return other_version(python, version);
  }
  const std::string python = find_program("python3");
  if (!python.empty() && airflow_version_of(python) == kAirflowVersion) return python;
  return Error{ErrorCode::NotFound,
               fmt::format("find a Python with Airflow {}: none beside the DAGs, in VIRTUAL_ENV or "
                           "in PATH; pass --airflow-python, or have one made in '{}'",
                           kAirflowVersion, home_venv(search))};
}

Result<std::string> make_venv(const PythonSearch& search) {
  const auto base = base_python();
  if (!base) return base.error();
  const std::string place = home_venv(search), made = place + ".new";
  const std::string note = requirements_note(search);
  std::fprintf(stderr, "etesian: making the Python environment %s with Airflow %s (a minute) …\n",
               place.c_str(), kAirflowVersion);
  std::error_code failed;
  fs::remove_all(made, failed);
  if (auto done = run_step("make a virtual environment", {*base, "-m", "venv", made}); !done)
    return done.error();
  std::vector<std::string> words{
      made + "/bin/python",
      "-m",
      "pip",
      "install",
      "--disable-pip-version-check",
      "--no-input",
      std::string("apache-airflow==") + kAirflowVersion,
      std::string("apache-airflow-providers-standard==") + kStandardProviderVersion};
  if (const std::string file = requirements_of(search); !file.empty()) {
    std::fprintf(stderr, "etesian: … and what %s asks for\n", file.c_str());
    words.insert(words.end(), {"-r", file});
  }
  if (auto done = run_step("install Airflow", std::move(words)); !done) return done.error();
  if (airflow_version_of(made + "/bin/python") != kAirflowVersion)
    return Error{ErrorCode::Unavailable,
                 fmt::format("make '{}': Airflow {} is not in it", place, kAirflowVersion)};
  if (auto done = write_file_durably(made + kRequirementsNote, note); !done) return done.error();
  if (auto done = move_into_place(made, place); !done) return done.error();
  return place + "/bin/python";
}

Result<std::string> unpack_package(const std::string& folder) {
  std::string all;
  const std::vector<PackageFile> files = package_files();
  for (const auto& [name, content] : files)
    all += fmt::format("{} {}\n{}", name, content.size(), content);
  const std::string place = folder + "/" + sha256_hex(all).substr(0, 16);
  std::error_code failed;
  if (fs::exists(place, failed)) return place;
  const std::string made = fmt::format("{}.new-{}", place, ::getpid());
  for (const auto& [name, content] : files) {
    const fs::path path = made + "/" + name;
    if (auto done = make_folders(path.parent_path().string()); !done) return done.error();
    if (auto done = write_file_durably(path.string(), content); !done) return done.error();
  }
  fs::rename(made, place, failed);
  if (failed && !fs::exists(place))
    return Error{ErrorCode::Unavailable, fmt::format("make '{}': {}", place, failed.message())};
  return place;
}

std::string environment_key(const std::string& python,
                            const std::vector<std::pair<std::string, std::string>>& environment) {
  std::vector<std::string> facts{kAirflowVersion, python};
  std::string home, plugins;
  for (const auto& [name, value] : environment) {
    if (name == "AIRFLOW_HOME") home = value;
    if (name == "AIRFLOW__CORE__PLUGINS_FOLDER") plugins = value;
    if (name.starts_with("AIRFLOW_") && name != "AIRFLOW__CORE__EXECUTION_API_SERVER_URL")
      facts.push_back(name + "=" + value);
  }
  std::error_code ignored;
  const fs::path prefix = fs::path(python).parent_path().parent_path();
  for (const auto& version : fs::directory_iterator(prefix / "lib", ignored))
    for (const char* kind : {"site-packages", "dist-packages"})
      add_names(version.path() / kind, facts);
  if (!home.empty()) {
    add_file(home + "/airflow.cfg", facts);
    add_files(plugins.empty() ? home + "/plugins" : plugins, facts);
  }
  std::sort(facts.begin(), facts.end());
  return sha256_hex(fmt::format("{}", fmt::join(facts, "\n")));
}

}  // namespace etesian::airflow
