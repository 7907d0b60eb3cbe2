#pragma once
// What fits a filter, and how a page is cut out of rows.
#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "store/order.h"

namespace etesian::memory {

inline bool contains(const std::string& text, const std::optional<std::string>& part) {
  if (!part) return true;
  const auto is_same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part->begin(), part->end(), is_same) != text.end() ||
         part->empty();
}

inline bool is_within(const TimeRange& range, const std::optional<Instant>& t) {
  if (!t) return !range.gte && !range.gt && !range.lte && !range.lt;
  return !(range.gte && *t < *range.gte) && !(range.gt && *t <= *range.gt) &&
         !(range.lte && *t > *range.lte) && !(range.lt && *t >= *range.lt);
}

template <class T>
bool is_among(const std::vector<T>& wanted, const T& value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

template <class T>
bool is(const std::optional<T>& wanted, const T& value) {
  return !wanted || *wanted == value;
}

/// `rows` come in key order, which breaks ties. `is_less(column, a, b)`.
template <class Column, class Row, class Less>
Result<Listing<Row>> sorted_page(std::vector<Row> rows, const Paging& paging, Less&& is_less) {
  const auto order = order_from<Column>(paging);
  if (!order) return order.error();
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Row& a, const Row& b) { return is_less(order->column, a, b); });
  if (order->is_descending) std::reverse(rows.begin(), rows.end());
  Listing<Row> listing;
  listing.total = static_cast<std::int64_t>(rows.size());
  const auto begin = std::min(rows.size(), static_cast<std::size_t>(paging.offset));
  const auto end = std::min(rows.size(), begin + static_cast<std::size_t>(paging.limit));
  listing.rows.assign(std::make_move_iterator(rows.begin() + static_cast<std::ptrdiff_t>(begin)),
                      std::make_move_iterator(rows.begin() + static_cast<std::ptrdiff_t>(end)));
  return listing;
}

}  // namespace etesian::memory
