#include "template/names.h"

#include <algorithm>

namespace etesian::templates {
namespace {

using Kind = Shape::Kind;

constexpr Shape host(HostKind kind) { return {Kind::Host, kind}; }
constexpr Shape Any{Kind::Anything}, Word{Kind::String}, Number{Kind::Integer}, Time{Kind::Moment};

const std::vector<Member> None_;

const std::vector<Member>& host_members(HostKind kind) {
  static const std::vector<Member> Dag = {{"dag_id", Word}, {"owner", Word}};
  static const std::vector<Member> DagRun = {{"dag_id", Word},
                                             {"run_id", Word},
                                             {"run_type", Word},
                                             {"conf", {Kind::Params}},
                                             {"logical_date", Time},
                                             {"run_after", Time},
                                             {"data_interval_start", Time},
                                             {"data_interval_end", Time},
                                             {"start_date", Time}};
  static const std::vector<Member> Task = {
      {"task_id", Word}, {"dag_id", Word}, {"owner", Word}, {"email", Word}};
  static const std::vector<Member> TaskInstance = {{"task_id", Word},     {"dag_id", Word},
                                                   {"run_id", Word},      {"try_number", Number},
                                                   {"max_tries", Number}, {"map_index", Number}};
  static const std::vector<Member> Variables = {{"value", host(HostKind::VariableValues)},
                                                {"json", host(HostKind::VariableJson)}};
  static const std::vector<Member> Connection = {
      {"conn_id", Word}, {"conn_type", Word}, {"host", Any},
      {"login", Any},    {"password", Any},   {"port", Any},
      {"schema", Any},   {"extra", Any},      {"extra_dejson", Any}};
  static const std::vector<Member> Macros = {{"datetime", host(HostKind::MacrosDatetime)}};
  switch (kind) {
    case HostKind::Dag: return Dag;
    case HostKind::DagRun: return DagRun;
    case HostKind::Task: return Task;
    case HostKind::TaskInstance: return TaskInstance;
    case HostKind::Variables: return Variables;
    case HostKind::Connection: return Connection;
    case HostKind::Macros: return Macros;
    default: return None_;
  }
}

const std::vector<std::string_view> DateParameters = {"year",   "month",  "day",        "hour",
                                                      "minute", "second", "microsecond"};
const std::vector<std::string_view> ShiftParameters = {
    "years", "months", "weeks", "days", "hours", "minutes", "seconds", "microseconds"};

const std::vector<Signature> NoMethods;

const std::vector<Signature>& host_methods(HostKind kind) {
  static const std::vector<Signature> TaskInstance = {
      {"xcom_pull",
       {"task_ids", "dag_id", "key", "include_prior_dates", "map_indexes", "default"},
       0,
       false,
       2}};
  static const std::vector<Signature> Lookup = {{"get", {"key", "default"}, 1}};
  static const std::vector<Signature> Connections = {{"get", {"conn_id"}, 1}};
  static const std::vector<Signature> Connection = {{"get_uri", {}}};
  static const std::vector<Signature> Macros = {
      {"ds_add", {"ds", "days"}, 2},
      {"ds_format", {"ds", "input_format", "output_format"}, 3},
      {"timedelta",
       {"days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks"}},
      {"datetime", DateParameters, 3}};
  static const std::vector<Signature> MacrosDatetime = {{"strptime", {"text", "format"}, 2}};
  switch (kind) {
    case HostKind::TaskInstance: return TaskInstance;
    case HostKind::VariableValues:
    case HostKind::VariableJson: return Lookup;
    case HostKind::Connections: return Connections;
    case HostKind::Connection: return Connection;
    case HostKind::Macros: return Macros;
    case HostKind::MacrosDatetime: return MacrosDatetime;
    default: return NoMethods;
  }
}

const std::vector<Signature> TextMethods = {{"upper", {}},
                                            {"lower", {}},
                                            {"title", {}},
                                            {"capitalize", {}},
                                            {"strip", {"chars"}},
                                            {"lstrip", {"chars"}},
                                            {"rstrip", {"chars"}},
                                            {"split", {"sep", "maxsplit"}},
                                            {"splitlines", {}},
                                            {"replace", {"old", "new", "count"}, 2},
                                            {"startswith", {"prefix"}, 1},
                                            {"endswith", {"suffix"}, 1},
                                            {"join", {"values"}, 1},
                                            {"find", {"text"}, 1},
                                            {"count", {"text"}, 1},
                                            {"zfill", {"width"}, 1},
                                            {"removeprefix", {"prefix"}, 1},
                                            {"removesuffix", {"suffix"}, 1}};
const std::vector<Signature> DictMethods = {
    {"get", {"key", "default"}, 1}, {"keys", {}}, {"values", {}}, {"items", {}}};
const std::vector<Signature> MomentMethods = {{"strftime", {"format"}, 1},
                                              {"isoformat", {"sep"}},
                                              {"date", {}},
                                              {"add", ShiftParameters},
                                              {"subtract", ShiftParameters},
                                              {"in_timezone", {"timezone"}, 1},
                                              {"timestamp", {}},
                                              {"weekday", {}},
                                              {"isoweekday", {}},
                                              {"to_date_string", {}},
                                              {"to_datetime_string", {}}};
const std::vector<Signature> DeltaMethods = {{"total_seconds", {}}};

}  // namespace

const std::vector<Member>& root_names() {
  static const std::vector<Member> Names = {{"ds", Word},
                                            {"ds_nodash", Word},
                                            {"ts", Word},
                                            {"ts_nodash", Word},
                                            {"ts_nodash_with_tz", Word},
                                            {"ds_local", Word},
                                            {"ts_local", Word},
                                            {"logical_date", Time},
                                            {"logical_date_local", Time},
                                            {"data_interval_start", Time},
                                            {"data_interval_end", Time},
                                            {"data_interval_start_local", Time},
                                            {"data_interval_end_local", Time},
                                            {"prev_data_interval_start_success", Time},
                                            {"prev_data_interval_end_success", Time},
                                            {"run_id", Word},
                                            {"map_index", Number},
                                            {"task_instance_key_str", Word},
                                            {"params", {Kind::Params}},
                                            {"dag", host(HostKind::Dag)},
                                            {"dag_run", host(HostKind::DagRun)},
                                            {"task", host(HostKind::Task)},
                                            {"ti", host(HostKind::TaskInstance)},
                                            {"task_instance", host(HostKind::TaskInstance)},
                                            {"var", host(HostKind::Variables)},
                                            {"conn", host(HostKind::Connections)},
                                            {"output", host(HostKind::Outputs)},
                                            {"macros", host(HostKind::Macros)}};
  return Names;
}

const Shape* find_root(std::string_view name) {
  const auto& names = root_names();
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const Member& m) { return m.name == name; });
  return found == names.end() ? nullptr : &found->shape;
}

