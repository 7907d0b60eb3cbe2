#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/time_zone.h"

namespace etesian {

/// A mistake in a template: where in its text (bytes from 0), what, and what to do about it.
struct TemplateError {
  std::size_t offset = 0;
  std::size_t length = 1;
  std::string message;
  std::string hint;  ///< May be empty.
};

/// Facts of one task instance that templates may use, under Airflow's names (docs/templates.md):
/// ds, ds_nodash, ts, ts_nodash, logical_date, data_interval_start/end,
/// prev_data_interval_*_success, run_id, dag, task, ti, params, var.value.x, var.json.x,
/// conn.x.host, output.<task>[.<member>], map_index, macros.*, and each argument of `map:` under
/// its own name.
struct TemplateFacts {
  std::string dag_id, task_id, run_id, run_type, owner, owner_email;
  int try_number = 1, max_tries = 0, map_index = -1;
  std::optional<Instant> logical_date;  ///< Absent in runs without one.
  std::optional<Instant> data_interval_start, data_interval_end;
  std::optional<Instant> prev_data_interval_start_success, prev_data_interval_end_success;
  Instant run_after{}, dag_run_start{};
  TimeZone timezone =
      TimeZone::utc();  ///< Of `ds_local`, `ts_local`; ds and ts are UTC as in Airflow.
  json::object params;
  json::object map_arguments;
  /// Output `key` of a task ("return_value" for the whole); a mapped task gives an array.
  /// nullopt: the task left none. `map_index` < 0 = all.
  std::function<std::optional<json::value>(const std::string& task_id, const std::string& key,
                                           int map_index)>
      output;
  std::function<std::optional<std::string>(const std::string& key)> variable;
  /// conn_id -> object with host, port, login, password, schema, conn_type, extra, uri.
  std::function<std::optional<json::object>(const std::string& conn_id)> connection;
};

/// What is known of the names when a DAG file is checked, before any run exists.
struct TemplateScope {
  std::vector<std::string> params;
  std::vector<std::string> outputs;  ///< Ids of tasks whose output may be read (upstreams).
  std::vector<std::string> map_arguments;
};

/// Bounds that make rendering safe for any text. Exceeding one is a TemplateError.
struct TemplateLimits {
  std::size_t output_bytes = 1UL << 20;
  std::size_t steps = 100'000;
  std::size_t depth = 64;  ///< Of blocks and of brackets; `parse` refuses more than 64 itself.
};

/// A parsed template of the documented Jinja subset: {{ expression }}, {% if/elif/else/endif %},
/// {% for/else/endfor %}, {% set %}, {# comment #}, whitespace control with '-', filters, tests,
/// calls of the listed functions and methods. No include, import, macro, attribute of host objects,
/// file, environment or network. Immutable, shareable between threads.
class Template {
 public:
  /// Errors: every syntax mistake found (at least one).
  static std::optional<Template> parse(std::string_view text, std::vector<TemplateError>& errors);

  /// Unknown names, members, filters, tests, functions, tasks whose output cannot be known: all of
  /// them, in order of position, each with a hint of the nearest known name.
  std::vector<TemplateError> check(const TemplateScope& scope) const;

  /// True when the text holds no template syntax; rendering returns it unchanged.
  bool is_literal() const;
  /// Task ids read through output.<task> or ti.xcom_pull(task_ids='…') with literal ids, sorted,
  /// unique.
  std::vector<std::string> tasks_read() const;
  /// `params` members and `params`-derived expressions printed without the `quote` filter
  /// (position of each): the loader warns about them inside shell commands.
  std::vector<TemplateError> unquoted_params() const;

  struct Rendered {
    std::optional<std::string> text;  ///< Absent when `error` is set.
    std::optional<TemplateError> error;
  };
  Rendered render(const TemplateFacts& facts, const TemplateLimits& limits = {}) const;

  struct Evaluated {
    std::optional<json::value> value;
    std::optional<TemplateError> error;
  };
  /// As Jinja's native environment: a template of exactly one expression, blanks around it aside,
  /// gives its JSON value (for `map:`), any other its rendered text.
  Evaluated evaluate(const TemplateFacts& facts, const TemplateLimits& limits = {}) const;

 private:
  struct Node;
  explicit Template(std::shared_ptr<const Node> root) : root_(std::move(root)) {}
  std::shared_ptr<const Node> root_;
};

}  // namespace etesian
