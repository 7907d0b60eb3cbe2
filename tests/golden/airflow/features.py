"""DAGs with what the files of the conformance suite do not have; read by make.py."""
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.timetables.events import EventsTimetable
from dateutil.relativedelta import relativedelta

from airflow.sdk import (
    DAG,
    Asset,
    AssetAlias,
    AssetOrTimeSchedule,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    DeltaDataIntervalTimetable,
    DeltaTriggerTimetable,
    MultipleCronTriggerTimetable,
    Param,
    TaskGroup,
    task,
    task_group,
)


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=timezone.utc)


schedules = {
    "timedelta": timedelta(days=1, hours=2, microseconds=5),
    "two_days": timedelta(days=2),
    "relativedelta": relativedelta(days=1, hours=27),
    "delta_trigger": DeltaTriggerTimetable(timedelta(minutes=5), interval=relativedelta(hours=1)),
    "delta_interval": DeltaDataIntervalTimetable(timedelta(hours=1)),
    "preset": "@quarterly",
    "cron_always": CronTriggerTimetable(
        "5 4 * * *", timezone="Europe/Berlin", interval=timedelta(hours=1), run_immediately=True
    ),
    "cron_offset": CronTriggerTimetable(
        "5 4 * * *", timezone=pendulum.FixedTimezone(-34200), run_immediately=timedelta(minutes=3)
    ),
    "cron_none": CronTriggerTimetable("5 4 * * MON-FRI", timezone="UTC", run_immediately=None),
    "several": MultipleCronTriggerTimetable("5 4 * * *", "@weekly", timezone="UTC"),
    "cron_interval": CronDataIntervalTimetable("0 0 * * *", "Asia/Seoul"),
    "once": "@once",
    "continuous": "@continuous",
    "asset": [Asset("a"), Asset("b")],
    "asset_condition": (Asset("a") | AssetAlias("al")) & Asset.ref(name="n") & (Asset.ref(uri="s3://b/k") | Asset("a")),
    "asset_or_time": AssetOrTimeSchedule(
        timetable=CronTriggerTimetable("0 6 * * *", timezone="UTC"), assets=[Asset("a")]
    ),
    "dates": EventsTimetable(
        [pendulum.datetime(2024, 5, 1), pendulum.datetime(2023, 1, 1, tz="Asia/Seoul")], restrict_to_events=True
    ),
    "named_dates": EventsTimetable([pendulum.datetime(2024, 5, 1)], description="feasts"),
}
for name, schedule in schedules.items():
    with DAG(
        f"schedule_{name}", schedule=schedule, start_date=pendulum.datetime(2024, 1, 1, tz="Asia/Seoul"), max_active_runs=1
    ):
        EmptyOperator(task_id="a")

with DAG("dates_of_tasks", schedule="@daily", default_args={"start_date": day(1), "end_date": day(9)}, catchup=True):
    EmptyOperator(task_id="a") >> BashOperator.partial(task_id="b").expand(bash_command=["true"])

with DAG("dates_of_tasks_only", schedule="@daily"):
    EmptyOperator(task_id="a", start_date=day(3))

with DAG(
    "settings_of_a_dag",
    schedule=None,
    description="What it is; ü",
    tags=["b", "a"],
    max_active_runs=3,
    max_active_tasks=7,
    dagrun_timeout=timedelta(minutes=90),
    fail_fast=True,
    is_paused_upon_creation=False,
    doc_md="# doc",
    default_args={"owner": "me"},
    params={
        "count": Param(3, type="integer", minimum=1, maximum=9, description="How many", title="Count"),
        "must": Param(type="string", minLength=2),
        "maybe": Param(None, type=["null", "string"], format="date"),
        "free": [1, 2],
        "rows": Param([{"a": 1}, {"a": 2}], type="array", items={"type": "object", "properties": {"a": {}}}),
        "ratio": 0.5,
        "table": {"x": [1]},
        "none_left": [],
    },
):
    EmptyOperator(task_id="a")
    EmptyOperator(task_id="b", owner="you")
    BashOperator.partial(task_id="c", owner="they").expand(bash_command=["true"])

