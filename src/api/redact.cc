#include "api/redact.h"

#include <algorithm>

namespace etesian::api {
namespace {

constexpr std::string_view kHidden = "***";
// airflow.sdk._shared.secrets_masker.DEFAULT_SENSITIVE_FIELDS.
constexpr std::string_view kSensitive[] = {
    "access_token", "api_key",  "apikey",       "authorization",  "passphrase",
    "passwd",       "password", "private_key",  "proxy_password", "service_account",
    "secret",       "token",    "keyfile_dict", "proxies",        "proxy"};

}  // namespace

bool is_sensitive_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c == '-' ? '_' : c;
  });
  return std::any_of(std::begin(kSensitive), std::end(kSensitive),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

json::value redacted(const json::value& value) {
  if (const auto* object = value.if_object()) {
    json::object out;
    for (const auto& member : *object) {
      out[member.key()] =
          is_sensitive_name(member.key()) ? json::value(kHidden) : redacted(member.value());
    }
    return out;
  }
  if (const auto* array = value.if_array()) {
    json::array out;
    for (const auto& item : *array) out.push_back(redacted(item));
    return out;
  }
  return value;
}

json::value unredacted(const json::value& given, const json::value& kept) {
  if (given.is_string() && given.get_string() == kHidden) return kept;
  const auto *object = given.if_object(), *old = kept.if_object();
  if (object == nullptr || old == nullptr) return given;
  json::object out;
  for (const auto& member : *object) {
    const auto* before = old->if_contains(member.key());
    out[member.key()] = before != nullptr ? unredacted(member.value(), *before) : member.value();
  }
  return out;
}

std::string shown_value(std::string_view name, const std::string& text) {
  if (is_sensitive_name(name)) return std::string(kHidden);
  const auto parsed = parse_json(text);
  if (!parsed || (!parsed->is_object() && !parsed->is_array())) return text;
  const auto shown = redacted(*parsed);
  return shown == *parsed ? text : json::serialize(shown);
}

}  // namespace etesian::api
