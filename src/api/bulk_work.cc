// Bulk actions over runs and over task instances.
#include "api/bulk.h"
#include "api/handlers.h"
#include "api/marking.h"
#include "api/python_text.h"
#include "api/query.h"

namespace etesian::api {
namespace {

using Kind = BulkAction::Kind;

struct RunName {
  std::string dag_id, run_id;
  std::string text() const { return dag_id + "." + run_id; }
};

/// Something that a bulk action names, found or not.
template <class Name, class Row>
struct Entry {
  Name name;
  json::object body;
  std::optional<Row> row;
};

std::string text_in(const json::object& body, std::string_view name, const std::string& otherwise) {
  return body_text(body, name).value_or(otherwise);
}

/// Collects events and outcomes of the actions of one request.
class Work {
 public:
  explicit Work(Reading& reading) : reading_(reading) {}

  Reading& reading() { return reading_; }
  BulkResult& result() { return result_; }
  void add(Event event) { events_.push_back(std::move(event)); }
  const std::string& actor() const { return reading_.call.request.user; }
  Next done() {
    return Command{std::move(events_),
                   [result = std::move(result_)](Reading&, const CommandDone&) -> Next {
                     return result.response();
                   }};
  }

 private:
  Reading& reading_;
  std::vector<Event> events_;
  BulkResult result_;
};

using RunEntry = Entry<RunName, RunRow>;

/// The runs that an action names; those that a wildcard leaves unnamed are errors already.
Result<std::vector<RunEntry>> runs_of(Work& work, const BulkAction& action) {
  const std::string& path_dag = work.reading().call.param("dag_id");
  std::vector<RunEntry> entries;
  for (const auto& entity : action.entities) {
    RunEntry entry;
    if (entity.is_string()) {
      entry.name = {path_dag, std::string(entity.get_string())};
    } else {
      entry.body = masked(entity.get_object(), action.update_mask);
      entry.name = {text_in(entity.get_object(), "dag_id", path_dag),
                    *body_text(entity.get_object(), "dag_run_id")};
    }
    if (entry.name.dag_id == "~" || entry.name.run_id == "~") {
      work.result().error(action.kind,
                          "When using wildcard in path, dag_id must be specified in request body "
                          "for dag_run_id: " +
                              entry.name.run_id,
                          400);
      continue;
    }
    auto run = work.reading().store.run(entry.name.dag_id, entry.name.run_id);
    if (run) {
      entry.row = std::move(*run);
    } else if (run.error().code != ErrorCode::NotFound) {
      return run.error();
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

/// "[('etl', 'r1')]": identifiers as Airflow lists those that it did not find; empty: all are
/// there.
std::string missing_in(const std::vector<RunEntry>& entries) {
  std::string names;
  for (const auto& entry : entries) {
    if (entry.row) continue;
    names += (names.empty() ? "[(" : ", (") + python_repr(entry.name.dag_id) + ", " +
             python_repr(entry.name.run_id) + ")";
  }
  return names.empty() ? names : names + "]";
}

void update_run(Work& work, const RunEntry& entry) {
  if (const auto state = body_text(entry.body, "state")) {
    MarkRun event;
    event.run = entry.row->key;
    event.to = *run_state_from_text(*state);
    event.actor = work.actor();
    work.add(std::move(event));
  }
  if (const auto note = body_text(entry.body, "note")) {
    SetNote event;
    event.run = entry.row->key;
    event.note = *note;
    event.actor = work.actor();
    work.add(std::move(event));
  }
  work.result().success(Kind::Update, entry.name.text());
}

void remove_run(Work& work, const RunEntry& entry) {
  if (entry.row->state == RunState::Running) {
    return work.result().error(Kind::Delete,
                               "The DagRun with dag_id: `" + entry.name.dag_id + "` and run_id: `" +
                                   entry.name.run_id + "` cannot be deleted in running state",
                               409);
  }
  RemoveRun event;
  event.run = entry.row->key;
  event.actor = work.actor();
  work.add(std::move(event));
  work.result().success(Kind::Delete, entry.name.text());
}

Result<Done> take_runs(Work& work, const BulkAction& action) {
  work.result().begin(action.kind);
  if (action.kind == Kind::Create) {
    work.result().error(
        action.kind,
        "Dag Runs bulk create is not supported. Use the trigger Dag Run endpoint instead.", 405);
    return Done{};
  }
  const auto entries = runs_of(work, action);
  if (!entries) return entries.error();
  const std::string missing = missing_in(*entries);
  if (!missing.empty() && action.on_absence == BulkAction::Otherwise::Fail) {
    work.result().error(action.kind,
                        "The DagRuns with these identifiers: " + missing + " were not found", 404);
    return Done{};
  }
  for (const auto& entry : *entries) {
    if (!entry.row) continue;
    if (action.kind == Kind::Update) {
      update_run(work, entry);
    } else {
      remove_run(work, entry);
    }
  }
  return Done{};
}

/// One entity of an update of task instances.
Result<Done> update_instance(Work& work, const BulkAction& action, const json::object& entity) {
  Reading& reading = work.reading();
  const std::string dag_id = text_in(entity, "dag_id", reading.call.param("dag_id"));
  const std::string run_id = text_in(entity, "dag_run_id", reading.call.param("dag_run_id"));
  const std::string task_id = *body_text(entity, "task_id");
  if (dag_id == "~" || run_id == "~") {
    work.result().error(action.kind,
                        "When using wildcard in path, dag_id and dag_run_id must be specified in "
                        "request body for task_id: " +
                            task_id,
                        400);
    return Done{};
  }
  const auto run = reading.store.run(dag_id, run_id);
  if (!run && run.error().code != ErrorCode::NotFound) return run.error();
  std::optional<std::int32_t> index;
  if (const auto given = body_number(entity, "map_index")) {
    index = static_cast<std::int32_t>(*given);
  }
  const auto refuse = [&](const Error& error) {
    const bool is_absent = error.code == ErrorCode::NotFound;
    if (is_absent && action.on_absence == BulkAction::Otherwise::Skip) return;
    work.result().error(action.kind, error.message,
                        is_absent ? 404 : (error.code == ErrorCode::Conflict ? 409 : 400));
  };
  if (!run) {
    refuse({ErrorCode::NotFound, "No task instances found for dag_id: " + dag_id +
                                     ", run_id: " + run_id + ", task_id: " + task_id});
    return Done{};
  }
  auto marking = marking_of(reading, *run, index, task_id, masked(entity, action.update_mask));
  if (!marking) {
    refuse(marking.error());
    return Done{};
  }
  for (auto& event : marking->events) work.add(std::move(event));
  for (const auto& one : marking->named) {
    for (const auto& key : one.keys) {
      work.result().success(action.kind, dag_id + "." + run_id + "." + task_id + "[" +
                                             std::to_string(key.map_index) + "]");
    }
  }
  return Done{};
}

Result<Done> take_instances(Work& work, const BulkAction& action) {
  work.result().begin(action.kind);
  if (action.kind != Kind::Update) {
    work.result().error(action.kind,
                        action.kind == Kind::Create
                            ? "Task instances bulk create is not supported"
                            : "Task instances are removed with their run only",
                        405);
    return Done{};
  }
  for (const auto& entity : action.entities) {
    if (auto done = update_instance(work, action, entity.get_object()); !done) return done;
  }
  return Done{};
}

template <class Take>
Next run_bulk(Reading& reading, std::string_view schema, Take take) {
  auto actions = read_bulk(reading.call.body, schema_named(schema));
  if (auto* refused = std::get_if<http::Response>(&actions)) return std::move(*refused);
  Work work(reading);
  for (const auto& action : std::get<std::vector<BulkAction>>(actions)) {
    if (auto done = take(work, action); !done) return refusal(done.error());
  }
  return work.done();
}

}  // namespace

Next bulk_runs(Reading& reading) { return run_bulk(reading, "BulkDAGRunBody", take_runs); }
Next bulk_instances(Reading& reading) {
  return run_bulk(reading, "BulkTaskInstanceBody", take_instances);
}

}  // namespace etesian::api
