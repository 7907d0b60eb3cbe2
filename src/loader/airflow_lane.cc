#include "loader/airflow_lane.h"

#include <string>
#include <utility>
#include <vector>

#include "loader/airflow_json.h"
#include "template/template.h"

namespace etesian::airflow_json {
namespace {

constexpr std::string_view kWhere = "a lane";

std::vector<std::string> param_names(const json::object& dag) {
  std::vector<std::string> names;
  if (const json::value* params = member(dag, "params"))
    for (const json::value& entry : array(*params, "'params'"))
      if (const json::array& pair = array(entry, "a param"); !pair.empty())
        names.push_back(text(pair[0], "the name of a param"));
  return names;
}

bool is_template(const std::string& text, const TemplateScope& scope) {
  std::vector<TemplateError> errors;
  const auto parsed = Template::parse(text, errors);
  return parsed && parsed->check(scope).empty();
}

}  // namespace

void take_lane(const json::object& lane, const json::object& dag, Task& task) {
  if (text(required(lane, "kind", kWhere), "'kind'") != "bash") return;
  if (task.run.kind != Command::Kind::Worker || task.map) return;
  const TemplateScope scope{.params = param_names(dag), .outputs = {}, .map_arguments = {}};
  bool is_ours = true;
  const auto taken = [&](const json::value& value, std::string_view name) {
    TemplateText source{text(value, name)};
    is_ours = is_ours && is_template(source.text, scope);
    return source;
  };
  AirflowTask airflow = *task.airflow;
  airflow.native =
      Command{Command::Kind::Shell, {taken(required(lane, "command", kWhere), "'command'")}};
  std::vector<std::pair<std::string, TemplateText>> environment;
  if (const json::value* env = member(lane, "env")) {
    airflow.native_has_environment = true;
    airflow.native_inherits_environment =
        flag(required(lane, "append_env", kWhere), "'append_env'");
    for (const auto& [name, value] : object(*env, "'env'"))
      environment.emplace_back(name, taken(value, "'env'"));
  }
  std::optional<TemplateText> folder;
  if (const json::value* cwd = member(lane, "cwd")) folder = taken(*cwd, "'cwd'");
  std::vector<int> skips;
  for (const json::value& code :
       array(required(lane, "skip_on_exit_code", kWhere), "'skip_on_exit_code'"))
    skips.push_back(whole(code, "'skip_on_exit_code'"));
  std::optional<Duration> timeout;
  if (const json::value* given = member(lane, "timeout_s")) timeout = length(*given, "'timeout_s'");
  if (!is_ours) return;
  task.airflow = std::move(airflow);
  task.environment = std::move(environment);
  task.working_folder = std::move(folder);
  task.skip_on_exit = std::move(skips);
  task.timeout = timeout;
}

}  // namespace etesian::airflow_json
