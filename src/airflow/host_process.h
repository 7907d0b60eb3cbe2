#pragma once
#include <sys/types.h>

#include <string>

#include "airflow/host.h"
#include "base/file.h"

namespace etesian::airflow {

/// The Python process of a Host, a session of its own, and our end of its control socket.
class HostProcess {
 public:
  /// posix_spawn; never a fork of the server. Errors: Unavailable.
  static Result<HostProcess> start(const HostOptions& options);
  HostProcess(HostProcess&&) noexcept = default;
  HostProcess& operator=(HostProcess&&) noexcept = default;

  int socket() const { return socket_.get(); }
  int end_fd() const { return process_.get(); }  ///< Readable when it has ended.
  /// Closes the socket, which is the sign to end; kills it when it has not ended after `grace`.
  /// Returns how it ended: "exit code 1", "killed by signal 9".
  std::string end(Duration grace);

 private:
  HostProcess(pid_t pid, Fd process, Fd socket)
      : pid_(pid), process_(std::move(process)), socket_(std::move(socket)) {}
  pid_t pid_;
  Fd process_, socket_;
};

/// Empties the log file once it is over 16 MiB; its writers append.
void bound_host_log(const std::string& path);
/// The last line in the log that says something: why a process ended that told nothing else.
std::string last_log_line(const std::string& path);

}  // namespace etesian::airflow
