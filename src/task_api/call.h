#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "http/http.h"
#include "task_api/answers.h"
#include "task_api/task_api.h"
#include "wire/worker_token.h"

namespace etesian::task_api {

/// The newest version of the API that Airflow 3.3.2 knows, and its oldest.
inline constexpr const char* kNewestVersion = "2026-06-30";
inline constexpr const char* kOldestVersion = "2025-04-11";

/// What all routes share; it lives until the last request is answered.
struct Service {
  Engine& engine;
  Options options;
};

/// A request whose token is good, on its way through the engine's threads to its answer. Each step
/// names the next one; what a step throws is answered with 500.
class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(std::shared_ptr<const Service> service, http::Request request, wire::WorkerToken token,
       std::shared_ptr<http::Reply> reply);

  const http::Request& request() const { return request_; }
  const wire::WorkerToken& token() const { return token_; }
  const Options& options() const { return service_->options; }
  const std::string& param(const std::string& name) const { return request_.params.at(name); }
  Vault& vault() const { return service_->engine.vault(); }
  Instant now() const { return service_->engine.clock().now(); }
  std::vector<ImportError> import_errors() const { return service_->engine.import_errors(); }

  /// The instance that the token speaks for.
  InstanceKey instance() const { return {token_.run, token_.task, token_.map_index}; }

  void answer(http::Response response);
  /// Steps; `this` lives until they have run.
  void in_world(std::function<void(const World&, const Moment&)> step);
  void in_store(std::function<void(Store&)> step);
  /// `done` after the event is durable; `refused` (or the answer `failure`) when it is not taken.
  void submit(Event event, std::function<void(const CommandDone&)> done,
              std::function<void(const Error&)> refused = {});
  /// Runs `step` at once, as the others do.
  void guarded(const std::function<void()>& step);

 private:
  std::shared_ptr<const Service> service_;
  http::Request request_;
  wire::WorkerToken token_;
  std::shared_ptr<http::Reply> reply_;
  std::atomic<bool> is_answered_ = false;
};

using CallPtr = std::shared_ptr<Call>;

/// An answer with the headers that every one has: `airflow-api-version` and `correlation-id` as
/// they were sent; nothing is cached.
http::Response dressed(const http::Request& request, http::Response response);

/// Who does something, for the audit: "task etl/manual__1/load", or the host of DAG files.
std::string actor_of(const World& world, const Call& call);

}  // namespace etesian::task_api