const std::vector<Member>& members_of(Shape shape) {
  static const std::vector<Member> MomentMembers = {
      {"year", Number},        {"month", Number},       {"day", Number},
      {"hour", Number},        {"minute", Number},      {"second", Number},
      {"microsecond", Number}, {"day_of_week", Number}, {"day_of_year", Number},
      {"quarter", Number},     {"timezone_name", Word}, {"int_timestamp", Number}};
  static const std::vector<Member> TimeSpan = {
      {"days", Number}, {"seconds", Number}, {"microseconds", Number}};
  static const std::vector<Member> Loop = {
      {"index", Number},     {"index0", Number}, {"revindex", Number},
      {"revindex0", Number}, {"first", Any},     {"last", Any},
      {"length", Number},    {"previtem", Any},  {"nextitem", Any}};
  switch (shape.kind) {
    case Kind::Moment: return MomentMembers;
    case Kind::TimeSpan: return TimeSpan;
    case Kind::Loop: return Loop;
    case Kind::Host: return host_members(shape.host);
    default: return None_;
  }
}

std::vector<std::string_view> member_names(Shape shape) {
  std::vector<std::string_view> out;
  for (const Member& member : members_of(shape)) out.push_back(member.name);
  return out;
}

bool is_closed(Shape shape) {
  if (shape.kind == Kind::Host) {
    return shape.host != HostKind::VariableValues && shape.host != HostKind::VariableJson &&
           shape.host != HostKind::Connections && shape.host != HostKind::Outputs &&
           shape.host != HostKind::TaskOutput;
  }
  return shape.kind != Kind::Anything && shape.kind != Kind::Params;
}

const std::vector<Signature>& methods_of(Shape shape) {
  static const std::vector<Signature> AllMethods = [] {
    std::vector<Signature> out = TextMethods;
    for (const auto* more : {&DictMethods, &MomentMethods, &DeltaMethods})
      out.insert(out.end(), more->begin(), more->end());
    return out;
  }();
  switch (shape.kind) {
    case Kind::Anything: return AllMethods;
    case Kind::String: return TextMethods;
    case Kind::Params:
    case Kind::Loop: return DictMethods;
    case Kind::Moment: return MomentMethods;
    case Kind::TimeSpan: return DeltaMethods;
    case Kind::Host: return host_methods(shape.host);
    case Kind::Integer: break;
  }
  return NoMethods;
}

const Signature* find_method(Shape shape, std::string_view name) {
  const auto& methods = methods_of(shape);
  const auto found = std::find_if(methods.begin(), methods.end(),
                                  [&](const Signature& s) { return s.name == name; });
  return found == methods.end() ? nullptr : &*found;
}

}  // namespace etesian::templates
