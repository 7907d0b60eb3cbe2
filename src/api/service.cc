#include "api/service.h"

#include <exception>

#include "api/event_hub.h"
#include "api/log_followers.h"
#include "api/run_waiters.h"
#include "base/log.h"

namespace etesian::api {
namespace {

using Reply = std::shared_ptr<http::Reply>;
using Pending = std::shared_ptr<Call>;

http::Response broken(const Call& call, const std::exception& error) {
  log_line(LogLevel::Error, "answer a request: unexpected failure",
           {{"method", call.request.method}, {"path", call.request.path}, {"cause", error.what()}});
  return http::error_response(500, "Internal Server Error");
}

/// `step` on the store's thread; what it throws is answered, because that thread must live.
template <class Step>
void on_store(Pending call, Reply reply, Step step) {
  Engine& engine = call->service->engine;
  engine.read_store(
      [call = std::move(call), reply = std::move(reply), step = std::move(step)](Store& store) {
        Reading reading{*call, store};
        try {
          step(call, reply, reading);
        } catch (const std::exception& error) {
          reply->send(broken(*call, error));
        }
      });
}

void follow(Next next, Pending call, Reply reply);

void submit_from(std::size_t index, std::shared_ptr<Command> command, Pending call, Reply reply,
                 CommandDone before) {
  if (index == command->events.size()) {
    return on_store(std::move(call), std::move(reply),
                    [command, before](const Pending& pending, const Reply& to, Reading& reading) {
                      follow(command->answer(reading, before), pending, to);
                    });
  }
  Engine& engine = call->service->engine;
  Event event = std::move(command->events[index]);
  engine.submit(std::move(event), [=](Result<CommandDone> done) {
    if (!done) return reply->send(refusal(done.error()));
    submit_from(index + 1, command, call, reply, *done);
  });
}

void ask_world(WorldPart part, Pending call, Reply reply) {
  Engine& engine = call->service->engine;
  engine.read_world([=, part = std::move(part)](const World& world, const Moment& moment) {
    try {
      reply->send(part(world, moment));
    } catch (const std::exception& error) {
      reply->send(broken(*call, error));
    }
  });
}

void ask_worker(WorkerPart part, Pending call, Reply reply) {
  const bool is_taken = call->service->log_workers.post([=, part = std::move(part)] {
    try {
      reply->send(part());
    } catch (const std::exception& error) {
      reply->send(broken(*call, error));
    }
  });
  if (!is_taken) reply->send(refusal({ErrorCode::Unavailable, "read a log: too many readers"}));
}

void follow(Next next, Pending call, Reply reply) {
  if (auto* response = std::get_if<http::Response>(&next)) return reply->send(std::move(*response));
  if (auto* command = std::get_if<Command>(&next)) {
    return submit_from(0, std::make_shared<Command>(std::move(*command)), call, reply, {});
  }
  if (auto* world = std::get_if<WorldPart>(&next)) return ask_world(std::move(*world), call, reply);
  if (auto* work = std::get_if<WorkerPart>(&next)) return ask_worker(std::move(*work), call, reply);
  std::get<StreamPart>(next)(reply);
}

}  // namespace

Service::Service(Engine& engine_in, std::shared_ptr<Accounts> accounts_in, ApiOptions options_in)
    : engine(engine_in),
      accounts(std::move(accounts_in)),
      options(std::move(options_in)),
      log_reader(options.log_folder),
      events(std::make_shared<EventHub>(engine, accounts)),
      followers(std::make_shared<LogFollowers>()),
      run_waiters(std::make_shared<RunWaiters>()),
      log_workers({.threads = 2, .waiting_max = 4096}) {}

Service::~Service() = default;

void run(const AnyHandler& handler, Pending call, Reply reply) {
  if (const auto* direct = std::get_if<DirectHandler>(&handler)) {
    return (*direct)(std::move(call), std::move(reply));
  }
  on_store(std::move(call), std::move(reply),
           [first = std::get<StoreHandler>(handler)](const Pending& pending, const Reply& to,
                                                     Reading& reading) {
             follow(first(reading), pending, to);
           });
}

http::Response refusal(const Error& error) {
  switch (error.code) {
    case ErrorCode::Unavailable:
    case ErrorCode::Timeout: {
      log_line(LogLevel::Warning, "answer a request: " + error.message);
      auto response = http::error_response(503, "Temporarily unavailable; try again");
      response.headers.emplace_back("Retry-After", "1");
      return response;
    }
    case ErrorCode::Corrupt:
      log_line(LogLevel::Error, "answer a request: " + error.message);
      return http::error_response(500, "Stored data cannot be read; see the server's log");
    // The form of a body or a query is 422 (schema_check.cc); what it says being impossible is 400.
    case ErrorCode::InvalidInput: return http::error_response(400, error.message);
    default: return http::error_response(error);
  }
}

http::Response ok(const json::value& body) {
  http::Response response;
  response.body = json::serialize(body);
  return response;
}

http::Response created(const json::value& body) {
  auto response = ok(body);
  response.status = 201;
  return response;
}

http::Response no_content() {
  http::Response response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

http::Response listing(std::string_view plural, json::array rows, std::int64_t total) {
  return ok(json::object{{plural, std::move(rows)}, {"total_entries", total}});
}

}  // namespace etesian::api
