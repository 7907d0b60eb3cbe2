"""Writes airflow.jsonl: what Airflow 3.3.2 answers about the DAGs of shown.py.

    build/airflow/bin/python tests/golden/api/make_airflow.py

A line for each DAG: "serialized" as the SDK writes it, "details" (GET /dags/{dag_id}/details) and "tasks" (GET
/dags/{dag_id}/tasks), made by Airflow's own models. Of "details" only what the DAG file decides is kept, and not
"timezone", which Airflow answers with its own default timezone whatever the DAG says.
"""
from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from pathlib import Path

if os.environ.get("PYTHONHASHSEED") != "0":  # the order of members comes from sets
    os.environ["PYTHONHASHSEED"] = "0"
    os.execv(sys.executable, [sys.executable, *sys.argv])
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp()
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

from airflow.api_fastapi.core_api.datamodels.dags import DAGDetailsResponse  # noqa: E402
from airflow.api_fastapi.core_api.datamodels.tasks import TaskResponse  # noqa: E402
from airflow.dag_processing.dagbag import BundleDagBag  # noqa: E402
from airflow.models import DagModel  # noqa: E402
from airflow.serialization.serialized_objects import DagSerialization  # noqa: E402

HERE = Path(__file__).parent
DETAILS = (
    "dag_id dag_display_name description timetable_summary max_active_tasks max_active_runs "
    "max_consecutive_failed_dag_runs timetable_partitioned timetable_periodic allowed_run_types owners is_backfillable "
    "catchup dag_run_timeout asset_expression doc_md start_date end_date is_paused_upon_creation params "
    "render_template_as_native_obj template_search_path default_args rerun_with_latest_version owner_links "
    "concurrency"
).split()


def details_of(dag: object) -> dict:
    """What get_dag_details answers, without the database: the DAG's attributes laid over those of its model."""
    model = DagModel(dag_id=dag.dag_id)
    model.is_paused = model.is_stale = model.has_import_errors = False
    model.fileloc = dag.fileloc
    model.owners = dag.owner
    model.description = dag.description
    model.max_active_tasks, model.max_active_runs = dag.max_active_tasks, dag.max_active_runs
    model.max_consecutive_failed_dag_runs = dag.max_consecutive_failed_dag_runs
    model._dag_display_property_value = dag.dag_display_name
    model.timetable_summary = dag.timetable.summary
    model.timetable_description = dag.timetable.description
    model.timetable_partitioned = dag.timetable.partitioned
    model.timetable_periodic = dag.timetable.periodic
    model.has_task_concurrency_limits = False
    model.asset_expression = dag.timetable.asset_condition.as_expression()
    for key, value in dag.__dict__.items():
        if not key.startswith("_") and not hasattr(model, key):
            setattr(model, key, value)
    model.tags = []
    answer = DAGDetailsResponse.model_validate(model)
    return answer.model_dump(mode="json", by_alias=True, include=set(DETAILS))


def main() -> None:
    """Parses shown.py and writes the answers."""
    bag = BundleDagBag(str(HERE / "shown.py"), bundle_path=HERE, bundle_name="dags-folder")
    if bag.import_errors:
        raise SystemExit(bag.import_errors)
    with open(HERE / "airflow.jsonl", "w", encoding="utf-8") as out:
        for _, dag in sorted(bag.dags.items()):
            text = json.dumps(DagSerialization.to_dict(dag), ensure_ascii=False).replace(str(HERE), "/dags")
            text = re.sub(r'"_processor_dags_folder": "[^"]*"', '"_processor_dags_folder": "/dags"', text)
            serialized = json.loads(re.sub(r"unusual_prefix_[0-9a-f]{40}_", "unusual_prefix_" + "0" * 40 + "_", text))
            read = DagSerialization.from_dict(serialized)
            tasks = [TaskResponse.model_validate(t).model_dump(mode="json", by_alias=True) for t in read.tasks]
            for task in tasks:
                task["downstream_task_ids"].sort()
            line = {"serialized": serialized, "details": details_of(read), "tasks": tasks}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
