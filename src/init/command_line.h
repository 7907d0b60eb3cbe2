#pragma once
#include <optional>

#include "init/init.h"

namespace etesian::init {

/// `etesian-init [--main-only] [--pass-job-control] [--grace SECONDS] [--rewrite 15:2]… [--record
/// FILE] [--] COMMAND…` nullopt after a message on standard error, when the line is wrong.
std::optional<Options> options_from(int argc, char** argv);

/// Parses and runs: the whole of `etesian-init` and of `etesian init`. 125 for a wrong command
/// line.
int main_of(int argc, char** argv);

}  // namespace etesian::init