with DAG("settings_of_tasks", schedule=None):
    EmptyOperator(task_id="documented", doc_md="Why\nand how")
    EmptyOperator(task_id="with_success_callback", on_success_callback=lambda context: None)
    EmptyOperator(task_id="with_execute_callback", on_execute_callback=lambda context: None)
    EmptyOperator(task_id="with_failure_callback", on_failure_callback=lambda context: None)
    EmptyOperator(task_id="with_outlet", outlets=[Asset("x")])
    EmptyOperator(task_id="with_inlet", inlets=[Asset("x")])
    BashOperator.partial(
        task_id="mapped_with_assets",
        outlets=[Asset("x", uri="s3://b/k", extra={"team": 1}), AssetAlias("al")],
        inlets=[Asset.ref(name="n"), Asset.ref(uri="s3://b/l")],
    ).expand(bash_command=["true"])
    BashOperator(
        task_id="everything",
        bash_command="true",
        retries=5,
        retry_delay=9,
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(hours=1),
        pool="p",
        pool_slots=2,
        priority_weight=-5,
        weight_rule="upstream",
        trigger_rule="one_failed",
        queue="q",
        max_active_tis_per_dag=3,
        max_active_tis_per_dagrun=2,
        wait_for_downstream=True,
        ignore_first_depends_on_past=True,
        execution_timeout=timedelta(seconds=3),
        executor="LocalExecutor",
        run_as_user="somebody",
    )
    BashOperator(task_id="tripling", bash_command="true", retries=1, retry_exponential_backoff=3, weight_rule="absolute")
    BashOperator.partial(
        task_id="everything_mapped",
        retries=5,
        retry_delay=timedelta(seconds=9),
        retry_exponential_backoff=True,
        max_retry_delay=timedelta(hours=1),
        pool="p",
        pool_slots=2,
        priority_weight=5,
        weight_rule="upstream",
        trigger_rule="all_done",
        queue="q",
        max_active_tis_per_dag=3,
        max_active_tis_per_dagrun=2,
        depends_on_past=True,
        wait_for_downstream=True,
        doc_md="mapped",
    ).expand(bash_command=["true", "false"], env=[{"a": "1"}, {"a": "2"}, {"a": "3"}])

with DAG("maps", schedule=None):

    @task
    def make(n=3):
        return list(range(n))

    @task
    def use(x, y=None):
        return x

    @task.short_circuit
    def goes_on(x):
        return bool(x)

    left, right = make.override(task_id="left")(), make.override(task_id="right")()
    use.override(task_id="literal").expand(x=[1, 2, 3])
    use.override(task_id="literal_tuple").expand(x=(1, 2))
    use.override(task_id="literal_dict").expand(x={"a": 1, "b": 2})
    use.override(task_id="literal_none").expand(x=[])
    use.override(task_id="crossed").expand(y=left, x=[1, 2])
    mapped = use.override(task_id="of_output").expand(x=left)
    use.override(task_id="of_mapped").partial(y=1).expand(x=mapped)
    use.override(task_id="zipped").expand(x=left.zip(right))
    use.override(task_id="zipped_longest").expand(x=left.zip(right, fillvalue=None))
    joined = left.concat(right).map(lambda v: v + 1)
    use.override(task_id="nested").expand(x=joined.zip(mapped.map(lambda v: str(v)), left.concat(right, mapped)).map(lambda v: v[0]))
    use.override(task_id="kwargs").expand_kwargs([{"x": 1}, {"x": 2, "y": 3}])
    use.override(task_id="kwargs_of_output").expand_kwargs(left.map(lambda v: {"x": v}))
    goes_on.expand(x=left)

    @task_group
    def each(x):
        with TaskGroup("inside"):
            use.override(task_id="first")(x) >> EmptyOperator(task_id="second")

    each.expand(x=right)

    @task_group
    def rows(x, y):
        use(x, y)

    rows.expand_kwargs([{"x": 1, "y": 2}])

with DAG("groups_without_prefix", schedule=None):
    with TaskGroup("outer", prefix_group_id=False):
        EmptyOperator(task_id="a")
        with TaskGroup("inner"):
            EmptyOperator(task_id="b")
    with TaskGroup("beside") as beside:
        with TaskGroup("deeper", prefix_group_id=False):
            EmptyOperator(task_id="c")
        EmptyOperator(task_id="d")
    EmptyOperator(task_id="e") >> beside

with DAG("setups", schedule=None):
    one, two = EmptyOperator(task_id="one").as_setup(), EmptyOperator(task_id="two").as_setup()
    work = BashOperator.partial(task_id="work").expand(bash_command=["true", "false"])
    down = BashOperator(task_id="down", bash_command="true").as_teardown(setups=[one, two], on_failure_fail_dagrun=True)
    [one, two] >> work >> down

    @task
    def release(x):
        return x

    release.partial().expand(x=[1, 2]).as_teardown(setups=one)
