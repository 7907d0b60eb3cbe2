#!/usr/bin/env python3
"""Benchmarks of the whole: each figure beside the floor of this machine, measured in the same run.

usage: ./dev bench [NAME ...] [--rounds N]

throughput   10 DAGs x 100 x /bin/true: API trigger -> every change durable -> logs captured -> run success
hop          a linear chain of 1,000
first-byte   POST trigger -> first byte of the task's output
memory       server + agent, idle
start        exec of `etesian up` -> ready
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/integration"))
from etesian import Etesian, wait_until, write_project  # noqa: E402

FLOOR = ROOT / "build/release/bin/agent_floor"


def floor(kind, count):
    return json.loads(subprocess.run([FLOOR, kind, str(count)], check=True, capture_output=True, text=True).stdout)


def project(folder):
    dags = {}
    for d in range(10):
        tasks = "".join(f"  t{t}: {{run: [/bin/true]}}\n" for t in range(100))
        dags[f"flat_{d}"] = f"dag: flat_{d}\nhow: {{max_active_tasks: 1000}}\ntasks:\n{tasks}"
    chain = "".join(f"  t{t}: {{run: [/bin/true]" + (f", after: t{t - 1}" if t else "") + "}\n" for t in range(1000))
    dags["chain"] = f"dag: chain\ntasks:\n{chain}"
    dags["byte"] = "dag: byte\ntasks:\n  t: {run: [echo, first]}\n"
    return write_project(folder, dags)


def seconds_of(run):
    def parse(text):
        return time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float("0" + text[19:].rstrip("Z") or 0)
    return parse(run["end_date"]) - parse(run["queued_at"]), parse(run["queued_at"]), parse(run["end_date"])


def wait_all(etesian, runs):
    for dag_id, run_id in runs:
        wait_until(lambda: etesian.run(dag_id, run_id)["state"] in ("success", "failed"), 300, f"{dag_id} to end")
        state = etesian.run(dag_id, run_id)["state"]
        if state != "success":
            raise SystemExit(f"{dag_id}/{run_id} is {state}: a benchmark of failures says nothing")


def throughput(etesian):
    bare = floor("spawn-floor", 1000)["tasks_per_s"]
    runs = [(f"flat_{d}", etesian.trigger(f"flat_{d}")) for d in range(10)]
    wait_all(etesian, runs)
    spans = [seconds_of(etesian.run(*run)) for run in runs]
    ours = 1000 / (max(s[2] for s in spans) - min(s[1] for s in spans))
    return ours, bare, ours / bare


def hop(etesian):
    bare = 1000 / floor("hop-floor", 1000)["tasks_per_s"]
    run = ("chain", etesian.trigger("chain"))
    wait_all(etesian, [run])
    ours = seconds_of(etesian.run(*run))[0]
    return ours, bare, ours / bare


def first_byte(etesian):
    bare = 1 / floor("hop-floor", 100)["tasks_per_s"]
    times = []
    for _ in range(20):
        begin = time.time()
        run_id = etesian.trigger("byte")
        etesian.wait_run("byte", run_id)
        line = etesian.get(f"/api/v2/dags/byte/dagRuns/{run_id.replace('+', '%2B')}/taskInstances/t/logs/1", map_index=-1)["content"]
        stamp = next(l["timestamp"] for l in line if l["event"] == "first")
        whole = time.mktime(time.strptime(stamp[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0" + stamp[19:].rstrip("Z"))
        times.append(whole - begin)
    ours = statistics.median(times)
    return ours, bare, ours / bare


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def memory(folder):
    with Etesian(folder / "empty", home=folder / "home-memory") as etesian:
        wait_until(lambda: etesian.agent_pid() is not None, 10, "the agent")
        time.sleep(1)
        server, agent = rss_mib(etesian.process.pid), rss_mib(etesian.agent_pid())
        return server + agent, 32.0, (server + agent) / 32


def start(folder):
    bare = 0.2
    home = folder / "home-start"
    with Etesian(folder / "empty", home=home):
        pass
    etesian = Etesian(folder / "empty", home=home)
    begin = time.monotonic()
    etesian.start(ready=False)
    etesian.wait_ready()
    took = time.monotonic() - begin
    etesian.close()
    return took, bare, took / bare


ROWS = {  # name: (what, unit of ours, what the floor is, goal)
    "throughput": ("10 DAGs x 100 x /bin/true", "tasks/s", "bare spawn + 2 pipes + reap, 2 threads", "above 0.4"),
    "hop": ("linear chain of 1,000", "s", "bare sequential spawn + wait", "below 3"),
    "first-byte": ("POST trigger to first byte", "s", "bare spawn + wait", ""),
    "memory": ("server + agent, idle", "MiB", "32 MiB", "below 1"),
    "start": ("exec to ready", "s", "0.2 s", ""),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=[], choices=[*ROWS, []], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    names = options.names or list(ROWS)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-bench-"))
    write_project(folder / "empty", {})
    results = {name: [] for name in names}
    try:
        with Etesian(project(folder / "project"), home=folder / "home") as etesian:
            for _ in range(options.rounds):  # Interleaved: a slow minute of the machine meets every row.
                for name, measure in (("throughput", throughput), ("hop", hop), ("first-byte", first_byte)):
                    if name in names:
                        results[name].append(measure(etesian))
        for name, measure in (("memory", memory), ("start", start)):
            if name in names:
                for _ in range(min(options.rounds, 3)):
                    results[name].append(measure(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{'':12} {'min':>10} {'median':>10} {'max':>10}  {'floor':>10} {'ratio':>7}  goal")
    for name in names:
        what, unit, floor_name, goal = ROWS[name]
        ours, bare, ratio = (sorted(column) for column in zip(*results[name]))
        middle = [statistics.median(column) for column in (ours, bare, ratio)]
        print(f"{name:12} {ours[0]:10.4g} {middle[0]:10.4g} {ours[-1]:10.4g}  {middle[1]:10.4g} {middle[2]:7.2f}  {goal}"
              f"   {what}, {unit}; floor: {floor_name}")


if __name__ == "__main__":
    main()
