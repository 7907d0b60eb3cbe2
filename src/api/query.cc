#include "api/query.h"

#include <algorithm>
#include <charconv>

#include "base/time_text.h"

namespace etesian::api {
namespace {

constexpr std::int64_t PageMax = 100, LimitDefault = 50, LimitMax = 1000, OffsetMax = 1'000'000'000;

const json::value* member(const json::object& body, std::string_view name) {
  const auto found = body.find(name);
  return found == body.end() || found->value().is_null() ? nullptr : &found->value();
}

}  // namespace

std::optional<Instant> query_instant(const http::Request& request, const std::string& name) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  const auto at = instant_from_text(*text);
  return at ? std::optional(*at) : std::nullopt;
}

std::optional<bool> query_flag(const http::Request& request, std::string_view name) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  return *text == "true" || *text == "True" || *text == "1";
}

std::optional<std::int64_t> query_number(const http::Request& request, std::string_view name) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  std::int64_t number = 0;
  std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

TimeRange query_range(const http::Request& request, const std::string& name) {
  return {query_instant(request, name + "_gte"), query_instant(request, name + "_gt"),
          query_instant(request, name + "_lte"), query_instant(request, name + "_lt")};
}

std::optional<std::string> query_pattern(const http::Request& request, std::string_view name) {
  auto text = request.query_value(name);
  if (!text || text->empty()) return std::nullopt;
  if (text->front() == '%') text->erase(0, 1);
  if (!text->empty() && text->back() == '%') text->pop_back();
  return text;
}

Paging query_paging(const http::Request& request) {
  Paging paging;
  const std::int64_t limit = query_number(request, "limit").value_or(LimitDefault);
  paging.limit =
      static_cast<int>(std::clamp<std::int64_t>(limit == 0 ? LimitDefault : limit, 1, LimitMax));
  paging.offset = static_cast<int>(
      std::clamp<std::int64_t>(query_number(request, "offset").value_or(0), 0, OffsetMax));
  paging.order_by = request.query_value("order_by").value_or("");
  return paging;
}

std::optional<std::string> body_text(const json::object& body, std::string_view name) {
  const auto* value = member(body, name);
  return value == nullptr ? std::nullopt : std::optional(std::string(value->get_string()));
}

std::optional<Instant> body_instant(const json::object& body, std::string_view name) {
  const auto text = body_text(body, name);
  if (!text) return std::nullopt;
  const auto at = instant_from_text(*text);
  return at ? std::optional(*at) : std::nullopt;
}

std::vector<std::string> body_texts(const json::object& body, std::string_view name) {
  std::vector<std::string> texts;
  const auto* value = member(body, name);
  if (value == nullptr) return texts;
  for (const auto& item : value->get_array()) {
    texts.push_back(item.is_null() ? std::string("none") : std::string(item.get_string()));
  }
  return texts;
}

Paging body_paging(const json::object& body) {
  Paging paging;
  paging.limit = static_cast<int>(
      std::clamp<std::int64_t>(body_number(body, "page_limit").value_or(PageMax), 1, PageMax));
  paging.offset = static_cast<int>(
      std::clamp<std::int64_t>(body_number(body, "page_offset").value_or(0), 0, OffsetMax));
  return paging;
}

std::optional<bool> body_flag(const json::object& body, std::string_view name) {
  const auto* value = member(body, name);
  return value == nullptr ? std::nullopt : std::optional(value->get_bool());
}

std::optional<std::int64_t> body_number(const json::object& body, std::string_view name) {
  const auto* value = member(body, name);
  return value == nullptr ? std::nullopt : std::optional(value->get_int64());
}

}  // namespace etesian::api
