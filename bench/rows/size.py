"""What much of something costs: history, tasks in one DAG, tasks that wait, memory."""
from __future__ import annotations

import pathlib
import shutil
import sqlite3
import time

from rows import dags
from rows.installation import Installation, write_project
from rows.row import Bench, Figure, Line, Rounds, at_most, row

TRUE = "[/bin/true]"
SLEEP = "[/bin/sleep, '3600']"
DAGS = 10
FLAT = {f"flat_{d}": dags.flat(f"flat_{d}", 100, TRUE) for d in range(DAGS)}
MIB = 1024 * 1024


def multiply_run(database: pathlib.Path, run_id: str, times: int) -> None:
    """Stores a finished run that many times more, with all of its rows, as if it had happened so often."""
    db = sqlite3.connect(database, isolation_level=None)
    db.execute("PRAGMA journal_mode=DELETE")
    db.execute("PRAGMA synchronous=OFF")
    (key,) = db.execute("SELECT key FROM dag_run WHERE run_id = ?", (run_id,)).fetchone()
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
               "SELECT i FROM n", (times,))
    own = {"dag_run": ("key", {"key": "r.key + n.i", "run_id": "'past_' || n.i", "run_after": "r.run_after + n.i"}),
           "task_instance": ("run", {"run": "r.run + n.i"}),
           "try": ("run", {"run": "r.run + n.i"}),
           "change": ("run", {"run": "r.run + n.i", "sequence": "NULL"})}
    for table, (run_column, new) in own.items():
        columns = [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(new.get(name, "r." + name) for name in columns)
        db.execute(f"INSERT INTO {table} SELECT {values} FROM n CROSS JOIN {table} r WHERE r.{run_column} = ? "
                   "ORDER BY n.i", (key,))
    db.execute("COMMIT")
    db.close()


def installation_with_history(folder: pathlib.Path, runs: int) -> Installation:
    """One that has run a DAG of 30 tasks so often; stopped."""
    texts = FLAT | {"past": dags.flat("past", 30, TRUE)}
    etesian = Installation(write_project(folder / "project", texts), folder / "home")
    etesian.start()
    run_id = etesian.trigger("past")
    etesian.wait_success("past", run_id)
    etesian.stop_server()
    multiply_run(etesian.home / "etesian.db", run_id, runs)
    etesian.start()
    stored = etesian.count("/api/v2/dags/past/dagRuns")
    etesian.close()
    if stored != runs + 1:
        raise RuntimeError(f"{stored} runs are stored, not {runs + 1}")
    return etesian


def seconds_per_task(etesian: Installation) -> float:
    with etesian:
        etesian.seconds_of_runs(["flat_0"])  # The first after a start is another matter.
        return etesian.seconds_of_runs(list(FLAT)) / (DAGS * 100)


def seconds_per_task_of_mapped(bench: Bench, name: str, tasks: int, a: int, b: int) -> float:
    folder = bench.new_folder("one-dag")
    with Installation(write_project(folder / "project", {name: dags.mapped(name, tasks, a, b, TRUE)}),
                      folder / "home") as etesian:
        took = etesian.seconds_of_runs([name])
    shutil.rmtree(folder)
    return took / (tasks * a * b)


def cpu_share_of_waiting(bench: Bench, tasks: int, a: int, b: int) -> float:
    """Of one processor, while so many tasks wait for a slot that is taken."""
    folder = bench.new_folder("waiting")
    project = write_project(folder / "project", {
        "holder": dags.dag("holder", [f"t: {{run: {SLEEP}, how: {{pool: taken}}}}"]),
        "waiting": dags.mapped("waiting", tasks, a, b, TRUE, ", how: {pool: taken}"),
    }, settings="pools: {default_pool: 128, taken: 1}\n")
    seconds = bench.sized(10, small=2)
    with Installation(project, folder / "home") as etesian:
        etesian.trigger("holder")
        etesian.wait_pool("taken", running=1)
        etesian.trigger("waiting")
        etesian.wait_pool("taken", running=1, scheduled=tasks * a * b)
        etesian.settle()
        before = etesian.cpu_seconds()
        time.sleep(seconds)
        share = (etesian.cpu_seconds() - before) / seconds
    shutil.rmtree(folder)
    return share


@row("scale", {
    "scale-history": Line("10 × 100 × `/bin/true` after 100,000 finished runs and 3,000,000 task instances", "s/task",
                          "the same in an empty installation", at_most(1.05)),
    "scale-dag": Line("one DAG of 100,000 tasks, 100 of them mapped over 1,000 values", "s/task",
                      "one DAG of 1,000, 100 mapped over 10", at_most(1.25)),
    "scale-waiting": Line("50,000 tasks wait for a slot: server and agent", "of a processor", "2 %", at_most(1)),
}, is_heavy=True)
def scale(bench: Bench) -> Rounds:
    old = installation_with_history(bench.new_folder("history"), bench.sized(100_000, small=500))
    fresh = bench.new_folder("no-history")
    new = Installation(write_project(fresh / "project", FLAT), fresh / "home")
    while True:
        history = Figure(seconds_per_task(old), seconds_per_task(new))
        one_dag = Figure(
            seconds_per_task_of_mapped(bench, "large", 100, bench.sized(40, small=10), bench.sized(25, small=5)),
            seconds_per_task_of_mapped(bench, "little", 100, 5, 2))
        yield {"scale-history": history, "scale-dag": one_dag,
               "scale-waiting": Figure(cpu_share_of_waiting(bench, bench.sized(50, small=10), 40, 25), 0.02)}


def idle_bytes(bench: Bench, texts: dict[str, str]) -> int:
    folder = bench.new_folder("idle")
    with Installation(write_project(folder / "project", texts), folder / "home") as etesian:
        etesian.settle()
        used = etesian.pss_bytes()
    shutil.rmtree(folder)
    return used


def bytes_per_running_task(bench: Bench, number: int) -> float:
    folder = bench.new_folder("running")
    project = write_project(folder / "project", {"sleep": dags.flat("sleep", number, SLEEP, ", how: {pool: sleepers}")},
                            settings=f"pools: {{default_pool: 128, sleepers: {number}}}\n")
    with Installation(project, folder / "home") as etesian:
        etesian.settle()
        before = etesian.pss_bytes()
        etesian.trigger("sleep")
        etesian.wait_pool("sleepers", running=number)
        etesian.settle()
        used = (etesian.pss_bytes() - before) / number
    shutil.rmtree(folder)
    return used


def bytes_after_tasks(bench: Bench, numbers: tuple[int, ...]) -> list[int]:
    """Memory at rest once that many tasks have run since the start, ascending."""
    folder = bench.new_folder("many")
    used, done = [], 0
    with Installation(write_project(folder / "project", FLAT), folder / "home") as etesian:
        for number in numbers:
            while done < number:
                etesian.seconds_of_runs(list(FLAT))
                done += DAGS * 100
            etesian.settle()
            used.append(etesian.pss_bytes())
    shutil.rmtree(folder)
    return used


@row("memory", {
    "memory-idle": Line("server and agent, idle, proportional set size", "MiB", "16 MiB", at_most(1)),
    "memory-dags": Line("… more with 10,000 DAGs of 10 tasks", "MiB", "bytes of their YAML", at_most(5)),
    "memory-running": Line("… more for each of 500 running tasks, without the tasks themselves", "KiB", "16 KiB",
                           at_most(1)),
    "memory-after": Line("… after 100,000 tasks (`--size full`: 1,000,000)", "MiB", "after 20,000 tasks", at_most(1.02)),
}, is_heavy=True)
def memory(bench: Bench) -> Rounds:
    many = {f"dag_{i}": dags.flat(f"dag_{i}", 10, TRUE) for i in range(bench.sized(10_000, small=200))}
    yaml_bytes = sum(map(len, many.values()))
    numbers = (bench.sized(20_000, small=2_000), bench.sized(100_000, small=4_000, full=1_000_000))
    while True:
        idle = idle_bytes(bench, {})
        loaded = idle_bytes(bench, many)
        running = bytes_per_running_task(bench, bench.sized(500, small=50))
        few, all_of_them = bytes_after_tasks(bench, numbers)
        yield {"memory-idle": Figure(idle / MIB, 16),
               "memory-dags": Figure((loaded - idle) / MIB, yaml_bytes / MIB),
               "memory-running": Figure(running / 1024, 16),
               "memory-after": Figure(all_of_them / MIB, few / MIB)}
