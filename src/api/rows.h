#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/pattern.h"
#include "api/query.h"
#include "api/service.h"

namespace etesian::api {

// Listings over more than the store can filter and order by: rows as answers show them, all in
// memory. At most RowsMax of them.

inline constexpr std::size_t RowsMax = 20'000;

struct NumberRange {
  std::optional<double> gte, gt, lte, lt;
  bool is_given() const { return gte || gt || lte || lt; }
};
/// The bounds `name`_gte, _gt, _lte, _lt of a query; of a body.
NumberRange query_number_range(const http::Request& request, const std::string& name);
NumberRange body_number_range(const json::object& body, const std::string& name);
TimeRange body_range(const json::object& body, const std::string& name);
bool is_given(const TimeRange& range);

/// What rows must fit; what was not asked for fits everything.
class RowFilter {
 public:
  void like(std::string member, Pattern pattern);
  /// Null fits the text "none". No texts: nothing was asked.
  void any_of(std::string member, std::vector<std::string> texts);
  void within(std::string member, const TimeRange& range);
  void within(std::string member, const NumberRange& range);

  bool is_empty() const {
    return likes_.empty() && sets_.empty() && times_.empty() && numbers_.empty();
  }
  bool fits(const json::object& row) const;

 private:
  std::vector<std::pair<std::string, Pattern>> likes_;
  std::vector<std::pair<std::string, std::vector<std::string>>> sets_;
  std::vector<std::pair<std::string, TimeRange>> times_;
  std::vector<std::pair<std::string, NumberRange>> numbers_;
};

/// Names that a listing may be ordered by, and the members of its rows that they stand for.
using OrderNames = std::map<std::string_view, std::string_view>;
/// Sorts by `names` ("-" in front: descending), then by the members `last`; null comes first.
/// Errors: InvalidInput in Airflow's words.
Result<Done> order_rows(std::vector<json::object>& rows, const std::vector<std::string>& names,
                        const OrderNames& allowed, std::vector<std::string_view> last);
/// {"<plural>": the page, "total_entries": all}.
http::Response page_of(std::string_view plural, std::vector<json::object> rows,
                       const Paging& paging);
/// "there are more than 20,000 rows": InvalidInput.
Error too_many_rows();

}  // namespace etesian::api
