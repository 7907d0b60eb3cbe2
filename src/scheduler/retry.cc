#include "scheduler/retry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/time_text.h"

namespace etesian {
namespace {

using namespace std::chrono_literals;

constexpr double kDayInSeconds = 86400;
/// After a loss the agent is back, or another takes over, within a few beats.
constexpr Duration kLossDelay = 5s;
constexpr Duration kLossDelayMax = 2min;

std::uint32_t rotate(std::uint32_t x, int n) { return x << n | x >> (32 - n); }

/// SHA-1 (FIPS 180-4), which libsodium does not have. Not for security: Airflow's jitter is a hash.
std::array<std::uint32_t, 5> sha1(std::string text) {
  std::array<std::uint32_t, 5> h = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  const std::uint64_t bits = text.size() * 8;
  text.push_back('\x80');
  while (text.size() % 64 != 56) text.push_back('\0');
  for (int shift = 56; shift >= 0; shift -= 8)
    text.push_back(static_cast<char>(bits >> shift & 0xff));
  for (std::size_t at = 0; at < text.size(); at += 64) {
    std::array<std::uint32_t, 80> w{};
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t b = 0; b < 4; ++b)
        w[i] = w[i] << 8 | static_cast<unsigned char>(text[at + 4 * i + b]);
    for (std::size_t i = 16; i < 80; ++i)
      w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    auto [a, b, c, d, e] = h;
    for (std::size_t i = 0; i < 80; ++i) {
      std::uint32_t f, k;
      if (i < 20)
        f = (b & c) | (~b & d), k = 0x5A827999;
      else if (i < 40)
        f = b ^ c ^ d, k = 0x6ED9EBA1;
      else if (i < 60)
        f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
      else
        f = b ^ c ^ d, k = 0xCA62C1D6;
      const std::uint32_t next = rotate(a, 5) + f + e + k + w[i];
      e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
  }
  return h;
}

std::uint64_t modulo(const std::array<std::uint32_t, 5>& number, std::uint64_t by) {
  std::uint64_t rest = 0;
  for (const std::uint32_t word : number) rest = (rest << 32 | word) % by;
  return rest;
}

/// str(datetime) of Python: a blank in place of the T.
std::string python_text(std::optional<Instant> t) {
  if (!t) return "None";
  std::string text = to_iso(*t);
  text[10] = ' ';
  return text;
}

Duration seconds(double s) { return Duration(static_cast<std::int64_t>(std::llround(s * 1e6))); }

std::uint64_t hash_of(const InstanceRow& instance, const std::string& dag_id,
                      const std::string& run_id, const std::string& task_id) {
  const auto h = sha1(fmt::format("{}#{}#{}#{}#{}", dag_id, run_id, task_id, instance.key.map_index,
                                  instance.try_number));
  return std::uint64_t{h[0]} << 32 | h[1];
}

Duration own_delay(const Task& task, const std::string& dag_id, const RunRow& run,
                   const InstanceRow& instance, int failures) {
  const RetryRule& rule = task.retry;
  const double most = std::chrono::duration<double>(rule.max_delay.value_or(24h)).count();
  const double base = std::chrono::duration<double>(rule.delay).count();
  double delay = std::min(most, base * std::pow(rule.backoff, std::max(0, failures - 1)));
  if (rule.jitter.count() > 0) {
    const auto part = hash_of(instance, dag_id, run.run_id, task.id) %
                      static_cast<std::uint64_t>(rule.jitter.count());
    delay = std::min(most, delay + static_cast<double>(part) / 1e6);
  }
  return seconds(delay);
}

template <class Set, class Value>
bool contains(const Set& set, const Value& value) {
  return std::find(set.begin(), set.end(), value) != set.end();
}

/// Why the rule's conditions refuse a retry of this outcome; empty: they do not.
std::string refusal(const RetryRule& rule, const Outcome& outcome) {
  const bool has_code = outcome.cause == Cause::Exit;
  if (has_code && contains(rule.not_on_exit, outcome.exit_code))
    return fmt::format("exit code {} is in not_on_exit", outcome.exit_code);
  if (!rule.on_exit.empty() && !(has_code && contains(rule.on_exit, outcome.exit_code)))
    return fmt::format("{} is not in on_exit", how_it_ended(outcome));
  if (contains(rule.not_on_cause, outcome.cause))
    return fmt::format("cause {} is in not_on_cause", to_text(outcome.cause));
  if (!rule.on_cause.empty() && !contains(rule.on_cause, outcome.cause))
    return fmt::format("cause {} is not in on_cause", to_text(outcome.cause));
  if (!rule.on_log.empty() && !outcome.log_matched)
    return fmt::format("{}, and its log does not match on_log", how_it_ended(outcome));
  return {};
}

}  // namespace

std::string how_it_ended(const Outcome& outcome) {
  std::string text = outcome.cause == Cause::Exit ? fmt::format("exit code {}", outcome.exit_code)
                                                  : std::string(to_text(outcome.cause));
  if (!outcome.message.empty()) text += fmt::format(" ({})", outcome.message);
  return text;
}

Duration airflow_retry_delay(const RetryRule& rule, const std::string& dag_id,
                             const std::string& task_id, std::optional<Instant> logical_date,
                             int try_number) {
  const double base = std::chrono::duration<double>(rule.delay).count();
  const double factor = rule.airflow_exponential_backoff;
  // Airflow reads both 0 and 1 as "fixed".
  if (factor == 0 || factor == 1) return rule.delay;
  double delay = kDayInSeconds;
  const double power = std::pow(factor, try_number - 1);
  if (std::isfinite(power)) {
    const double least = std::max(1.0, std::ceil(base * power));
    if (least < kDayInSeconds) {
      const auto h =
          sha1(fmt::format("{}#{}#{}#{}", dag_id, task_id, python_text(logical_date), try_number));
      const auto whole = static_cast<std::uint64_t>(least);
      delay = std::min(kDayInSeconds, least + static_cast<double>(modulo(h, whole)));
    }
  }
  const Duration bounded = seconds(delay);
  return rule.max_delay ? std::min(bounded, *rule.max_delay) : bounded;
}

Duration loss_delay(int losses) {
  return std::min(kLossDelayMax, kLossDelay * (1 << std::min(losses > 0 ? losses - 1 : 0, 8)));
}

RetryDecision decide_retry(const Task& task, const std::string& dag_id, const RunRow& run,
                           const InstanceRow& instance, const Outcome& outcome, Instant now) {
  const RetryRule& rule = task.retry;
  const bool is_forever = rule.times == RetryRule::kForever;
  const int failures = instance.try_number - instance.infrastructure_losses;
  const std::string ended = how_it_ended(outcome);
  RetryDecision decision;
  if (!is_forever && !has_retries_left(instance)) {
    decision.reason =
        fmt::format("try {} of {} failed: {}", failures, instance.max_tries + 1, ended);
    return decision;
  }
  if (const std::string no = refusal(rule, outcome); !no.empty()) {
    decision.reason = fmt::format("try {} failed, no retry: {}", failures, no);
    return decision;
  }
  decision.delay =
      rule.airflow_exponential_backoff != 0
          ? airflow_retry_delay(rule, dag_id, task.id, run.logical_date, instance.try_number)
          : own_delay(task, dag_id, run, instance, failures);
  if (rule.max_elapsed && instance.first_started_at &&
      now + decision.delay - *instance.first_started_at > *rule.max_elapsed) {
    decision.reason = fmt::format(
        "try {} failed: {}; the next would start later than {} after the "
        "first (max_elapsed)",
        failures, ended, to_text(*rule.max_elapsed));
    return decision;
  }
  decision.retry = true;
  decision.reason =
      is_forever
          ? fmt::format("try {} failed: {}; next in {}", failures, ended, to_text(decision.delay))
          : fmt::format("try {} of {} failed: {}; next in {}", failures, instance.max_tries + 1,
                        ended, to_text(decision.delay));
  return decision;
}

}  // namespace etesian
