#pragma once
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace etesian::airflow {

struct ProgramEnd {
  int code = 0;        ///< Exit code; 128 + signal when one killed it.
  std::string output;  ///< The last 64 KiB of stdout and stderr.
};

/// Runs a program to its end with our environment and no stdin; blocks. Errors: Unavailable (it
/// cannot be started), Timeout (it was killed).
Result<ProgramEnd> run_program(std::vector<std::string> words, Duration timeout);

/// The path of the program that a shell would find; empty where there is none.
std::string find_program(const std::string& name);

}  // namespace etesian::airflow
