#include "loader/canonical.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <type_traits>

#include "base/bytes.h"
#include "base/json.h"
#include "loader/airflow_canonical.h"

namespace etesian {
namespace {

// What each type consists of, once for writing and reading. `f` is called with the name and the
// member; `f.place` with what only says where in a file something stands.

template <class F>
void each_field(F& f, const TemplateText*) {
  f("text", &TemplateText::text);
  f.place("line", &TemplateText::line);
  f.place("column", &TemplateText::column);
}

template <class F>
void each_field(F& f, const Command*) {
  f("kind", &Command::kind);
  f("words", &Command::words);
}

template <class F>
void each_field(F& f, const RetryRule*) {
  f("times", &RetryRule::times);
  f("delay", &RetryRule::delay);
  f("backoff", &RetryRule::backoff);
  f("max_delay", &RetryRule::max_delay);
  f("jitter", &RetryRule::jitter);
  f("max_elapsed", &RetryRule::max_elapsed);
  f("on_exit", &RetryRule::on_exit);
  f("not_on_exit", &RetryRule::not_on_exit);
  f("on_log", &RetryRule::on_log);
  f("on_cause", &RetryRule::on_cause);
  f("not_on_cause", &RetryRule::not_on_cause);
  f("airflow_exponential_backoff", &RetryRule::airflow_exponential_backoff);
}

template <class F>
void each_field(F& f, const LengthOf*) {
  f("kind", &LengthOf::kind);
  f("literal", &LengthOf::literal);
  f("task", &LengthOf::task);
  f("key", &LengthOf::key);
  f("parts", &LengthOf::parts);
}

template <class F>
void each_field(F& f, const MapRule::Argument*) {
  f("name", &MapRule::Argument::name);
  f("source", &MapRule::Argument::source);
}

template <class F>
void each_field(F& f, const MapRule*) {
  f("combine", &MapRule::combine);
  f("arguments", &MapRule::arguments);
  f("max_active", &MapRule::max_active);
  f("group", &MapRule::group);
}

template <class F>
void each_field(F& f, const Need*) {
  f("dag", &Need::dag);
  f("task", &Need::task);
  f("covers", &Need::covers);
  f("offset", &Need::offset);
  f("fresh", &Need::fresh);
  f.place("line", &Need::line);
  f.place("column", &Need::column);
}

template <class F>
void each_field(F& f, const AirflowTask*) {
  f("operator_type", &AirflowTask::operator_type);
  f("operator_name", &AirflowTask::operator_name);
  f("queue", &AirflowTask::queue);
  f("owner", &AirflowTask::owner);
  f("can_skip_downstream", &AirflowTask::can_skip_downstream);
  f("native", &AirflowTask::native);
  f("native_has_environment", &AirflowTask::native_has_environment);
  f("native_inherits_environment", &AirflowTask::native_inherits_environment);
  f("has_failure_callback", &AirflowTask::has_failure_callback);
  f("has_retry_callback", &AirflowTask::has_retry_callback);
}

template <class F>
void each_field(F& f, const Task*) {
  f("id", &Task::id);
  f("group", &Task::group);
  f("description", &Task::description);
  f("run", &Task::run);
  f("environment", &Task::environment);
  f("working_folder", &Task::working_folder);
  f("after", &Task::after);
  f("trigger_rule", &Task::trigger_rule);
  f("decides", &Task::decides);
  f("skip_on_exit", &Task::skip_on_exit);
  f("is_setup", &Task::is_setup);
  f("is_teardown", &Task::is_teardown);
  f("setups", &Task::setups);
  f("on_failure_fail_run", &Task::on_failure_fail_run);
  f("map", &Task::map);
  f("airflow", &Task::airflow);
  f("needs", &Task::needs);
  f("retry", &Task::retry);
  f("timeout", &Task::timeout);
  f("kill_grace", &Task::kill_grace);
  f("pool", &Task::pool);
  f("pool_slots", &Task::pool_slots);
  f("priority", &Task::priority);
  f("weight_rule", &Task::weight_rule);
  f("max_active", &Task::max_active);
  f("max_active_per_run", &Task::max_active_per_run);
  f("depends_on_past", &Task::depends_on_past);
  f("wait_for_downstream", &Task::wait_for_downstream);
  f("ignore_first_depends_on_past", &Task::ignore_first_depends_on_past);
  f("executor", &Task::executor);
  f("image", &Task::image);
  f("cpu", &Task::cpu);
  f("memory_bytes", &Task::memory_bytes);
  f("output_bytes_max", &Task::output_bytes_max);
  f.place("line", &Task::line);
  f.place("column", &Task::column);
}

template <class F>
void each_field(F& f, const DstPolicy*) {
  f("gap", &DstPolicy::gap);
  f("fold", &DstPolicy::fold);
  f("hourly", &DstPolicy::hourly);
  f("airflow_stepping", &DstPolicy::airflow_stepping);
}

template <class F>
void each_field(F& f, const CronSchedule*) {
  f("expressions", &CronSchedule::expressions);
  f("timezone", &CronSchedule::timezone);
  f("dst", &CronSchedule::dst);
  f("interval", &CronSchedule::interval);
  f("trigger_interval", &CronSchedule::trigger_interval);
  f("run_immediately", &CronSchedule::run_immediately);
}

template <class F>
void each_field(F& f, const IntervalSchedule*) {
  f("every", &IntervalSchedule::every);
  f("interval", &IntervalSchedule::interval);
  f("trigger_interval", &IntervalSchedule::trigger_interval);
}

template <class F>
void each_field(F& f, const DatesSchedule*) {
  f("dates", &DatesSchedule::dates);
  f("restrict_to_dates", &DatesSchedule::restrict_to_dates);
}

template <class F>
void each_field(F&, const ManualSchedule*) {}
template <class F>
void each_field(F&, const OnceSchedule*) {}
template <class F>
void each_field(F&, const ContinuousSchedule*) {}

template <class F>
void each_field(F& f, const HolidayRule*) {
  f("action", &HolidayRule::action);
  f("days", &HolidayRule::days);
  f("weekends", &HolidayRule::weekends);
}

template <class F>
void each_field(F& f, const Schedule*) {
  f("kind", &Schedule::kind);
  f("start", &Schedule::start);
  f("end", &Schedule::end);
  f("catchup", &Schedule::catchup);
  f("holidays", &Schedule::holidays);
}

template <class F>
void each_field(F& f, const DagDefinition*) {
  f("id", &DagDefinition::id);
  f("description", &DagDefinition::description);
  f("owner", &DagDefinition::owner);
  f("tags", &DagDefinition::tags);
  f("schedule", &DagDefinition::schedule);
  f("schedule_text", &DagDefinition::schedule_text);
  f("overlap", &DagDefinition::overlap);
  f("params_schema", &DagDefinition::params_schema);
  f("max_active_runs", &DagDefinition::max_active_runs);
  f("max_active_tasks", &DagDefinition::max_active_tasks);
  f("run_timeout", &DagDefinition::run_timeout);
  f("fail_fast", &DagDefinition::fail_fast);
  f("paused_on_creation", &DagDefinition::paused_on_creation);
  f("needs", &DagDefinition::needs);
  f("tasks", &DagDefinition::tasks);
  f.place("folder", &DagDefinition::folder);
  f.place("relative_file", &DagDefinition::relative_file);
  f.place("source", &DagDefinition::source);
  f.place("version", &DagDefinition::version);
}

// Enumerations by name, in the order of their values.
template <class E>
struct Names;
#define ETESIAN_NAMES(Enum, ...)                                                  \
  template <>                                                                     \
  struct Names<Enum> {                                                            \
    static constexpr auto value = std::to_array<std::string_view>({__VA_ARGS__}); \
  }
ETESIAN_NAMES(Command::Kind, "empty", "argv", "shell", "worker");
ETESIAN_NAMES(LengthOf::Kind, "literal", "output", "zip", "zip_longest", "concat");
ETESIAN_NAMES(MapRule::Combine, "product", "zip");
ETESIAN_NAMES(Need::Covers, "data_interval", "logical_date", "latest");
ETESIAN_NAMES(Decides, "nothing", "branch", "short_circuit");
ETESIAN_NAMES(DstGap, "skip", "at_transition", "shift_by_gap");
ETESIAN_NAMES(DstFold, "first", "second", "both");
ETESIAN_NAMES(DstHourly, "all_hours_named", "text_star", "never");
ETESIAN_NAMES(IntervalRule, "since_previous", "trigger");
ETESIAN_NAMES(HolidayRule::Action, "exclude", "shift_forward", "shift_backward");
ETESIAN_NAMES(Overlap, "wait", "skip", "cancel_oldest");
#undef ETESIAN_NAMES

std::string_view name_of(TriggerRule v) { return to_text(v); }
std::string_view name_of(WeightRule v) { return to_text(v); }
std::string_view name_of(Cause v) { return to_text(v); }
template <class E>
std::string_view name_of(E v) {
  return Names<E>::value[static_cast<std::size_t>(v)];
}

struct Malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
T found(std::optional<T> value) {
  if (!value) throw Malformed("unknown name");
  return *value;
}
void named(std::string_view text, TriggerRule& v) { v = found(trigger_rule_from_text(text)); }
void named(std::string_view text, WeightRule& v) { v = found(weight_rule_from_text(text)); }
void named(std::string_view text, Cause& v) { v = found(cause_from_text(text)); }
template <class E>
void named(std::string_view text, E& v) {
  const auto& names = Names<E>::value;
  const auto at = std::find(names.begin(), names.end(), text);
  if (at == names.end()) throw Malformed("unknown name");
  v = static_cast<E>(at - names.begin());
}

template <class T>
concept Number = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
template <class T>
concept Enumeration = std::is_enum_v<T>;

class Writer {
 public:
  explicit Writer(CanonicalUse use) : use_(use) {}

