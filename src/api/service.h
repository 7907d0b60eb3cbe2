#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/api.h"
#include "api/dag_cache.h"
#include "api/workers.h"
#include "base/json.h"
#include "http/http.h"
#include "logs/reader.h"

namespace etesian::api {

class EventHub;
class LogFollowers;
class RunWaiters;

/// What every handler may use. One per router; it lives until the last request is answered.
struct Service {
  Service(Engine& engine_in, std::shared_ptr<Accounts> accounts_in, ApiOptions options_in);
  ~Service();

  Engine& engine;
  std::shared_ptr<Accounts> accounts;
  ApiOptions options;
  DagCache dags;  ///< Of the store's thread.
  logs::Reader log_reader;
  std::shared_ptr<EventHub> events;
  std::shared_ptr<LogFollowers> followers;
  std::shared_ptr<RunWaiters> run_waiters;
  Workers log_workers;  ///< Last: its jobs use the members above.
};

/// A request while it is worked on: checked, and copied out of the HTTP thread.
struct Call {
  std::shared_ptr<Service> service;
  http::Request request;
  json::object body;  ///< Fits the operation's schema.

  const std::string& param(const std::string& name) const { return request.params.at(name); }
};

/// A call on the store's thread.
struct Reading {
  const Call& call;
  Store& store;
  Service& service() const { return *call.service; }
};

struct Command;
/// The rest of an answer that is made with the world, on the engine's thread; must be quick.
using WorldPart = std::function<http::Response(const World&, const Moment&)>;
/// The rest of an answer that reads files, on a worker thread.
using WorkerPart = std::function<http::Response()>;
/// A stream that begins: takes the reply over. Called on the store's thread.
using StreamPart = std::function<void(std::shared_ptr<http::Reply>)>;
/// What a step leads to: the answer, or the part that makes it.
using Next = std::variant<http::Response, Command, WorldPart, WorkerPart, StreamPart>;

/// Events for the engine, one after the other, each when the one before is durable; then `answer`,
/// on the store's thread, from what the store holds by then.
struct Command {
  std::vector<Event> events;
  std::function<Next(Reading&, const CommandDone&)> answer;
};

/// The first step of nearly every operation: asks the store, on its thread.
using StoreHandler = Next (*)(Reading&);
/// Anything else: runs on the HTTP thread.
using DirectHandler = void (*)(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
using AnyHandler = std::variant<StoreHandler, DirectHandler>;

/// Runs the handler's steps on their threads and answers once.
void run(const AnyHandler& handler, std::shared_ptr<Call> call, std::shared_ptr<http::Reply> reply);

/// An error as clients may see it: what they can act on, never what is inside (statements, paths).
http::Response refusal(const Error& error);
http::Response ok(const json::value& body);
http::Response created(const json::value& body);
http::Response no_content();
/// {"<plural>": rows, "total_entries": total}.
http::Response listing(std::string_view plural, json::array rows, std::int64_t total);

}  // namespace etesian::api
