// XCom: values are kept and given back byte by byte as the workers write them.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "task_api/fields.h"
#include "task_api/handlers.h"
#include "task_api/json_text.h"

namespace etesian::task_api {
namespace {

/// What a path below /xcoms names. The key is written without escapes: the rest of the path.
struct Name {
  std::string dag_id, run_id, task_id, key;
  OutputFilter filter() const {
    OutputFilter filter;
    filter.dag_id = dag_id;
    filter.run_id = run_id;
    filter.task_id = task_id;
    filter.name = key;
    return filter;
  }
};

Name name_of(const Call& call) {
  return {call.param("dag_id"), call.param("run_id"), call.param("task_id"), call.param("key")};
}

http::Response no_such_value(const Name& name, const std::string& which) {
  return refused(
      404, "not_found",
      fmt::format("XCom with key='{}' {} not found for task '{}' in DAG run '{}' of '{}'", name.key,
                  which, name.task_id, name.run_id, name.dag_id));
}

std::string value_text(const Name& name, const OutputRow& row) {
  return ObjectText().text("key", name.key).raw("value", row.json).take();
}

/// Narrows a filter to the runs up to the one that it names. False: there is no such run.
Result<bool> include_prior_dates(Store& store, OutputFilter& filter) {
  const auto run = store.run(filter.dag_id, *filter.run_id);
  if (!run && run.error().code == ErrorCode::NotFound) return false;
  if (!run) return run.error();
  filter.date_lte = run->logical_date.value_or(run->run_after);
  filter.run_id.reset();
  return true;
}

/// The value at a position among those that the instances of a task pushed, in map order; from the
/// end when negative. nullopt: there are not so many.
Result<std::optional<OutputRow>> value_at(Store& store, OutputFilter filter,
                                          std::int64_t position) {
  filter.has_values = false;
  auto names = store.outputs(filter);
  if (!names) return names.error();
  std::stable_sort(names->begin(), names->end(), [](const OutputRow& a, const OutputRow& b) {
    return a.key.map_index < b.key.map_index;
  });
  const std::int64_t at = position < 0 ? position + std::ssize(*names) : position;
  if (at < 0 || at >= std::ssize(*names)) return std::optional<OutputRow>();
  const OutputRow& found = (*names)[static_cast<std::size_t>(at)];
  filter.run_id = found.run_id;
  filter.map_index = found.key.map_index;
  filter.date_lte.reset();
  filter.has_values = true;
  auto rows = store.outputs(filter);
  if (!rows) return rows.error();
  return rows->empty() ? std::nullopt : std::optional(std::move(rows->front()));
}

void answer_item(const CallPtr& call, const Name& name, std::int64_t position) {
  call->in_store([=](Store& store) {
    const auto row = value_at(store, name.filter(), position);
    if (!row) return call->answer(failure(row.error()));
    if (!*row) return call->answer(no_such_value(name, fmt::format("offset={}", position)));
    call->answer(ok((*row)->json));
  });
}

struct Slice {
  std::optional<std::int64_t> start, stop, step;
  /// Positions of a list of this length, as Python's slice.indices gives them.
  std::vector<std::size_t> positions(std::int64_t length) const {
    const std::int64_t each = std::clamp(step.value_or(1), -length - 1, length + 1);
    const auto bound = [length, each](std::int64_t at) {
      if (at < 0) at += length;
      return each > 0 ? std::clamp<std::int64_t>(at, 0, length)
                      : std::clamp<std::int64_t>(at, -1, length - 1);
    };
    const std::int64_t first = start ? bound(*start) : (each > 0 ? 0 : length - 1);
    const std::int64_t last = stop ? bound(*stop) : (each > 0 ? length : -1);
    std::vector<std::size_t> all;
    for (std::int64_t at = first; each > 0 ? at < last : at > last; at += each)
      all.push_back(static_cast<std::size_t>(at));
    return all;
  }
};

void answer_slice(const CallPtr& call, const Name& name) {
  QueryReader read(call->request());
  Slice slice;
  slice.start = read.maybe_integer("start");
  slice.stop = read.maybe_integer("stop");
  slice.step = read.maybe_integer("step");
  if (slice.step == 0) slice.step.reset();
  const bool with_prior = read.flag("include_prior_dates");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  call->in_store([=](Store& store) {
    OutputFilter filter = name.filter();
    if (with_prior) {
      const auto found = include_prior_dates(store, filter);
      if (!found) return call->answer(failure(found.error()));
      if (!*found) return call->answer(ok("[]"));
    }
    auto rows = store.outputs(filter);
    if (!rows) return call->answer(failure(rows.error()));
    std::stable_sort(rows->begin(), rows->end(), [](const OutputRow& a, const OutputRow& b) {
      return a.key.map_index < b.key.map_index;
    });
    std::string list;
    for (const std::size_t at : slice.positions(std::ssize(*rows)))
      list += (list.empty() ? "" : ",") + (*rows)[at].json;
    call->answer(ok("[" + list + "]"));
  });
}

void answer_value(const CallPtr& call, const Name& name) {
  QueryReader read(call->request());
  const auto map_index = static_cast<std::int32_t>(read.maybe_integer("map_index").value_or(-1));
  const auto offset = read.maybe_integer("offset");
  const bool with_prior = read.flag("include_prior_dates");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  const std::string which =
      offset ? fmt::format("offset={}", *offset) : fmt::format("map_index={}", map_index);
  call->in_store([=](Store& store) {
    OutputFilter filter = name.filter();
    if (with_prior) {
      const auto found = include_prior_dates(store, filter);
      if (!found) return call->answer(failure(found.error()));
      if (!*found) return call->answer(no_such_value(name, which));
    }
    if (offset) {
      const auto row = value_at(store, filter, *offset);
      if (!row) return call->answer(failure(row.error()));
      return call->answer(*row ? ok(value_text(name, **row)) : no_such_value(name, which));
    }
    filter.map_index = map_index;
    filter.limit = 1;
    const auto rows = store.outputs(filter);
    if (!rows) return call->answer(failure(rows.error()));
    call->answer(rows->empty() ? no_such_value(name, which) : ok(value_text(name, rows->front())));
  });
}

/// "…/item/N" at the end of a key: N; the key loses both.
std::optional<std::int64_t> take_item(std::string& key) {
  constexpr std::string_view kItem = "/item/";
  const std::size_t at = key.rfind(kItem);
  if (at == std::string::npos || at == 0) return std::nullopt;
  const std::string_view digits = std::string_view(key).substr(at + kItem.size());
  std::int64_t position = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), position);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  key.resize(at);
  return position;
}

