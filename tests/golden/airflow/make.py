"""Records what Airflow's own code makes of DAG files, for tests/unit/loader/airflow_test.cc.

    build/airflow/bin/python tests/golden/airflow/make.py FOLDER [NAME ...]

For each NAME.py of FOLDER (all when none is given), and for the files beside this one, it writes beside this file
`NAME.json`, what the SDK serialises, one DAG a line; and `NAME.txt`, a picture of those DAGs as Airflow's scheduler sees
them after deserialisation (not for refused.py: what is refused is ours to say). `defaults.json` holds the defaults of the
schema for operators, `param_checks.jsonl` what Airflow says of values under schemas. FOLDER was the `dags` folder of the
conformance suite, without random_dags and wide, which are large and say nothing new. Paths of the machine are replaced,
so that a second run writes the same.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
if os.environ.get("PYTHONHASHSEED") != "0":  # the order of members comes from sets
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp()
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = "/dags"
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

from airflow.dag_processing.dagbag import BundleDagBag  # noqa: E402
from airflow.models.taskinstance import TaskInstance  # noqa: E402
from airflow.serialization.definitions.assets import (  # noqa: E402
    SerializedAsset,
    SerializedAssetAlias,
    SerializedAssetAll,
    SerializedAssetAny,
    SerializedAssetBase,
    SerializedAssetNameRef,
    SerializedAssetUriRef,
)
from airflow.serialization.definitions.notset import NOTSET  # noqa: E402
from airflow.serialization.definitions.param import SerializedParam  # noqa: E402
from airflow.serialization.definitions.xcom_arg import (  # noqa: E402
    SchedulerConcatXComArg,
    SchedulerMapXComArg,
    SchedulerPlainXComArg,
    SchedulerZipXComArg,
)
from airflow.serialization.serialized_objects import (  # noqa: E402
    BaseSerialization,
    DagSerialization,
    LazyDeserializedDAG,
    OperatorSerialization,
)
from airflow.timetables.simple import AssetTriggeredTimetable as AssetTriggered  # noqa: E402


def serialized_dags(file: pathlib.Path) -> list[str]:
    """Each DAG of the file as JSON text, by id, without places of this machine."""
    bag = BundleDagBag(
        dag_folder=str(file), bundle_path=file.parent, bundle_name="dags-folder", load_op_links=False, safe_mode=True
    )
    if bag.import_errors:
        raise SystemExit("\n".join(bag.import_errors.values()))
    texts = []
    for _, dag in sorted(bag.dags.items()):
        text = json.dumps(DagSerialization.to_dict(dag), separators=(",", ":"), ensure_ascii=False)
        text = text.replace(str(file.parent) + "/", "/dags/")
        texts.append(re.sub(r"unusual_prefix_[0-9a-f]{40}_", "unusual_prefix_" + "0" * 40 + "_", text))
    return texts


def when(value: datetime | None) -> str:
    """An instant in UTC."""
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if value else "-"


def seconds(value: Any) -> str:
    """A timedelta, a relativedelta of fixed units or None in seconds."""
    if value is None:
        return "-"
    start = datetime(2024, 1, 1)
    return f"{((start + value) - start).total_seconds():g}"


def schedule(timetable: Any) -> str:
    """What a core timetable does, in words."""
    name = type(timetable).__name__
    if name == "AssetOrTimeSchedule":
        return schedule(timetable.timetable)
    if name in ("NullTimetable", "AssetTriggeredTimetable"):
        return "manual"
    if name in ("OnceTimetable", "ContinuousTimetable"):
        return name.removesuffix("Timetable").lower()
    if name == "EventsTimetable":
        dates = sorted({when(date) for date in timetable.event_dates})
        return f"dates {' '.join(dates)}{' restricted' if timetable.restrict_to_events else ''}"
    if name in ("DeltaTriggerTimetable", "DeltaDataIntervalTimetable"):
        trigger = f" trigger {seconds(timetable._interval)}" if name == "DeltaTriggerTimetable" else ""
        return f"every {seconds(timetable._delta)}{trigger}"
    crons = getattr(timetable, "_timetables", [timetable])
    expressions = " | ".join(cron._expression for cron in crons)
    text = f"cron {expressions} in {crons[0]._timezone.name}"
    if name == "CronDataIntervalTimetable":
        return text
    immediately = crons[0]._run_immediately
    wait = "always" if immediately is True else seconds(immediately) if isinstance(immediately, timedelta) else "-"
    return f"{text} trigger {seconds(crons[0]._interval)} immediately {wait}"


def asset(value: SerializedAssetBase) -> str:
    """An asset, or a condition of several."""
    if isinstance(value, (SerializedAssetAll, SerializedAssetAny)):
        mark = " & " if isinstance(value, SerializedAssetAll) else " | "
        return f"({mark.join(asset(part) for part in value.objects)})"
    if isinstance(value, SerializedAsset):
        return f"{value.name}@{value.uri}"
    if isinstance(value, SerializedAssetAlias):
        return f"alias:{value.name}"
    if isinstance(value, SerializedAssetNameRef):
        return f"name:{value.name}"
    assert isinstance(value, SerializedAssetUriRef)
    return f"uri:{value.uri}"


def assets(values: list[Any]) -> str:
    """Inlets or outlets that matter to the scheduler; those of mapped tasks are still serialised."""
    values = [BaseSerialization.deserialize(value) if isinstance(value, dict) else value for value in values]
    kinds = (SerializedAsset, SerializedAssetAlias, SerializedAssetNameRef, SerializedAssetUriRef)
    return f"[{', '.join(asset(value) for value in values if isinstance(value, kinds))}]"


def length(value: Any) -> str:
    """How many values a mapped argument has, as an expression."""
    if isinstance(value, SchedulerPlainXComArg):
        return f"{value.operator.task_id}[{value.key}]"
    if isinstance(value, SchedulerMapXComArg):
        return length(value.arg)
    if isinstance(value, SchedulerConcatXComArg):
        return f"concat({', '.join(length(arg) for arg in value.args)})"
    if isinstance(value, SchedulerZipXComArg):
        kind = "zip" if value.fillvalue is NOTSET else "zip_longest"
        return f"{kind}({', '.join(length(arg) for arg in value.args)})"
    return str(len(value))


def mapping(task: Any) -> str:
    """How a task is expanded; empty: it is not."""
    group = task.get_closest_mapped_task_group()
    if not task.is_mapped and group is None:
        return ""
    expand = task._get_specified_expand_input() if task.is_mapped else group._expand_input
    if expand.EXPAND_INPUT_TYPE == "list-of-dicts":
        arguments = f"expand_kwargs={length(expand.value)}"
    else:
        arguments = " ".join(f"{name}={length(value)}" for name, value in expand.value.items())
    return f" map {arguments}" if task.is_mapped else f" map {arguments} of group {path(group)}"


def path(group: Any) -> str:
    """The ids of a group and those around it."""
    ids = []
    while group is not None:
        if group._group_id:
            ids.append(group._group_id)
        group = group.parent_group
    return ".".join(reversed(ids))


def task_line(task: Any) -> str:
    """A task, without what is at Airflow's defaults."""
    text = f"  {task.task_id}: {'worker' if TaskInstance.is_task_schedulable(task) else 'empty'} {task.task_type}"
    if task.operator_name != task.task_type:
        text += f" as {task.operator_name}"
    if task.task_group is not None and path(task.task_group):
        text += f" in {path(task.task_group)}"
    if task.upstream_task_ids:
        text += f" after {','.join(sorted(task.upstream_task_ids))}"
    if str(task.trigger_rule) != "all_success":
        text += f" rule {task.trigger_rule}"
    text += mapping(task)
    factor = task.retry_exponential_backoff or 1.0
    if task.retries or seconds(task.retry_delay) != "300" or factor != 1 or task.max_retry_delay:
        text += f" retries {task.retries} every {seconds(task.retry_delay)} x{factor:g}"
        text += f" most {seconds(task.max_retry_delay)}"
    if (task.pool, task.pool_slots) != ("default_pool", 1):
        text += f" pool {task.pool} {task.pool_slots}"
    weight = re.sub(r"^_|PriorityWeightStrategy$", "", type(task.weight_rule).__name__).lower()
    if (task.priority_weight, weight) != (1, "downstream"):
        text += f" priority {task.priority_weight} {weight}"
    if task.max_active_tis_per_dag is not None:
        text += f" max_active {task.max_active_tis_per_dag}"
    if task.max_active_tis_per_dagrun is not None:
        text += f" max_active_per_run {task.max_active_tis_per_dagrun}"
    if task.queue != "default":
        text += f" queue {task.queue}"
    if task.is_setup:
        text += " setup"
    if task.is_teardown:
        text += f" teardown of [{','.join(sorted(t.task_id for t in task.upstream_list if t.is_setup))}]"
    for flag in ("on_failure_fail_dagrun", "depends_on_past", "wait_for_downstream", "ignore_first_depends_on_past"):
        if getattr(task, flag):
            text += f" {flag}"
    if task.inherits_from_skipmixin:
        text += " skips"
    if task.inlets:
        text += f" reads {assets(task.inlets)}"
    if task.outlets:
        text += f" writes {assets(task.outlets)}"
    if task.doc_md:
        text += f" doc {task.doc_md!r}"
    return text


