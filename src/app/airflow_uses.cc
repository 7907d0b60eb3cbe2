#include "app/airflow_uses.h"

#include <string_view>
#include <utility>

#include "loader/airflow_json.h"
#include "loader/airflow_timetable.h"

namespace etesian {
namespace {

namespace af = airflow_json;

bool is_true(const json::value* value) {
  return value != nullptr && value->is_bool() && value->get_bool();
}

bool is_given(const json::value* value) {
  if (value == nullptr || value->is_null()) return false;
  if (const json::array* list = value->if_array()) return !list->empty();
  if (const json::object* object = value->if_object()) return !object->empty();
  return !value->is_string() || !value->get_string().empty();
}

std::string text_of(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

/// The kinds of all wrapped values below, as "asset_alias" or "asset with watchers".
void collect_assets(const json::value& value, std::set<std::string>& features) {
  if (const json::array* list = value.if_array())
    for (const json::value& item : *list) collect_assets(item, features);
  const json::object* object = value.if_object();
  if (object == nullptr) return;
  const std::string type = text_of(object->if_contains("__type"));
  if (type == "asset" || type == "asset_ref") features.insert("assets");
  if (type == "asset_alias") features.insert("asset aliases");
  if (is_given(object->if_contains("watchers"))) features.insert("asset watchers");
  for (const auto& member : *object) collect_assets(member.value(), features);
}

std::string timetable_text(const json::value& timetable) {
  try {
    return af::timetable_from(timetable).summary;
  } catch (const af::Refused&) {
    const auto wrapped = af::unwrap(timetable);
    if (!wrapped) return "";
    return std::string(wrapped->type.substr(wrapped->type.rfind('.') + 1));
  }
}

void read_group(const json::object& group, AirflowUses& uses) {
  const json::value* children = af::member(group, "children");
  if (children == nullptr || !children->is_object()) return;
  for (const auto& child : children->get_object()) {
    const json::array* pair = child.value().if_array();
    if (pair == nullptr || pair->size() != 2 || !pair->at(1).is_object()) continue;
    const json::object& inner = pair->at(1).get_object();
    uses.features.insert(is_true(af::member(inner, "is_mapped")) ? "mapped task groups"
                                                                 : "task groups");
    read_group(inner, uses);
  }
}

void read_rules(const af::Operator& op, AirflowUses& uses) {
  const std::string rule = op.text("trigger_rule");
  if (rule != "all_success") uses.features.insert("trigger rule " + rule);
  constexpr std::pair<const char*, const char*> kFlags[] = {
      {"_is_mapped", "mapped tasks"},
      {"is_setup", "setup and teardown"},
      {"is_teardown", "setup and teardown"},
      {"_can_skip_downstream", "branching or skipping"},
      {"depends_on_past", "depends_on_past"},
      {"wait_for_downstream", "wait_for_downstream"},
      {"start_from_trigger", "start from trigger"},
      {"has_retry_policy", "retry policies"},
      {"has_on_execute_callback", "task callbacks"},
      {"has_on_failure_callback", "task callbacks"},
      {"has_on_success_callback", "task callbacks"},
      {"has_on_retry_callback", "task callbacks"},
      {"has_on_skipped_callback", "task callbacks"}};
  for (const auto& [name, feature] : kFlags)
    if (is_true(op.find(name))) uses.features.insert(feature);
  if (is_true(op.find("_is_sensor")))
    uses.features.insert(is_true(op.find("reschedule")) ? "sensors that reschedule" : "sensors");
  constexpr std::pair<const char*, const char*> kGiven[] = {
      {"execution_timeout", "execution timeouts"},
      {"max_active_tis_per_dag", "limits of a task's instances"},
      {"max_active_tis_per_dagrun", "limits of a task's instances"},
      {"inlets", "inlets"}};
  for (const auto& [name, feature] : kGiven)
    if (is_given(op.find(name))) uses.features.insert(feature);
  if (op.whole("retries") > 0) uses.features.insert("retries");
  if (op.whole("priority_weight") != 1 || op.text("weight_rule") != "downstream")
    uses.features.insert("priority weights");
  if (op.text("pool") != "default_pool") uses.pools.insert(op.text("pool"));
  if (text_of(af::member(op.own(), "_task_module")).find(".hitl") != std::string::npos)
    uses.features.insert("human input");
}

void read_task(const af::Operator& op, AirflowUses& uses) {
  std::string name = op.text("_operator_name");
  if (name.empty()) name = op.text("task_type");
  ++uses.operators[name];
  read_rules(op, uses);
  for (const char* assets : {"inlets", "outlets"})
    if (const json::value* list = op.find(assets)) collect_assets(*list, uses.features);
  const json::value* config = op.find("executor_config");
  const auto wrapped = config ? af::unwrap(*config) : std::nullopt;
  if (is_given(wrapped ? &wrapped->value : config))
    uses.ineffective.insert("executor_config: it is for executors that are not here");
  if (op.text("queue") != "default")
    uses.ineffective.insert("queue: all tasks run on this machine");
}

void read_dag(const json::object& dag, AirflowUses& uses) {
  constexpr std::pair<const char*, const char*> kGiven[] = {
      {"params", "params"},
      {"dagrun_timeout", "run timeouts"},
      {"has_on_failure_callback", "DAG callbacks"},
      {"has_on_success_callback", "DAG callbacks"},
      {"allowed_run_types", "allowed_run_types"}};
  for (const auto& [name, feature] : kGiven)
    if (is_given(dag.if_contains(name)) && (!dag.at(name).is_bool() || dag.at(name).get_bool()))
      uses.features.insert(feature);
  if (is_true(af::member(dag, "fail_fast"))) uses.features.insert("fail_fast");
  if (is_true(af::member(dag, "catchup"))) uses.features.insert("catch-up");
  if (is_given(af::member(dag, "deadline"))) uses.ineffective.insert("deadline: nobody watches it");
  if (const json::value* group = af::member(dag, "task_group"); group && group->is_object())
    read_group(group->get_object(), uses);
  if (const json::value* timetable = af::member(dag, "timetable")) {
    uses.timetable = timetable_text(*timetable);
    collect_assets(*timetable, uses.features);
  }
}

}  // namespace

AirflowUses uses_of(const json::object& serialized) {
  AirflowUses uses;
  if (const json::value* hints = af::member(serialized, "etesian"); hints && hints->is_object())
    if (const json::value* lanes = af::member(hints->get_object(), "lanes"))
      uses.native_tasks = lanes->is_object() ? lanes->get_object().size() : 0;
  const json::value* dag = af::member(serialized, "dag");
  if (dag == nullptr || !dag->is_object()) return uses;
  const json::object* defaults = nullptr;
  if (const json::value* given = af::member(serialized, "client_defaults");
      given && given->is_object())
    if (const json::value* tasks = af::member(given->get_object(), "tasks"))
      defaults = tasks->if_object();
  read_dag(dag->get_object(), uses);
  const json::value* tasks = af::member(dag->get_object(), "tasks");
  if (tasks == nullptr || !tasks->is_array()) return uses;
  for (const json::value& entry : tasks->get_array()) {
    const auto wrapped = af::unwrap(entry);
    const json::object* own = wrapped ? wrapped->value.if_object() : nullptr;
    if (own == nullptr) continue;
    try {
      read_task(af::Operator(*own, defaults), uses);
    } catch (const af::Refused&) {
    }
  }
  return uses;
}

}  // namespace etesian
