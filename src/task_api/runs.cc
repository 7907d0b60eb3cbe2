// Runs of any DAG, as operators and sensors ask for them; runs that tasks start.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"
#include "task_api/run_context.h"

namespace etesian::task_api {
namespace {

http::Response no_such_run(const std::string& dag_id, const std::string& run_id) {
  return refused(
      404, "not_found",
      fmt::format("Dag run with dag_id '{}' and run_id '{}' was not found", dag_id, run_id));
}

/// Calls `then` with the run that the path names, or answers 404.
void with_run(const CallPtr& call, std::function<void(Store&, const RunRow&)> then) {
  call->in_store([call, then = std::move(then)](Store& store) {
    const std::string &dag_id = call->param("dag_id"), &run_id = call->param("run_id");
    const auto run = store.run(dag_id, run_id);
    if (run) return then(store, *run);
    call->answer(run.error().code == ErrorCode::NotFound ? no_such_run(dag_id, run_id)
                                                         : failure(run.error()));
  });
}

void answer_run(const CallPtr& call, Store& store, const RunRow& run) {
  const auto consumed = consumed_asset_events(store, run);
  call->answer(consumed ? ok(run_text(run, *consumed)) : failure(consumed.error()));
}

/// What keeps a DAG from being started or cleared by a task.
std::optional<http::Response> refusal_of_dag(const World& world, const Call& call) {
  const std::string& dag_id = call.param("dag_id");
  if (!world.dag(dag_id))
    return refused(404, "not_found", fmt::format("Dag with dag_id: '{}' not found", dag_id));
  const auto errors = call.import_errors();
  if (std::any_of(errors.begin(), errors.end(),
                  [&](const ImportError& error) { return error.dag_id == dag_id; }))
    return refused(
        400, "import_errors",
        fmt::format("Dag with dag_id '{}' has import errors and cannot be triggered", dag_id));
  return std::nullopt;
}

/// The user at the head of a chain of runs that start each other; the task where there is none.
std::string starter_of(const World& world, const Call& call) {
  const RunRow* parent = world.run(call.token().run);
  return parent && !parent->triggered_by.empty() ? parent->triggered_by : actor_of(world, call);
}

/// Whether a run has the id or the logical date of the one that was refused.
Result<bool> has_twin(Store& store, const TriggerRun& event) {
  const auto same = store.run(event.dag_id, *event.run_id);
  if (same) return true;
  if (same.error().code != ErrorCode::NotFound) return same.error();
  if (!event.logical_date) return false;
  RunFilter filter;
  filter.dag_id = event.dag_id;
  filter.logical_date.gte = filter.logical_date.lte = event.logical_date;
  const auto page = store.runs(filter, {.limit = 1, .offset = 0, .order_by = {}});
  if (!page) return page.error();
  return !page->rows.empty();
}

void refuse_trigger(const CallPtr& call, const TriggerRun& event, const Error& error) {
  if (error.code != ErrorCode::Conflict) return call->answer(failure(error));
  call->in_store([=](Store& store) {
    const auto twin = has_twin(store, event);
    if (!twin || !*twin) return call->answer(failure(twin ? error : twin.error()));
    call->answer(refused(409, "already_exists",
                         fmt::format("A run already exists for Dag '{}' with run_id '{}'",
                                     event.dag_id, *event.run_id)));
  });
}

}  // namespace

void get_run(const CallPtr& call) {
  with_run(call, [call](Store& store, const RunRow& run) { answer_run(call, store, run); });
}

void run_state(const CallPtr& call) {
  with_run(call, [call](Store&, const RunRow& run) {
    call->answer(ok(ObjectText().text("state", to_text(run.state)).take()));
  });
}

void trigger_run(const CallPtr& call) {
  json::object body;
  if (auto bad = read_object(call->request().body, body)) return call->answer(std::move(*bad));
  BodyReader read(body);
  TriggerRun event;
  event.type = RunType::OperatorTriggered;
  event.dag_id = call->param("dag_id");
  event.run_id = call->param("run_id");
  event.logical_date = read.maybe_instant("logical_date");
  event.run_after = read.maybe_instant("run_after");
  read.object("conf");
  read.flag("reset_dag_run");  // The worker clears the run itself when it is refused.
  const bool is_partitioned = read.maybe_text("partition_key").has_value();
  event.note = read.maybe_text("note").value_or("");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  const auto members = raw_members(call->request().body);
  if (const auto conf = members.find("conf"); conf != members.end()) event.conf = conf->second;
  call->in_world([=](const World& world, const Moment&) {
    if (auto bad = refusal_of_dag(world, *call)) return call->answer(std::move(*bad));
    if (is_partitioned)
      return call->answer(
          refused(400, "not_partitioned", fmt::format("Dag '{}' has no partitions", event.dag_id)));
    TriggerRun with_actor = event;
    with_actor.actor = starter_of(world, *call);
    call->submit(
        with_actor, [call](const CommandDone&) { call->answer(nothing(204)); },
        [=](const Error& error) { refuse_trigger(call, with_actor, error); });
  });
}

void clear_run(const CallPtr& call) {
  call->in_world([call](const World& world, const Moment&) {
    if (auto bad = refusal_of_dag(world, *call)) return call->answer(std::move(*bad));
    const std::string actor = actor_of(world, *call);
    call->in_store([=](Store& store) {
      const auto run = store.run(call->param("dag_id"), call->param("run_id"));
      if (!run)
        return call->answer(
            run.error().code == ErrorCode::NotFound
                ? refused(404, "not_found",
                          fmt::format("Dag run with run_id: '{}' not found", call->param("run_id")))
                : failure(run.error()));
      call->submit(MarkRun{run->key, RunState::Queued, actor},
                   [call](const CommandDone&) { call->answer(nothing(204)); });
    });
  });
}

void count_runs(const CallPtr& call) {
  QueryReader read(call->request());
  const std::string dag_id = read.text("dag_id");
  const auto dates = read.instants("logical_dates");
  const auto run_ids = read.texts("run_ids");
  const auto states = read.texts("states");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  RunFilter filter;
  filter.dag_id = dag_id;
  for (const std::string& text : states)
    if (const auto state = run_state_from_text(text)) filter.states.push_back(*state);
  if (!states.empty() && filter.states.empty()) return call->answer(ok("0"));
  call->in_store([=](Store& store) {
    RunFilter narrowed = filter;
    std::int64_t count = 0;
    const Paging first{.limit = 1, .offset = 0, .order_by = {}};
    const std::set<Instant> each_date(dates.begin(), dates.end());
    for (const std::string& run_id : std::set(run_ids.begin(), run_ids.end())) {
      const auto run = store.run(dag_id, run_id);
      if (!run && run.error().code != ErrorCode::NotFound)
        return call->answer(failure(run.error()));
      const auto& in = filter.states;
      if (run && (in.empty() || std::find(in.begin(), in.end(), run->state) != in.end()) &&
          (each_date.empty() || (run->logical_date && each_date.contains(*run->logical_date))))
        ++count;
    }
    if (!run_ids.empty()) return call->answer(ok(std::to_string(count)));
    for (const Instant date : each_date) {
      narrowed.logical_date.gte = narrowed.logical_date.lte = date;
      const auto page = store.runs(narrowed, first);
      if (!page) return call->answer(failure(page.error()));
      count += page->total;
    }
    if (!each_date.empty()) return call->answer(ok(std::to_string(count)));
    const auto page = store.runs(filter, first);
    call->answer(page ? ok(std::to_string(page->total)) : failure(page.error()));
  });
}

void previous_run(const CallPtr& call) {
  QueryReader read(call->request());
  RunFilter filter;
  filter.dag_id = read.text("dag_id");
  filter.logical_date.lt = read.instant("logical_date");
  if (const auto state = read.maybe_run_state("state")) filter.states = {*state};
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_store([=](Store& store) {
    const auto page = store.runs(filter, {.limit = 1, .offset = 0, .order_by = "-logical_date"});
    if (!page) return call->answer(failure(page.error()));
    if (page->rows.empty()) return call->answer(ok("null"));
    answer_run(call, store, page->rows.front());
  });
}

void get_dag(const CallPtr& call) {
  const std::string& dag_id = call->param("dag_id");
  call->in_world([call, &dag_id](const World& world, const Moment&) {
    const auto dag = world.dag(dag_id);
    const auto next = world.next_run(dag_id);
    const auto next_date = next ? std::optional(next->logical_date) : std::nullopt;
    const std::string bundle =
        dag && dag->definition().airflow ? dag->definition().airflow->bundle : std::string();
    call->in_store([=, &dag_id](Store& store) {
      const auto row = store.dag(dag_id);
      if (!row)
        return call->answer(
            row.error().code == ErrorCode::NotFound
                ? refused(404, "not_found",
                          fmt::format("The Dag with dag_id: `{}` was not found", dag_id))
                : failure(row.error()));
      std::vector<std::string> tags = row->tags;
      std::sort(tags.begin(), tags.end());
      std::string list;
      for (const std::string& tag : tags) list += (list.empty() ? "" : ",") + quoted(tag);
      call->answer(ok(ObjectText()
                          .text("dag_id", dag_id)
                          .boolean("is_paused", row->is_paused)
                          .text_or_null("bundle_name", bundle)
                          .null("bundle_version")
                          .text_or_null("relative_fileloc", row->relative_file)
                          .text_or_null("owners", row->owner)
                          .raw("tags", "[" + list + "]")
                          .instant("next_dagrun", next_date)
                          .take()));
    });
  });
}

}  // namespace etesian::task_api
