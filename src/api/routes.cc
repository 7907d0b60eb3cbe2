#include "api/routes.h"

#include "api/event_hub.h"
#include "api/handlers.h"
#include "api/log_followers.h"
#include "api/run_waiters.h"
#include "base/file.h"
#include "base/log.h"

namespace etesian::api {
namespace {

#define DAG "/api/v2/dags/{dag_id}"
#define RUN DAG "/dagRuns/{dag_run_id}"
#define TASK RUN "/taskInstances/{task_id}"

constexpr std::string_view kPaging = "limit:int offset:int order_by:string* ";
constexpr std::string_view kMask = "update_mask:string* ";
constexpr std::string_view kRunQuery =
    "state:run_state* run_type:run_type* run_id_pattern:string run_id_prefix_pattern:string "
    "dag_id_pattern:string dag_id_prefix_pattern:string triggering_user_name_pattern:string "
    "triggering_user_name_prefix_pattern:string bundle_version:string* conf_contains:string "
    "backfill_id:int logical_date:range run_after:range start_date:range end_date:range "
    "duration:number_range";
constexpr std::string_view kInstanceQuery =
    "task_id:string task_id_pattern:string task_id_prefix_pattern:string "
    "task_display_name_pattern:string task_display_name_prefix_pattern:string "
    "dag_id_pattern:string dag_id_prefix_pattern:string run_id_pattern:string "
    "run_id_prefix_pattern:string state:task_state* pool:string* pool_name_pattern:string "
    "pool_name_prefix_pattern:string queue:string* queue_name_pattern:string "
    "queue_name_prefix_pattern:string executor:string* operator:string* "
    "operator_name_pattern:string operator_name_prefix_pattern:string try_number:int* "
    "map_index:int* rendered_map_index_pattern:string rendered_map_index_prefix_pattern:string "
    "run_after:range logical_date:range start_date:range end_date:range duration:number_range";
constexpr std::string_view kDagQuery =
    "dag_id_pattern:string dag_id_prefix_pattern:string dag_display_name_pattern:string "
    "dag_display_name_prefix_pattern:string owners:string* tags:string* "
    "tags_match_mode:match_mode paused:bool exclude_stale:bool has_import_errors:bool "
    "bundle_name:string* last_dag_run_state:run_state* is_favorite:bool";
constexpr std::string_view kXComQuery =
    "xcom_key:string map_index:int map_index_filter:int xcom_key_pattern:string "
    "xcom_key_prefix_pattern:string dag_display_name_pattern:string "
    "dag_display_name_prefix_pattern:string run_id_pattern:string run_id_prefix_pattern:string "
    "task_id_pattern:string task_id_prefix_pattern:string logical_date:range run_after:range";

std::vector<Field> paged(std::string_view more = {}) {
  return fields_from_text(std::string(kPaging) + std::string(more));
}
std::vector<Field> query(std::string_view text) { return fields_from_text(text); }

struct Row {
  const char *method, *pattern, *id, *summary;
  AnyHandler handler;
  std::vector<Field> query;
  const char *body, *answer;
  int status = 200;
  http::Access access = http::Access::Token;
};

constexpr auto Open = http::Access::Open;

std::vector<Row> service_rows() {
  return {
      {"POST",
       "/auth/token",
       "create_token",
       "Log in",
       log_in,
       {},
       "LoginBody",
       "LoginResponse",
       201,
       Open},
      {"POST",
       "/auth/token/cli",
       "create_token_cli",
       "Log in for an hour",
       log_in,
       {},
       "LoginBody",
       "LoginResponse",
       201,
       Open},
      {"POST",
       "/auth/logout",
       "logout",
       "End the token of this request",
       log_out,
       {},
       "",
       "Nothing",
       204},
      {"GET",
       "/healthz",
       "get_liveness",
       "Whether the process works",
       get_liveness,
       {},
       "",
       "Ready",
       200,
       Open},
      {"GET",
       "/readyz",
       "get_readiness",
       "Whether it takes work",
       get_readiness,
       {},
       "",
       "Ready",
       200,
       Open},
      {"GET",
       "/openapi.json",
       "get_openapi",
       "This document",
       get_openapi,
       {},
       "",
       "application/json",
       200,
       Open},
      {"GET",
       "/metrics",
       "get_metrics",
       "Figures for Prometheus",
       get_metrics,
       {},
       "",
       "text/plain"},
      {"GET",
       "/api/v2/version",
       "get_version",
       "Version",
       get_version,
       {},
       "",
       "VersionInfo",
       200,
       Open},
      {"GET",
       "/api/v2/monitor/health",
       "get_health",
       "Health in Airflow's words",
       get_health,
       {},
       "",
       "HealthInfoResponse",
       200,
       Open},
      {"GET", "/api/v2/events", "stream_events", "Follow changes", stream_events,
       query("dag_id:string after:int"), "", "text/event-stream"},
      {"GET", "/api/v2/importErrors", "get_import_errors", "Files that could not be loaded",
       list_import_errors, paged("filename_pattern:string filename_prefix_pattern:string"), "",
       "ImportErrorCollectionResponse"},
      {"GET",
       "/api/v2/importErrors/{import_error_id}",
       "get_import_error",
       "One of them",
       get_import_error,
       {},
       "",
       "ImportErrorResponse"},
      {"GET", "/api/v2/eventLogs", "get_event_logs", "Who did what", list_event_logs,
       paged("dag_id:string run_id:string task_id:string event:string owner:string before:instant "
             "after:instant"),
       "", "EventLogCollectionResponse"},
      {"GET",
       "/api/v2/eventLogs/{event_log_id}",
       "get_event_log",
       "One of them",
       get_event_log,
       {},
       "",
       "EventLogResponse"},
      {"GET", "/api/v2/config", "get_config", "Refused, as by Airflow's default", get_config,
       query("section:string"), "", "Config"},
      {"GET",
       "/api/v2/config/section/{section}/option/{option}",
       "get_config_value",
       "Refused, as by Airflow's default",
       get_config,
       {},
       "",
       "Config"},
      {"GET", "/api/v2/plugins", "get_plugins", "Always empty", list_plugins, paged(), "",
       "PluginCollectionResponse"},
      {"GET",
       "/api/v2/plugins/importErrors",
       "import_errors",
       "Always empty",
       list_plugin_errors,
       {},
       "",
       "PluginImportErrorCollectionResponse"},
      {"GET", "/api/v2/providers", "get_providers", "Always empty", list_providers, paged(), "",
       "ProviderCollectionResponse"},
      {"GET", "/api/v2/jobs", "get_jobs", "The engine as Airflow's scheduler job", list_jobs,
       paged("job_type:string job_state:string hostname:string executor_class:string "
             "is_alive:bool start_date:range end_date:range"),
       "", "JobCollectionResponse"},
      {"GET", "/api/v2/dagWarnings", "list_dag_warnings",
       "Always empty: mistakes are import errors", list_dag_warnings, paged(), "",
       "DAGWarningCollectionResponse"},
      {"GET",
       "/api/v2/needs",
       "get_needs",
       "What DAGs wait for of each other",
       get_needs,
       {},
       "",
       "NeedGraph"},
  };
}

std::vector<Row> dag_rows() {
  return {
      {"GET", "/api/v2/dags", "get_dags", "List DAGs", list_dags, paged(kDagQuery), "",
       "DAGCollectionResponse"},
      {"PATCH", "/api/v2/dags", "patch_dags", "Pause or unpause those that fit a pattern",
       patch_dags, paged(std::string(kDagQuery) + " " + std::string(kMask)), "DAGPatchBody",
       "DAGCollectionResponse"},
      {"GET", "/api/v2/dagTags", "get_dag_tags", "Tags of all DAGs", list_dag_tags,
       paged("tag_name_pattern:string tag_name_prefix_pattern:string"), "",
       "DAGTagCollectionResponse"},
      {"DELETE", DAG, "delete_dag", "Remove its runs", delete_dag, {}, "", "Nothing", 204},
      {"PUT",
       "/api/v2/parseDagFile/{file_token}",
       "reparse_dag_file",
       "Look at a file again",
       reparse_file,
       {},
       "",
       "Nothing",
       201},
      {"GET", DAG, "get_dag", "One DAG", get_dag, {}, "", "DAGResponse"},
      {"PATCH", DAG, "patch_dag", "Pause or unpause", patch_dag, query(kMask), "DAGPatchBody",
       "DAGResponse"},
      {"GET",
       DAG "/details",
       "get_dag_details",
       "One DAG with all it says",
       get_dag_details,
       {},
       "",
       "DAGDetailsResponse"},
      {"GET", DAG "/dagVersions", "get_dag_versions", "Its versions", list_dag_versions, paged(),
       "", "DAGVersionCollectionResponse"},
      {"GET",
       DAG "/dagVersions/{version_number}",
       "get_dag_version",
       "One version",
       get_dag_version,
       {},
       "",
       "DagVersionResponse"},
      {"GET", "/api/v2/dagSources/{dag_id}", "get_dag_source", "The file's text", get_dag_source,
       query("version_number:int"), "", "DAGSourceResponse"},
      {"GET", "/api/v2/dagStats", "get_dag_stats", "Runs by state", get_dag_stats,
       query("dag_ids:string*"), "", "DagStatsCollectionResponse"},
      {"GET",
       DAG "/tasks",
       "get_tasks",
       "Tasks in topological order",
       list_tasks,
       {},
       "",
       "TaskCollectionResponse"},
      {"GET", DAG "/tasks/{task_id}", "get_task", "One task", get_task, {}, "", "TaskResponse"},
  };
}

std::vector<Row> run_rows() {
  return {
      {"GET", DAG "/dagRuns", "get_dag_runs", "List runs; ~ for all DAGs", list_runs,
       paged(kRunQuery), "", "DAGRunCollectionResponse"},
      {"POST",
       DAG "/dagRuns",
       "trigger_dag_run",
       "Start a run",
       trigger_run,
       {},
       "TriggerDAGRunPostBody",
       "DAGRunResponse"},
      {"PATCH",
       DAG "/dagRuns",
       "bulk_dag_runs",
       "Change or remove many runs",
       bulk_runs,
       {},
       "BulkBody",
       "BulkResponse"},
      {"POST",
       DAG "/dagRuns/list",
       "get_list_dag_runs_batch",
       "List runs of some DAGs",
       list_runs_batch,
       {},
       "DAGRunsBatchBody",
       "DAGRunCollectionResponse"},
      {"POST",
       DAG "/clearDagRuns",
       "clear_dag_runs",
       "Run several again",
       clear_runs,
       {},
       "BulkDAGRunClearBody",
       "DAGRunCollectionResponse"},
      {"GET", RUN "/wait", "wait_dag_run_until_finished", "Wait for a run's end", wait_for_run,
       query("interval:number! result:string*"), "", "application/x-ndjson"},
      {"GET", RUN, "get_dag_run", "One run", get_run, {}, "", "DAGRunResponse"},
      {"PATCH", RUN, "patch_dag_run", "Mark a run, or note something", patch_run, query(kMask),
       "DAGRunPatchBody", "DAGRunResponse"},
      {"DELETE", RUN, "delete_dag_run", "Remove a run", delete_run, {}, "", "Nothing", 204},
      {"POST",
       RUN "/clear",
       "clear_dag_run",
       "Run it again",
       clear_run,
       {},
       "DAGRunClearBody",
       "DAGRunResponse"},
      {"GET",
       RUN "/explain",
       "explain_dag_run",
       "Why a run waits",
       explain_run,
       {},
       "",
       "Explanation"},
      {"POST",
       DAG "/clearTaskInstances",
       "clear_task_instances",
       "Run task instances again",
       clear_instances,
       {},
       "ClearTaskInstancesBody",
       "TaskInstanceCollectionResponse"},
      {"PATCH", RUN "/taskGroupInstances/{group_id}", "patch_task_group", "Mark a group",
       patch_group, query(kMask), "PatchTaskInstanceBody", "TaskInstanceCollectionResponse"},
      {"PATCH",
       RUN "/taskGroupInstances/{group_id}/dry_run",
       "patch_task_group_dry_run",
       "What marking a group would change",
       patch_group_dry_run,
       {},
       "PatchTaskInstanceBody",
       "TaskInstanceCollectionResponse"},
  };
}

std::vector<Row> instance_rows() {
  const auto index = query("map_index:int");
  const auto masked_index = query("map_index:int update_mask:string*");
  const auto log = query("map_index:int full_content:bool token:string");
  return {
      {"GET", RUN "/taskInstances", "get_task_instances", "List task instances; ~ for all",
       list_instances, paged(kInstanceQuery), "", "TaskInstanceCollectionResponse"},
      {"PATCH",
       RUN "/taskInstances",
       "bulk_task_instances",
       "Mark many task instances",
       bulk_instances,
       {},
       "BulkBody",
       "BulkResponse"},
      {"POST",
       RUN "/taskInstances/list",
       "get_task_instances_batch",
       "List task instances of some runs",
       list_instances_batch,
       {},
       "TaskInstancesBatchBody",
       "TaskInstanceCollectionResponse"},
      {"GET", TASK "/dependencies", "get_task_instance_dependencies", "What it waits for",
       list_dependencies, index, "", "TaskDependencyCollectionResponse"},
      {"GET",
       TASK "/{map_index}/dependencies",
       "get_task_instance_dependencies_by_map_index",
       "What it waits for",
       list_dependencies,
       {},
       "",
       "TaskDependencyCollectionResponse"},
      {"GET", TASK "/links", "get_extra_links", "Links of its operator", list_links,
       query("map_index:int try_number:int"), "", "ExtraLinkCollectionResponse"},
      {"GET", TASK "/externalLogUrl/{try_number}", "get_external_log_url", "Logs are nowhere else",
       get_external_log_url, index, "", "ExternalLogUrlResponse"},
      {"GET", TASK, "get_task_instance", "One task instance", get_instance, index, "",
       "TaskInstanceResponse"},
      {"PATCH", TASK, "patch_task_instance", "Mark a task instance", patch_instance, masked_index,
       "PatchTaskInstanceBody", "TaskInstanceCollectionResponse"},
      {"PATCH", TASK "/dry_run", "patch_task_instance_dry_run", "What marking would change",
       patch_instance_dry_run, masked_index, "PatchTaskInstanceBody",
       "TaskInstanceCollectionResponse"},
      {"GET", TASK "/listMapped", "get_mapped_task_instances", "Instances of a mapped task",
       list_mapped_instances, paged(kInstanceQuery), "", "TaskInstanceCollectionResponse"},
      {"GET", TASK "/tries", "get_task_instance_tries", "Tries, oldest first", list_tries, index,
       "", "TaskInstanceHistoryCollectionResponse"},
      {"GET", TASK "/tries/{task_try_number}", "get_task_instance_try_details", "One try", get_try,
       index, "", "TaskInstanceHistoryResponse"},
      {"GET",
       TASK "/{map_index}",
       "get_mapped_task_instance",
       "One mapped instance",
       get_instance,
       {},
       "",
       "TaskInstanceResponse"},
      {"PATCH", TASK "/{map_index}", "patch_mapped_task_instance", "Mark a mapped instance",
       patch_instance, query(kMask), "PatchTaskInstanceBody", "TaskInstanceCollectionResponse"},
      {"PATCH", TASK "/{map_index}/dry_run", "patch_mapped_task_instance_dry_run",
       "What marking would change", patch_instance_dry_run, query(kMask), "PatchTaskInstanceBody",
       "TaskInstanceCollectionResponse"},
      {"GET",
       TASK "/{map_index}/tries",
       "get_mapped_task_instance_tries",
       "Its tries",
       list_tries,
       {},
       "",
       "TaskInstanceHistoryCollectionResponse"},
      {"GET",
       TASK "/{map_index}/tries/{task_try_number}",
       "get_mapped_task_instance_try_details",
       "One try",
       get_try,
       {},
       "",
       "TaskInstanceHistoryResponse"},
      {"GET", TASK "/explain", "explain_task_instance", "Why it waits", explain_instance, index, "",
       "Explanation"},
      {"POST", TASK "/kill", "kill_task_instance", "Stop what runs", kill_instance, index,
       "KillBody", "TaskInstanceCollectionResponse"},
      {"GET", TASK "/logs/{try_number}", "get_log", "Log of a try", get_log, log, "",
       "TaskInstancesLogResponse"},
      {"GET", TASK "/logs/{try_number}/stream", "stream_log", "Follow a log", stream_log, index, "",
       "text/event-stream"},
      {"GET", TASK "/logs/{try_number}/verify", "verify_log", "Whether a log is complete",
       verify_log, index, "", "LogVerdict"},
      {"GET", TASK "/xcomEntries", "get_xcom_entries", "Outputs; ~ for all tasks", list_outputs,
       paged(kXComQuery), "", "XComCollectionResponse"},
      {"POST",
       TASK "/xcomEntries",
       "create_xcom_entry",
       "Add an output",
       create_output,
       {},
       "XComCreateBody",
       "XComValueResponse",
       201},
      {"GET", TASK "/xcomEntries/{xcom_key*}", "get_xcom_entry", "One output", get_output,
       query("map_index:int deserialize:bool stringify:bool"), "", "XComValueResponse"},
      {"PATCH",
       TASK "/xcomEntries/{xcom_key*}",
       "update_xcom_entry",
       "Change an output",
       patch_output,
       {},
       "XComUpdateBody",
       "XComValueResponse"},
      {"DELETE", TASK "/xcomEntries/{xcom_key*}", "delete_xcom_entry", "Remove an output",
       delete_output, index, "", "Nothing", 204},
  };
}

std::vector<Row> human_input_rows() {
  return {
      {"GET", RUN "/hitlDetails", "get_hitl_details", "What tasks ask people; ~ for all",
       list_human_inputs,
       paged("dag_id_pattern:string task_id:string task_id_pattern:string map_index:int "
             "state:task_state* response_received:bool responded_by_user_id:string* "
             "responded_by_user_name:string* subject_search:string body_search:string "
             "created_at:range"),
       "", "HITLDetailCollection"},
      {"GET",
       TASK "/{map_index}/hitlDetails",
       "get_hitl_detail",
       "What a task instance asks",
       get_human_input,
       {},
       "",
       "HITLDetail"},
      {"PATCH",
       TASK "/{map_index}/hitlDetails",
       "update_hitl_detail",
       "Answer it",
       answer_human_input,
       {},
       "UpdateHITLDetailPayload",
       "HITLDetailResponse"},
      {"GET",
       TASK "/{map_index}/hitlDetails/tries/{try_number}",
       "get_hitl_detail_try_detail",
       "What one of its tries asked",
       get_human_input_try,
       {},
       "",
       "HITLDetailHistory"},
  };
}

std::vector<Row> asset_rows() {
  const auto before = query("before:instant");
  return {
      {"GET", "/api/v2/assets", "get_assets", "List assets", list_assets,
       paged("name_pattern:string name_prefix_pattern:string uri_pattern:string "
             "uri_prefix_pattern:string dag_ids:string* only_active:bool"),
       "", "AssetCollectionResponse"},
      {"GET", "/api/v2/assets/aliases", "get_asset_aliases", "List asset aliases",
       list_asset_aliases, paged("name_pattern:string name_prefix_pattern:string"), "",
       "AssetAliasCollectionResponse"},
      {"GET",
       "/api/v2/assets/aliases/{asset_alias_id}",
       "get_asset_alias",
       "One asset alias",
       get_asset_alias,
       {},
       "",
       "AssetAliasResponse"},
      {"GET", "/api/v2/assets/events", "get_asset_events", "List asset events", list_asset_events,
       paged("asset_id:int source_dag_id:string source_task_id:string source_run_id:string "
             "source_map_index:int name_pattern:string name_prefix_pattern:string "
             "timestamp:range"),
       "", "AssetEventCollectionResponse"},
      {"POST",
       "/api/v2/assets/events",
       "create_asset_event",
       "Say that something happened to an asset",
       create_asset_event,
       {},
       "CreateAssetEventsBody",
       "AssetEventResponse"},
      {"GET",
       "/api/v2/assets/{asset_id}",
       "get_asset",
       "One asset",
       get_asset,
       {},
       "",
       "AssetResponse"},
      {"POST",
       "/api/v2/assets/{asset_id}/materialize",
       "materialize_asset",
       "Run the DAG that writes it",
       materialize_asset,
       {},
       "MaterializeAssetBody",
       "DAGRunResponse"},
      {"GET", "/api/v2/assets/{asset_id}/queuedEvents", "get_asset_queued_events",
       "DAGs that wait for more than its event", get_asset_queue, before, "",
       "QueuedEventCollectionResponse"},
      {"DELETE", "/api/v2/assets/{asset_id}/queuedEvents", "delete_asset_queued_events",
       "Forget its events", delete_asset_queue, before, "", "Nothing", 204},
      {"GET", DAG "/assets/queuedEvents", "get_dag_asset_queued_events",
       "Events that a DAG has had while it waits for more", get_dag_queue, before, "",
       "QueuedEventCollectionResponse"},
      {"DELETE", DAG "/assets/queuedEvents", "delete_dag_asset_queued_events", "Forget them",
       delete_dag_queue, before, "", "Nothing", 204},
      {"GET", DAG "/assets/{asset_id}/queuedEvents", "get_dag_asset_queued_event",
       "The one of an asset", get_dag_asset_queue, before, "", "QueuedEventResponse"},
      {"DELETE", DAG "/assets/{asset_id}/queuedEvents", "delete_dag_asset_queued_event",
       "Forget it", delete_dag_asset_queue, before, "", "Nothing", 204},
      {"GET",
       RUN "/upstreamAssetEvents",
       "get_upstream_asset_events",
       "What a run was made for",
       list_upstream_asset_events,
       {},
       "",
       "AssetEventCollectionResponse"},
  };
}

std::vector<Row> setting_rows() {
  return {
      {"GET", "/api/v2/pools", "get_pools", "List pools", list_pools,
       paged("pool_name_pattern:string pool_name_prefix_pattern:string"), "",
       "PoolCollectionResponse"},
      {"PATCH",
       "/api/v2/pools",
       "bulk_pools",
       "Make, change or remove many",
       bulk_pools,
       {},
       "BulkBody",
       "BulkResponse"},
      {"POST",
       "/api/v2/pools",
       "post_pool",
       "Make a pool",
       create_pool,
       {},
       "PoolBody",
       "PoolResponse",
       201},
      {"GET",
       "/api/v2/pools/{pool_name*}",
       "get_pool",
       "One pool",
       get_pool,
       {},
       "",
       "PoolResponse"},
      {"PATCH", "/api/v2/pools/{pool_name*}", "patch_pool", "Change a pool", patch_pool,
       query(kMask), "PoolPatchBody", "PoolResponse"},
      {"DELETE",
       "/api/v2/pools/{pool_name*}",
       "delete_pool",
       "Remove a pool",
       delete_pool,
       {},
       "",
       "Nothing",
       204},
      {"GET", "/api/v2/variables", "get_variables", "List variables", list_variables,
       paged("variable_key_pattern:string variable_key_prefix_pattern:string"), "",
       "VariableCollectionResponse"},
      {"PATCH",
       "/api/v2/variables",
       "bulk_variables",
       "Make, change or remove many",
       bulk_variables,
       {},
       "BulkBody",
       "BulkResponse"},
      {"POST",
       "/api/v2/variables",
       "post_variable",
       "Make a variable",
       create_variable,
       {},
       "VariableBody",
       "VariableResponse",
       201},
      {"GET",
       "/api/v2/variables/{variable_key*}",
       "get_variable",
       "One variable",
       get_variable,
       {},
       "",
       "VariableResponse"},
      {"PATCH", "/api/v2/variables/{variable_key*}", "patch_variable", "Change a variable",
       patch_variable, query(kMask), "VariablePatchBody", "VariableResponse"},
      {"DELETE",
       "/api/v2/variables/{variable_key*}",
       "delete_variable",
       "Remove a variable",
       delete_variable,
       {},
       "",
       "Nothing",
       204},
      {"GET", "/api/v2/connections", "get_connections", "List connections", list_connections,
       paged("connection_id_pattern:string connection_id_prefix_pattern:string"), "",
       "ConnectionCollectionResponse"},
      {"PATCH",
       "/api/v2/connections",
       "bulk_connections",
       "Make, change or remove many",
       bulk_connections,
       {},
       "BulkBody",
       "BulkResponse"},
      {"POST",
       "/api/v2/connections",
       "post_connection",
       "Make a connection",
       create_connection,
       {},
       "ConnectionBody",
       "ConnectionResponse",
       201},
      {"GET",
       "/api/v2/connections/{connection_id}",
       "get_connection",
       "One connection",
       get_connection,
       {},
       "",
       "ConnectionResponse"},
      {"PATCH", "/api/v2/connections/{connection_id}", "patch_connection", "Change a connection",
       patch_connection, query(kMask), "ConnectionPatchBody", "ConnectionResponse"},
      {"DELETE",
       "/api/v2/connections/{connection_id}",
       "delete_connection",
       "Remove a connection",
       delete_connection,
       {},
       "",
       "Nothing",
       204},
      {"POST",
       "/api/v2/connections/test",
       "test_connection",
       "Refused, as by Airflow's default",
       test_connection,
       {},
       "ConnectionBody",
       "ConnectionTestResponse"},
      {"GET", "/api/v2/backfills", "list_backfills", "List backfills", list_backfills,
       paged("dag_id:string"), "", "BackfillCollectionResponse"},
      {"POST",
       "/api/v2/backfills",
       "create_backfill",
       "Run a range of dates",
       create_backfill,
       {},
       "BackfillPostBody",
       "BackfillResponse"},
      {"POST",
       "/api/v2/backfills/dry_run",
       "create_backfill_dry_run",
       "What it would run",
       create_backfill_dry_run,
       {},
       "BackfillPostBody",
       "DryRunBackfillCollectionResponse"},
      {"GET",
       "/api/v2/backfills/{backfill_id}",
       "get_backfill",
       "One backfill",
       get_backfill,
       {},
       "",
       "BackfillResponse"},
      {"PUT",
       "/api/v2/backfills/{backfill_id}/pause",
       "pause_backfill",
       "Pause it",
       pause_backfill,
       {},
       "",
       "BackfillResponse"},
      {"PUT",
       "/api/v2/backfills/{backfill_id}/unpause",
       "unpause_backfill",
       "Go on",
       unpause_backfill,
       {},
       "",
       "BackfillResponse"},
      {"PUT",
       "/api/v2/backfills/{backfill_id}/cancel",
       "cancel_backfill",
       "End it",
       cancel_backfill,
       {},
       "",
       "BackfillResponse"},
  };
}

#undef TASK
#undef RUN
#undef DAG

/// "Task Instance" for everything below a task instance, and so on: groups of the document.
std::string tag_of(const Row& row) {
  const std::string_view pattern = row.pattern;
  const auto holds = [&](std::string_view part) {
    return pattern.find(part) != std::string_view::npos;
  };
  if (holds("/xcomEntries")) return "XCom";
  if (holds("/assets") || holds("AssetEvents")) return "Asset";
  if (holds("/hitlDetails")) return "Task Instance";
  if (holds("/logs/")) return "Log";
  if (holds("/taskInstances") || holds("askInstances") || holds("/taskGroup"))
    return "Task Instance";
  if (holds("/dagRuns")) return "DagRun";
  if (holds("/pools")) return "Pool";
  if (holds("/variables")) return "Variable";
  if (holds("/connections")) return "Connection";
  if (holds("/backfills")) return "Backfill";
  if (holds("/dag") || holds("/clearDag") || holds("/needs") || holds("/parseDag")) return "DAG";
  if (holds("/auth/")) return "Login";
  return "Monitor";
}

std::vector<Operation> make_operations() {
  std::vector<Operation> all;
  for (auto& rows : {service_rows(), dag_rows(), run_rows(), instance_rows(), human_input_rows(),
                     asset_rows(), setting_rows()}) {
    for (const auto& row : rows) {
      all.push_back({row.method, row.pattern, row.id, tag_of(row), row.summary, row.handler,
                     row.query, row.body, row.answer, row.status, row.access});
    }
  }
  return all;
}

/// Tells event listeners and log followers that something happened; ends with the router, before
/// the engine does.
class Signals {
 public:
  explicit Signals(const std::shared_ptr<Service>& service) : engine_(service->engine) {
    const std::weak_ptr<Service> weak = service;
    handle_ = engine_.subscribe([weak](Sequence) {
      if (const auto alive = weak.lock()) {
        alive->events->changed();
        alive->followers->wake(alive);
        alive->run_waiters->changed(alive);
      }
    });
    // The agent may come later than the first follower.
    if (auto made = make_folders(service->options.log_folder); !made) {
      log_line(LogLevel::Warning, "make the log folder: " + made.error().message);
    }
    auto watch = logs::GrowthWatch::start(service->options.log_folder, [weak] {
      if (const auto alive = weak.lock()) alive->followers->wake(alive);
    });
    if (watch) {
      watch_ = std::move(*watch);
    } else {
      log_line(LogLevel::Warning, "followed logs move only with other changes",
               {{"cause", watch.error().message}});
    }
  }
  ~Signals() { engine_.unsubscribe(handle_); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  Engine& engine_;
  int handle_ = 0;
  std::unique_ptr<logs::GrowthWatch> watch_;
};

http::Handler handler_of(const Operation& operation, std::shared_ptr<Service> service,
                         std::shared_ptr<Signals> signals) {
  return [&operation, service = std::move(service), signals = std::move(signals)](
             const http::Request& request, std::shared_ptr<http::Reply> reply) {
    auto call = std::make_shared<Call>(Call{service, request, {}});
    if (auto refused = check_query(call->request, operation.query)) {
      return reply->send(std::move(*refused));
    }
    if (!operation.body.empty()) {
      if (operation.access == Open) accept_login_form(call->request);
      const Schema& schema = schema_named(operation.body);
      if (auto refused = check_body(call->request, schema, call->body)) {
        return reply->send(std::move(*refused));
      }
    }
    run(operation.handler, std::move(call), std::move(reply));
  };
}

}  // namespace

const std::vector<Operation>& operations() {
  static const std::vector<Operation> all = make_operations();
  return all;
}

std::shared_ptr<http::Router> make_router(Engine& engine, std::shared_ptr<Accounts> accounts,
                                          const ApiOptions& options) {
  const auto service = std::make_shared<Service>(engine, accounts, options);
  const auto signals = std::make_shared<Signals>(service);
  auto router = std::make_shared<http::Router>();
  for (const auto& operation : operations()) {
    http::Route route;
    route.method = operation.method;
    route.pattern = operation.pattern;
    route.access = operation.access;
    route.handler = handler_of(operation, service, signals);
    route.operation_id = operation.id;
    router->add(std::move(route));
  }
  router->set_authenticator(
      [accounts](const http::Request& request) { return accounts->user_of(request); });
  return router;
}

}  // namespace etesian::api
