#pragma once
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"

namespace etesian::api {

/// Slows down the guessing of passwords. Counted for an account *as seen from one address*, so that
/// a stranger cannot lock the owner out, and for an address over all accounts. Every attempt is
/// charged when it begins, so that parallel guesses do not slip through. Not thread-safe. Memory is
/// bounded.
class LoginLimiter {
 public:
  static constexpr int FailuresPerAccount = 5;
  static constexpr std::size_t AttemptsPerAddress = 20;  ///< In one minute; successes do not count.

  /// Charges an attempt at `uptime`; or how long to wait, when it must not be made now.
  std::optional<Duration> begin(const std::string& account, const std::string& address,
                                Duration uptime);
  /// The attempt was right: takes its charge back and forgets the account's failures from there.
  void succeeded(const std::string& account, const std::string& address);

 private:
  struct Failures {
    int count = 0;
    Duration last{0};
  };
  void forget_old(Duration uptime);

  std::map<std::pair<std::string, std::string>, Failures> accounts_;
  std::map<std::string, std::deque<Duration>> addresses_;
};

}  // namespace etesian::api
