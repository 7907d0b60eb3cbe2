#include <cstdio>
#include <exception>

#include "cli/commands.h"

namespace etesian::cli {

int run_command(const Chosen& command) {
  try {
    return command();
  } catch (const Failure& failure) {
    std::fprintf(stderr, "etesian: %s\n", visible(failure.message).c_str());
    return failure.code;
  } catch (const std::exception& unexpected) {
    // Boost.JSON throws where an answer lacks a member that this version of the program expects.
    std::fprintf(stderr,
                 "etesian: the server's answer is not understood (%s); is it another version?\n",
                 unexpected.what());
    return kServerError;
  }
}

}  // namespace etesian::cli
