"""Deciding, timing and starting again: what the engine does besides running tasks."""
from __future__ import annotations

import datetime
import pathlib
import random
import shutil
import subprocess
import time

from rows import dags
from rows.installation import Installation, run_path, seconds_of, until, write_project
from rows.row import ROOT, Bench, Figure, Line, Rounds, at_least, at_most, percentile, program, row


@row("decide", {
    "decide": Line("10 DAGs × 100 tasks × 100 runs over an executor that answers at once, durable", "tasks/s",
                   "bare inserts and 2 updates a task in groups of 256", at_least(0.50)),
})
def decide(bench: Bench) -> Rounds:
    runs = bench.sized(100, small=5)
    while True:
        measured = program("decide_bench", runs, bench.folder)
        yield {"decide": Figure(measured["tasks_per_s"], measured["bare_tasks_per_s"])}


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Seoul", "Asia/Kolkata",
         "Australia/Sydney", "Africa/Cairo", "Pacific/Auckland", "America/Los_Angeles")


def cron_lines(number: int) -> str:
    """Zone, tab, expression: the same ones each time."""
    chosen = random.Random(1)
    fields = (("0", "17", "*/5", "*/15", "3-40/7", "0,30"), ("*", "3", "12", "*/4", "9-17", "6,18"),
              ("*", "*", "*", "1", "15", "1-7"), ("*", "*", "*", "1-6"), ("*", "*", "1-5", "1", "6,0"))
    return "".join(f"{chosen.choice(ZONES)}\t{' '.join(map(chosen.choice, fields))}\n" for _ in range(number))


