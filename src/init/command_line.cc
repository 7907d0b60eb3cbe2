#include "init/command_line.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace etesian::init {
namespace {

constexpr const char* kUsage =
    "usage: etesian init [OPTIONS] [--] COMMAND [ARGS]\n"
    "  PID 1 of a container: runs COMMAND, forwards signals, reaps orphans, ends what is left.\n"
    "  --main-only          forward signals to the main process only, not to its group\n"
    "  --pass-job-control   forward TSTP, TTIN and TTOU instead of suspending\n"
    "  --grace SECONDS      between TERM and KILL for what is left (default 8)\n"
    "  --rewrite FROM:TO    deliver TO in place of FROM; 0 drops it (repeatable)\n"
    "  --record FILE        leave a durable exit record\n";

bool add_rewrite(std::string_view text, Options& options) {
  int from = 0, to = 0;
  if (std::sscanf(std::string(text).c_str(), "%d:%d", &from, &to) != 2) return false;
  if (from < 1 || from > 64 || to < 0 || to > 64) return false;
  options.rewrite[static_cast<std::size_t>(from)] = to;
  return true;
}

bool set_grace(const char* text, Options& options) {
  char* end = nullptr;
  const double seconds = std::strtod(text, &end);
  if (end == text || *end != '\0' || seconds < 0 || seconds > 86'400) return false;
  options.grace = std::chrono::milliseconds(static_cast<long>(seconds * 1000));
  return true;
}

}  // namespace

std::optional<Options> options_from(int argc, char** argv) {
  Options options;
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; ++i) {
    const std::string_view option = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (option == "--") {
      ++i;
      break;
    }
    bool is_right = true;
    if (option == "--main-only")
      options.forward = Forward::MainOnly;
    else if (option == "--pass-job-control")
      options.job_control = JobControl::PassOn;
    else if (option == "--grace" && value)
      is_right = set_grace(value, options), ++i;
    else if (option == "--rewrite" && value)
      is_right = add_rewrite(value, options), ++i;
    else if (option == "--record" && value)
      options.exit_record = value, ++i;
    else
      is_right = false;
    if (!is_right) {
      std::fprintf(stderr, "etesian init: cannot use '%s'\n%s", argv[i], kUsage);
      return std::nullopt;
    }
  }
  for (; i < argc; ++i) options.command.emplace_back(argv[i]);
  if (!options.command.empty()) return options;
  std::fputs(kUsage, stderr);
  return std::nullopt;
}

int main_of(int argc, char** argv) {
  constexpr int kInitFailed = 125;
  const auto options = options_from(argc, argv);
  return options ? run(*options) : kInitFailed;
}

}  // namespace etesian::init
