#include "scheduler/mapping.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace etesian {
namespace {

Result<std::vector<json::value>> items_of(const std::string& name, const std::string& text) {
  auto value = parse_json(text);
  std::vector<json::value> items;
  if (value && value->is_array()) {
    items.assign(value->get_array().begin(), value->get_array().end());
  } else if (value && value->is_object()) {
    for (const auto& [key, its] : value->get_object())
      items.emplace_back(json::array{json::string(key), its});
  } else {
    return Error{ErrorCode::InvalidInput,
                 fmt::format("map argument '{}': not a JSON array or object", name)};
  }
  return items;
}

Result<std::vector<std::vector<json::value>>> all_items(std::span<const std::string> lists) {
  std::vector<std::vector<json::value>> all;
  for (std::size_t i = 0; i < lists.size(); ++i) {
    auto items = items_of(fmt::format("#{}", i + 1), lists[i]);
    if (!items) return items.error();
    all.push_back(std::move(*items));
  }
  return all;
}

}  // namespace

Result<std::vector<std::string>> map_arguments(const MapRule& rule,
                                               std::span<const std::string> values,
                                               std::size_t count_max) {
  std::vector<std::vector<json::value>> lists;
  const bool is_zip = rule.combine == MapRule::Combine::Zip;
  std::size_t count = rule.arguments.empty() ? 0 : 1;
  for (std::size_t i = 0; i < rule.arguments.size(); ++i) {
    auto items = items_of(rule.arguments[i].name, values[i]);
    if (!items) return items.error();
    const std::size_t length = items->size();
    if (is_zip)
      count = i == 0 ? length : std::min(count, length);
    else if (length != 0 && count > count_max)
      count = count_max + 1;
    else
      count *= length;
    lists.push_back(std::move(*items));
  }
  if (count > count_max)
    return Error{
        ErrorCode::TooLarge,
        fmt::format("map: more instances ({}) than the most allowed ({})", count, count_max)};
  std::vector<std::string> arguments;
  arguments.reserve(count);
  for (std::size_t instance = 0; instance < count; ++instance) {
    json::object object;
    std::size_t rest = instance;
    for (std::size_t i = lists.size(); i-- > 0;) {
      const std::size_t at = is_zip ? instance : rest % lists[i].size();
      if (!is_zip) rest /= lists[i].size();
      object[rule.arguments[i].name] = lists[i][at];
    }
    arguments.push_back(canonical_json(object));
  }
  return arguments;
}

Result<std::string> zip_lists(std::span<const std::string> lists,
                              const std::optional<std::string>& fill) {
  auto all = all_items(lists);
  if (!all) return all.error();
  json::value filler;
  if (fill) {
    auto value = parse_json(*fill);
    if (!value) return value.error();
    filler = std::move(*value);
  }
  std::size_t count = all->empty() ? 0 : all->front().size();
  for (const auto& items : *all)
    count = fill ? std::max(count, items.size()) : std::min(count, items.size());
  json::array rows;
  for (std::size_t i = 0; i < count; ++i) {
    json::array row;
    for (const auto& items : *all) row.push_back(i < items.size() ? items[i] : filler);
    rows.emplace_back(std::move(row));
  }
  return canonical_json(rows);
}

Result<std::string> concat_lists(std::span<const std::string> lists) {
  auto all = all_items(lists);
  if (!all) return all.error();
  json::array joined;
  for (const auto& items : *all)
    for (const auto& item : items) joined.push_back(item);
  return canonical_json(joined);
}

}  // namespace etesian