def bare(value: Any) -> Any:
    """Whole floats as integers, as canonical JSON writes them."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [bare(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def picture(text: str) -> str:
    """One DAG as Airflow's scheduler sees it."""
    data = json.loads(text)
    owner = LazyDeserializedDAG(data=json.loads(text)).owner or "airflow"
    dag = DagSerialization.from_dict(data)
    limits = dag._time_restriction
    paused = dag.is_paused_upon_creation
    waits = f" assets {asset(dag.timetable.asset_condition)}" if isinstance(dag.timetable, AssetTriggered) else ""
    lines = [
        f"dag {dag.dag_id}: '{dag.timetable.summary}' {schedule(dag.timetable)}{waits}",
        f"  from {when(limits.earliest)} to {when(limits.latest)}{' catchup' if limits.catchup else ''}"
        f" runs {dag.max_active_runs} tasks {dag.max_active_tasks} timeout {seconds(dag.dagrun_timeout)}"
        f"{' fail_fast' if dag.fail_fast else ''}{'' if paused is False else ' paused'}"
        f" owner {', '.join(sorted(owner.split(', ')))} tags [{','.join(sorted(dag.tags or []))}]"
        f"{f' description {dag.description!r}' if dag.description else ''}",
    ]
    for name in dag.params:
        param = dag.params.get_param(name)
        schema = dict(param.schema)
        if param.value is not NOTSET:
            schema["default"] = param.value
        if param.description is not None:
            schema["description"] = param.description
        shown = json.dumps(bare(schema), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        lines.append(f"  param {name} {shown}")
    lines += [task_line(task) for task in dag.task_dict.values()]
    return "\n".join(lines) + "\n"


def param_checks() -> list[dict[str, Any]]:
    """Values under schemas with Airflow's verdict."""
    text = {"type": "string"}
    cases: list[tuple[dict[str, Any], list[Any]]] = [
        ({}, [None, 1, "x", [], {}]),
        ({"type": "integer"}, [1, 1.0, 1.5, True, "1", None, 10**18]),
        ({"type": ["null", "string"]}, [None, "", 0, False]),
        ({"type": "number", "minimum": 1, "maximum": 9}, [0.99, 1, 9, 9.01, True]),
        ({"exclusiveMinimum": 1, "exclusiveMaximum": 9}, [1, 2, 9, "x"]),
        ({"multipleOf": 0.5}, [1, 1.25, 1.5, "x"]),
        ({"multipleOf": 3}, [9, 10, 9.0]),
        ({"type": "string", "minLength": 2, "maxLength": 3}, ["a", "ab", "日本語", "日本語文", ""]),
        ({"pattern": "^[a-z]+$"}, ["abc", "a1", "", 5]),
        ({"pattern": "b"}, ["abc", "ac"]),
        ({"enum": [1, "a", True, None, [1], {"k": 1}]}, [1.0, True, 1, "a", None, [1], [True], {"k": 1.0}, 0, "b"]),
        ({"const": {"a": [1]}}, [{"a": [1]}, {"a": [2]}, {}]),
        ({"format": "date"}, ["2024-02-29", "2023-02-29", "2024-2-9", "24-02-29", "2024-02-29T00:00", 5, "2024-13-01"]),
        ({"format": "time"}, ["12:30:00", "24:00:00", "12:30", "1:2:3", "12:30:61"]),
        ({"format": "date-time"}, ["nonsense", "2024-01-01T00:00:00Z"]),
        ({"format": "email"}, ["a@b", "ab"]),
        ({"format": "ipv4"}, ["127.0.0.1", "127.0.0", "::1", "01.2.3.4"]),
        ({"format": "ipv6"}, ["::1", "127.0.0.1", "::1%eth0"]),
        ({"format": "uuid"}, ["123e4567-e89b-12d3-a456-426614174000", "123e4567e89b12d3a456426614174000", "x"]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2}, [[], [1], [1, "a"], [1, 2, 3]]),
        ({"prefixItems": [text, {"type": "integer"}], "items": False}, [["a"], ["a", 1], ["a", 1, 2], [1]]),
        ({"uniqueItems": True}, [[1, 2], [1, 1.0], [1, True], [{"a": 1}, {"a": 1}], [[1], [1]], [0, False]]),
        ({"contains": {"const": 5}}, [[1, 5], [1], []]),
        ({"contains": {"const": 5}, "minContains": 2, "maxContains": 2}, [[5], [5, 5], [5, 5, 5]]),
        ({"contains": {"const": 5}, "minContains": 0}, [[], [1]]),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "s": text},
                "required": ["a"],
                "additionalProperties": False,
            },
            [{"a": 1}, {}, {"a": "x"}, {"a": 1, "s": "y"}, {"a": 1, "other": 2}, [], "x"],
        ),
        ({"patternProperties": {"^x_": {"type": "integer"}}}, [{"x_a": 1}, {"x_a": "b"}, {"y": "b"}]),
        (
            {"patternProperties": {"^x_": {}}, "additionalProperties": {"type": "integer"}},
            [{"x_a": "b"}, {"y": "b"}, {"y": 1}],
        ),
        ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}, {"abc": 1}]),
        ({"minProperties": 1, "maxProperties": 2}, [{}, {"a": 1}, {"a": 1, "b": 1, "c": 1}]),
        ({"dependentRequired": {"a": ["b"]}}, [{"a": 1}, {"a": 1, "b": 1}, {"b": 1}]),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{"a": 1}, {"a": 1, "b": 1}, {}]),
        ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [0, 2, 4]),
        ({"anyOf": [text, {"type": "integer", "minimum": 5}]}, ["a", 5, 4, None]),
        ({"oneOf": [{"multipleOf": 3}, {"multipleOf": 5}]}, [3, 5, 15, 7]),
        ({"not": text}, ["a", 1]),
        ({"if": text, "then": {"minLength": 2}, "else": {"minimum": 2}}, ["a", "ab", 1, 2]),
        ({"if": text, "then": {"minLength": 2}}, ["a", 1]),
        ({"items": True, "properties": {"no": False}}, [[1], {"no": 1}, {"yes": 1}]),
        ({"title": "T", "section": "s", "values_display": {"a": "A"}, "examples": [1], "x-mine": 1}, [1, "a"]),
    ]
    rows = []
    for schema, values in cases:
        for value in values:
            try:
                SerializedParam(value, **schema).resolve(raises=True)
                valid = True
            except Exception:
                valid = False
            rows.append({"schema": schema, "value": value, "valid": valid})
    return rows


def main() -> None:
    """Writes all files."""
    folder = pathlib.Path(sys.argv[1])
    files = [folder / f"{name}.py" for name in sys.argv[2:]] or sorted(folder.glob("*.py"))
    files += [file for file in sorted(HERE.glob("*.py")) if file.name != "make.py"]
    for file in files:
        texts = serialized_dags(file)
        (HERE / f"{file.stem}.json").write_text("".join(text + "\n" for text in texts))
        if file.stem != "refused":
            (HERE / f"{file.stem}.txt").write_text("".join(picture(text) for text in texts))
    defaults = OperatorSerialization.get_schema_defaults("operator")
    (HERE / "defaults.json").write_text(json.dumps(defaults, indent=1, sort_keys=True) + "\n")
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in param_checks())
    (HERE / "param_checks.jsonl").write_text(rows)


if __name__ == "__main__":
    main()
