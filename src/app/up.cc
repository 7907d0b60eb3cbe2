#include "app/up.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "agent/agent.h"
#include "api/api.h"
#include "app/airflow_setup.h"
#include "app/version.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/dag_watch.h"
#include "engine/engine.h"
#include "executor/local_executor.h"
#include "http/http.h"
#include "store/store.h"
#include "task_api/task_api.h"

namespace etesian {
namespace {

/// Where everything of one installation is kept.
struct Home {
  std::string folder;
  std::string database() const { return folder + "/etesian.db"; }
  std::string key() const { return folder + "/secret.key"; }
  std::string agent() const { return folder + "/agent"; }
  std::string logs() const { return folder + "/logs"; }
};

Home home_at(const std::string& folder) {
  return {std::filesystem::absolute(folder).lexically_normal().string()};
}

int fail(const Error& error) {
  std::fprintf(stderr, "etesian: %s\n", error.message.c_str());
  return 1;
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Signals that end the server are taken by `wait_for_end` alone; threads inherit the mask.
sigset_t block_end_signals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGINT);
  sigaddset(&ends, SIGTERM);
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return ends;
}

/// The password that was given. What is started later, the agent and its tasks, does not inherit
/// it.
std::optional<std::string> take_password() {
  const char* const given = std::getenv("ETESIAN_ADMIN_PASSWORD");
  if (given == nullptr) return std::nullopt;
  std::string password = given;
  ::unsetenv("ETESIAN_ADMIN_PASSWORD");
  return password;
}

/// How the person who started us logs in; a made password is told once and kept nowhere in clear.
std::string login_sentence(const std::optional<std::string>& made_password, bool is_given) {
  if (made_password)
    return "log in as 'admin' with the password " + *made_password +
           " (shown only now; ETESIAN_ADMIN_PASSWORD sets another)";
  if (is_given) return "log in as 'admin' with the password of ETESIAN_ADMIN_PASSWORD";
  return "log in as 'admin' with the password of the first start (ETESIAN_ADMIN_PASSWORD sets "
         "another)";
}

void print_welcome(const UpOptions& options, std::uint16_t port, const std::string& login) {
  const bool is_any =
      options.host == "127.0.0.1" || options.host == "0.0.0.0" || options.host == "::1";
  const std::string host = is_any ? "localhost" : options.host;
  std::printf("Etesian %s is at http://%s:%u\n", kVersion, host.c_str(), port);
  std::printf("%s\n", login.c_str());
  std::printf("next: etesian login; etesian dags list%s\n",
              port == 8080
                  ? ""
                  : ("; with ETESIAN_URL=http://" + host + ":" + std::to_string(port)).c_str());
  std::fflush(stdout);
}

bool is_loopback(const std::string& host) {
  return host.starts_with("127.") || host == "::1" || host == "localhost";
}

/// What would keep the server from listening, found before any work is started.
/// Returns the port, the free one that was found for 0.
Result<std::uint16_t> check_address(const UpOptions& options) {
  if (!is_loopback(options.host) && !options.allow_plain_http)
    return Error{ErrorCode::Denied,
                 "listen on " + options.host +
                     ": plain HTTP beyond this machine shows passwords and tokens to everybody on "
                     "the way; put a TLS proxy in front of 127.0.0.1, or pass --allow-plain-http"};
  http::ServerOptions probe;
  probe.host = options.host;
  probe.port = options.port;
  auto server = http::Server::start(probe, std::make_shared<http::Router>());
  if (!server) return server.error();
  return (*server)->port();
}

Result<std::unique_ptr<Engine>> start_engine(const UpOptions& options, const Home& home,
                                             std::uint16_t port,
                                             const std::shared_ptr<Vault>& vault) {
  auto store = open_sqlite_store(home.database(), {});
  if (!store) return store.error();
  Engine::Parts parts;
  parts.clock = std::make_shared<SystemClock>();
  parts.random = std::make_shared<SystemRandom>();
  parts.store = std::move(*store);
  parts.vault = vault;
  parts.make_executor = [&](Executor::Sink sink) {
    return start_local_executor({home.agent(), {options.program, "agent", "--home", home.folder}},
                                std::move(sink));
  };
  EngineOptions engine_options;
  engine_options.limits.has_native_lane = options.has_native_lane;
  auto airflow = set_up_airflow({.dags = options.dags,
                                 .home = home.folder,
                                 .program = options.program,
                                 .python = options.airflow_python},
                                *vault, port, parts.clock);
  if (!airflow) return airflow.error();
  if (*airflow) {
    engine_options.worker_place = (*airflow)->place;
    parts.dag_sources.push_back((*airflow)->dag_source);
    parts.make_trigger_host = (*airflow)->trigger_host;
  }
  if (!*airflow || has_native_dags(options.dags))
    parts.dag_sources.push_back(dag_watch(options.dags, parts.clock));
  return Engine::start(std::move(engine_options), std::move(parts));
}

}  // namespace

int up(const UpOptions& options) {
  // Two arenas instead of eight per core: idle memory is part of the product.
  mallopt(M_ARENA_MAX, 2);
  umask(077);
  raise_descriptor_limit();
  const sigset_t ends = block_end_signals();
  const Home home = home_at(options.home);
  const auto port = check_address(options);
  if (!port) return fail(port.error());
  if (auto made = make_folders(home.folder); !made) return fail(made.error());
  auto vault = Vault::open(home.key());
  if (!vault) return fail(vault.error());
  const std::optional<std::string> given = take_password();
  auto engine = start_engine(options, home, *port, *vault);
  if (!engine) return fail(engine.error());

  std::optional<std::string> made_password;
  auto accounts = api::Accounts::open(**engine, given, made_password);
  if (!accounts) return fail(accounts.error());
  const std::shared_ptr<http::Router> router =
      api::make_router(**engine, *accounts, {.log_folder = home.logs(), .version = kVersion});
  task_api::add_routes(*router, **engine, {.token_key = (*vault)->derive_key("worker-token")});
  http::ServerOptions server_options;
  server_options.host = options.host;
  server_options.port = *port;
  auto server = http::Server::start(server_options, router);
  if (!server) return fail(server.error());
  print_welcome(options, (*server)->port(), login_sentence(made_password, given.has_value()));

  int signal_number = 0;
  sigwait(&ends, &signal_number);
  const std::size_t running = (*engine)->health().open_tries;
  log_line(LogLevel::Info, "stopping; tasks that run go on and are taken over at the next start",
           {{"tasks", std::to_string(running)}});
  server->reset();  // The routes still subscribe to the engine: it ends after them, as the last.
  return 0;
}

int supervise(const std::string& home_folder) {
  umask(077);
  const Home home = home_at(home_folder);
  agent::Options options;
  options.folder = home.agent();
  options.log_folder = home.logs();
  constexpr std::uint64_t kLogBytes = 10ULL << 30;
  options.log_bytes_max = kLogBytes;
  options.log_age_max = std::chrono::hours(24 * 90);
  auto code = agent::run_agent(options);
  return code ? *code : fail(code.error());
}

int verify(const std::string& home_folder) {
  auto store = open_sqlite_store(home_at(home_folder).database(), {});
  if (!store) return fail(store.error());
  auto broken = (*store)->verify();
  if (!broken) return fail(broken.error());
  for (const std::string& sentence : *broken) std::printf("%s\n", sentence.c_str());
  if (broken->empty()) std::printf("all invariants hold\n");
  return broken->empty() ? 0 : 1;
}

}  // namespace etesian
