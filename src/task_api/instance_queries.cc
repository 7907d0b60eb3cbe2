// Task instances of any run, as sensors and operators ask for them.
#include <algorithm>
#include <map>
#include <set>

#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

constexpr int kPageRows = 1000;

/// Airflow's filters, which all must fit.
struct Wanted {
  std::string dag_id;
  std::vector<std::string> task_ids, run_ids;
  std::vector<Instant> logical_dates;
  std::optional<std::int32_t> map_index;
  std::optional<std::string> group;
  std::set<TaskState> states;
};

Wanted wanted_from(QueryReader& read) {
  Wanted wanted;
  wanted.dag_id = read.text("dag_id");
  wanted.task_ids = read.texts("task_ids");
  wanted.run_ids = read.texts("run_ids");
  wanted.logical_dates = read.instants("logical_dates");
  if (const auto index = read.maybe_integer("map_index"))
    wanted.map_index = static_cast<std::int32_t>(*index);
  wanted.group = read.maybe_text("task_group_id");
  return wanted;
}

template <class T>
bool is_among(const std::vector<T>& wanted, const T& value) {
  return wanted.empty() || std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

/// All pages of a filter.
Result<Done> each_instance(Store& store, const InstanceFilter& filter,
                           const std::function<void(const InstanceSummary&)>& visit) {
  for (Paging paging{.limit = kPageRows, .offset = 0, .order_by = {}};;
       paging.offset += kPageRows) {
    const auto page = store.instances(filter, paging);
    if (!page) return page.error();
    for (const InstanceSummary& row : page->rows) visit(row);
    if (std::ssize(page->rows) < kPageRows) return Done{};
  }
}

/// The narrowest filters that together find what is wanted: one for each run id or date.
std::vector<InstanceFilter> filters_of(const Wanted& wanted) {
  InstanceFilter filter;
  filter.dag_id = wanted.dag_id;
  filter.map_index = wanted.map_index;
  filter.states.assign(wanted.states.begin(), wanted.states.end());
  if (wanted.task_ids.size() == 1) filter.task_id = wanted.task_ids.front();
  std::vector<InstanceFilter> filters;
  for (const std::string& run_id : std::set(wanted.run_ids.begin(), wanted.run_ids.end())) {
    filter.run_id = run_id;
    filters.push_back(filter);
  }
  if (!filters.empty()) return filters;
  for (const Instant date : std::set(wanted.logical_dates.begin(), wanted.logical_dates.end())) {
    filter.logical_date.gte = filter.logical_date.lte = date;
    filters.push_back(filter);
  }
  if (filters.empty()) filters.push_back(filter);
  return filters;
}

Result<Done> each_wanted(Store& store, const Wanted& wanted,
                         const std::function<void(const InstanceSummary&)>& visit) {
  for (const InstanceFilter& filter : filters_of(wanted)) {
    auto done = each_instance(store, filter, [&](const InstanceSummary& row) {
      const bool has_date = wanted.logical_dates.empty() ||
                            (row.logical_date && is_among(wanted.logical_dates, *row.logical_date));
      if (has_date && is_among(wanted.task_ids, row.task_id)) visit(row);
    });
    if (!done) return done;
  }
  return Done{};
}

/// The task ids of a group in the DAG's current version; nullopt: no such group.
std::optional<std::vector<std::string>> members_of(const World& world, const std::string& dag_id,
                                                   const std::string& group) {
  const auto dag = world.dag(dag_id);
  if (!dag) return std::nullopt;
  const auto members = dag->group_members(group);
  if (members.empty()) return std::nullopt;
  std::vector<std::string> ids;
  for (const TaskIndex task : members) ids.push_back(dag->task(task).id);
  return ids;
}

http::Response no_such_group(const Wanted& wanted) {
  return refused(404, "not_found",
                 "Task group " + *wanted.group + " not found in DAG " + wanted.dag_id);
}

/// Calls `then` on the store's thread with the tasks of the wanted group, none where none was
/// asked for.
void with_group(const CallPtr& call, const Wanted& wanted,
                std::function<void(Store&, const std::vector<std::string>&)> then) {
  if (!wanted.group) return call->in_store([then = std::move(then)](Store& s) { then(s, {}); });
  call->in_world([=, then = std::move(then)](const World& world, const Moment&) {
    const auto members = members_of(world, wanted.dag_id, *wanted.group);
    if (!members) return call->answer(no_such_group(wanted));
    call->in_store([=](Store& store) { then(store, *members); });
  });
}

std::string seconds_text(const std::optional<Instant>& from, const std::optional<Instant>& to) {
  if (!from || !to) return "null";
  return json::serialize(json::value(std::chrono::duration<double>(*to - *from).count()));
}

}  // namespace

