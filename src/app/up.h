#pragma once
#include <cstdint>
#include <string>

namespace etesian {

struct UpOptions {
  std::string home = ".etesian";  ///< State and logs, all of them.
  std::string dags = ".";         ///< The project; nothing in it is written.
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;
  bool allow_plain_http =
      false;                    ///< Also beyond loopback, where anybody on the way can read along.
  std::string airflow_python;   ///< Interpreter with Airflow; empty: found, or made.
  bool has_native_lane = true;  ///< Airflow tasks that need no Python are run without it.
  std::string program;          ///< Path of this binary, to start the agent with.
};

/// `etesian up`: server and agent on this machine, SQLite inside, until SIGINT or SIGTERM. Tasks
/// that run then go on under the agent; the next start takes them over. Returns the exit code.
int up(const UpOptions& options);

/// `etesian agent`: one per home, started by the server; outlives it.
int supervise(const std::string& home);

/// `etesian verify`: checks the invariants of a store that no server uses. Exit code 1 when broken.
int verify(const std::string& home);

}  // namespace etesian
