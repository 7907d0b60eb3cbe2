#pragma once
#include <map>
#include <string>
#include <string_view>

#include "template/callables.h"
#include "template/value.h"

namespace etesian::templates {

/// The facts of one task instance as values, made when they are first asked for and kept for the
/// rest of the rendering.
class Context {
 public:
  Context(const TemplateFacts& facts, Meter& meter) : facts_(facts), meter_(meter) {}

  /// A name of the top level; Undefined where it does not exist or has no value in this run.
  Value name(const std::string& name);
  /// A member of an object; Undefined when there is none.
  Value member(const Host& host, const std::string& name);
  /// A call of a method that find_method knows.
  Value call(const Host& host, std::string_view name, Arguments& arguments);
  /// The value of a task's output that was named without a member; any other value unchanged.
  Value settled(Value value);

 private:
  Value dag_member(HostKind kind, const std::string& name);
  Value connection_member(const std::string& id, const std::string& name);
  Value output_member(const std::string& task, const std::string& name);
  Value variable(HostKind kind, const std::string& key);
  Value xcom_pull(const Arguments& arguments);
  Value pulled(const std::string& task, const std::string& key,
               const std::optional<Value>& map_indexes);
  std::optional<Value> output(const std::string& task, const std::string& key, int map_index);
  std::optional<Value> logical_name(std::string_view name);
  std::optional<Value> interval_name(std::string_view name);
  Value utc(Instant at) const { return Moment{at, TimeZone::utc(), Moment::Form::Aware}; }
  Value moment_or_none(const std::optional<Instant>& at) const;
  template <class Make>
  Value kept(const std::string& key, Make make);

  const TemplateFacts& facts_;
  Meter& meter_;
  std::map<std::string, Value, std::less<>> cache_;
};

}  // namespace etesian::templates
