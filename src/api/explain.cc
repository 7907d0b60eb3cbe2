#include <fmt/format.h>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/lookup.h"
#include "api/query.h"
#include "scheduler/gates.h"
#include "scheduler/retry.h"

namespace etesian::api {
namespace {

json::array gates_json(const std::vector<Gate>& gates) {
  json::array out;
  for (const auto& gate : gates) {
    out.push_back(json::object{{"kind", to_text(gate.kind)},
                               {"subject", gate.subject},
                               {"sentence", gate.sentence},
                               {"opens_at", instant_json(gate.opens_at)},
                               {"remedy", text_or_null(gate.remedy)}});
  }
  return out;
}

json::object explanation(const RunRow& run, std::string_view state, std::string summary,
                         const std::vector<Gate>& gates) {
  return {{"dag_id", run.dag_id},
          {"dag_run_id", run.run_id},
          {"task_id", nullptr},
          {"map_index", nullptr},
          {"state", state == "none" ? json::value(nullptr) : json::value(state)},
          {"summary", std::move(summary)},
          {"gates", gates_json(gates)}};
}

/// What there is to say besides the gates.
std::string summary_of(std::string_view what, std::string_view state, bool is_done,
                       const std::vector<Gate>& gates) {
  if (is_done) return fmt::format("{} has ended: {}", what, state);
  if (!gates.empty()) return fmt::format("{} waits: {}", what, gates.front().sentence);
  if (state == "none" || state == "scheduled") return fmt::format("{} may start now", what);
  return fmt::format("{} waits for nothing: {}", what, state);
}

/// "; its last try: exit code 3", where that is why it is as it is.
std::string cause_of(const InstanceSummary& instance, TaskState state) {
  const bool is_bad = state == TaskState::Failed || state == TaskState::UpForRetry;
  if (!is_bad || !instance.last_try || !instance.last_try->outcome) return "";
  return "; its last try: " + how_it_ended(*instance.last_try->outcome);
}

}  // namespace

Next explain_run(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  return WorldPart([run = *run](const World& world, const Moment& moment) {
    const RunRow* active = world.run(run.key);
    const RunRow& row = active != nullptr ? *active : run;
    const auto closed = active != nullptr ? gates(world, run.key, moment) : std::vector<Gate>{};
    const auto state = to_text(row.state);
    return ok(
        explanation(row, state, summary_of("the run", state, is_final(row.state), closed), closed));
  });
}

Next explain_instance(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  const auto instance = find_instance(reading, *index);
  if (!instance) return refusal(instance.error());
  return WorldPart([run = *run, instance = *instance](const World& world, const Moment& moment) {
    const auto row = world.instance(instance.row.key).value_or(instance.row);
    const bool is_active = world.run(run.key) != nullptr;
    const auto closed = is_active ? gates(world, row.key, moment) : std::vector<Gate>{};
    const auto state = to_text(row.state);
    auto out =
        explanation(run, state,
                    summary_of(instance.task_id, state, is_final(row.state) || !is_active, closed) +
                        cause_of(instance, row.state),
                    closed);
    out["task_id"] = instance.task_id;
    out["map_index"] = row.key.map_index;
    return ok(out);
  });
}

}  // namespace etesian::api
