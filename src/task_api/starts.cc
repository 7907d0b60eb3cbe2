// PATCH …/run, and what a worker says while it runs.
#include <fmt/format.h>

#include "task_api/ended_try.h"
#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"
#include "task_api/run_context.h"

namespace etesian::task_api {
namespace {

http::Response cannot_start(TaskState previous) {
  return refused(409, "invalid_state", "TI was not in a state where it could be marked as running",
                 ",\"previous_state\":" + state_text(previous));
}

void refuse_start(const CallPtr& call, const std::string& cause) {
  call->in_world([call, cause](const World& world, const Moment&) {
    if (const TryRow* open = world.open_try(call->token().try_id)) {
      if (open->stop) return call->answer(cannot_start(state_of(*open->stop)));
      if (!open->worker.empty()) return call->answer(cannot_start(TaskState::Running));
      return call->answer(try_later(cause));
    }
    call->in_store([call](Store& store) {
      const auto ended = find_ended(store, *call);
      if (!ended) return call->answer(failure(ended.error()));
      if (!*ended || (*ended)->is_archived) return call->answer(no_such_instance());
      call->answer(cannot_start((*ended)->row.final_state));
    });
  });
}

/// With the names of the XComs that an earlier launch of this instance has left.
void answer_context(const CallPtr& call, const RunRow& run, const std::string& task_id,
                    const InstanceRow& instance) {
  call->in_store([=](Store& store) {
    const auto consumed = consumed_asset_events(store, run);
    if (!consumed) return call->answer(failure(consumed.error()));
    if (is_resuming(instance)) return call->answer(ok(run_context(run, *consumed, instance, {})));
    OutputFilter filter;
    filter.dag_id = run.dag_id;
    filter.run_id = run.run_id;
    filter.task_id = task_id;
    filter.map_index = instance.key.map_index;
    filter.has_values = false;
    const auto outputs = store.outputs(filter);
    if (!outputs) return call->answer(failure(outputs.error()));
    std::vector<std::string> keys;
    for (const OutputRow& output : *outputs) keys.push_back(output.name);
    call->answer(ok(run_context(run, *consumed, instance, keys)));
  });
}

/// Whether "host user pid" is this host and process.
bool is_worker(const std::string& worker, const std::string& host, std::int64_t pid) {
  return worker.starts_with(host + " ") && worker.ends_with(fmt::format(" {}", pid));
}

http::Response runs_elsewhere(const std::string& worker) {
  const bool is_known = !worker.empty();
  const std::string host = worker.substr(0, worker.find(' '));
  const std::string pid = is_known ? worker.substr(worker.rfind(' ') + 1) : "null";
  return refused(409, "running_elsewhere", "TI is already running elsewhere",
                 fmt::format(",\"current_hostname\":{},\"current_pid\":{}", quoted(host), pid));
}

http::Response not_running(TaskState now) {
  return refused(409, "not_running",
                 "TI is no longer in the running state and task should terminate",
                 ",\"current_state\":" + state_text(now));
}

http::Response heard(const TryRow& open, const std::string& host, std::int64_t pid) {
  if (!is_worker(open.worker, host, pid)) return runs_elsewhere(open.worker);
  if (open.stop) return not_running(state_of(*open.stop));
  const TaskState reported = reported_state(open);
  if (reported == TaskState::UpForRetry) return moved_to_history();
  return reported == TaskState::None ? nothing(204) : not_running(reported);
}

}  // namespace

void start_instance(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  BodyReader read(body);
  WorkerStarted event;
  event.try_id = call->token().try_id;
  read.literal("state", "running");
  const std::string host = read.text("hostname");
  const std::string user = read.text("unixname");
  event.worker = fmt::format("{} {} {}", host, user, read.integer("pid"));
  event.at = read.instant("start_date");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->submit(
      event,
      [call](const CommandDone&) {
        call->in_world([call](const World& world, const Moment&) {
          const RunRow* run = world.run(call->token().run);
          const auto instance = world.instance(call->instance());
          if (!run || !instance || instance->open_try != call->token().try_id)
            return refuse_start(call, "it ended while it started");
          answer_context(call, *run, world.dag_of(run->key)->task(instance->key.task).id,
                         *instance);
        });
      },
      [call](const Error& error) { refuse_start(call, error.message); });
}

void take_heartbeat(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  BodyReader read(body);
  const std::string host = read.text("hostname");
  const std::int64_t pid = read.integer("pid");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_world([=](const World& world, const Moment&) {
    if (const TryRow* open = world.open_try(call->token().try_id))
      return call->answer(heard(*open, host, pid));
    call->in_store([call](Store& store) {
      const auto ended = find_ended(store, *call);
      if (!ended) return call->answer(failure(ended.error()));
      if (!*ended) return call->answer(no_such_instance());
      if ((*ended)->is_archived) return call->answer(moved_to_history());
      call->answer(not_running((*ended)->row.final_state));
    });
  });
}

void take_rendered_fields(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  WorkerRendered event;
  event.try_id = call->token().try_id;
  event.fields = call->request().body;
  call->submit(
      event,
      [call](const CommandDone&) {
        call->answer(created("Rendered task instance fields successfully set"));
      },
      [call](const Error& error) {
        if (error.code != ErrorCode::NotFound) return call->answer(failure(error));
        call->in_store([call](Store& store) {
          const auto ended = find_ended(store, *call);
          if (!ended) return call->answer(failure(ended.error()));
          call->answer(*ended ? moved_to_history() : no_such_instance());
        });
      });
}

}  // namespace etesian::task_api
