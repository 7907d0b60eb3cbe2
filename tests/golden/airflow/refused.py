"""DAGs that Airflow runs and the engine refuses; read by make.py."""
from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from dateutil.relativedelta import relativedelta

from airflow.sdk import DAG, Asset, CronPartitionTimetable, Param, PartitionedAssetTimetable, task, task_group


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=timezone.utc)


with DAG("calendar_months", schedule=relativedelta(months=1)):
    EmptyOperator(task_id="a")

with DAG("partitioned_cron", schedule=CronPartitionTimetable("0 0 * * *", timezone="UTC")):
    EmptyOperator(task_id="a")

with DAG("partitioned_asset", schedule=PartitionedAssetTimetable(assets=Asset("a"))):
    EmptyOperator(task_id="a")

with DAG("pauses_itself", schedule=None, max_consecutive_failed_dag_runs=3):
    EmptyOperator(task_id="a")

with DAG("only_some_runs", schedule=None, allowed_run_types=["manual"]):
    EmptyOperator(task_id="a")

with DAG("dates_differ", schedule="@daily", start_date=day(1)):
    EmptyOperator(task_id="a")
    EmptyOperator(task_id="b", start_date=day(5))

with DAG("tasks_start_later", schedule="@daily", start_date=day(1)):
    EmptyOperator(task_id="a", start_date=day(5))

with DAG("groups_mapped_twice", schedule=None):

    @task
    def use(x):
        return x

    @task_group
    def outer(x):
        @task_group
        def inner(y):
            use(y)

        inner.expand(y=[1, 2])

    outer.expand(x=[1, 2, 3])

with DAG("maps_over_a_range", schedule=None):
    BashOperator.partial(task_id="a").expand(bash_command=range(3))

with DAG("schema_with_lookahead", schedule=None, params={"p": Param("ab", type="string", pattern="^(?=a)")}):
    EmptyOperator(task_id="a")

with DAG("schema_with_reference", schedule=None, params={"p": Param(1, **{"$ref": "#/x", "x": {}})}):
    EmptyOperator(task_id="a")