  json::value write(const std::string& v) const { return json::string(v); }
  json::value write(bool v) const { return v; }
  template <Number T>
  json::value write(T v) const {
    return v;
  }
  template <Enumeration T>
  json::value write(T v) const {
    return json::string(name_of(v));
  }
  json::value write(Duration v) const { return v.count(); }
  json::value write(Instant v) const { return v.time_since_epoch().count(); }
  template <class T>
  json::value write(const std::optional<T>& v) const {
    return v ? write(*v) : json::value(nullptr);
  }
  template <class T>
  json::value write(const std::vector<T>& v) const {
    json::array array;
    for (const T& item : v) array.push_back(write(item));
    return array;
  }
  template <class A, class B>
  json::value write(const std::pair<A, B>& v) const {
    return json::array{write(v.first), write(v.second)};
  }
  template <class... T>
  json::value write(const std::variant<T...>& v) const {
    return json::array{v.index(), std::visit([this](const auto& held) { return write(held); }, v)};
  }
  template <class T>
  requires requires(Writer& w, const T* t) { each_field(w, t); }
  json::value write(const T& v) const {
    json::object object;
    static const T kDefault{};
    Fields<T> fields{*this, v, kDefault, object};
    each_field(fields, &v);
    return object;
  }

 private:
  template <class C>
  struct Fields {
    const Writer& writer;
    const C& value;
    const C& preset;
    json::object& object;
    template <class T>
    void operator()(const char* name, T C::*member) {
      if (!(value.*member == preset.*member)) object[name] = writer.write(value.*member);
    }
    template <class T>
    void place(const char* name, T C::*member) {
      if (writer.use_ == CanonicalUse::Storage) (*this)(name, member);
    }
  };
  CanonicalUse use_;
};

class Reader {
 public:
  void read(const json::value& j, std::string& v) const { v = std::string(j.as_string()); }
  void read(const json::value& j, bool& v) const { v = j.as_bool(); }
  template <Number T>
  void read(const json::value& j, T& v) const {
    v = j.to_number<T>();
  }
  template <Enumeration T>
  void read(const json::value& j, T& v) const {
    named(std::string_view(j.as_string()), v);
  }
  void read(const json::value& j, Duration& v) const { v = Duration(j.to_number<std::int64_t>()); }
  void read(const json::value& j, Instant& v) const {
    v = Instant(Duration(j.to_number<std::int64_t>()));
  }
  template <class T>
  void read(const json::value& j, std::optional<T>& v) const {
    v.reset();
    if (!j.is_null()) read(j, v.emplace());
  }
  template <class T>
  void read(const json::value& j, std::vector<T>& v) const {
    v.clear();
    for (const json::value& item : j.as_array()) read(item, v.emplace_back());
  }
  template <class A, class B>
  void read(const json::value& j, std::pair<A, B>& v) const {
    read(j.as_array().at(0), v.first);
    read(j.as_array().at(1), v.second);
  }
  template <class... T>
  void read(const json::value& j, std::variant<T...>& v) const {
    const auto index = j.as_array().at(0).to_number<std::size_t>();
    if (index >= sizeof...(T)) throw Malformed("unknown alternative");
    read_alternative(j.as_array().at(1), v, index, std::index_sequence_for<T...>{});
  }
  template <class T>
  requires requires(Reader& r, const T* t) { each_field(r, t); }
  void read(const json::value& j, T& v) const {
    std::size_t seen = 0;
    Fields<T> fields{*this, v, j.as_object(), seen};
    each_field(fields, &v);
    if (seen != j.as_object().size()) throw Malformed("unknown member");
  }

