// Every body and answer of the API. Names and members are those of Airflow's REST v2 document where
// Airflow has them; the rest is ours and marked so.
#include "api/schema.h"

namespace etesian::api {
namespace {

struct Text {
  std::string_view name, fields;
};

constexpr std::string_view kTask =
    "task_id:string! task_display_name:string! owner:string?! start_date:instant?! "
    "end_date:instant?! "
    "trigger_rule:string! depends_on_past:bool! wait_for_downstream:bool! retries:number! "
    "queue:string?! pool:string! pool_slots:number! execution_timeout:object?! "
    "retry_delay:object?! "
    "retry_exponential_backoff:number! priority_weight:number! weight_rule:string! "
    "ui_color:string! "
    "ui_fgcolor:string! template_fields:string*! downstream_task_ids:string*! doc_md:string?! "
    "operator_name:string! params:object! class_ref:object! is_mapped:bool! extra_links:string*!";
constexpr std::string_view kDag =
    "dag_id:string! dag_display_name:string! is_paused:bool! is_stale:bool! "
    "last_parsed_time:instant?! last_parse_duration:number?! last_expired:instant?! "
    "bundle_name:string?! bundle_version:string?! relative_fileloc:string?! fileloc:string! "
    "description:string?! timetable_summary:string?! timetable_description:string?! "
    "timetable_partitioned:bool! timetable_periodic:bool! tags:@DagTagResponse*! "
    "max_active_tasks:int! max_active_runs:int! max_consecutive_failed_dag_runs:int! "
    "has_task_concurrency_limits:bool! has_import_errors:bool! next_dagrun_logical_date:instant?! "
    "next_dagrun_data_interval_start:instant?! next_dagrun_data_interval_end:instant?! "
    "next_dagrun_run_after:instant?! allowed_run_types:string*?! owners:string*! "
    "is_backfillable:bool! file_token:string!";
constexpr std::string_view kDagDetails =
    " catchup:bool! dag_run_timeout:string?! asset_expression:object?! doc_md:string?! "
    "start_date:instant?! end_date:instant?! is_paused_upon_creation:bool?! params:object?! "
    "render_template_as_native_obj:bool! template_search_path:string*?! timezone:string?! "
    "last_parsed:instant?! default_args:object?! concurrency:int! "
    "latest_dag_version:@DagVersionResponse?! active_runs_count:int! "
    "rerun_with_latest_version:bool? owner_links:object? is_favorite:bool";
constexpr std::string_view kHistory =
    "task_id:string! dag_id:string! dag_run_id:string! map_index:int! start_date:instant?! "
    "end_date:instant?! duration:number?! state:string?! try_number:int! max_tries:int! "
    "task_display_name:string! dag_display_name:string! hostname:string?! unixname:string?! "
    "pool:string! pool_slots:int! queue:string?! priority_weight:int?! operator:string?! "
    "operator_name:string?! queued_when:instant?! scheduled_when:instant?! pid:int?! "
    "executor:string?! executor_config:string! dag_version:@DagVersionResponse?!";
constexpr std::string_view kInstance =
    " id:string! logical_date:instant?! run_after:instant! note:string?! "
    "rendered_map_index:string?! rendered_fields:object! trigger:object?! triggerer_job:object?!";
constexpr std::string_view kXCom =
    "key:string! timestamp:instant! logical_date:instant?! map_index:int! task_id:string! "
    "dag_id:string! run_id:string! dag_display_name:string! task_display_name:string! "
    "run_after:instant!";

constexpr std::string_view kQuestion =
    "options:string*! subject:string! body:string?! defaults:string*?! multiple:bool! "
    "params:object! assigned_users:@HITLUser*! created_at:instant! responded_by_user:@HITLUser?! "
    "responded_at:instant?! chosen_options:string*?! params_input:object! response_received:bool! ";
const Text kBodies[] = {
    {"UpdateHITLDetailPayload", "chosen_options:string*! params_input:object"},
    {"CreateAssetEventsBody",
     "asset_id:int! partition_key:string? extra:object access_control:object?"},
    {"LoginBody", "username:string! password:string!"},
    {"DAGPatchBody", "is_paused:bool!"},
    {"TriggerDAGRunPostBody",
     "logical_date:instant?! dag_run_id:string? data_interval_start:instant? "
     "data_interval_end:instant? run_after:instant? conf:object? note:string? "
     "partition_key:string?"},
    {"MaterializeAssetBody",
     "logical_date:instant? dag_run_id:string? data_interval_start:instant? "
     "data_interval_end:instant? run_after:instant? conf:object? note:string? "
     "partition_key:string?"},
    {"DAGRunPatchBody", "state:run_state_to_set? note:string?"},
    {"DAGRunClearBody",
     "dry_run:bool only_failed:bool only_new:bool run_on_latest_version:bool? note:string?"},
    {"ClearTaskInstancesBody",
     "dry_run:bool start_date:instant? end_date:instant? only_failed:bool only_running:bool "
     "reset_dag_runs:bool task_ids:task_ref*? dag_run_id:string? include_upstream:bool "
     "include_downstream:bool include_future:bool include_past:bool run_on_latest_version:bool? "
     "prevent_running_task:bool note:string?"},
    {"BulkDAGRunClearBody",
     "dry_run:bool only_failed:bool only_new:bool run_on_latest_version:bool? note:string? "
     "dag_runs:@BulkDAGRunBody* partition_key:string? partition_date_start:instant? "
     "partition_date_end:instant?"},
    {"BulkBody", "actions:bulk_action*!"},
    {"BulkCreateAction", "action:string! entities:bulk_entity*! action_on_existence:on_existence"},
    {"BulkUpdateAction",
     "action:string! entities:bulk_entity*! update_mask:string*? "
     "action_on_non_existence:on_absence"},
    {"BulkDeleteAction",
     "action:string! entities:bulk_entity*! action_on_non_existence:on_absence"},
    {"BulkDAGRunBody", "dag_run_id:string! dag_id:string? state:run_state_to_set? note:string?"},
    {"BulkTaskInstanceBody",
     "task_id:string! map_index:int? dag_id:string? dag_run_id:string? "
     "new_state:task_state_to_set? note:string? include_upstream:bool include_downstream:bool "
     "include_future:bool include_past:bool"},
    {"DAGRunsBatchBody",
     "order_by:string? page_offset:int page_limit:int dag_ids:string*? states:run_state*? "
     "run_after:range? logical_date:range? start_date:range? end_date:range? "
     "duration:number_range? conf_contains:string?"},
    {"TaskInstancesBatchBody",
     "order_by:string? page_offset:int page_limit:int dag_ids:string*? dag_run_ids:string*? "
     "task_ids:string*? state:task_state*? run_after:range? logical_date:range? "
     "start_date:range? end_date:range? duration:number_range? pool:string*? queue:string*? "
     "executor:string*?"},
    {"XComCreateBody", "key:string! value:any! map_index:int"},
    {"XComUpdateBody", "value:any! map_index:int"},
    {"PatchTaskInstanceBody",
     "new_state:task_state_to_set? note:string? include_upstream:bool include_downstream:bool "
     "include_future:bool include_past:bool"},
    {"KillBody", "map_index:int may_retry:bool"},
    {"PoolBody",
     "name:string! slots:int! description:string? include_deferred:bool team_name:string?"},
    {"PoolPatchBody",
     "pool:string? name:string? slots:int? description:string? include_deferred:bool? "
     "team_name:string?"},
    {"VariableBody", "key:string! value:any! description:string? team_name:string?"},
    {"VariablePatchBody", "key:string? value:any description:string? team_name:string?"},
    {"ConnectionBody",
     "connection_id:string! conn_type:string! description:string? host:string? login:string? "
     "schema:string? port:int? password:string? extra:string? team_name:string?"},
    {"ConnectionPatchBody",
     "connection_id:string? conn_type:string? description:string? host:string? login:string? "
     "schema:string? port:int? password:string? extra:string? team_name:string?"},
    {"BackfillPostBody",
     "dag_id:string! from_date:instant! to_date:instant! run_backwards:bool dag_run_conf:object? "
     "reprocess_behavior:reprocess max_active_runs:int run_on_latest_version:bool?"},
};

const Text kAnswers[] = {
    {"Error", "detail:any!"},
    {"Nothing", ""},
    {"LoginResponse", "access_token:string!"},
    {"VersionInfo", "version:string! git_version:string?!"},
    {"HealthInfoResponse",
     "metadatabase:object! scheduler:object! triggerer:object! dag_processor:object"},
    {"DagTagResponse", "name:string! dag_id:string! dag_display_name:string!"},
    {"DAGCollectionResponse", "dags:@DAGResponse*! total_entries:int!"},
    {"DagVersionResponse",
     "id:string! version_number:int! dag_id:string! bundle_name:string?! bundle_version:string?! "
     "created_at:instant! dag_display_name:string! bundle_url:string?!"},
    {"DAGVersionCollectionResponse", "dag_versions:@DagVersionResponse*! total_entries:int!"},
    {"DAGSourceResponse",
     "content:string?! dag_id:string! version_number:int?! dag_display_name:string!"},
    {"DAGRunResponse",
     "dag_run_id:string! dag_id:string! logical_date:instant?! queued_at:instant?! "
     "start_date:instant?! end_date:instant?! duration:number?! data_interval_start:instant?! "
     "data_interval_end:instant?! run_after:instant! last_scheduling_decision:instant?! "
     "run_type:run_type! state:run_state! triggered_by:string?! triggering_user_name:string?! "
     "conf:object?! note:string?! dag_versions:@DagVersionResponse*! bundle_version:string?! "
     "dag_display_name:string! partition_key:string?! partition_date:instant?!"},
    {"DAGRunCollectionResponse", "dag_runs:@DAGRunResponse*! total_entries:int!"},
    {"TaskInstanceCollectionResponse", "task_instances:@TaskInstanceResponse*! total_entries:int!"},
    {"TaskInstanceHistoryCollectionResponse",
     "task_instances:@TaskInstanceHistoryResponse*! total_entries:int!"},
    {"TaskCollectionResponse", "tasks:@TaskResponse*! total_entries:int!"},
    {"TaskInstancesLogResponse", "content:object*! continuation_token:string?!"},
    {"LogVerdict",
     "complete:bool! lines_found:int! lines_expected:int! bytes_expected:int! message:string!"},
    {"XComCollectionResponse", "xcom_entries:@XComResponse*! total_entries:int!"},
    {"PoolResponse",
     "name:string! slots:int! description:string? include_deferred:bool! occupied_slots:int! "
     "running_slots:int! queued_slots:int! scheduled_slots:int! open_slots:int! "
     "deferred_slots:int! "
     "team_name:string?!"},
    {"PoolCollectionResponse", "pools:@PoolResponse*! total_entries:int!"},
    {"VariableResponse",
     "key:string! value:string description:string?! is_encrypted:bool! team_name:string?!"},
    {"VariableCollectionResponse", "variables:@VariableResponse*! total_entries:int!"},
    {"ConnectionResponse",
     "connection_id:string! conn_type:string! description:string?! host:string?! login:string?! "
     "schema:string?! port:int?! password:string?! extra:string?! team_name:string?!"},
    {"ConnectionCollectionResponse", "connections:@ConnectionResponse*! total_entries:int!"},
    {"BackfillResponse",
     "id:int! dag_id:string! from_date:instant! to_date:instant! dag_run_conf:object?! "
     "is_paused:bool! reprocess_behavior:reprocess! max_active_runs:int! created_at:instant! "
     "completed_at:instant?! updated_at:instant! dag_display_name:string!"},
    {"BackfillCollectionResponse", "backfills:@BackfillResponse*! total_entries:int!"},
    {"DryRunBackfillResponse",
     "logical_date:instant?! partition_key:string?! partition_date:instant?!"},
    {"DryRunBackfillCollectionResponse", "backfills:@DryRunBackfillResponse*! total_entries:int!"},
    {"ImportErrorResponse",
     "import_error_id:int! timestamp:instant! filename:string! bundle_name:string?! "
     "stack_trace:string!"},
    {"ImportErrorCollectionResponse", "import_errors:@ImportErrorResponse*! total_entries:int!"},
    {"EventLogResponse",
     "event_log_id:int! when:instant! dag_id:string?! task_id:string?! run_id:string?! "
     "map_index:int?! try_number:int?! event:string! logical_date:instant?! owner:string?! "
     "extra:string?! dag_display_name:string?! task_display_name:string?!"},
    {"EventLogCollectionResponse", "event_logs:@EventLogResponse*! total_entries:int!"},
    {"BulkActionResponse", "success:string*! errors:object*!"},
    {"BulkResponse",
     "create:@BulkActionResponse? update:@BulkActionResponse? delete:@BulkActionResponse?"},
    {"DAGTagCollectionResponse", "tags:string*! total_entries:int!"},
    {"TaskDependencyResponse", "name:string! reason:string!"},
    {"TaskDependencyCollectionResponse", "dependencies:@TaskDependencyResponse*!"},
    {"ExtraLinkCollectionResponse", "extra_links:object! total_entries:int!"},
    {"ExternalLogUrlResponse", "url:string!"},
    {"Config", "sections:object*!"},
    {"ConnectionTestResponse", "status:bool! message:string!"},
    {"PluginCollectionResponse", "plugins:object*! total_entries:int!"},
    {"PluginImportErrorCollectionResponse", "import_errors:object*! total_entries:int!"},
    {"ProviderCollectionResponse", "providers:object*! total_entries:int!"},
    {"JobResponse",
     "id:int! dag_id:string?! state:string?! job_type:string?! start_date:instant?! "
     "end_date:instant?! latest_heartbeat:instant?! executor_class:string?! hostname:string?! "
     "unixname:string?! dag_display_name:string?"},
    {"JobCollectionResponse", "jobs:@JobResponse*! total_entries:int!"},
    {"DAGWarningCollectionResponse", "dag_warnings:object*! total_entries:int!"},
    {"HITLUser", "id:string! name:string!"},
    {"HITLDetailResponse",
     "responded_by:@HITLUser?! responded_at:instant! chosen_options:string*! "
     "params_input:object!"},
    {"HITLDetailCollection", "hitl_details:@HITLDetail*! total_entries:int!"},
    {"DagScheduleAssetReference", "dag_id:string! created_at:instant! updated_at:instant!"},
    {"TaskAssetReference",
     "dag_id:string! task_id:string! created_at:instant! updated_at:instant!"},
    {"AssetAliasResponse", "id:int! name:string! group:string!"},
    {"AssetAliasCollectionResponse", "asset_aliases:@AssetAliasResponse*! total_entries:int!"},
    {"LastAssetEventResponse", "id:int?! timestamp:instant?!"},
    {"AssetResponse",
     "id:int! name:string! uri:string! group:string! extra:object?! created_at:instant! "
     "updated_at:instant! scheduled_dags:@DagScheduleAssetReference*! "
     "producing_tasks:@TaskAssetReference*! consuming_tasks:@TaskAssetReference*! "
     "aliases:@AssetAliasResponse*! watchers:object*! last_asset_event:@LastAssetEventResponse!"},
    {"AssetCollectionResponse", "assets:@AssetResponse*! total_entries:int!"},
    {"DagRunAssetReference",
     "run_id:string! dag_id:string! logical_date:instant?! start_date:instant! end_date:instant?! "
     "state:string! data_interval_start:instant?! data_interval_end:instant?! "
     "partition_key:string?! triggering:bool!"},
    {"AssetEventResponse",
     "id:int! asset_id:int! uri:string?! name:string?! group:string?! extra:object?! "
     "source_task_id:string?! source_dag_id:string?! source_run_id:string?! "
     "source_map_index:int! created_dagruns:@DagRunAssetReference*! timestamp:instant! "
     "partition_key:string?!"},
    {"AssetEventCollectionResponse", "asset_events:@AssetEventResponse*! total_entries:int!"},
    {"QueuedEventResponse",
     "dag_id:string! asset_id:int! created_at:instant! dag_display_name:string!"},
    {"QueuedEventCollectionResponse", "queued_events:@QueuedEventResponse*! total_entries:int!"},
    {"DagStatsStateResponse", "state:run_state! count:int!"},
    {"DagStatsResponse", "dag_id:string! dag_display_name:string! stats:@DagStatsStateResponse*!"},
    {"DagStatsCollectionResponse", "dags:@DagStatsResponse*! total_entries:int!"},
    {"Gate", "kind:string! subject:string! sentence:string! opens_at:instant?! remedy:string?!"},
    {"Explanation",
     "dag_id:string! dag_run_id:string! task_id:string?! map_index:int?! state:string?! "
     "summary:string! gates:@Gate*!"},
    {"NeedEdge",
     "dag_id:string! task_id:string?! needs_dag_id:string! needs_task_id:string?! covers:string! "
     "offset_s:number! fresh_s:number?! is_known:bool!"},
    {"NeedGraph", "dags:string*! edges:@NeedEdge*! total_entries:int!"},
    {"Ready", "status:string! reason:string?!"},
};

std::vector<Schema> make_schemas() {
  std::vector<Schema> all;
  const auto add = [&](std::string_view name, std::string fields) {
    all.push_back({std::string(name), fields_from_text(fields)});
  };
  for (const auto& [name, fields] : kBodies) add(name, std::string(fields));
  for (const auto& [name, fields] : kAnswers) add(name, std::string(fields));
  add("DAGResponse", std::string(kDag));
  add("DAGDetailsResponse", std::string(kDag) + std::string(kDagDetails));
  add("TaskInstanceHistoryResponse", std::string(kHistory));
  add("TaskInstanceResponse", std::string(kHistory) + std::string(kInstance));
  add("TaskResponse", std::string(kTask));
  add("HITLDetail", std::string(kQuestion) + "task_instance:@TaskInstanceResponse!");
  add("HITLDetailHistory", std::string(kQuestion) + "task_instance:@TaskInstanceHistoryResponse!");
  add("XComResponse", std::string(kXCom));
  add("XComValueResponse", std::string(kXCom) + " value:any!");
  return all;
}

}  // namespace

const std::vector<Schema>& schemas() {
  static const std::vector<Schema> all = make_schemas();
  return all;
}

}  // namespace etesian::api
