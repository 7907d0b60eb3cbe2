#include "template/context.h"

#include <fmt/format.h>

#include "template/names.h"
#include "template/nearest.h"
#include "template/operators.h"

namespace etesian::templates {
namespace {

Value text_or_none(const std::string& text) {
  return text.empty() ? Value(None{}) : make_text(text);
}

bool is_given(const std::optional<Value>& argument) { return argument && !argument->is<None>(); }

}  // namespace

template <class Make>
Value Context::kept(const std::string& key, Make make) {
  if (const auto found = cache_.find(key); found != cache_.end()) return found->second;
  Value value = make();
  // An undefined value carries the place where it was asked for.
  if (!value.is<Undefined>()) cache_.emplace(key, value);
  return value;
}

Value Context::moment_or_none(const std::optional<Instant>& at) const {
  return at ? utc(*at) : Value(None{});
}

std::optional<Value> Context::logical_name(std::string_view name) {
  const auto local = [&](Moment m) { return m.zone = facts_.timezone, m; };
  static constexpr std::string_view Names[] = {
      "ds",       "ds_nodash", "ts",           "ts_nodash",          "ts_nodash_with_tz",
      "ds_local", "ts_local",  "logical_date", "logical_date_local", "task_instance_key_str"};
  if (std::find(std::begin(Names), std::end(Names), name) == std::end(Names)) return std::nullopt;
  if (!facts_.logical_date) {
    return undefined(meter_, fmt::format("'{}' has no value: this run has no logical date", name),
                     "use dag_run.run_after, or give the run a logical date");
  }
  Moment at{*facts_.logical_date, TimeZone::utc(), Moment::Form::Aware};
  if (name == "logical_date") return at;
  if (name == "logical_date_local") return local(at);
  if (name == "ts") return make_text(iso_text(at));
  if (name == "ts_local") return make_text(iso_text(local(at)));
  if (name == "ds_local") return make_text(*format_moment(local(at), "%Y-%m-%d"));
  const std::string nodash = *format_moment(at, "%Y%m%d");
  if (name == "ds") return make_text(*format_moment(at, "%Y-%m-%d"));
  if (name == "ds_nodash") return make_text(nodash);
  if (name == "ts_nodash") return make_text(*format_moment(at, "%Y%m%dT%H%M%S"));
  if (name == "task_instance_key_str")
    return make_text(facts_.dag_id + "__" + facts_.task_id + "__" + nodash);
  std::string iso = iso_text(at);
  std::erase_if(iso, [](char c) { return c == '-' || c == ':'; });
  return make_text(std::move(iso));
}

std::optional<Value> Context::interval_name(std::string_view name) {
  const bool start = name.starts_with("data_interval_start"),
             end = name.starts_with("data_interval_end");
  if (!start && !end) return std::nullopt;
  const auto& at = start ? facts_.data_interval_start : facts_.data_interval_end;
  if (!at) {
    return undefined(meter_, fmt::format("'{}' has no value: this run has no data interval", name),
                     "use dag_run.run_after");
  }
  return Moment{*at, name.ends_with("_local") ? facts_.timezone : TimeZone::utc(),
                Moment::Form::Aware};
}

Value Context::name(const std::string& name) {
  if (facts_.map_arguments.contains(name)) {
    return kept("map:" + name,
                [&] { return value_from_json(facts_.map_arguments.at(name), meter_); });
  }
  const Shape* shape = find_root(name);
  if (!shape) {
    std::vector<std::string_view> known;
    for (const Member& member : root_names()) known.push_back(member.name);
    for (const auto& argument : facts_.map_arguments) known.push_back(argument.key());
    return undefined(meter_, fmt::format("'{}' is not defined", name), did_you_mean(name, known));
  }
  if (shape->kind == Shape::Kind::Host) return Host{shape->host, {}};
  if (auto value = logical_name(name)) return std::move(*value);
  if (auto value = interval_name(name)) return std::move(*value);
  if (name == "prev_data_interval_start_success")
    return moment_or_none(facts_.prev_data_interval_start_success);
  if (name == "prev_data_interval_end_success")
    return moment_or_none(facts_.prev_data_interval_end_success);
  if (name == "run_id") return make_text(facts_.run_id);
  if (name == "map_index") return static_cast<std::int64_t>(facts_.map_index);
  return kept("params", [&] { return value_from_json(facts_.params, meter_); });
}

Value Context::dag_member(HostKind kind, const std::string& name) {
  if (name == "dag_id") return make_text(facts_.dag_id);
  if (name == "task_id") return make_text(facts_.task_id);
  if (name == "run_id") return make_text(facts_.run_id);
  if (name == "owner") return text_or_none(facts_.owner);
  if (name == "email") return text_or_none(facts_.owner_email);
  if (name == "try_number") return static_cast<std::int64_t>(facts_.try_number);
  if (name == "max_tries") return static_cast<std::int64_t>(facts_.max_tries);
  if (name == "map_index") return static_cast<std::int64_t>(facts_.map_index);
  if (kind == HostKind::DagRun) {
    if (name == "run_type") return make_text(facts_.run_type);
    if (name == "conf") return this->name("params");
    if (name == "run_after") return utc(facts_.run_after);
    if (name == "start_date") return utc(facts_.dag_run_start);
    if (name == "logical_date") return moment_or_none(facts_.logical_date);
    if (name == "data_interval_start") return moment_or_none(facts_.data_interval_start);
    if (name == "data_interval_end") return moment_or_none(facts_.data_interval_end);
  }
  return Host{HostKind::MacrosDatetime, {}};
}

Value Context::member(const Host& host, const std::string& name) {
  switch (host.kind) {
    case HostKind::VariableValues:
    case HostKind::VariableJson: return variable(host.kind, name);
    case HostKind::Connections: {
      Value found = connection_member(name, "conn_id");
      return found.is<Undefined>() ? found : Value(Host{HostKind::Connection, name});
    }
    case HostKind::Outputs: return Host{HostKind::TaskOutput, name};
    case HostKind::TaskOutput: return output_member(host.id, name);
    default: break;
  }
  const Shape shape{Shape::Kind::Host, host.kind};
  for (const Member& member : members_of(shape)) {
    if (member.name != name) continue;
    if (host.kind == HostKind::Connection) return connection_member(host.id, name);
    if (member.shape.kind == Shape::Kind::Host) return Host{member.shape.host, {}};
    return dag_member(host.kind, name);
  }
  std::vector<std::string_view> known = member_names(shape);
  for (const Signature& method : methods_of(shape)) known.push_back(method.name);
  return undefined(meter_, fmt::format("there is no member '{}'", name), did_you_mean(name, known));
}

Value Context::variable(HostKind kind, const std::string& key) {
  const bool as_json = kind == HostKind::VariableJson;
  return kept((as_json ? "json:" : "value:") + key, [&]() -> Value {
    const auto text = facts_.variable ? facts_.variable(key) : std::nullopt;
    if (!text) {
      return undefined(
          meter_,
          fmt::format("variable '{0}' does not exist; create it with 'etesian variables set {0} …'",
                      key));
    }
    meter_.text(text->size());
    if (!as_json) return make_text(*text);
    const auto parsed = parse_json(*text);
    // The parser's message could repeat a part of the value.
    if (!parsed)
      meter_.fail(fmt::format("variable '{}' does not hold JSON", key), "read it with var.value");
    return value_from_json(*parsed, meter_);
  });
}

Value Context::connection_member(const std::string& id, const std::string& name) {
  const Value fields = kept("conn:" + id, [&]() -> Value {
    const auto found = facts_.connection ? facts_.connection(id) : std::nullopt;
    if (!found) {
      return undefined(
          meter_,
          fmt::format(
              "connection '{0}' does not exist; create it with 'etesian connections add {0} …'",
              id));
    }
    return value_from_json(*found, meter_);
  });
  const auto* dict = fields.get<Dict>();
  if (!dict) return fields;
  if (name == "conn_id") return make_text(id);
  const auto* found = find(*dict, name == "extra_dejson" ? "extra" : name);
  const Value value = found ? *found : Value(None{});
  if (name != "extra_dejson" || value.is<Dict>()) return value;
  const auto* text = value.get<Text>();
  if (!text || (*text)->empty()) return make_dict({}, meter_);
  return kept("extra:" + id, [&] {
    const auto parsed = parse_json(**text);
    if (!parsed) meter_.fail(fmt::format("the extra of connection '{}' does not hold JSON", id));
    return value_from_json(*parsed, meter_);
  });
}

std::optional<Value> Context::output(const std::string& task, const std::string& key,
                                     int map_index) {
  const Value value = kept(fmt::format("output:{}:{}:{}", map_index, task, key), [&]() -> Value {
    const auto found = facts_.output ? facts_.output(task, key, map_index) : std::nullopt;
    if (!found) return undefined(meter_, fmt::format("task '{}' left no output '{}'", task, key));
    return value_from_json(*found, meter_);
  });
  return value.is<Undefined>() ? std::nullopt : std::optional(value);
}

Value Context::settled(Value value) {
  const auto* host = value.get<Host>();
  if (!host || host->kind != HostKind::TaskOutput) return value;
  if (auto whole = output(host->id, "return_value", -1)) return std::move(*whole);
  return undefined(meter_, fmt::format("task '{}' left no output", host->id));
}

Value Context::output_member(const std::string& task, const std::string& name) {
  const auto whole = output(task, "return_value", -1);
  if (whole) {
    const auto* dict = whole->get<Dict>();
    if (const auto* found = dict ? find(*dict, name) : nullptr) return *found;
  }
  if (auto value = output(task, name, -1)) return std::move(*value);
  if (whole && whole->is<Dict>()) return data_member(*whole, name, meter_);
  return undefined(meter_, fmt::format("task '{}' left no output '{}'", task, name));
}

Value Context::pulled(const std::string& task, const std::string& key,
                      const std::optional<Value>& map_indexes) {
  const auto one = [&](const Value& index) -> Value {
    const std::int64_t at = integer_argument(index, -1, meter_);
    if (at < -1 || at > INT32_MAX) meter_.fail("a map index is a number from 0");
    return output(task, key, static_cast<int>(at)).value_or(None{});
  };
  if (!is_given(map_indexes)) return output(task, key, -1).value_or(None{});
  if (!map_indexes->is<List>()) return one(*map_indexes);
  std::vector<Value> out;
  for (const Value& index : elements(*map_indexes, meter_)) out.push_back(one(index));
  return make_list(std::move(out), meter_);
}

Value Context::xcom_pull(const Arguments& a) {
  if (!is_given(a[0])) meter_.fail("'xcom_pull' needs the task to read from", "write task_ids='…'");
  if (is_given(a[1]) && text_argument(a[1], "", meter_) != facts_.dag_id) {
    meter_.fail("'xcom_pull' reads only outputs of its own DAG");
  }
  if (flag_argument(a[3])) meter_.fail("'xcom_pull' reads only outputs of its own run");
  const std::string key = text_argument(a[2], "return_value", meter_);
  const auto or_default = [&](Value value) { return value.is<None>() && a[5] ? *a[5] : value; };
  if (!a[0]->is<List>()) return or_default(pulled(text_argument(a[0], "", meter_), key, a[4]));
  std::vector<Value> out;
  for (const Value& task : elements(*a[0], meter_)) {
    out.push_back(or_default(pulled(text_argument(task, "", meter_), key, a[4])));
  }
  return make_list(std::move(out), meter_);
}

Value Context::call(const Host& host, std::string_view name, Arguments& arguments) {
  switch (host.kind) {
    case HostKind::TaskInstance: return xcom_pull(arguments);
    case HostKind::Connections: return member(host, text_argument(arguments[0], "", meter_));
    case HostKind::Connection: return connection_member(host.id, "uri");
    case HostKind::VariableValues:
    case HostKind::VariableJson: {
      Value found = variable(host.kind, text_argument(arguments[0], "", meter_));
      return found.is<Undefined>() && arguments[1] ? *arguments[1] : found;
    }
    default: return call_macro(name, arguments, meter_);
  }
}

}  // namespace etesian::templates
