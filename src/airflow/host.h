#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

namespace etesian::airflow {

struct HostOptions {
  std::string python;          ///< Interpreter of the environment that has the Airflow packages.
  std::string package_folder;  ///< Holds the package etesian_airflow (python/).
  std::string socket;          ///< Where tasks are handed over (airflow/stub.h).
  /// The host's own stderr is appended to it; it starts anew when it is over 16 MiB.
  std::string log_file;
  /// Complete environment: AIRFLOW_HOME, the bundle list, the Execution API's URL and token, ….
  /// PYTHONPATH and, where it is missing, PYTHONHASHSEED are added.
  std::vector<std::pair<std::string, std::string>> environment;
  /// A machine that is busy with much else may need minutes for what takes 2 s.
  Duration start_timeout = std::chrono::seconds(300);
  /// Before it is started again: the first pause, doubled with each failure up to the last.
  Duration first_pause = std::chrono::milliseconds(200), last_pause = std::chrono::seconds(30);
  /// It is asked for a sign of life this often, and killed when none comes for as long while
  /// nobody waits for an answer.
  Duration silence_max = std::chrono::seconds(30);
};

/// The warm Python process beside the server: parses DAG files, runs tasks (prefork), callbacks and
/// triggers. Started when it is needed first, started again when it dies or falls silent (with a
/// growing pause); tasks that it has forked live on by themselves. It ends when this object does:
/// at once, by SIGKILL after 5 s.
/// Protocol: length-prefixed JSON frames over a socket pair (docs/airflow.md#host).
/// Thread-safe; no call blocks. Callbacks run on the host's own thread and must be quick.
class Host {
 public:
  struct Listener {
    std::function<void()> on_ready;                ///< After each start; at once when it is up.
    std::function<void(std::string why)> on_down;  ///< After each end, and when it cannot start.
    std::function<void(const json::object&)> on_frame;  ///< What answers no request ("fired").
  };
  static Result<std::shared_ptr<Host>> create(HostOptions options,
                                              std::shared_ptr<const Clock> clock);
  virtual ~Host() = default;

  virtual int add_listener(Listener listener) = 0;
  /// Waits for a call that is under way, unless that call itself removes.
  virtual void remove_listener(int handle) = 0;
  /// Sends {"id", …request}, now or after the next start, which it brings about; `done` gets the
  /// answering frame. Errors: Unavailable (it cannot start, died before it answered, is ending, or
  /// takes nothing any more: ask again), Timeout, counted from now.
  virtual void ask(json::object request, Duration timeout,
                   std::function<void(Result<json::object>)> done) = 0;
  /// Sends a frame that is not answered; dropped while the host is down. More than it can take in
  /// ends it, so that whoever follows it on_down and on_ready loses nothing silently.
  virtual void tell(json::object frame) = 0;
  /// Starts the process now; it is needed.
  virtual void wake() = 0;
  virtual bool is_ready() const = 0;
  /// Of the last "ready" frame: {"airflow", "sdk", "python", "pid"}; empty before the first.
  virtual json::object versions() const = 0;
};

}  // namespace etesian::airflow
