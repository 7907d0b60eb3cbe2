#include "api/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/time_text.h"

namespace etesian::api {
namespace {

/// -1, 0 or 1. Times are compared as times: their texts have fractions of different lengths.
int compare(const json::value& a, const json::value& b) {
  const auto order = [](const auto& x, const auto& y) { return x < y ? -1 : (y < x ? 1 : 0); };
  if (a.is_null() || b.is_null()) return order(!a.is_null(), !b.is_null());
  if (a.is_number() && b.is_number()) {
    return order(a.to_number<double>(), b.to_number<double>());
  }
  if (a.is_bool() && b.is_bool()) return order(a.get_bool(), b.get_bool());
  if (!a.is_string() || !b.is_string()) return order(json::serialize(a), json::serialize(b));
  const std::string_view x = a.get_string(), y = b.get_string();
  if (x.ends_with('Z') && y.ends_with('Z')) {
    const auto at = instant_from_text(x), other = instant_from_text(y);
    if (at && other) return order(*at, *other);
  }
  return order(x, y);
}

const json::value& member_of(const json::object& row, std::string_view name) {
  static const json::value null;
  const auto found = row.find(name);
  return found == row.end() ? null : found->value();
}

std::string text_of(const json::value& value) {
  if (value.is_null()) return "none";
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

bool is_within(const json::value& value, const TimeRange& range) {
  if (!value.is_string()) return false;
  const auto at = instant_from_text(std::string_view(value.get_string()));
  return at && !(range.gte && *at < *range.gte) && !(range.gt && *at <= *range.gt) &&
         !(range.lte && *at > *range.lte) && !(range.lt && *at >= *range.lt);
}

bool is_within(const json::value& value, const NumberRange& range) {
  if (!value.is_number()) return false;
  const double number = value.to_number<double>();
  return !(range.gte && number < *range.gte) && !(range.gt && number <= *range.gt) &&
         !(range.lte && number > *range.lte) && !(range.lt && number >= *range.lt);
}

std::optional<double> query_real(const http::Request& request, const std::string& name) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  double number = 0;
  std::from_chars(text->data(), text->data() + text->size(), number);
  return number;
}

std::optional<double> body_real(const json::object& body, const std::string& name) {
  const auto* value = body.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}

}  // namespace

NumberRange query_number_range(const http::Request& request, const std::string& name) {
  return {query_real(request, name + "_gte"), query_real(request, name + "_gt"),
          query_real(request, name + "_lte"), query_real(request, name + "_lt")};
}
NumberRange body_number_range(const json::object& body, const std::string& name) {
  return {body_real(body, name + "_gte"), body_real(body, name + "_gt"),
          body_real(body, name + "_lte"), body_real(body, name + "_lt")};
}
TimeRange body_range(const json::object& body, const std::string& name) {
  return {body_instant(body, name + "_gte"), body_instant(body, name + "_gt"),
          body_instant(body, name + "_lte"), body_instant(body, name + "_lt")};
}
bool is_given(const TimeRange& range) { return range.gte || range.gt || range.lte || range.lt; }

void RowFilter::like(std::string member, Pattern pattern) {
  if (pattern.is_given()) likes_.emplace_back(std::move(member), std::move(pattern));
}
void RowFilter::any_of(std::string member, std::vector<std::string> texts) {
  if (!texts.empty()) sets_.emplace_back(std::move(member), std::move(texts));
}
void RowFilter::within(std::string member, const TimeRange& range) {
  if (is_given(range)) times_.emplace_back(std::move(member), range);
}
void RowFilter::within(std::string member, const NumberRange& range) {
  if (range.is_given()) numbers_.emplace_back(std::move(member), range);
}

bool RowFilter::fits(const json::object& row) const {
  return std::all_of(likes_.begin(), likes_.end(),
                     [&](const auto& like) {
                       return like.second.fits(text_of(member_of(row, like.first)));
                     }) &&
         std::all_of(sets_.begin(), sets_.end(),
                     [&](const auto& set) {
                       const auto text = text_of(member_of(row, set.first));
                       return std::find(set.second.begin(), set.second.end(), text) !=
                              set.second.end();
                     }) &&
         std::all_of(times_.begin(), times_.end(),
                     [&](const auto& time) {
                       return is_within(member_of(row, time.first), time.second);
                     }) &&
         std::all_of(numbers_.begin(), numbers_.end(), [&](const auto& number) {
           return is_within(member_of(row, number.first), number.second);
         });
}

Result<Done> order_rows(std::vector<json::object>& rows, const std::vector<std::string>& names,
                        const OrderNames& allowed, std::vector<std::string_view> last) {
  std::vector<std::pair<std::string_view, bool>> by;
  for (std::string_view name : names) {
    const bool is_descending = name.starts_with('-');
    if (is_descending) name.remove_prefix(1);
    if (name.empty()) continue;
    const auto found = allowed.find(name);
    if (found == allowed.end()) {
      return Error{ErrorCode::InvalidInput,
                   fmt::format("Ordering with '{}' is disallowed or the attribute does not exist "
                               "on the model",
                               name)};
    }
    by.emplace_back(found->second, is_descending);
  }
  for (const auto member : last) by.emplace_back(member, false);
  std::stable_sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
    for (const auto& [member, is_descending] : by) {
      const int way = compare(member_of(a, member), member_of(b, member));
      if (way != 0) return is_descending ? way > 0 : way < 0;
    }
    return false;
  });
  return Done{};
}

http::Response page_of(std::string_view plural, std::vector<json::object> rows,
                       const Paging& paging) {
  json::array page;
  const auto total = static_cast<std::int64_t>(rows.size());
  for (std::size_t i = static_cast<std::size_t>(paging.offset);
       i < rows.size() && page.size() < static_cast<std::size_t>(paging.limit); ++i) {
    page.push_back(std::move(rows[i]));
  }
  return listing(plural, std::move(page), total);
}

Error too_many_rows() {
  return {ErrorCode::InvalidInput,
          "More than 20,000 rows would have to be looked at; narrow the "
          "filter by dag_id, dag_run_id or dates"};
}

}  // namespace etesian::api
