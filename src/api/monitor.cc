#include <fmt/format.h>

#include "api/handlers.h"
#include "api/json_common.h"

namespace etesian::api {
namespace {

using Reply = std::shared_ptr<http::Reply>;

/// Text exposition format 0.0.4 of Prometheus.
class MetricsText {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
  }
  template <class Number>
  void sample(std::string_view name, Number value, std::string_view labels = {}) {
    text_ += fmt::format("{}{} {}\n", name, labels, value);
  }
  template <class Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample(name, value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string label(std::string_view name, std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\\' || c == '"') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return fmt::format("{}=\"{}\"", name, escaped);
}

void add_engine(MetricsText& out, const EngineHealth& health, std::size_t import_errors) {
  const auto seconds = [](Duration d) { return std::chrono::duration<double>(d).count(); };
  out.single("etesian_live", "gauge", "Whether the engine's loop turns.", health.is_live ? 1 : 0);
  out.single("etesian_ready", "gauge", "Whether commits are taken.", health.is_ready ? 1 : 0);
  out.single("etesian_executor_up", "gauge", "Whether an executor is there.",
             health.executor_up ? 1 : 0);
  out.single("etesian_dags", "gauge", "Known DAGs.", health.dags);
  out.single("etesian_import_errors", "gauge", "Files that could not be loaded.", import_errors);
  out.single("etesian_active_runs", "gauge", "Unfinished runs.", health.active_runs);
  out.single("etesian_open_tries", "gauge", "Tries that are offered or running.",
             health.open_tries);
  out.single("etesian_commits_total", "counter", "Transactions.", health.commits);
  out.single("etesian_changes_total", "counter", "Durable changes.", health.changes);
  out.single("etesian_tasks_started_total", "counter", "Tries that started.", health.tasks_started);
  out.single("etesian_tasks_ended_total", "counter", "Tries that ended.", health.tasks_ended);
  out.single("etesian_last_commit_seconds", "gauge", "How long the last commit took.",
             seconds(health.last_commit));
}

void add_pools(MetricsText& out, const World& world) {
  out.family("etesian_pool_slots", "gauge", "Slots of a pool; -1: no limit.");
  for (const auto& pool : world.pools()) {
    out.sample("etesian_pool_slots", pool.slots, "{" + label("pool", pool.name) + "}");
  }
  out.family("etesian_pool_use", "gauge", "Slots in use, and waiting ones.");
  for (const auto& pool : world.pools()) {
    const auto use = world.pool_use(pool.name);
    const auto labels = [&](std::string_view state) {
      return "{" + label("pool", pool.name) + "," + label("state", state) + "}";
    };
    out.sample("etesian_pool_use", use.running, labels("running"));
    out.sample("etesian_pool_use", use.queued, labels("queued"));
    out.sample("etesian_pool_use", use.scheduled, labels("scheduled"));
  }
}

http::Response text_response(std::string body, std::string content_type) {
  http::Response response;
  response.body = std::move(body);
  response.content_type = std::move(content_type);
  return response;
}

}  // namespace

void get_version(std::shared_ptr<Call> call, Reply reply) {
  reply->send(
      ok(json::object{{"version", call->service->options.version}, {"git_version", nullptr}}));
}

void get_health(std::shared_ptr<Call> call, Reply reply) {
  const EngineHealth health = call->service->engine.health();
  const auto status = [](bool good) { return good ? "healthy" : "unhealthy"; };
  const json::value beat = instant_json(health.last_turn);
  reply->send(ok(json::object{
      {"metadatabase", json::object{{"status", status(health.is_ready)}}},
      {"scheduler",
       json::object{{"status", status(health.is_live)}, {"latest_scheduler_heartbeat", beat}}},
      {"triggerer", json::object{{"status", nullptr}, {"latest_triggerer_heartbeat", nullptr}}},
      {"dag_processor", json::object{{"status", status(health.is_live)},
                                     {"latest_dag_processor_heartbeat", beat}}}}));
}

void get_liveness(std::shared_ptr<Call> call, Reply reply) {
  const EngineHealth health = call->service->engine.health();
  auto response =
      ok(json::object{{"status", health.is_live ? "live" : "stuck"}, {"reason", nullptr}});
  response.status = health.is_live ? 200 : 503;
  reply->send(std::move(response));
}

void get_readiness(std::shared_ptr<Call> call, Reply reply) {
  const EngineHealth health = call->service->engine.health();
  // Nobody is authenticated here: the kind of trouble is told, its cause is for the server's log.
  const std::string kind = health.reason.substr(0, health.reason.find(':'));
  auto response = ok(json::object{{"status", health.is_ready ? "ready" : "not ready"},
                                  {"reason", text_or_null(kind)}});
  response.status = health.is_ready ? 200 : 503;
  reply->send(std::move(response));
}

void get_openapi(std::shared_ptr<Call>, Reply reply) {
  http::Response response;
  response.shared_body = openapi_document();
  reply->send(std::move(response));
}

void get_metrics(std::shared_ptr<Call> call, Reply reply) {
  Engine& engine = call->service->engine;
  engine.read_world([call, reply, &engine](const World& world, const Moment&) {
    MetricsText out;
    add_engine(out, engine.health(), engine.import_errors().size());
    add_pools(out, world);
    reply->send(text_response(out.take(), "text/plain; version=0.0.4; charset=utf-8"));
  });
}

}  // namespace etesian::api
