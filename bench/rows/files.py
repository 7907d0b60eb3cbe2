"""From files to DAGs, and from a stopped installation to one that works."""
from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import time

from rows import dags
from rows.installation import Installation, until, write_project
from rows.row import Bench, Figure, Line, Rounds, at_most, percentile, program, row

TRUE = "[/bin/true]"
EDIT_PAUSE_S = 0.1


def project_of(folder: pathlib.Path, number: int) -> pathlib.Path:
    return write_project(folder, {f"dag_{i}": dags.flat(f"dag_{i}", 10, TRUE) for i in range(number)})


def seconds_to_load(etesian: Installation, number: int) -> float:
    """From exec until all DAGs are served."""
    begin = time.monotonic()
    etesian.start()
    until(lambda: etesian.count("/api/v2/dags") == number, "all DAGs to be served", every_s=0.005)
    return time.monotonic() - begin


def seconds_of_rescan(etesian: Installation) -> float:
    """Processor time of looking at every file again, which a new file beside etesian.yaml makes the server do."""
    etesian.settle()
    before = etesian.cpu_seconds()
    (etesian.project / "README").write_text(str(before))
    time.sleep(0.1)
    etesian.settle()
    return etesian.cpu_seconds() - before


def seconds_of_edits(etesian: Installation, number: int, edits: int) -> list[float]:
    """From the new file in its place until its tasks are served."""
    took = []
    for edit in range(edits):
        name = f"dag_{edit * 7 % number}"
        task = f"new_{time.time_ns()}"
        request = etesian.client.request("GET", f"/api/v2/dags/{name}/tasks")
        etesian.client.send(request)
        begin = replace_file(etesian.home / "new.yaml", etesian.project / f"dags/{name}/dag.yaml",
                             dags.dag(name, [f"{task}: {{run: {TRUE}}}"]))
        until(lambda: task.encode() in etesian.client.send(request), "the edit to be served", every_s=0.0005, within_s=60)
        took.append(time.monotonic() - begin)
        time.sleep(EDIT_PAUSE_S)
    return took


def replace_file(draft: pathlib.Path, path: pathlib.Path, text: str) -> float:
    """As editors do, so that it is never there by half. Returns when."""
    draft.write_text(text)
    begin = time.monotonic()
    os.replace(draft, path)
    return begin


def scheduled_installation(bench: Bench, number: int) -> Installation:
    """One that knows that many DAGs with a schedule; stopped."""
    folder = bench.new_folder("scheduled")
    (folder / "project/dags").mkdir(parents=True)
    for i in range(number):
        (folder / f"project/dags/daily_{i}.yaml").write_text(
            f"dag: daily_{i}\nwhen: '{i % 60} {i // 60 % 24} * * *'\ntasks: {{t: {{}}}}\n")
    etesian = Installation(folder / "project", folder / "home")
    with contextlib.closing(etesian):
        seconds_to_load(etesian, number)
    return etesian


@row("load", {
    "load-cold": Line("10,000 YAML files of 10 tasks into an empty installation → all DAGs served", "s",
                      "read + libyaml's events", at_most(2)),
    "load-rescan": Line("… nothing changed: all looked at again, processor time", "s", "stat of all files", at_most(2)),
    "load-edit": Line("… one edited → its tasks are served, p99", "s", "20 ms", at_most(1)),
    "load-restart": Line("restart with 100,000 schedules → ready", "s", "1 s", at_most(1)),
}, is_heavy=True)
def load(bench: Bench) -> Rounds:
    number = bench.sized(10_000, small=200)
    scheduled = scheduled_installation(bench, bench.sized(100_000, small=500))
    while True:
        folder = bench.new_folder("load")
        project = project_of(folder / "project", number)
        parse = program("files_floor", "parse", project / "dags")["seconds"]
        stat = program("files_floor", "stat", project / "dags")["seconds"]
        with contextlib.closing(Installation(project, folder / "home")) as etesian:
            cold = seconds_to_load(etesian, number)
            rescan = seconds_of_rescan(etesian)
            edits = seconds_of_edits(etesian, number, bench.sized(100, small=10))
        shutil.rmtree(folder)
        with contextlib.closing(scheduled):
            restart = scheduled.seconds_to_ready()
        yield {"load-cold": Figure(cold, parse), "load-rescan": Figure(rescan, stat),
               "load-edit": Figure(percentile(edits, 99), 0.02), "load-restart": Figure(restart, 1)}


@row("start", {
    "start": Line("exec of `etesian up` on an installation with 1,000 DAGs → ready", "s", "0.2 s", at_most(1)),
})
def start(bench: Bench) -> Rounds:
    folder = bench.new_folder("start")
    number = bench.sized(1000, small=50)
    etesian = Installation(project_of(folder / "project", number), folder / "home")
    with contextlib.closing(etesian):
        seconds_to_load(etesian, number)
    while True:
        with contextlib.closing(etesian):
            took = etesian.seconds_to_ready()
        yield {"start": Figure(took, 0.2)}
