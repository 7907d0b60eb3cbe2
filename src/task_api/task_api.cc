#include "task_api/task_api.h"

#include "base/time_text.h"
#include "task_api/fields.h"
#include "task_api/handlers.h"

namespace etesian::task_api {
namespace {

using Handler = void (*)(const CallPtr&);

/// Whose token a route takes. Own: that of the task instance in its path.
enum class Who { Own, Task, TaskOrHost, OwnOrHost };

constexpr std::size_t kSmallBody = 64UL << 10;
/// A report is kept in its try as text within JSON that is read with a limit of 16 MiB.
constexpr std::size_t kReportBody = 4UL << 20;
constexpr std::size_t kValueBody = 64UL << 20;

struct Row {
  const char* method;
  const char* pattern;
  Handler handler;
  Who who;
  std::size_t body_bytes_max = kSmallBody;
};

#define TI "/execution/task-instances/{task_instance_id}"
#define XCOM "/execution/xcoms/{dag_id}/{run_id}/{task_id}/{key*}"
#define RUN "/execution/dag-runs/{dag_id}/{run_id}"
#define STATE "/execution/store/ti/{task_instance_id}"
#define ASSET_STATE "/execution/store/asset/"
#define ASK "/execution/hitlDetails/{task_instance_id}"

constexpr Row kRows[] = {
    {"PATCH", TI "/run", start_instance, Who::Own},
    {"PATCH", TI "/state", report_state, Who::Own, kReportBody},
    {"PUT", TI "/heartbeat", take_heartbeat, Who::Own},
    {"PUT", TI "/rtif", take_rendered_fields, Who::Own, kValueBody},
    {"PATCH", TI "/skip-downstream", skip_downstream, Who::Own, kReportBody},
    {"PATCH", TI "/rendered-map-index", set_rendered_map_index, Who::Own},
    {"GET", TI "/previous-successful-dagrun", previous_successful_run, Who::OwnOrHost},
    {"GET", TI "/validate-inlets-and-outlets", validate_inlets_and_outlets, Who::Own},
    {"GET", "/execution/task-instances/count", count_instances, Who::TaskOrHost},
    {"GET", "/execution/task-instances/states", instance_states, Who::TaskOrHost},
    {"GET", "/execution/task-instances/previous/{dag_id}/{task_id}", previous_instance,
     Who::TaskOrHost},
    {"GET", "/execution/task-instances/breadcrumbs", breadcrumbs, Who::TaskOrHost},
    {"GET", "/execution/task-reschedules/{task_instance_id}/start_date", reschedule_start_date,
     Who::Own},
    {"GET", XCOM, read_xcom, Who::TaskOrHost},
    {"HEAD", XCOM, count_xcoms, Who::TaskOrHost},
    {"POST", XCOM, push_xcom, Who::Task, kValueBody},
    {"DELETE", XCOM, drop_xcom, Who::Task},
    {"GET", "/execution/variables/keys", variable_keys, Who::TaskOrHost},
    {"GET", "/execution/variables/{key*}", get_variable, Who::TaskOrHost},
    {"PUT", "/execution/variables/{key*}", put_variable, Who::TaskOrHost, kReportBody},
    {"DELETE", "/execution/variables/{key*}", delete_variable, Who::TaskOrHost},
    {"GET", "/execution/connections/{connection_id}", get_connection, Who::TaskOrHost},
    {"GET", RUN, get_run, Who::TaskOrHost},
    {"POST", RUN, trigger_run, Who::Task, kReportBody},
    {"POST", RUN "/clear", clear_run, Who::Task},
    {"GET", RUN "/state", run_state, Who::TaskOrHost},
    {"GET", "/execution/dag-runs/count", count_runs, Who::TaskOrHost},
    {"GET", "/execution/dag-runs/previous", previous_run, Who::TaskOrHost},
    {"GET", "/execution/dags/{dag_id}", get_dag, Who::TaskOrHost},
    {"POST", ASK, ask_human, Who::Own, kReportBody},
    {"PATCH", ASK, answer_human, Who::Own, kReportBody},
    {"GET", ASK, get_human_answer, Who::Own},
    {"GET", STATE "/{key*}", get_task_state, Who::Own},
    {"PUT", STATE "/{key*}", put_task_state, Who::Own, kReportBody},
    {"DELETE", STATE "/{key*}", drop_task_state, Who::Own},
    {"DELETE", STATE, clear_task_state, Who::Own},
    {"GET", ASSET_STATE "by-name/value", get_asset_state_by_name, Who::TaskOrHost},
    {"PUT", ASSET_STATE "by-name/value", put_asset_state_by_name, Who::TaskOrHost, kReportBody},
    {"DELETE", ASSET_STATE "by-name/value", drop_asset_state_by_name, Who::TaskOrHost},
    {"DELETE", ASSET_STATE "by-name/clear", clear_asset_state_by_name, Who::TaskOrHost},
    {"GET", ASSET_STATE "by-uri/value", get_asset_state_by_uri, Who::TaskOrHost},
    {"PUT", ASSET_STATE "by-uri/value", put_asset_state_by_uri, Who::TaskOrHost, kReportBody},
    {"DELETE", ASSET_STATE "by-uri/value", drop_asset_state_by_uri, Who::TaskOrHost},
    {"DELETE", ASSET_STATE "by-uri/clear", clear_asset_state_by_uri, Who::TaskOrHost},
    {"GET", "/execution/assets/by-name", get_asset_by_name, Who::TaskOrHost},
    {"GET", "/execution/assets/by-uri", get_asset_by_uri, Who::TaskOrHost},
    {"GET", "/execution/assets/by-alias", get_assets_by_alias, Who::TaskOrHost},
    {"GET", "/execution/asset-events/by-asset", get_events_by_asset, Who::TaskOrHost},
    {"GET", "/execution/asset-events/by-asset-alias", get_events_by_alias, Who::TaskOrHost},
};

#undef ASK
#undef ASSET_STATE
#undef STATE
#undef RUN
#undef XCOM
#undef TI

/// Airflow takes any date and answers in the form of the version before it; a worker of 3.3 sends
/// the newest one, and nothing older can run against this server.
std::optional<http::Response> refusal_of_version(const http::Request& request) {
  const auto version = request.header("airflow-api-version");
  if (!version) return std::nullopt;
  constexpr std::size_t kDateLength = 10;
  if (version->size() != kDateLength || !instant_from_text(*version)) {
    Mistakes mistakes;
    mistakes.add("date_from_datetime_parsing", {"header", "Airflow-API-Version"},
                 "Input should be a valid date or datetime", json::value(*version));
    return mistakes.response();
  }
  if (*version < kOldestVersion) return http::error_response(404, "Not Found");
  return std::nullopt;
}

std::optional<std::string> bearer_of(const http::Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const auto header = request.header("authorization");
  if (!header || header->size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i)
    if (std::tolower(static_cast<unsigned char>((*header)[i])) != kScheme[i]) return std::nullopt;
  return header->substr(kScheme.size());
}

std::optional<http::Response> refusal_of_token(const http::Request& request,
                                               const wire::WorkerToken& token, Who who) {
  if (token.is_host && (who == Who::Own || who == Who::Task))
    return http::error_response(403,
                                "Token type 'host' not allowed for this endpoint. Allowed "
                                "types: execution");
  if (token.is_host || who == Who::Task || who == Who::TaskOrHost) return std::nullopt;
  if (request.params.at("task_instance_id") == to_text(token.try_id)) return std::nullopt;
  return http::error_response(403, "Token subject does not match task instance ID");
}

/// By the head alone: a body may be large, and nobody without a token makes the server read one.
std::optional<http::Response> refusal_of_head(const Service& service, const Row& row,
                                              const http::Request& head) {
  if (auto bad = refusal_of_version(head)) return bad;
  const auto bearer = bearer_of(head);
  if (!bearer) return http::error_response(401, "Missing auth token");
  const auto token = wire::read_worker_token(*bearer, service.options.token_key);
  if (!token) return http::error_response(403, "Invalid auth token");
  return refusal_of_token(head, *token, row.who);
}

http::Route route_of(const std::shared_ptr<const Service>& service, const Row& row) {
  http::Route route;
  route.method = row.method;
  route.pattern = row.pattern;
  route.access = http::Access::Open;
  route.body_bytes_max = row.body_bytes_max;
  route.guard = [service, &row](const http::Request& head) -> std::optional<http::Response> {
    auto refusal = refusal_of_head(*service, row, head);
    if (refusal) return dressed(head, std::move(*refusal));
    return std::nullopt;
  };
  route.handler = [service, &row](const http::Request& request,
                                  std::shared_ptr<http::Reply> reply) {
    const auto token = wire::read_worker_token(*bearer_of(request), service->options.token_key);
    const auto call = std::make_shared<Call>(service, request, *token, std::move(reply));
    call->guarded([&] { row.handler(call); });
  };
  return route;
}

http::Route open_route(std::string path, std::string body) {
  http::Route route;
  route.method = "GET";
  route.pattern = std::move(path);
  route.access = http::Access::Open;
  route.handler = [body = std::move(body)](const http::Request& request,
                                           const std::shared_ptr<http::Reply>& reply) {
    auto bad = refusal_of_version(request);
    reply->send(dressed(request, bad ? std::move(*bad) : ok(body)));
  };
  return route;
}

}  // namespace

void add_routes(http::Router& router, Engine& engine, const Options& options) {
  const auto service = std::make_shared<const Service>(Service{engine, options});
  router.add(open_route("/execution/health", R"({"status":"healthy"})"));
  router.add(open_route("/execution/health/ping", R"({"ok":[],"failing":{}})"));
  for (const Row& row : kRows) router.add(route_of(service, row));
}

}  // namespace etesian::task_api
