#!/usr/bin/env python3
"""Etesian beside Airflow itself: the same DAG files, on the same machine, in the same run, one after the other.

usage: ./dev bench airflow [--rounds N] [--only PART[,PART]] [--skip-airflow]

memory       all processes of the service, idle and at the peak of the first workload (proportional set size)
throughput   10 DAGs x 100 x `true` by BashOperator: API trigger -> the last run has ended
hop          20 x `true` by BashOperator in a line: from one task's start to the next one's
first-byte   POST trigger -> the first line of a @task function
edit         one edited DAG file -> its new version is served
files        1,000 DAG files of 3 tasks: loaded into an empty installation, started again unchanged, then nothing to do
waits        1,000 deferrable TimeDeltaSensors: until all wait, and what waiting costs

Airflow 3.3.2 runs as `airflow standalone` runs it (API server, scheduler with the LocalExecutor, DAG processor,
triggerer), on a PostgreSQL of its own; everything has its default settings. Etesian runs twice: every task by the
official SDK (official), and what needs no Python by its own agent (native). Each round starts with empty installations.
The figures are also written to build/bench-airflow.json; --skip-airflow takes Airflow's from there.
"""
from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from typing import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench/airflow"))
import dag_files  # noqa: E402
from processes import Peak  # noqa: E402
from services import Airflow, Etesian, PostgreSQL, Service, run_path  # noqa: E402

RESULTS = ROOT / "build/bench-airflow.json"
PARTS = ("memory", "throughput", "hop", "first-byte", "edit", "files", "waits")
SYSTEMS = ("airflow", "official", "native")
IDLE_S = 30
SETTLE_S = 10
# What a clock of 10 ms can still tell from nothing in 30 seconds: 0.1 % of one processor.
NOTHING_S = 0.03


@dataclass(frozen=True)
class Goal:
    text: str
    is_met: Callable[[float, float], bool]  # our median, and what it is compared with


def times_faster(factor: float) -> Goal:
    return Goal(f"≥ {factor:g} ×", lambda ours, theirs: ours >= factor * theirs)


def at_most(factor: float) -> Goal:
    return Goal(f"≤ {factor:g} ×", lambda ours, theirs: ours <= factor * theirs)


def within(seconds: float) -> Goal:
    return Goal(f"≤ {seconds:g} s", lambda ours, _: ours <= seconds)


NOTHING = Goal("0", lambda ours, _: ours <= NOTHING_S)


@dataclass(frozen=True)
class Row:
    work: str
    unit: str
    goals: dict[str, Goal] = field(default_factory=dict)  # by system
    beside: str = "airflow"  # what the goal and the ratio are about


ROWS = {
    "throughput": Row("10 DAGs × 100 Bash `true`", "tasks/s",
                      {"official": times_faster(6), "native": times_faster(200)}),
    "hop": Row("a line of 20 Bash `true`, one hop", "s", {"official": at_most(0.15), "native": at_most(0.003)}),
    "first-byte": Row("POST trigger → first line of a Python task", "s",
                      {"official": at_most(0.05), "native": at_most(0.05)}),
    "memory-idle": Row("all processes, idle with these DAGs", "MiB",
                       {"official": at_most(0.15), "native": at_most(0.15)}),
    "memory-peak": Row("all processes, peak of the first workload", "MiB",
                       {"official": at_most(0.25), "native": at_most(0.25)}),
    "memory-processes": Row("their number, idle", ""),
    "memory-postgresql": Row("PostgreSQL beside them, idle", "MiB"),
    "edit": Row("one edited file → new version served", "s", {"official": within(1), "native": within(1)}),
    "files-cold": Row("1,000 files → all DAGs served; floor: each imported once, forked, on all processors", "s",
                      {"native": at_most(1.1)}, beside="floor"),
    "files-restart": Row("started again → each file parsed, or known to be unchanged", "s", {"native": within(1)}),
    "files-listed": Row("started again → all DAGs served", "s"),
    "files-idle": Row(f"nothing changes: processor time in {IDLE_S} s", "s", {"native": NOTHING}),
    "waits": Row("1,000 deferrable tasks → all wait", "s", {"official": at_most(0.1), "native": at_most(0.1)}),
    "waits-memory": Row("memory of triggerer; of all Python in Etesian", "MiB",
                        {"official": at_most(0.5), "native": at_most(0.5)}),
    "waits-cpu": Row(f"processor time of triggerer; of all of Etesian, in {IDLE_S} s", "s",
                     {"official": NOTHING, "native": NOTHING}),
    "waits-processes": Row("processes more than before they waited", "",
                           {"native": Goal("0", lambda ours, _: ours <= 0)}),
    "waits-all": Row("all processes while they wait", "MiB"),
}


