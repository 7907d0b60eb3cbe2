#include "task_api/run_context.h"

#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

/// `should_retry` of Airflow 3.3.2: what the worker reports when the user's code fails.
bool should_retry(const InstanceRow& instance) {
  return instance.state == TaskState::Restarting || has_retries_left(instance);
}

}  // namespace

std::string run_text(const RunRow& run, const std::string& consumed) {
  const auto start = run.interval ? std::optional(run.interval->start) : std::nullopt;
  const auto end = run.interval ? std::optional(run.interval->end) : std::nullopt;
  return ObjectText()
      .text("dag_id", run.dag_id)
      .text("run_id", run.run_id)
      .instant("logical_date", run.logical_date)
      .instant("data_interval_start", start)
      .instant("data_interval_end", end)
      .instant("run_after", run.run_after)
      .instant("start_date", run.started_at)
      .instant("end_date", run.ended_at)
      .number("clear_number", run.clear_count)
      .text("run_type", to_text(run.type))
      .text("state", to_text(run.state))
      .raw("conf", run.conf.empty() ? "{}" : run.conf)
      .text_or_null("triggering_user_name", run.triggered_by)
      .raw("consumed_asset_events", consumed)
      .null("partition_key")
      .null("partition_date")
      .text_or_null("note", run.note)
      .null("team_name")
      .take();
}

std::string run_context(const RunRow& run, const std::string& consumed, const InstanceRow& instance,
                        const std::vector<std::string>& xcom_keys_to_clear) {
  std::string keys;
  for (const std::string& key : xcom_keys_to_clear) keys += (keys.empty() ? "" : ",") + quoted(key);
  ObjectText context;
  context.raw("dag_run", run_text(run, consumed))
      .number("task_reschedule_count", instance.reschedules)
      .number("max_tries", instance.max_tries)
      .raw("variables", "[]")
      .raw("connections", "[]")
      .raw("xcom_keys_to_clear", "[" + keys + "]")
      .boolean("should_retry", should_retry(instance));
  if (is_resuming(instance)) {
    const auto resume = raw_members(instance.resume);
    const auto kwargs = resume.find("next_kwargs");
    context.raw("next_method", resume.at("next_method"))
        .raw("next_kwargs", kwargs == resume.end() ? "{}" : kwargs->second)
        .instant("start_date", instance.started_at);
  }
  return context.take();
}

bool is_resuming(const InstanceRow& instance) {
  return raw_members(instance.resume).contains("next_method");
}

}  // namespace etesian::task_api
