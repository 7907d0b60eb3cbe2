#include "loader/schema.h"

namespace etesian {

std::string dag_json_schema() {
  return R"({
  "$schema": "http://json-schema.org/draft-07/schema#",
  "title": "Etesian DAG",
  "description": "When, what and how: one workflow. Reference: docs/dag-format.md",
  "type": "object",
  "required": ["tasks"],
  "additionalProperties": false,
  "properties": {
    "dag": {"description": "Id; the folder's name unless given.", "$ref": "#/definitions/scalar"},
    "description": {"$ref": "#/definitions/scalar"},
    "owner": {"$ref": "#/definitions/scalar"},
    "tags": {"$ref": "#/definitions/texts"},
    "fail_fast": {"type": "boolean", "default": false, "description": "A failed task ends the run at once."},
    "when": {"$ref": "#/definitions/when"},
    "params": {"type": ["object", "null"], "description": "Name to JSON Schema with 'default', or to the default itself."},
    "how": {"$ref": "#/definitions/how"},
    "retry": {"$ref": "#/definitions/retry"},
    "tasks": {"$ref": "#/definitions/tasks"}
  },
  "definitions": {
    "scalar": {"type": ["string", "number", "boolean"]},
    "texts": {"anyOf": [{"$ref": "#/definitions/scalar"}, {"type": "array", "items": {"$ref": "#/definitions/scalar"}}]},
    "duration": {"type": ["string", "number"], "description": "30s, 10m, 6h, 1d, 1h30m, or seconds.", "examples": ["30s", "10m", "6h"]},
    "size": {"type": ["string", "number"], "description": "256MiB, 1.5GiB, 512MB, or bytes.", "examples": ["256MiB"]},
    "exit_codes": {"anyOf": [{"$ref": "#/definitions/exit_code"}, {"type": "array", "items": {"$ref": "#/definitions/exit_code"}}]},
    "exit_code": {"type": "integer", "minimum": 0, "maximum": 255},
    "causes": {"anyOf": [{"$ref": "#/definitions/cause"}, {"type": "array", "items": {"$ref": "#/definitions/cause"}}]},
    "cause": {"enum": ["exit", "signal", "timeout", "killed", "out_of_memory", "start_failed", "template_failed", "output_invalid", "lost_supervisor", "lost", "queue_timeout"]},
    "count": {"type": "integer", "minimum": 1, "maximum": 1000000},
    "when": {
      "description": "When it runs. Null or absent: by hand only. A text: a cron expression or preset.",
      "anyOf": [
        {"type": ["string", "null"]},
        {"type": "array", "items": {"type": "string"}},
        {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "cron": {"anyOf": [{"type": ["string", "null"]}, {"type": "array", "items": {"type": "string"}}], "examples": ["0 3 * * *", "@daily", "@once", "@continuous", "@manual"]},
            "every": {"$ref": "#/definitions/duration"},
            "dates": {"type": "array", "minItems": 1, "items": {"type": "string"}},
            "data_interval": {"type": ["string", "number"], "default": "previous", "description": "previous, none, or a length of time before the fire time."},
            "timezone": {"type": "string", "default": "UTC", "examples": ["Asia/Seoul", "America/New_York"]},
            "start": {"type": "string", "description": "Without an offset: wall time in the schedule's zone."},
            "end": {"type": "string"},
            "catchup": {"type": "boolean", "default": false},
            "dst": {
              "default": "first",
              "anyOf": [
                {"enum": ["first", "second", "skip", "both", "debian", "airflow"]},
                {"type": "object", "additionalProperties": false, "properties": {
                  "gap": {"enum": ["skip", "at_transition", "shift"]},
                  "fold": {"enum": ["first", "second", "both"]}
                }}
              ]
            },
            "max_active_runs": {"$ref": "#/definitions/count"},
            "overlap": {"enum": ["wait", "skip", "cancel_oldest"], "default": "wait"},
            "holidays": {"type": "object", "additionalProperties": false, "properties": {
              "calendar": {"type": "string"},
              "do": {"enum": ["exclude", "shift_forward", "shift_backward"], "default": "exclude"},
              "weekends": {"type": "boolean", "default": false}
            }},
            "needs": {"$ref": "#/definitions/needs"},
            "run_timeout": {"$ref": "#/definitions/duration"},
            "paused": {"type": "boolean", "default": false}
          }
        }
      ]
    },
    "needs": {"anyOf": [{"$ref": "#/definitions/need"}, {"type": "array", "items": {"$ref": "#/definitions/need"}}]},
    "need": {"anyOf": [
      {"$ref": "#/definitions/scalar"},
      {"type": "object", "required": ["dag"], "additionalProperties": false, "properties": {
        "dag": {"$ref": "#/definitions/scalar"},
        "task": {"$ref": "#/definitions/scalar"},
        "covers": {"enum": ["data_interval", "logical_date", "latest"], "default": "data_interval"},
        "offset": {"$ref": "#/definitions/duration"},
        "fresh": {"$ref": "#/definitions/duration"}
      }}
    ]},
    "retry": {"type": ["object", "null"], "additionalProperties": false, "properties": {
      "times": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 10000}, {"const": "forever"}]},
      "delay": {"$ref": "#/definitions/duration"},
      "backoff": {"type": "number", "minimum": 1, "maximum": 100},
      "max_delay": {"$ref": "#/definitions/duration"},
      "jitter": {"$ref": "#/definitions/duration"},
      "max_elapsed": {"$ref": "#/definitions/duration"},
      "on_exit": {"$ref": "#/definitions/exit_codes"},
      "not_on_exit": {"$ref": "#/definitions/exit_codes"},
      "on_log": {"$ref": "#/definitions/scalar"},
      "on_cause": {"$ref": "#/definitions/causes"},
      "not_on_cause": {"$ref": "#/definitions/causes"}
    }},
)"
         R"(    "how": {"type": ["object", "null"], "additionalProperties": false, "properties": {
      "executor": {"enum": ["local", "docker", "ecs"], "default": "local"},
      "image": {"$ref": "#/definitions/scalar"},
      "cpu": {"type": "number", "minimum": 0, "maximum": 1024},
      "memory": {"$ref": "#/definitions/size"},
      "retries": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 10000}, {"const": "forever"}]},
      "retry_delay": {"$ref": "#/definitions/duration"},
      "retry": {"$ref": "#/definitions/retry"},
      "timeout": {"$ref": "#/definitions/duration"},
      "kill_grace": {"$ref": "#/definitions/duration"},
      "output_max": {"$ref": "#/definitions/size"},
      "max_active": {"$ref": "#/definitions/count"},
      "max_active_per_run": {"$ref": "#/definitions/count"},
      "max_active_tasks": {"$ref": "#/definitions/count"},
      "skip_on_exit": {"$ref": "#/definitions/exit_codes"},
      "pool": {"$ref": "#/definitions/scalar"},
      "pool_slots": {"$ref": "#/definitions/count"},
      "priority": {"type": "integer"},
      "weight_rule": {"enum": ["downstream", "upstream", "absolute"], "default": "downstream"},
      "depends_on_past": {"type": "boolean", "default": false},
      "wait_for_downstream": {"type": "boolean", "default": false},
      "ignore_first_depends_on_past": {"type": "boolean", "default": true},
      "env": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
      "working_folder": {"$ref": "#/definitions/scalar"}
    }},
    "tasks": {
      "type": "object",
      "minProperties": 1,
      "additionalProperties": {"anyOf": [{"$ref": "#/definitions/task"}, {"$ref": "#/definitions/group"}]}
    },
    "group": {"type": "object", "required": ["tasks"], "additionalProperties": false, "properties": {
      "description": {"$ref": "#/definitions/scalar"},
      "after": {"$ref": "#/definitions/texts"},
      "how": {"$ref": "#/definitions/how"},
      "retry": {"$ref": "#/definitions/retry"},
      "tasks": {"$ref": "#/definitions/tasks"}
    }},
    "task": {"type": ["object", "null"], "additionalProperties": false, "properties": {
      "description": {"$ref": "#/definitions/scalar"},
      "run": {"description": "A text for the shell, or a list of words run as they are. Absent: only a point in the order.",
              "anyOf": [{"$ref": "#/definitions/scalar"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/scalar"}}]},
      "after": {"$ref": "#/definitions/texts"},
      "trigger_rule": {"enum": ["all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success", "one_success", "one_failed", "one_done", "none_failed", "none_failed_min_one_success", "none_skipped", "all_skipped", "always"], "default": "all_success"},
      "branch": {"type": "boolean", "default": false},
      "short_circuit": {"type": "boolean", "default": false},
      "setup": {"type": "boolean", "default": false},
      "teardown": {"anyOf": [{"type": "boolean"}, {"$ref": "#/definitions/texts"}]},
      "on_failure_fail_run": {"type": "boolean", "default": false},
      "map": {"type": "object", "minProperties": 1, "additionalProperties": {"type": ["array", "object", "string"]}},
      "combine": {"enum": ["product", "zip"], "default": "product"},
      "at_once": {"$ref": "#/definitions/count"},
      "needs": {"$ref": "#/definitions/needs"},
      "retry": {"$ref": "#/definitions/retry"},
      "how": {"$ref": "#/definitions/how"}
    }}
  }
}
)";
}

}  // namespace etesian
