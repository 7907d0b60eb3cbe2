#include "app/airflow_setup.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "airflow/host.h"
#include "airflow/python.h"
#include "airflow/sources.h"
#include "base/file.h"
#include "base/json.h"
#include "wire/worker_token.h"

namespace etesian {
namespace {

namespace fs = std::filesystem;

std::string bundle_list(const airflow::Bundle& bundle) {
  return json::serialize(
      json::array{{{"name", bundle.name},
                   {"classpath", "airflow.dag_processing.bundles.local.LocalDagBundle"},
                   {"kwargs", {{"path", bundle.folder}, {"refresh_interval", 0}}}}});
}

/// As under Airflow, DAG code sees the environment that the server was started in, without what is
/// the server's own.
std::vector<std::pair<std::string, std::string>> inherited_environment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (char** entry = environ; entry && *entry; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == 0 || equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    if (name.starts_with("ETESIAN_") || name == "PYTHONPATH" || name == "PYTHONHOME") continue;
    variables.emplace_back(name, text.substr(equals + 1));
  }
  return variables;
}

}  // namespace

bool has_native_dags(const std::string& folder) {
  std::error_code ignored;
  const fs::path root(folder);
  if (fs::exists(root / "etesian.yaml", ignored)) return true;
  for (const auto& entry : fs::directory_iterator(root, ignored))
    if (fs::exists(entry.path() / "dag.yaml", ignored)) return true;
  return false;
}

airflow::Bundle airflow_bundle_at(const std::string& folder) {
  airflow::Bundle bundle;
  const fs::path root = fs::absolute(folder).lexically_normal();
  const bool is_project = fs::exists(root / "etesian.yaml") && fs::is_directory(root / "dags");
  bundle.folder = (is_project ? root / "dags" : root).string();
  if (bundle.folder.size() > 1 && bundle.folder.back() == '/') bundle.folder.pop_back();
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(bundle.folder, ignored))
    if (entry.is_directory(ignored) && fs::exists(entry.path() / "dag.yaml", ignored))
      bundle.native_folders.push_back(entry.path().string());
  return bundle;
}

Result<std::string> airflow_python(const AirflowFolders& folders, const airflow::Bundle& bundle) {
  const char* virtual_env = std::getenv("VIRTUAL_ENV");
  const airflow::PythonSearch search{.given = folders.python,
                                     .dags_folder = bundle.folder,
                                     .virtual_env = virtual_env ? virtual_env : "",
                                     .home = folders.home};
  auto python = airflow::find_python(search);
  if (!python && python.error().code == ErrorCode::NotFound) python = airflow::make_venv(search);
  return python;
}

std::vector<std::pair<std::string, std::string>> airflow_environment(const AirflowFolders& folders,
                                                                     const airflow::Bundle& bundle,
                                                                     const std::string& server_url,
                                                                     const std::string& python) {
  auto environment = inherited_environment();
  const auto set = [&environment](const std::string& name, const std::string& value) {
    std::erase_if(environment, [&](const auto& entry) { return entry.first == name; });
    environment.emplace_back(name, value);
  };
  const auto preset = [&environment](const std::string& name, const std::string& value) {
    for (const auto& entry : environment)
      if (entry.first == name) return;
    environment.emplace_back(name, value);
  };
  const char* path = std::getenv("PATH");
  set("PATH", fs::path(python).parent_path().string() + ":" +
                  (path ? path : "/usr/local/bin:/usr/bin:/bin"));
  preset("LANG", "C.UTF-8");
  preset("AIRFLOW_HOME", folders.home + "/airflow");
  set("AIRFLOW__CORE__EXECUTION_API_SERVER_URL", server_url);
  set("AIRFLOW__CORE__DAGS_FOLDER", bundle.folder);
  set("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", bundle_list(bundle));
  set("AIRFLOW__CORE__LOAD_EXAMPLES", "False");
  // Five tries are over within seconds, a restart of the server on a busy machine is not.
  preset("AIRFLOW__WORKERS__EXECUTION_API_RETRIES", "20");
  preset("AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX", "10");
  return environment;
}

Result<std::optional<AirflowSetup>> set_up_airflow(const AirflowFolders& folders,
                                                   const Vault& vault, std::uint16_t port,
                                                   std::shared_ptr<const Clock> clock) {
  const airflow::Bundle bundle = airflow_bundle_at(folders.dags);
  if (!airflow::has_airflow_files(bundle)) return std::optional<AirflowSetup>();
  auto python = airflow_python(folders, bundle);
  if (!python) return python.error();
  auto package = airflow::unpack_package(folders.home + "/python");
  if (!package) return package.error();
  for (const char* made : {"/airflow", "/run"})
    if (auto folder = make_folders(folders.home + made); !folder) return folder.error();

  AirflowSetup setup;
  WorkerPlace& place = setup.place;
  place.program = folders.program;
  place.socket = folders.home + "/run/airflow.sock";
  place.server_url = "http://127.0.0.1:" + std::to_string(port) + "/execution/";
  place.token_key = vault.derive_key("worker-token");
  place.python = *python;
  place.environment = airflow_environment(folders, bundle, place.server_url, *python);

  airflow::HostOptions options;
  options.python = *python;
  options.package_folder = *package;
  options.socket = place.socket;
  options.log_file = folders.home + "/airflow/host.log";
  options.environment = place.environment;
  wire::WorkerToken token;
  token.is_host = true;
  options.environment.emplace_back("ETESIAN_AIRFLOW_HOST_TOKEN",
                                   wire::make_worker_token(token, place.token_key));
  auto host = airflow::Host::create(std::move(options), clock);
  if (!host) return host.error();
  setup.dag_source =
      airflow::dag_source(*host, {bundle}, folders.home + "/airflow/parsed", std::move(clock),
                          airflow::environment_key(*python, place.environment));
  setup.trigger_host = airflow::trigger_host(std::move(*host));
  return std::optional(std::move(setup));
}

}  // namespace etesian
