#pragma once
#include <optional>
#include <string>

#include "model/dag.h"
#include "model/run.h"

namespace etesian {

/// Airflow 3's delay after try `try_number` (vectors/retry_delays.jsonl), seconds with its
/// deterministic hash jitter.
Duration airflow_retry_delay(const RetryRule& rule, const std::string& dag_id,
                             const std::string& task_id, std::optional<Instant> logical_date,
                             int try_number);

/// "exit code 75", "timeout (its timeout of 5s is over)".
std::string how_it_ended(const Outcome& outcome);

struct RetryDecision {
  bool retry = false;
  Duration delay{0};
  std::string
      reason;  ///< "try 2 of 3 failed: exit code 75; next in 30s" / "exit code 2 is in not_on_exit"
};
/// Whether and when a failed try is run again: a pure function of rule, row, outcome and instant.
RetryDecision decide_retry(const Task& task, const std::string& dag_id, const RunRow& run,
                           const InstanceRow& instance, const Outcome& outcome, Instant now);

/// Delay before a try that the infrastructure lost is run again: 5 s, doubled each time, at most 2
/// min.
Duration loss_delay(int losses);

}  // namespace etesian
