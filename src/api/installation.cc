// What Airflow tells of its own installation, said of this one.
#include <unistd.h>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/lookup.h"
#include "api/query.h"

namespace etesian::api {
namespace {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? std::string(name) : std::string();
}

}  // namespace

/// As with [api] expose_config = False, Airflow's default.
Next get_config(Reading&) {
  return http::error_response(403,
                              "Your Airflow administrator chose not to expose the configuration, "
                              "most likely for security reasons.");
}

/// As with [core] test_connection = Disabled, Airflow's default.
Next test_connection(Reading&) {
  return http::error_response(403,
                              "Testing connections is disabled in Airflow configuration. Contact "
                              "your deployment admin to enable it.");
}

/// Plugins and providers belong to the workers' Python; the server has none.
Next list_plugins(Reading&) { return listing("plugins", {}, 0); }
Next list_plugin_errors(Reading&) { return listing("import_errors", {}, 0); }
Next list_providers(Reading&) { return listing("providers", {}, 0); }

/// The engine is the one job: it schedules.
Next list_jobs(Reading& reading) {
  const http::Request& request = reading.call.request;
  const EngineHealth health = reading.service().engine.health();
  const std::string host = host_name();
  const auto fits = [&](const std::string& name, const std::string& value) {
    return request.query_value(name).value_or(value) == value;
  };
  json::array jobs;
  if (fits("job_type", "SchedulerJob") && fits("job_state", "running") && fits("hostname", host) &&
      query_flag(request, "is_alive").value_or(health.is_live) == health.is_live) {
    jobs.push_back(json::object{{"id", 1},
                                {"dag_id", nullptr},
                                {"state", "running"},
                                {"job_type", "SchedulerJob"},
                                {"start_date", nullptr},
                                {"end_date", nullptr},
                                {"latest_heartbeat", instant_json(health.last_turn)},
                                {"executor_class", nullptr},
                                {"hostname", host},
                                {"unixname", nullptr},
                                {"dag_display_name", nullptr}});
  }
  const auto total = static_cast<std::int64_t>(jobs.size());
  return listing("jobs", std::move(jobs), total);
}

}  // namespace etesian::api
