#include <charconv>

#include "api/handlers.h"
#include "api/json_run.h"
#include "api/lookup.h"
#include "api/query.h"

namespace etesian::api {
namespace {

struct Tries {
  InstanceSummary instance;
  std::shared_ptr<const DagVersion> version;
  std::vector<TrySpan> spans;
};

Result<Tries> find_tries(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return index.error();
  auto instance = find_instance(reading, *index);
  if (!instance) return instance.error();
  auto rows = reading.store.tries(instance->row.key);
  if (!rows) return rows.error();
  auto version = version_of(reading, instance->dag_id, instance->dag_version);
  auto spans = try_spans(instance->row, std::move(*rows));
  return Tries{std::move(*instance), std::move(version), std::move(spans)};
}

}  // namespace

Next get_instance(Reading& reading) {
  const auto index = map_index_of(reading.call);
  if (!index) return refusal(index.error());
  auto instance = find_instance(reading, *index);
  if (!instance) return refusal(instance.error());
  return ok(shown_instance(reading, std::move(*instance)));
}

Next list_tries(Reading& reading) {
  const auto tries = find_tries(reading);
  if (!tries) return refusal(tries.error());
  json::array rows;
  for (const auto& span : tries->spans) {
    rows.push_back(try_json(span, tries->instance, tries->version.get()));
  }
  const auto total = static_cast<std::int64_t>(rows.size());
  return listing("task_instances", std::move(rows), total);
}

Next get_try(Reading& reading) {
  const auto tries = find_tries(reading);
  if (!tries) return refusal(tries.error());
  const std::string& number = reading.call.param("task_try_number");
  for (const auto& span : tries->spans) {
    if (std::to_string(span.number) == number) {
      return ok(try_json(span, tries->instance, tries->version.get()));
    }
  }
  return http::error_response(404, "The Task Instance has no try_number: `" + number + "`");
}

}  // namespace etesian::api