/// Finds the instance that a value belongs to, of a finished run too, and goes on with its key.
void with_instance(const CallPtr& call, const Name& name, std::int32_t map_index,
                   std::function<void(const InstanceKey&)> then) {
  call->in_world([=, then = std::move(then)](const World& world, const Moment&) {
    if (const auto run = world.find_run(name.dag_id, name.run_id)) {
      const auto task = world.dag_of(*run)->find(name.task_id);
      const auto key = task ? std::optional(InstanceKey{*run, *task, map_index}) : std::nullopt;
      if (key && world.instance(*key)) return then(*key);
    }
    call->in_store([=](Store& store) {
      InstanceFilter filter;
      filter.dag_id = name.dag_id;
      filter.run_id = name.run_id;
      filter.task_id = name.task_id;
      filter.map_index = map_index;
      const auto page = store.instances(filter, {.limit = 1, .offset = 0, .order_by = {}});
      if (!page) return call->answer(failure(page.error()));
      if (!page->rows.empty()) return then(page->rows.front().row.key);
      then(InstanceKey{});
    });
  });
}

void push(const CallPtr& call, const Name& name, std::int32_t map_index,
          std::optional<int> length) {
  with_instance(call, name, map_index, [=](const InstanceKey& key) {
    if (key.run == 0)
      return call->answer(http::error_response(
          404, fmt::format("DAG run not found on DAG '{}' with ID '{}', or it has no such task "
                           "instance",
                           name.dag_id, name.run_id)));
    const std::string& body = call->request().body;
    call->submit(OutputPushed{key, name.key, body.empty() ? "null" : body, length},
                 [call](const CommandDone&) { call->answer(created("XCom successfully set")); });
  });
}

}  // namespace

void read_xcom(const CallPtr& call) {
  constexpr std::string_view kSlice = "/slice";
  Name name = name_of(*call);
  if (const auto position = take_item(name.key)) return answer_item(call, name, *position);
  if (name.key.size() > kSlice.size() && name.key.ends_with(kSlice)) {
    name.key.resize(name.key.size() - kSlice.size());
    return answer_slice(call, name);
  }
  answer_value(call, name);
}

void count_xcoms(const CallPtr& call) {
  if (call->request().query_value("map_index"))
    return call->answer(
        refused(400, "invalid_request", "Cannot specify map_index in a HEAD request"));
  const Name name = name_of(*call);
  call->in_store([=](Store& store) {
    OutputFilter filter = name.filter();
    filter.has_values = false;
    const auto rows = store.outputs(filter);
    if (!rows) return call->answer(failure(rows.error()));
    http::Response response = ok("null");
    response.headers.emplace_back("Content-Range", fmt::format("map_indexes {}", rows->size()));
    call->answer(std::move(response));
  });
}

void push_xcom(const CallPtr& call) {
  QueryReader read(call->request());
  const auto map_index = static_cast<std::int32_t>(read.maybe_integer("map_index").value_or(-1));
  const auto length = read.maybe_integer("mapped_length");
  read.flag("dag_result");
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  if (const std::string& body = call->request().body; !body.empty() && !is_json(body)) {
    Mistakes mistakes;
    mistakes.add("json_invalid", {"body"}, "JSON decode error", json::object());
    return call->answer(mistakes.response());
  }
  if (length && *length > call->options().map_length_max)
    return call->answer(refused(400, "unmappable_return_value_length",
                                "pushed value is too large to map as a downstream's dependency"));
  push(call, name_of(*call), map_index,
       length ? std::optional(static_cast<int>(std::max<std::int64_t>(*length, 0))) : std::nullopt);
}

void drop_xcom(const CallPtr& call) {
  QueryReader read(call->request());
  const auto map_index = static_cast<std::int32_t>(read.maybe_integer("map_index").value_or(-1));
  if (auto bad = read.refusal()) return call->answer(std::move(*bad));
  const Name name = name_of(*call);
  const auto dropped = [call, key = name.key] {
    call->answer(
        ok(ObjectText()
               .text("message", fmt::format("XCom with key: {} successfully deleted.", key))
               .take()));
  };
  with_instance(call, name, map_index, [=](const InstanceKey& key) {
    if (key.run == 0) return dropped();
    call->submit(
        OutputDropped{key, name.key}, [=](const CommandDone&) { dropped(); },
        [=](const Error& error) {
          if (error.code == ErrorCode::NotFound) return dropped();
          call->answer(failure(error));
        });
  });
}

}  // namespace etesian::task_api
