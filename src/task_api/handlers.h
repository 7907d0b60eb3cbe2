#pragma once
#include "task_api/call.h"

namespace etesian::task_api {

// One function for each route of reference section 2; each answers its call once.

void start_instance(const CallPtr&);
void report_state(const CallPtr&);
void take_heartbeat(const CallPtr&);
void take_rendered_fields(const CallPtr&);
void set_rendered_map_index(const CallPtr&);
void skip_downstream(const CallPtr&);
void previous_successful_run(const CallPtr&);
void validate_inlets_and_outlets(const CallPtr&);
void reschedule_start_date(const CallPtr&);

void ask_human(const CallPtr&);
void answer_human(const CallPtr&);
void get_human_answer(const CallPtr&);

void get_asset_by_name(const CallPtr&);
void get_asset_by_uri(const CallPtr&);
void get_assets_by_alias(const CallPtr&);
void get_events_by_asset(const CallPtr&);
void get_events_by_alias(const CallPtr&);

void count_instances(const CallPtr&);
void instance_states(const CallPtr&);
void previous_instance(const CallPtr&);
void breadcrumbs(const CallPtr&);

void read_xcom(const CallPtr&);  ///< One value, `…/item/N` and `…/slice`.
void count_xcoms(const CallPtr&);
void push_xcom(const CallPtr&);
void drop_xcom(const CallPtr&);

void get_task_state(const CallPtr&);
void put_task_state(const CallPtr&);
void drop_task_state(const CallPtr&);
void clear_task_state(const CallPtr&);
void get_asset_state_by_name(const CallPtr&);
void get_asset_state_by_uri(const CallPtr&);
void put_asset_state_by_name(const CallPtr&);
void put_asset_state_by_uri(const CallPtr&);
void drop_asset_state_by_name(const CallPtr&);
void drop_asset_state_by_uri(const CallPtr&);
void clear_asset_state_by_name(const CallPtr&);
void clear_asset_state_by_uri(const CallPtr&);

void variable_keys(const CallPtr&);
void get_variable(const CallPtr&);
void put_variable(const CallPtr&);
void delete_variable(const CallPtr&);
void get_connection(const CallPtr&);

void get_run(const CallPtr&);
void trigger_run(const CallPtr&);
void clear_run(const CallPtr&);
void run_state(const CallPtr&);
void count_runs(const CallPtr&);
void previous_run(const CallPtr&);
void get_dag(const CallPtr&);

}  // namespace etesian::task_api
