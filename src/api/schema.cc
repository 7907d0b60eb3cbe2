#include "api/schema.h"

#include <algorithm>
#include <map>

#include "base/check.h"

namespace etesian::api {
namespace {

Field field_from_text(std::string_view text) {
  const auto colon = text.find(':');
  ETESIAN_CHECK(colon != std::string_view::npos);
  Field field{.name = std::string(text.substr(0, colon)), .type = {}};
  std::string_view type = text.substr(colon + 1);
  const auto take = [&](char mark) {
    const bool is_there = type.back() == mark;
    if (is_there) type.remove_suffix(1);
    return is_there;
  };
  field.is_required = take('!');
  field.is_nullable = take('?');
  field.is_list = take('*');
  field.type = type;
  return field;
}

}  // namespace

std::vector<Field> fields_from_text(std::string_view text) {
  std::vector<Field> fields;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) {
      Field field = field_from_text(text.substr(begin, end - begin));
      if (field.type == "range" || field.type == "number_range") {
        for (const auto* suffix : {"_gte", "_gt", "_lte", "_lt"}) {
          Field bound;
          bound.name = field.name + suffix;
          bound.type = field.type == "range" ? "instant" : "number";
          bound.is_nullable = field.is_nullable;
          fields.push_back(std::move(bound));
        }
      } else {
        fields.push_back(std::move(field));
      }
    }
    begin = end + 1;
  }
  return fields;
}

const std::vector<std::string_view>& values_of_type(std::string_view type) {
  static const std::map<std::string_view, std::vector<std::string_view>> values{
      {"run_state", {"queued", "running", "success", "failed"}},
      {"run_state_to_set", {"queued", "success", "failed"}},
      {"run_type",
       {"scheduled", "manual", "backfill", "asset_triggered", "operator_triggered",
        "asset_materialization"}},
      {"task_state",
       {"none", "no_status", "scheduled", "queued", "running", "success", "failed", "up_for_retry",
        "up_for_reschedule", "deferred", "restarting", "upstream_failed", "skipped", "removed",
        "awaiting_input"}},
      {"task_state_to_set", {"success", "failed", "skipped"}},
      {"reprocess", {"none", "failed", "completed"}},
      {"match_mode", {"any", "all"}},
      {"on_existence", {"fail", "skip", "overwrite"}},
      {"on_absence", {"fail", "skip"}},
  };
  static const std::vector<std::string_view> none;
  const auto found = values.find(type);
  return found == values.end() ? none : found->second;
}

const Schema& schema_named(std::string_view name) {
  static const auto by_name = [] {
    std::map<std::string_view, const Schema*> index;
    for (const auto& schema : schemas()) index.emplace(schema.name, &schema);
    return index;
  }();
  const auto found = by_name.find(name);
  ETESIAN_CHECK(found != by_name.end());
  return *found->second;
}

}  // namespace etesian::api
