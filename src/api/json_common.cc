#include "api/json_common.h"

#include "base/bytes.h"
#include "base/time_text.h"

namespace etesian::api {
namespace {

/// Length of the valid UTF-8 sequence at the beginning of `bytes`; 0 when there is none.
std::size_t sequence_length(std::string_view bytes) {
  for (std::size_t length = 1; length <= 4 && length <= bytes.size(); ++length) {
    if (is_utf8(bytes.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

json::value instant_json(Instant at) { return json::string(to_iso_z(at)); }

json::value instant_json(const std::optional<Instant>& at) {
  return at ? instant_json(*at) : json::value(nullptr);
}

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::value seconds_between(const std::optional<Instant>& start,
                            const std::optional<Instant>& end) {
  if (!start || !end) return nullptr;
  return std::chrono::duration<double>(*end - *start).count();
}

json::value time_delta_json(Duration length) {
  const auto days = std::chrono::floor<std::chrono::days>(length);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(length - days);
  return json::object{{"__type", "TimeDelta"},
                      {"days", days.count()},
                      {"seconds", seconds.count()},
                      {"microseconds", (length - days - seconds).count()}};
}

std::string iso_length(Duration length) {
  std::string text = length < Duration::zero() ? "-P" : "P";
  const auto positive = length < Duration::zero() ? -length : length;
  const auto days = std::chrono::floor<std::chrono::days>(positive);
  const auto rest = positive - days;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(rest);
  if (days.count() >= 365) text += std::to_string(days.count() / 365) + "Y";
  if (days.count() % 365 != 0) text += std::to_string(days.count() % 365) + "D";
  if (rest == Duration::zero()) return days.count() == 0 ? text + "T0S" : text;
  text += "T";
  const auto count = seconds.count();
  if (count >= 3600) text += std::to_string(count / 3600) + "H";
  if (count / 60 % 60 != 0) text += std::to_string(count / 60 % 60) + "M";
  const auto micros = (rest - seconds).count();
  if (micros == 0) return count % 60 == 0 ? text : text + std::to_string(count % 60) + "S";
  std::string fraction = std::to_string(1'000'000 + micros).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return text + std::to_string(count % 60) + "." + fraction + "S";
}

json::value json_or_text(std::string_view text) {
  auto parsed = parse_json(text);
  return parsed ? std::move(*parsed) : json::value(text);
}

std::string uuid_of(std::string_view seed) {
  std::string hex = sha256_hex(seed).substr(0, 32);
  hex[12] = '8';
  hex[16] = "89ab"[static_cast<unsigned char>(hex[16]) & 3U];
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) hex.insert(dash, 1, '-');
  return hex;
}

std::string readable(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    text += length != 0 ? bytes.substr(0, length) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(std::max<std::size_t>(1, length));
  }
  return text;
}

}  // namespace etesian::api