class Figures:
    """Measured values by row and system; written down after each, so that an interrupted run is not lost."""

    def __init__(self, path: pathlib.Path):
        self.path = path
        self.document = json.loads(path.read_text()) if path.exists() else {}
        self.values: dict[str, dict[str, list[float]]] = self.document.setdefault("figures", {})
        self.renewed: set[tuple[str, str]] = set()

    def add(self, row: str, system: str, value: float) -> None:
        measured = self.values.setdefault(row, {}).setdefault(system, [])
        if (row, system) not in self.renewed:  # Those of an earlier run.
            self.renewed.add((row, system))
            measured.clear()
        measured.append(value)
        self.document.setdefault("measured", {})[system] = datetime.datetime.now().isoformat(timespec="minutes")
        self.document["machine"] = f"{os.cpu_count()} processors, {platform.platform()}"
        self.path.write_text(json.dumps(self.document, indent=1) + "\n")
        say(f"  {system} {row}: {value:.4g} {ROWS[row].unit}")

    def median(self, row: str, system: str) -> float | None:
        values = self.values.get(row, {}).get(system)
        return statistics.median(values) if values else None


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def seconds_of(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


# ---- the parts: each yields (row, value) ----

Values = Iterator[tuple[str, float]]


def idle_memory(service: Service) -> Values:
    time.sleep(SETTLE_S)
    mib, count = service.memory()
    yield "memory-idle", mib
    yield "memory-processes", count
    if isinstance(service, Airflow):
        yield "memory-postgresql", service.postgres.memory_mib()


def throughput(service: Service) -> Values:
    dag_ids = [f"flat_{number}" for number in range(dag_files.FLAT_DAGS)]
    for dag_id in dag_ids:
        service.unpause(dag_id)
    with Peak(service.keeper.pid) as peak:
        begin = time.time()
        runs = service.wait_runs([(dag_id, service.trigger(dag_id)) for dag_id in dag_ids], 3600)
    took = max(seconds_of(run["end_date"]) for run in runs) - begin
    yield "throughput", dag_files.FLAT_DAGS * dag_files.FLAT_TASKS / took
    yield "memory-peak", peak.mib


def hop(service: Service) -> Values:
    service.unpause("chain")
    run_id = service.trigger("chain")
    service.wait_runs([("chain", run_id)], 600)
    rows = service.rest.get(run_path("chain", run_id) + "/taskInstances", limit=100)["task_instances"]
    starts = sorted(seconds_of(row["start_date"]) for row in rows)
    yield "hop", (starts[-1] - starts[0]) / (len(starts) - 1)


def first_byte(service: Service, path: pathlib.Path) -> Values:
    service.unpause("stamp")
    for _ in range(5):
        path.unlink(missing_ok=True)
        begin = time.time()
        run_id = service.trigger("stamp")
        service.wait_runs([("stamp", run_id)], 300)
        yield "first-byte", int(path.read_text()) / 1e9 - begin


def edit(service: Service, folder: pathlib.Path) -> Values:
    for number, pause_s in enumerate((3, 13, 23), 1):  # Airflow looks at a file every 30 seconds: at any time between.
        time.sleep(pause_s)
        begin = time.monotonic()
        task_id = dag_files.write_edit(folder, number)

        def served() -> bool:
            tasks = service.rest.get("/api/v2/dags/edited/tasks")["tasks"]
            return [task["task_id"] for task in tasks] == [task_id]
        service.wait(served, 600, "the edited DAG")
        yield "edit", time.monotonic() - begin


def files(service: Service, count: int) -> Values:
    begin = time.monotonic()
    service.launch()
    service.wait_answers()
    service.wait_dags(count, 1800)
    yield "files-cold", time.monotonic() - begin
    service.wait(service.is_healthy, 120, "all parts to be healthy")
    service.stop()
    begin, moment = time.monotonic(), time.time()
    service.launch()
    service.wait_answers()
    service.wait_dags(count, 1800)
    yield "files-listed", time.monotonic() - begin
    service.wait(lambda: service.parsed_since(moment), 1800, "all files to be checked")
    yield "files-restart", time.monotonic() - begin
    time.sleep(SETTLE_S)
    before = service.cpu_s()
    time.sleep(IDLE_S)
    yield "files-idle", service.cpu_s() - before


def waits(service: Service) -> Values:
    dag_ids = [f"waits_{number}" for number in range(dag_files.WAITS_DAGS)]
    for dag_id in dag_ids:
        service.unpause(dag_id)
    time.sleep(SETTLE_S)
    _, count = service.memory()
    begin = time.monotonic()
    for dag_id in dag_ids:
        service.trigger(dag_id)

    def all_wait() -> bool:
        rows = service.rest.get("/api/v2/dags/~/dagRuns/~/taskInstances", state="deferred", limit=1)
        return rows["total_entries"] == dag_files.WAITS_DAGS * dag_files.WAITS_TASKS
    service.wait(all_wait, 1800, "all tasks to wait")
    yield "waits", time.monotonic() - begin
    time.sleep(SETTLE_S)
    yield "waits-memory", service.waiting_memory_mib()
    mib, count_now = service.memory()
    yield "waits-all", mib
    yield "waits-processes", count_now - count
    before = service.waiting_cpu_s()
    time.sleep(IDLE_S)
    yield "waits-cpu", service.waiting_cpu_s() - before


class Bench:
    """One run of the benchmark, in a temporary folder."""

    def __init__(self, folder: pathlib.Path, parts: list[str], figures: Figures):
        self.folder, self.parts, self.figures = folder, parts, figures
        self.postgres: PostgreSQL | None = None
        self.homes = 0

    def service(self, system: str, dags: pathlib.Path) -> Service:
        self.homes += 1
        home = self.folder / f"home-{self.homes}"
        if system == "airflow":
            return Airflow(home, dags, self.postgres)
        return Etesian(home, dags, native_lane=system == "native")

    def record(self, system: str, values: Values) -> None:
        for row, value in values:
            self.figures.add(row, system, value)

    def measure(self, system: str) -> None:
        self.work(system)
        if "files" in self.parts and system != "official":  # No task runs there: the lanes are the same.
            dags = self.folder / "many"
            count = dag_files.write_many(dags)
            with self.service(system, dags) as service:
                self.record(system, files(service, count))
            shutil.rmtree(dags)
        if "waits" in self.parts:
            dags = self.folder / "waits"
            count = dag_files.write_waits(dags)
            with self.service(system, dags) as service:
                service.start(count)
                self.record(system, waits(service))
            shutil.rmtree(dags)

    def work(self, system: str) -> None:
        """The parts that share one installation."""
        if not set(self.parts) & {"memory", "throughput", "hop", "first-byte", "edit"}:
            return
        dags, stamp = self.folder / "work", self.folder / "stamp"
        count = dag_files.write_work(dags, stamp)
        with self.service(system, dags) as service:
            service.start(count)
            if "memory" in self.parts:
                self.record(system, idle_memory(service))
            if "throughput" in self.parts or "memory" in self.parts:
                self.record(system, throughput(service))
            if "hop" in self.parts:
                self.record(system, hop(service))
            if "first-byte" in self.parts:
                self.record(system, first_byte(service, stamp))
            if "edit" in self.parts:
                self.record(system, edit(service, dags))
        shutil.rmtree(dags)

    def floor(self) -> None:
        if "files" in self.parts:
            dags = self.folder / "many"
            dag_files.write_many(dags)
            words = [Etesian.python, ROOT / "bench/airflow/import_floor.py", dags]
            environment = {"PATH": os.environ["PATH"], "AIRFLOW_HOME": str(self.folder / "floor")}
            done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            self.figures.add("files-cold", "floor", float(done.stdout.split()[-1]))
            shutil.rmtree(dags)


NAMES = {"airflow": "Airflow", "official": "Etesian, official", "native": "Etesian, native", "floor": "floor"}
COLUMNS = ("name", "work", "who", "min", "median", "max", "ratio", "goal", "verdict")


def table(figures: Figures, parts: list[str]) -> list[tuple[str, ...]]:
    lines = [COLUMNS, ("---",) * len(COLUMNS)]
    for name, row in ROWS.items():
        if not name.startswith(tuple(parts)):
            continue
        measured = figures.values.get(name, {})
        title = (name, row.work + (f", {row.unit}" if row.unit else ""))
        theirs = figures.median(name, row.beside)
        for system in ("airflow", "floor", "official", "native"):
            if not measured.get(system):
                continue
            values = sorted(measured[system])
            ours, goal = statistics.median(values), row.goals.get(system)
            compared = theirs is not None and system in ("official", "native")
            ratio = f"{ours / theirs:,.3g}" if compared and theirs else ""
            verdict = ""
            if goal:
                needs = theirs is None and "×" in goal.text
                verdict = "?" if needs else "met" if goal.is_met(ours, theirs or 0.0) else "missed"
            numbers = (f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in (values[0], ours, values[-1]))
            lines.append((*title, NAMES[system], *numbers, ratio, goal.text if goal else "", verdict))
            title = ("", "")
    return lines


def show(lines: list[tuple[str, ...]]) -> None:
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    for line in lines:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", metavar="PART[,PART]", help=", ".join(PARTS))
    parser.add_argument("--skip-airflow", action="store_true", help="Airflow's figures come from an earlier run")
    parser.add_argument("--skip-etesian", action="store_true", help="the same for Etesian's")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, metavar="FILE", help="figures as JSON")
    options = parser.parse_args()
    parts = options.only.split(",") if options.only else list(PARTS)
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; parts are {', '.join(PARTS)}")
    skipped = {"airflow": options.skip_airflow, "official": options.skip_etesian, "native": options.skip_etesian}
    systems = [system for system in SYSTEMS if not skipped[system]]
    figures = Figures(options.results)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-bench-airflow-"))
    folder.chmod(0o711)  # PostgreSQL, another user, has its folder below.
    bench = Bench(folder, parts, figures)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # Through the blocks that end what was started.
    begin = time.monotonic()
    try:
        with contextlib.ExitStack() as stack:
            if "airflow" in systems:
                bench.postgres = stack.enter_context(PostgreSQL(folder / "postgresql"))
            for number in range(options.rounds):
                say(f"round {number + 1} of {options.rounds}")
                if "native" in systems:
                    bench.floor()
                for system in systems:
                    bench.measure(system)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    say(f"measured in {(time.monotonic() - begin) / 60:.0f} minutes")
    show(table(figures, parts))
    for system, when in sorted(figures.document.get("measured", {}).items()):
        print(f"{NAMES[system]}: measured {when}")


if __name__ == "__main__":
    main()