void count_instances(const CallPtr& call) {
  QueryReader read(call->request());
  Wanted wanted = wanted_from(read);
  const auto states = read.texts("states");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  for (const std::string& text : states)
    if (const auto state = text == "null" ? TaskState::None : task_state_from_text(text))
      wanted.states.insert(*state);
  // A state that does not exist fits nothing, as in SQL.
  if (!states.empty() && wanted.states.empty()) return call->answer(ok("0"));
  with_group(call, wanted, [=](Store& store, const std::vector<std::string>& group) {
    std::int64_t count = 0;
    const auto done = each_wanted(store, wanted, [&](const InstanceSummary& row) {
      if (is_among(group, row.task_id)) ++count;
    });
    call->answer(done ? ok(std::to_string(count)) : failure(done.error()));
  });
}

void instance_states(const CallPtr& call) {
  QueryReader read(call->request());
  const Wanted wanted = wanted_from(read);
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  with_group(call, wanted, [=](Store& store, const std::vector<std::string>& group) {
    // Tasks and group together give the members of both.
    Wanted both = wanted;
    both.task_ids.insert(both.task_ids.end(), group.begin(), group.end());
    std::map<std::string, std::map<std::string, TaskState>> states;
    const auto done = each_wanted(store, both, [&](const InstanceSummary& row) {
      const int index = row.row.key.map_index;
      states[row.run_id][index < 0 ? row.task_id : row.task_id + "_" + std::to_string(index)] =
          row.row.state;
    });
    if (!done) return call->answer(failure(done.error()));
    ObjectText runs;
    for (const auto& [run_id, tasks] : states) {
      ObjectText text;
      for (const auto& [task_id, state] : tasks) text.raw(task_id, state_text(state));
      runs.raw(run_id, text.take());
    }
    call->answer(ok(ObjectText().raw("task_states", runs.take()).take()));
  });
}

void previous_instance(const CallPtr& call) {
  QueryReader read(call->request());
  InstanceFilter filter;
  filter.dag_id = call->param("dag_id");
  filter.task_id = call->param("task_id");
  filter.map_index = static_cast<std::int32_t>(read.maybe_integer("map_index").value_or(-1));
  filter.logical_date.lt = read.maybe_instant("logical_date");
  if (const auto state = read.maybe_task_state("state")) filter.states = {*state};
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_store([=](Store& store) {
    const auto page =
        store.instances(filter, {.limit = 1, .offset = 0, .order_by = "-logical_date"});
    if (!page) return call->answer(failure(page.error()));
    if (page->rows.empty()) return call->answer(ok("null"));
    const InstanceSummary& found = page->rows.front();
    const InstanceRow& row = found.row;
    call->answer(ok(ObjectText()
                        .text("task_id", found.task_id)
                        .text("dag_id", found.dag_id)
                        .text("run_id", found.run_id)
                        .instant("logical_date", found.logical_date)
                        .instant("start_date", row.started_at)
                        .instant("end_date", row.ended_at)
                        .raw("state", state_text(row.state))
                        .number("try_number", row.try_number)
                        .number("map_index", row.key.map_index)
                        .raw("duration", seconds_text(row.started_at, row.ended_at))
                        .take()));
  });
}

void breadcrumbs(const CallPtr& call) {
  QueryReader read(call->request());
  InstanceFilter filter;
  filter.dag_id = read.text("dag_id");
  filter.run_id = read.text("run_id");
  filter.states = {TaskState::Success, TaskState::Failed, TaskState::Skipped,
                   TaskState::UpstreamFailed, TaskState::Removed};
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_world([=](const World& world, const Moment&) {
    const auto run = world.find_run(*filter.dag_id, *filter.run_id);
    const auto dag = run ? world.dag_of(*run) : world.dag(*filter.dag_id);
    call->in_store([=](Store& store) {
      std::vector<InstanceSummary> rows;
      const auto done =
          each_instance(store, filter, [&](const InstanceSummary& row) { rows.push_back(row); });
      if (!done) return call->answer(failure(done.error()));
      std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return std::pair(a.task_id, a.row.key.map_index) <
               std::pair(b.task_id, b.row.key.map_index);
      });
      std::string list;
      for (const InstanceSummary& row : rows) {
        const auto task = dag ? dag->find(row.task_id) : std::nullopt;
        const auto& airflow = task ? dag->task(*task).airflow : std::nullopt;
        list += (list.empty() ? "" : ",") +
                ObjectText()
                    .text("task_id", row.task_id)
                    .number("map_index", row.row.key.map_index)
                    .raw("state", state_text(row.row.state))
                    .raw("operator", airflow ? quoted(airflow->operator_type) : "null")
                    .raw("duration", seconds_text(row.row.started_at, row.row.ended_at))
                    .take();
      }
      call->answer(ok("{\"breadcrumbs\":[" + list + "]}"));
    });
  });
}

}  // namespace etesian::task_api