 private:
  template <class V, std::size_t... I>
  void read_alternative(const json::value& j, V& v, std::size_t index,
                        std::index_sequence<I...>) const {
    ((I == index ? read(j, v.template emplace<I>()) : void()), ...);
  }
  template <class C>
  struct Fields {
    const Reader& reader;
    C& value;
    const json::object& object;
    std::size_t& seen;
    template <class T>
    void operator()(const char* name, T C::*member) {
      const json::value* found_member = object.if_contains(name);
      if (!found_member) return;
      ++seen;
      reader.read(*found_member, value.*member);
    }
    template <class T>
    void place(const char* name, T C::*member) {
      (*this)(name, member);
    }
  };
};

}  // namespace

std::string to_canonical(const DagDefinition& definition, CanonicalUse use) {
  if (definition.airflow)
    return use == CanonicalUse::Storage ? airflow_stored_text(definition)
                                        : airflow_version_text(definition);
  if (use == CanonicalUse::Storage) return canonical_json(Writer(use).write(definition));
  DagDefinition sorted = definition;  // the order of tasks in the file is no part of what they do
  std::sort(sorted.tasks.begin(), sorted.tasks.end(),
            [](const Task& a, const Task& b) { return a.id < b.id; });
  return canonical_json(Writer(use).write(sorted));
}

Result<DagDefinition> definition_from_canonical(const std::string& text) {
  const auto parsed = parse_json(text, 256UL << 20);
  if (!parsed)
    return Error{ErrorCode::Corrupt, "read stored definition: " + parsed.error().message};
  if (is_airflow_stored(*parsed)) return definition_from_airflow_stored(*parsed);
  try {
    DagDefinition definition;
    Reader().read(*parsed, definition);
    return definition;
  } catch (const std::exception& e) {
    return Error{ErrorCode::Corrupt, std::string("read stored definition: ") + e.what()};
  }
}

std::string version_of(const DagDefinition& definition, const std::string& bundle_hash) {
  return sha256_hex(to_canonical(definition, CanonicalUse::Version) + "\n" + bundle_hash);
}

}  // namespace etesian
