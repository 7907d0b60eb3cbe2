#include <array>
#include <utility>

#include "timetable/timetable.h"

namespace etesian {
namespace {

constexpr std::array<std::pair<std::string_view, DstPolicy>, 6> kPolicies = {{
    {"first", {DstGap::AtTransition, DstFold::First, DstHourly::AllHoursNamed, false}},
    {"second", {DstGap::AtTransition, DstFold::Second, DstHourly::AllHoursNamed, false}},
    {"skip", {DstGap::Skip, DstFold::First, DstHourly::AllHoursNamed, false}},
    {"both", {DstGap::Skip, DstFold::Both, DstHourly::AllHoursNamed, false}},
    {"debian", {DstGap::AtTransition, DstFold::First, DstHourly::TextStar, false}},
    {"airflow", {DstGap::ShiftByGap, DstFold::Second, DstHourly::AllHoursNamed, true}},
}};

}  // namespace

Result<DstPolicy> dst_policy_named(std::string_view name) {
  std::string names;
  for (const auto& [known, policy] : kPolicies) {
    if (known == name) return policy;
    names += (names.empty() ? "" : ", ") + std::string(known);
  }
  return Error{ErrorCode::InvalidInput,
               "read DST policy '" + std::string(name) + "': there are " + names};
}

}  // namespace etesian
