#include "store/order.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <span>
#include <string_view>

namespace etesian {
namespace {

template <class Column>
struct Name {
  std::string_view text;
  Column column;
};

// The first name of each listing is its default.
constexpr Name<DagColumn> kDagNames[] = {{"dag_id", DagColumn::Id},
                                         {"first_seen", DagColumn::FirstSeen},
                                         {"last_changed", DagColumn::LastChanged},
                                         {"last_parsed_time", DagColumn::LastChanged}};
constexpr Name<RunColumn> kRunNames[] = {{"id", RunColumn::Key},
                                         {"dag_id", RunColumn::DagId},
                                         {"run_id", RunColumn::RunId},
                                         {"dag_run_id", RunColumn::RunId},
                                         {"state", RunColumn::State},
                                         {"run_type", RunColumn::Type},
                                         {"logical_date", RunColumn::LogicalDate},
                                         {"run_after", RunColumn::RunAfter},
                                         {"queued_at", RunColumn::QueuedAt},
                                         {"start_date", RunColumn::StartedAt},
                                         {"started_at", RunColumn::StartedAt},
                                         {"end_date", RunColumn::EndedAt},
                                         {"ended_at", RunColumn::EndedAt}};
constexpr Name<InstanceColumn> kInstanceNames[] = {{"id", InstanceColumn::Key},
                                                   {"dag_id", InstanceColumn::DagId},
                                                   {"run_id", InstanceColumn::RunId},
                                                   {"task_id", InstanceColumn::TaskId},
                                                   {"map_index", InstanceColumn::MapIndex},
                                                   {"state", InstanceColumn::State},
                                                   {"try_number", InstanceColumn::TryNumber},
                                                   {"logical_date", InstanceColumn::LogicalDate},
                                                   {"run_after", InstanceColumn::RunAfter},
                                                   {"start_date", InstanceColumn::StartedAt},
                                                   {"started_at", InstanceColumn::StartedAt},
                                                   {"end_date", InstanceColumn::EndedAt},
                                                   {"ended_at", InstanceColumn::EndedAt},
                                                   {"duration", InstanceColumn::Elapsed}};
constexpr Name<BackfillColumn> kBackfillNames[] = {{"id", BackfillColumn::Key},
                                                   {"dag_id", BackfillColumn::DagId},
                                                   {"from_date", BackfillColumn::From},
                                                   {"to_date", BackfillColumn::To},
                                                   {"created_at", BackfillColumn::CreatedAt},
                                                   {"completed_at", BackfillColumn::CompletedAt}};
constexpr Name<HumanInputColumn> kHumanInputNames[] = {
    {"ti_id", HumanInputColumn::Key},
    {"subject", HumanInputColumn::Subject},
    {"created_at", HumanInputColumn::AskedAt},
    {"responded_at", HumanInputColumn::AnsweredAt},
    {"responded_by_user_id", HumanInputColumn::AnsweredById},
    {"responded_by_user_name", HumanInputColumn::AnsweredByName},
    {"dag_id", HumanInputColumn::DagId},
    {"run_id", HumanInputColumn::RunId},
    {"task_display_name", HumanInputColumn::TaskId},
    {"run_after", HumanInputColumn::RunAfter},
    {"rendered_map_index", HumanInputColumn::RenderedMapIndex},
    {"task_instance_state", HumanInputColumn::State}};
constexpr Name<AssetColumn> kAssetNames[] = {{"id", AssetColumn::Key},
                                             {"name", AssetColumn::Name},
                                             {"uri", AssetColumn::Uri},
                                             {"created_at", AssetColumn::CreatedAt},
                                             {"updated_at", AssetColumn::UpdatedAt}};
constexpr Name<AssetAliasColumn> kAssetAliasNames[] = {{"id", AssetAliasColumn::Key},
                                                       {"name", AssetAliasColumn::Name}};
constexpr Name<AssetEventColumn> kAssetEventNames[] = {
    {"timestamp", AssetEventColumn::At},
    {"source_dag_id", AssetEventColumn::DagId},
    {"source_run_id", AssetEventColumn::RunId},
    {"source_task_id", AssetEventColumn::TaskId},
    {"source_map_index", AssetEventColumn::MapIndex}};
constexpr Name<AuditColumn> kAuditNames[] = {
    {"id", AuditColumn::Id},         {"event_log_id", AuditColumn::Id},
    {"when", AuditColumn::At},       {"dttm", AuditColumn::At},
    {"owner", AuditColumn::Actor},   {"event", AuditColumn::Event},
    {"dag_id", AuditColumn::DagId},  {"run_id", AuditColumn::RunId},
    {"task_id", AuditColumn::TaskId}};

constexpr std::span<const Name<DagColumn>> names(DagColumn) { return kDagNames; }
constexpr std::span<const Name<RunColumn>> names(RunColumn) { return kRunNames; }
constexpr std::span<const Name<InstanceColumn>> names(InstanceColumn) { return kInstanceNames; }
constexpr std::span<const Name<BackfillColumn>> names(BackfillColumn) { return kBackfillNames; }
constexpr std::span<const Name<HumanInputColumn>> names(HumanInputColumn) {
  return kHumanInputNames;
}
constexpr std::span<const Name<AssetColumn>> names(AssetColumn) { return kAssetNames; }
constexpr std::span<const Name<AssetAliasColumn>> names(AssetAliasColumn) {
  return kAssetAliasNames;
}
constexpr std::span<const Name<AssetEventColumn>> names(AssetEventColumn) {
  return kAssetEventNames;
}
constexpr std::span<const Name<AuditColumn>> names(AuditColumn) { return kAuditNames; }

}  // namespace

template <class Column>
Result<Order<Column>> order_from(const Paging& paging) {
  if (paging.limit < 1 || paging.limit > 1000 || paging.offset < 0)
    return Error{ErrorCode::InvalidInput,
                 fmt::format("page of {} rows from {}: limit is 1 to 1000, offset at least 0",
                             paging.limit, paging.offset)};
  std::string_view name = paging.order_by;
  Order<Column> order;
  order.is_descending = name.starts_with('-');
  if (order.is_descending) name.remove_prefix(1);
  if (name.empty()) return order;
  std::vector<std::string_view> allowed;
  for (const auto& known : names(Column{})) {
    if (known.text == name) {
      order.column = known.column;
      return order;
    }
    allowed.push_back(known.text);
  }
  return Error{ErrorCode::InvalidInput, fmt::format("order by '{}': no such name; one of {}", name,
                                                    fmt::join(allowed, ", "))};
}

template Result<Order<DagColumn>> order_from(const Paging&);
template Result<Order<RunColumn>> order_from(const Paging&);
template Result<Order<InstanceColumn>> order_from(const Paging&);
template Result<Order<BackfillColumn>> order_from(const Paging&);
template Result<Order<HumanInputColumn>> order_from(const Paging&);
template Result<Order<AssetColumn>> order_from(const Paging&);
template Result<Order<AssetAliasColumn>> order_from(const Paging&);
template Result<Order<AssetEventColumn>> order_from(const Paging&);
template Result<Order<AuditColumn>> order_from(const Paging&);

}  // namespace etesian
