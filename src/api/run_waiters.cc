#include "api/run_waiters.h"

#include <algorithm>

#include "api/handlers.h"
#include "api/json_common.h"
#include "api/lookup.h"

namespace etesian::api {
namespace {

json::object results_of(Store& store, const RunWaiters::Waiter& waiter) {
  json::object results;
  for (const auto& task_id : waiter.result_tasks) {
    OutputFilter filter;
    filter.dag_id = waiter.dag_id;
    filter.run_id = waiter.run_id;
    filter.task_id = task_id;
    filter.name = "return_value";
    const auto rows = store.outputs(filter);
    if (!rows || rows->empty()) continue;
    if (rows->size() == 1 && rows->front().key.map_index < 0) {
      results[task_id] = json_or_text(rows->front().json);
      continue;
    }
    json::array values;
    for (const auto& row : *rows) values.push_back(json_or_text(row.json));
    results[task_id] = std::move(values);
  }
  return results;
}

/// Tells the state if it is new; false when there is nothing more to tell.
bool advance(Service& service, Store& store, RunWaiters::Waiter& waiter) {
  if (!waiter.stream->is_open() || !service.accounts->user_of(waiter.request)) return false;
  const auto run = store.run(waiter.dag_id, waiter.run_id);
  if (!run) return run.error().code != ErrorCode::NotFound;
  if (waiter.told == run->state) return true;
  waiter.told = run->state;
  json::object line{{"state", to_text(run->state)}};
  if (is_final(run->state)) {
    if (auto results = results_of(store, waiter); !results.empty()) {
      line["results"] = std::move(results);
    }
  }
  return waiter.stream->write(json::serialize(line) + "\n") && !is_final(run->state);
}

}  // namespace

void RunWaiters::add(const std::shared_ptr<Service>& service, Store& store, Waiter waiter) {
  if (!advance(*service, store, waiter)) return waiter.stream->end();
  const std::lock_guard lock(mutex_);
  all_.push_back(std::move(waiter));
}

void RunWaiters::changed(const std::shared_ptr<Service>& service) {
  {
    const std::lock_guard lock(mutex_);
    if (all_.empty()) return;
  }
  service->engine.read_store([this, service](Store& store) {
    const std::lock_guard lock(mutex_);
    std::erase_if(all_, [&](Waiter& waiter) {
      const bool goes_on = advance(*service, store, waiter);
      if (!goes_on) waiter.stream->end();
      return !goes_on;
    });
  });
}

Next wait_for_run(Reading& reading) {
  const auto run = find_run(reading);
  if (!run) return refusal(run.error());
  RunWaiters::Waiter waiter;
  waiter.dag_id = run->dag_id;
  waiter.run_id = run->run_id;
  waiter.result_tasks = reading.call.request.query_values("result");
  waiter.request = reading.call.request;
  return StreamPart([service = reading.call.service, waiter](std::shared_ptr<http::Reply> reply) {
    http::Response head;
    head.content_type = "application/x-ndjson";
    head.headers.emplace_back("Cache-Control", "no-store");
    auto started = waiter;
    started.stream = reply->stream(std::move(head));
    service->engine.read_store(
        [service, started](Store& store) { service->run_waiters->add(service, store, started); });
  });
}

}  // namespace etesian::api
