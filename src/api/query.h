#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "http/http.h"
#include "store/store.h"

namespace etesian::api {

// Reads parameters and members that schema_check.cc has found well formed.

std::optional<Instant> query_instant(const http::Request& request, const std::string& name);
std::optional<bool> query_flag(const http::Request& request, std::string_view name);
std::optional<std::int64_t> query_number(const http::Request& request, std::string_view name);
/// The bounds `name`_gte, _gt, _lte, _lt.
TimeRange query_range(const http::Request& request, const std::string& name);
/// The text of a LIKE pattern without its outer '%'.
std::optional<std::string> query_pattern(const http::Request& request, std::string_view name);
/// limit (default 50, at most 1000), offset, order_by.
Paging query_paging(const http::Request& request);

std::optional<std::string> body_text(const json::object& body, std::string_view name);
std::optional<Instant> body_instant(const json::object& body, std::string_view name);
/// The texts of a list; null among them is "none". Empty where the member is absent or null.
std::vector<std::string> body_texts(const json::object& body, std::string_view name);
/// page_limit (default 100) and page_offset.
Paging body_paging(const json::object& body);
std::optional<bool> body_flag(const json::object& body, std::string_view name);
std::optional<std::int64_t> body_number(const json::object& body, std::string_view name);

}  // namespace etesian::api
