"""The DAG files of the benchmark: both services get the same folder."""
from __future__ import annotations

import pathlib

FLAT_DAGS, FLAT_TASKS = 10, 100
CHAIN_TASKS = 20
MANY_FILES = 1000
WAITS_DAGS, WAITS_TASKS = 10, 100

HEAD = """\
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
"""

FLAT = HEAD + """
with DAG("flat_{number}", schedule=None):
    for number in range({tasks}):
        BashOperator(task_id=f"t{{number}}", bash_command="true")
"""

CHAIN = HEAD + """
with DAG("chain", schedule=None):
    before = None
    for number in range({tasks}):
        task = BashOperator(task_id=f"t{{number}}", bash_command="true")
        if before:
            before >> task
        before = task
"""

STAMP = """\
import time

from airflow.sdk import dag, task


@dag(schedule=None)
def stamp():
    @task
    def write():
        with open({path!r}, "w") as file:
            file.write(f"{{time.time_ns()}}\\n")

    write()


stamp()
"""

EDITED = HEAD + """
with DAG("edited", schedule=None):
    BashOperator(task_id="edit_{edit}", bash_command="true")
"""

MANY = HEAD + """
with DAG("file_{number:04}", schedule=None):
    first = BashOperator(task_id="first", bash_command="true")
    second = BashOperator(task_id="second", bash_command="true")
    third = BashOperator(task_id="third", bash_command="true")
    first >> second >> third
"""

WAITS = """\
from datetime import timedelta

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG

with DAG("waits_{number}", schedule=None):
    for number in range({tasks}):
        TimeDeltaSensor(task_id=f"t{{number}}", delta=timedelta(hours=6), deferrable=True)
"""


def write_work(folder: pathlib.Path, stamp_path: pathlib.Path) -> int:
    """The DAGs of the rows that run tasks; returns how many DAGs."""
    folder.mkdir(parents=True)
    for number in range(FLAT_DAGS):
        (folder / f"flat_{number}.py").write_text(FLAT.format(number=number, tasks=FLAT_TASKS))
    (folder / "chain.py").write_text(CHAIN.format(tasks=CHAIN_TASKS))
    (folder / "stamp.py").write_text(STAMP.format(path=str(stamp_path)))
    write_edit(folder, 0)
    return FLAT_DAGS + 3


def write_edit(folder: pathlib.Path, edit: int) -> str:
    """Replaces the edited file as editors do; returns the task that its new version has."""
    new = folder.parent / "edited.py.new"
    new.write_text(EDITED.format(edit=edit))
    new.replace(folder / "edited.py")
    return f"edit_{edit}"


def write_many(folder: pathlib.Path) -> int:
    """Many small files; returns how many DAGs."""
    folder.mkdir(parents=True)
    for number in range(MANY_FILES):
        (folder / f"file_{number:04}.py").write_text(MANY.format(number=number))
    return MANY_FILES


def write_waits(folder: pathlib.Path) -> int:
    """The waiting deferrable tasks; returns how many DAGs."""
    folder.mkdir(parents=True)
    for number in range(WAITS_DAGS):
        (folder / f"waits_{number}.py").write_text(WAITS.format(number=number, tasks=WAITS_TASKS))
    return WAITS_DAGS