def croniter_python() -> pathlib.Path:
    """The Python of build/bench-venv, made with the pinned croniter where it is not there."""
    venv, wanted = ROOT / "build/bench-venv", ROOT / "bench/cron/requirements.txt"
    stamp = venv / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        shutil.rmtree(venv, ignore_errors=True)
        subprocess.run(["python3", "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted], check=True)
        shutil.copy(wanted, stamp)
    return venv / "bin/python"


@row("cron", {
    "cron": Line("next fire time, over 1,000 expressions with zones", "fires/s", "croniter", at_least(200)),
})
def cron(bench: Bench) -> Rounds:
    lines, python = cron_lines(1000), croniter_python()
    while True:
        theirs = program(python, ROOT / "bench/cron/croniter_floor.py", 10, input=lines)
        if program("cron_bench", 10, input=lines)["last_sum"] != theirs["last_sum"]:
            raise RuntimeError("croniter comes to other instants")
        ours = program("cron_bench", 1000, input=lines)
        yield {"cron": Figure(1 / ours["next_s"], 1 / theirs["next_s"])}


LATE_PERIOD_MS = 100
LATE_DAGS = 10  # One second is the shortest period of a DAG.


def seconds_until_all_are_made(bench: Bench, number: int) -> float:
    """DAGs that are due in the same second, each once; from that second until their runs are stored."""
    folder = bench.new_folder("schedules")
    loading = 10 + number / 1000
    due = datetime.datetime.fromtimestamp(int(time.time() + loading), datetime.UTC)
    when = f"{{dates: ['{due:%Y-%m-%dT%H:%M:%SZ}'], start: 2020-01-01, catchup: true}}"
    (folder / "project/dags").mkdir(parents=True)
    for i in range(number):
        (folder / f"project/dags/due_{i}.yaml").write_text(f"dag: due_{i}\nwhen: {when}\ntasks: {{t: {{}}}}\n")
    with Installation(folder / "project", folder / "home") as etesian:
        if etesian.count("/api/v2/dags/~/dagRuns") or time.time() > due.timestamp() - 1:
            raise RuntimeError(f"{number} DAGs were not loaded within {loading:g} s, when they were due")
        time.sleep(due.timestamp() - time.time())
        until(lambda: etesian.count("/api/v2/dags/~/dagRuns") == number, "all runs to be there", every_s=0.02,
              within_s=60)
        took = time.time() - due.timestamp()
    shutil.rmtree(folder)
    return took


def lateness(bench: Bench, samples: int) -> Figure:
    """p99 of DAGs that run every second, a tenth of it apart, beside a thread that sleeps until the same instants."""
    folder = bench.new_folder("late")
    first = datetime.datetime.fromtimestamp(int(time.time()) + 2, datetime.UTC)
    texts = {}
    for i in range(LATE_DAGS):
        start = first + datetime.timedelta(milliseconds=i * LATE_PERIOD_MS)
        when = f"when: {{every: 1s, start: '{start:%Y-%m-%dT%H:%M:%S.%fZ}', catchup: true}}\n"
        texts[f"late_{i}"] = dags.dag(f"late_{i}", ["t: {}"], head=when)
    with Installation(write_project(folder / "project", texts), folder / "home") as etesian:
        until(lambda: etesian.count("/api/v2/dags/~/dagRuns") >= LATE_DAGS, "the first runs", every_s=0.05)
        floor = program("timer_floor", samples, LATE_PERIOD_MS)
        runs = etesian.runs("~", order_by="run_after")[LATE_DAGS:]
    late = [seconds_of(run["queued_at"]) - seconds_of(run["run_after"]) for run in runs]
    if len(late) < samples - LATE_DAGS:
        raise RuntimeError(f"{len(late)} runs in {samples * LATE_PERIOD_MS} ms")
    return Figure(percentile(late, 99), floor["p99_s"])


@row("schedules", {
    "schedules": Line("20,000 DAGs due in one second (`--size full`: 100,000): all runs durable", "s", "1 s", at_most(1)),
    "schedules-late": Line("ten DAGs that run every second, in turns: lateness of the decision, p99", "s",
                           "bare clock_nanosleep, p99", at_most(2)),
}, is_heavy=True)
def schedules(bench: Bench) -> Rounds:
    number = bench.sized(20_000, small=500, full=100_000)
    while True:
        yield {"schedules": Figure(seconds_until_all_are_made(bench, number), 1),
               "schedules-late": lateness(bench, bench.sized(100, small=20))}


def write_recovery_project(folder: pathlib.Path, running: int, waiting: tuple[int, int, int]) -> pathlib.Path:
    sleep = "[/bin/sleep, '3600']"
    return write_project(folder / "project", {
        "running": dags.flat("running", running, sleep, ", how: {pool: running}"),
        "holder": dags.dag("holder", [f"t: {{run: {sleep}, how: {{pool: taken}}}}"]),
        "waiting": dags.mapped("waiting", *waiting, "[/bin/true]", ", how: {pool: taken}"),
        "probe": dags.dag("probe", [f"first: {{run: 'while ! test -e {folder}/go; do sleep 0.01; done'}}",
                                    "next: {run: [/bin/true], after: first}"]),
    }, settings=f"pools: {{default_pool: 128, running: {running}, taken: 1}}\n")


def select_seconds(etesian: Installation, folder: pathlib.Path) -> float:
    """Plain SELECTs of the unfinished rows, in a copy of the database as the crash left it."""
    folder.mkdir()
    for path in etesian.home.glob("etesian.db*"):
        shutil.copy(path, folder)
    took = program("select_floor", folder / "etesian.db")["seconds"]
    shutil.rmtree(folder)
    return took


@row("recovery", {
    "recovery": Line("kill -9 of the server with 100,000 tasks waiting and 1,000 running → first new task started", "s",
                     "100 ms + 1.5 × plain SELECT of the active rows", at_most(1)),
}, is_heavy=True)
def recovery(bench: Bench) -> Rounds:
    running = bench.sized(1000, small=20)
    waiting = (bench.sized(100, small=10), bench.sized(40, small=10), bench.sized(25, small=10))
    while True:
        folder = bench.new_folder("recovery")
        with Installation(write_recovery_project(folder, running, waiting), folder / "home") as etesian:
            etesian.trigger("running")
            etesian.trigger("holder")
            etesian.wait_pool("taken", running=1)
            etesian.wait_pool("running", running=running)
            probe = etesian.trigger("probe")
            etesian.trigger("waiting")
            etesian.wait_pool("taken", running=1, scheduled=waiting[0] * waiting[1] * waiting[2])
            etesian.kill_server()
            # What the probe waits for happens while there is no server: its follower is the first new task.
            (folder / "go").touch()
            time.sleep(0.5)
            select = select_seconds(etesian, folder / "copy")
            begin = time.time()
            etesian.start(ready=False)
            etesian.wait_ready()
            client = etesian.connect()
            path = run_path("probe", probe) + "/taskInstances/next"
            until(lambda: client.get(path)["start_date"] is not None, "the follower to start", every_s=0.01)
            took = seconds_of(client.get(path)["start_date"]) - begin
        shutil.rmtree(folder)
        yield {"recovery": Figure(took, 0.1 + 1.5 * select)}
