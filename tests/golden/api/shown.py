"""DAGs with what clients are shown of an Airflow DAG and the engine has no use for; read by make_airflow.py."""
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, AssetAlias, Param, task

with DAG("bare", schedule=None, params={"must": Param(type="string")}):
    EmptyOperator(task_id="a")

with DAG(
    "dressed",
    schedule="5 4 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="Asia/Seoul"),
    end_date=datetime(2030, 1, 1, tzinfo=timezone.utc),
    catchup=True,
    dag_display_name="Dressed ✓",
    description="What it is",
    doc_md="""
    # Title

      indented
    """,
    default_args={"owner": "me", "retries": 2, "retry_delay": timedelta(minutes=1), "executor_config": {"a": [1, True]}},
    owner_links={"me": "https://example.com/me"},
    tags=["b", "a"],
    max_active_runs=3,
    max_active_tasks=7,
    dagrun_timeout=timedelta(days=1, minutes=90, microseconds=7),
    is_paused_upon_creation=False,
    render_template_as_native_obj=True,
    rerun_with_latest_version=True,
    template_searchpath=["/templates"],
    params={
        "count": Param(3, type="integer", minimum=1, description="How many", title="Count"),
        "free": [1, "x", None],
    },
):
    a = EmptyOperator(task_id="a", task_display_name="Ä", doc_md="Why\nand how", owner="you")
    b = BashOperator(
        task_id="b",
        bash_command="true",
        retry_delay=timedelta(days=2, seconds=3, microseconds=4),
        retry_exponential_backoff=True,
        execution_timeout=timedelta(seconds=90),
        weight_rule="upstream",
        priority_weight=4,
        pool="p",
        pool_slots=2,
        queue="q",
        executor="LocalExecutor",
        executor_config={"x": "y", "n": None, "f": 1.5, "t": (1, 2)},
        params={"own": 1, "count": 5},
    )
    c = BashOperator.partial(
        task_id="c",
        retries=5,
        retry_delay=timedelta(seconds=9),
        retry_exponential_backoff=3,
        execution_timeout=timedelta(hours=1),
        doc_md="mapped",
        trigger_rule="all_done",
        task_display_name="C mapped",
    ).expand(bash_command=["true", "false"])
    a >> [b, c] >> TriggerDagRunOperator(task_id="d", trigger_dag_id="bare")

    @task(doc_md="d")
    def python():
        """Doc of a function"""

    python()

with DAG("no_start", schedule="@daily", default_args={"start_date": datetime(2024, 1, 3, tzinfo=timezone.utc)}):
    EmptyOperator(task_id="a")

with DAG("by_assets", schedule=(Asset("a", "file:///a") & (Asset("b", group="g") | AssetAlias("c")))):
    EmptyOperator(task_id="a")
