#include "api/json_common.h"

#include "base/time_text.h"

namespace etesian::api {

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

}  // namespace etesian::api
