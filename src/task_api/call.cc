#include "task_api/call.h"

#include <fmt/format.h>

#include <exception>

#include "base/log.h"

namespace etesian::task_api {

Call::Call(std::shared_ptr<const Service> service, http::Request request, wire::WorkerToken token,
           std::shared_ptr<http::Reply> reply)
    : service_(std::move(service)),
      request_(std::move(request)),
      token_(token),
      reply_(std::move(reply)) {}

http::Response dressed(const http::Request& request, http::Response response) {
  response.headers.emplace_back("airflow-api-version",
                                request.header("airflow-api-version").value_or(kNewestVersion));
  if (auto id = request.header("correlation-id"))
    response.headers.emplace_back("correlation-id", std::move(*id));
  response.headers.emplace_back("cache-control", "no-store");
  return response;
}

void Call::answer(http::Response response) {
  is_answered_ = true;
  reply_->send(dressed(request_, std::move(response)));
}

void Call::guarded(const std::function<void()>& step) {
  try {
    step();
  } catch (const std::exception& error) {
    log_line(LogLevel::Error, "answer a worker: unexpected failure",
             {{"method", request_.method}, {"path", request_.path}, {"cause", error.what()}});
    if (!is_answered_) answer(refused(500, "internal_error", "Internal Server Error"));
  }
}

void Call::in_world(std::function<void(const World&, const Moment&)> step) {
  service_->engine.read_world([self = shared_from_this(), step = std::move(step)](
                                  const World& world, const Moment& moment) {
    self->guarded([&] { step(world, moment); });
  });
}

void Call::in_store(std::function<void(Store&)> step) {
  service_->engine.read_store([self = shared_from_this(), step = std::move(step)](Store& store) {
    self->guarded([&] { step(store); });
  });
}

void Call::submit(Event event, std::function<void(const CommandDone&)> done,
                  std::function<void(const Error&)> refused) {
  service_->engine.submit(std::move(event),
                          [self = shared_from_this(), done = std::move(done),
                           refused = std::move(refused)](const Result<CommandDone>& result) {
                            self->guarded([&] {
                              if (result) return done(*result);
                              if (refused) return refused(result.error());
                              self->answer(failure(result.error()));
                            });
                          });
}

std::string actor_of(const World& world, const Call& call) {
  if (call.token().is_host) return "airflow host";
  const RunRow* run = world.run(call.token().run);
  if (run == nullptr) return "task " + to_text(call.token().try_id);
  return fmt::format("task {}/{}/{}", run->dag_id, run->run_id,
                     world.dag_of(run->key)->task(call.token().task).id);
}

}  // namespace etesian::task_api
