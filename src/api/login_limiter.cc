#include "api/login_limiter.h"

#include <algorithm>

namespace etesian::api {
namespace {

constexpr Duration Minute = std::chrono::minutes(1);
constexpr Duration ForgottenAfter = std::chrono::minutes(15);
constexpr Duration FirstPause = std::chrono::seconds(30);
constexpr std::size_t EntriesMax = 10'000;

/// 30 s after the fifth failure, doubled by each further one, at most 15 minutes.
Duration pause_after(int failures) {
  const int doublings = std::min(failures - LoginLimiter::FailuresPerAccount, 5);
  return std::min(FirstPause * (1 << doublings), ForgottenAfter);
}

}  // namespace

void LoginLimiter::forget_old(Duration uptime) {
  std::erase_if(accounts_,
                [&](const auto& entry) { return uptime - entry.second.last > ForgottenAfter; });
  std::erase_if(addresses_, [&](const auto& entry) {
    return entry.second.empty() || uptime - entry.second.back() > Minute;
  });
}

std::optional<Duration> LoginLimiter::begin(const std::string& account, const std::string& address,
                                            Duration uptime) {
  if (accounts_.size() >= EntriesMax || addresses_.size() >= EntriesMax) forget_old(uptime);
  auto& attempts = addresses_[address];
  while (!attempts.empty() && uptime - attempts.front() >= Minute) attempts.pop_front();
  if (attempts.size() >= AttemptsPerAddress) return attempts.front() + Minute - uptime;

  auto& failures = accounts_[{account, address}];
  if (uptime - failures.last > ForgottenAfter) failures = {};
  if (failures.count >= FailuresPerAccount) {
    const Duration open_at = failures.last + pause_after(failures.count);
    if (uptime < open_at) return open_at - uptime;
  }
  ++failures.count;
  failures.last = uptime;
  attempts.push_back(uptime);
  return std::nullopt;
}

void LoginLimiter::succeeded(const std::string& account, const std::string& address) {
  accounts_.erase({account, address});
  const auto found = addresses_.find(address);
  if (found != addresses_.end() && !found->second.empty()) found->second.pop_back();
}

}  // namespace etesian::api
