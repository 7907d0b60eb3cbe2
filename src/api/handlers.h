#pragma once
#include "api/service.h"

namespace etesian::api {

// One function for each operation of the route table (routes.cc), one file for each resource.

// auth.cc, monitor.cc
void log_in(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
void log_out(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
void get_version(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
void get_health(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
void get_liveness(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
void get_readiness(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
void get_openapi(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);
void get_metrics(std::shared_ptr<Call>, std::shared_ptr<http::Reply>);

/// A login may come as a form, as it may at Airflow: it is turned into the JSON body it stands for.
void accept_login_form(http::Request& request);

// dag_list.cc
Next list_dags(Reading&);
Next patch_dags(Reading&);
Next list_dag_tags(Reading&);

// dags.cc
Next delete_dag(Reading&);
Next reparse_file(Reading&);
Next get_dag(Reading&);
Next get_dag_details(Reading&);
Next patch_dag(Reading&);
Next list_dag_versions(Reading&);
Next get_dag_version(Reading&);
Next get_dag_source(Reading&);
Next get_dag_stats(Reading&);
Next list_tasks(Reading&);
Next get_task(Reading&);
Next get_needs(Reading&);

// run_list.cc, run_waiters.cc
Next list_runs(Reading&);
Next list_runs_batch(Reading&);
Next wait_for_run(Reading&);

// runs.cc
Next get_run(Reading&);
Next trigger_run(Reading&);
/// A run of this DAG, as the body (TriggerDAGRunPostBody, MaterializeAssetBody) wants it.
Next start_run(Reading&, const std::string& dag_id, RunType type);
Next patch_run(Reading&);
Next delete_run(Reading&);

// clear.cc
Next clear_run(Reading&);
Next clear_runs(Reading&);
Next clear_instances(Reading&);

// instance_list.cc
Next list_instances(Reading&);
Next list_instances_batch(Reading&);
Next list_mapped_instances(Reading&);

// instance_more.cc
Next list_dependencies(Reading&);
Next list_links(Reading&);
Next get_external_log_url(Reading&);

// bulk_work.cc
Next bulk_runs(Reading&);
Next bulk_instances(Reading&);

// instances.cc
Next get_instance(Reading&);
Next list_tries(Reading&);
Next get_try(Reading&);

// marks.cc
Next patch_instance(Reading&);
Next patch_instance_dry_run(Reading&);
Next patch_group(Reading&);
Next patch_group_dry_run(Reading&);
Next kill_instance(Reading&);

// explain.cc
Next explain_run(Reading&);
Next explain_instance(Reading&);

// logs.cc
Next get_log(Reading&);
Next stream_log(Reading&);
Next verify_log(Reading&);

// xcom.cc
Next list_outputs(Reading&);
Next get_output(Reading&);
Next create_output(Reading&);
Next patch_output(Reading&);
Next delete_output(Reading&);

// pools.cc, variables.cc, connections.cc
Next list_pools(Reading&);
Next get_pool(Reading&);
Next create_pool(Reading&);
Next patch_pool(Reading&);
Next delete_pool(Reading&);
Next bulk_pools(Reading&);
Next bulk_variables(Reading&);
Next bulk_connections(Reading&);
Next list_variables(Reading&);
Next get_variable(Reading&);
Next create_variable(Reading&);
Next patch_variable(Reading&);
Next delete_variable(Reading&);
Next list_connections(Reading&);
Next get_connection(Reading&);
Next create_connection(Reading&);
Next patch_connection(Reading&);
Next delete_connection(Reading&);

// backfills.cc
Next list_backfills(Reading&);
Next get_backfill(Reading&);
Next create_backfill(Reading&);
Next create_backfill_dry_run(Reading&);
Next pause_backfill(Reading&);
Next unpause_backfill(Reading&);
Next cancel_backfill(Reading&);

// records.cc
Next list_import_errors(Reading&);
Next get_import_error(Reading&);
Next list_event_logs(Reading&);
Next get_event_log(Reading&);
Next list_dag_warnings(Reading&);

// installation.cc
Next get_config(Reading&);
Next test_connection(Reading&);
Next list_plugins(Reading&);
Next list_plugin_errors(Reading&);
Next list_providers(Reading&);
Next list_jobs(Reading&);

// human_inputs.cc
Next list_human_inputs(Reading&);
Next get_human_input(Reading&);
Next get_human_input_try(Reading&);
Next answer_human_input(Reading&);

// assets.cc
Next list_assets(Reading&);
Next get_asset(Reading&);
Next list_asset_aliases(Reading&);
Next get_asset_alias(Reading&);
Next list_asset_events(Reading&);
Next create_asset_event(Reading&);
Next materialize_asset(Reading&);
Next get_asset_queue(Reading&);
Next delete_asset_queue(Reading&);
Next get_dag_queue(Reading&);
Next delete_dag_queue(Reading&);
Next get_dag_asset_queue(Reading&);
Next delete_dag_asset_queue(Reading&);
Next list_upstream_asset_events(Reading&);

// event_hub.cc
Next stream_events(Reading&);

}  // namespace etesian::api
