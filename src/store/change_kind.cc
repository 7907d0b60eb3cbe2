#include "store/change_kind.h"

#include <array>
#include <cstddef>

namespace etesian {
namespace {

struct Texts {
  std::string_view kind, happened;
};
// In the order of ChangeKind.
constexpr std::array<Texts, kChangeKindCount> kTexts = {
    {{"dag", "changed"},        {"dag", "removed"},
     {"dag", "paused"},         {"dag", "unpaused"},
     {"cursor", "moved"},       {"run", ""},
     {"run", "removed"},        {"task_instance", "expanded"},
     {"task_instance", ""},     {"try", "opened"},
     {"try", "started"},        {"try", "ended"},
     {"output", "stored"},      {"output", "removed"},
     {"pool", "changed"},       {"pool", "removed"},
     {"variable", "changed"},   {"variable", "removed"},
     {"connection", "changed"}, {"connection", "removed"},
     {"backfill", "changed"},   {"audit", "audited"},
     {"human_input", "asked"},  {"human_input", "answered"},
     {"asset", "changed"},      {"asset_alias", "changed"},
     {"asset_alias", "bound"},  {"asset_event", "added"},
     {"asset_queue", "queued"}, {"asset_queue", "unqueued"},
     {"asset_cursor", "moved"}, {"asset_event", "consumed"},
     {"state", "stored"},       {"state", "removed"}}};

}  // namespace

std::string_view kind_text(ChangeKind kind) { return kTexts[static_cast<std::size_t>(kind)].kind; }

std::string_view state_text(ChangeKind kind, int state) {
  if (state == kNoState) return "";
  if (kind == ChangeKind::Run || kind == ChangeKind::RunRemoved)
    return to_text(static_cast<RunState>(state));
  return to_text(static_cast<TaskState>(state));
}

std::string_view outcome_text(ChangeKind kind, int to) {
  const std::string_view happened = kTexts[static_cast<std::size_t>(kind)].happened;
  return happened.empty() ? state_text(kind, to) : happened;
}

ChangeKind kind_of(const TryChanged& change) {
  if (change.row.outcome) return ChangeKind::TryEnded;
  return change.row.started_at ? ChangeKind::TryStarted : ChangeKind::TryOpened;
}

ChangeKind kind_of(const HumanInputChanged& change) {
  return change.row.answer ? ChangeKind::HumanAnswered : ChangeKind::HumanAsked;
}

}  // namespace etesian
