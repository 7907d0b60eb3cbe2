#!/usr/bin/env python3
"""kill -9 of the server, the agent and the Python host while official Airflow tasks run and rest.

usage: airflow_kill_test.py [--kills N] [--seed S]

Tasks that run are no children of what is killed: none may lose a try by it, none may run twice, and every report and
XCom that was acknowledged is there. Prints its seed; exit code 1 at the first broken promise.
"""
import argparse
import collections
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
import time

from etesian import ROOT, ApiError, Etesian, wait_until

PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))

DAG_FILE = """
import datetime
import os
import time

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, PokeReturnValue, task

EVIDENCE = {evidence!r}


def start(ti):
    # A second start of the same try is a broken promise.
    name = f"{{ti.dag_id}}.{{ti.run_id}}.{{ti.task_id}}.{{ti.map_index}}.{{ti.try_number}}"
    os.close(os.open(os.path.join(EVIDENCE, name), os.O_CREAT | os.O_EXCL | os.O_WRONLY))


for number in range({dags}):
    with DAG(f"kill_{{number}}", schedule=None, max_active_runs=100, is_paused_upon_creation=False) as dag:

        @task
        def make(ti):
            start(ti)
            time.sleep(0.3)
            return [1, 2, 3]

        @task
        def double(x, ti):
            start(ti)
            time.sleep(0.2 * x)
            return 2 * x

        @task.sensor(poke_interval=1, timeout=600, mode="reschedule")
        def looks_twice(ti):
            path = os.path.join(EVIDENCE, f"poke.{{ti.run_id}}.{{ti.dag_id}}")
            seen = os.path.exists(path)
            open(path, "a").close()
            return PokeReturnValue(is_done=seen)

        @task
        def total(values, ti):
            start(ti)
            return sum(values)

        wait = TimeDeltaSensor(task_id="wait", delta=datetime.timedelta(seconds=1), deferrable=True)
        doubled = double.expand(x=make())
        [wait, looks_twice(), BashOperator(task_id="shell", bash_command="sleep 0.5; echo {{{{ ti.task_id }}}}")] >> total(
            doubled)
"""
EXPECTED = {"total.-1": 12, "shell.-1": "shell"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Campaign:
    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.evidence = folder / "evidence"
        self.evidence.mkdir()
        dags = folder / "dags"
        dags.mkdir()
        (dags / "kill.py").write_text(DAG_FILE.format(evidence=str(self.evidence), dags=3))
        os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
        self.server = Etesian(dags, home=folder / "home", port=free_port())
        self.faults = collections.Counter()
        self.runs = []

    def hosts(self):
        """Pids of the Python host: the one whose parent is the server."""
        found = []
        for folder in pathlib.Path("/proc").iterdir():
            try:
                words = (folder / "cmdline").read_bytes()
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            if b"etesian_airflow" in words and parent == self.server.process.pid:
                found.append(int(folder.name))
        return found

    def kill(self):
        what = self.random.choice(["server", "server", "agent", "host"])
        if what == "server":
            self.server.kill_server()
            self.server.start()
        elif what == "agent":
            if not self.server.kill_agent():
                return
        else:
            hosts = self.hosts()
            if not hosts:
                return
            for pid in hosts:
                os.kill(pid, signal.SIGKILL)
        self.faults[what] += 1

    def feed(self):
        for number in range(3):
            try:
                self.runs.append((f"kill_{number}", self.server.trigger(f"kill_{number}")))
            except (ApiError, OSError):
                return

    def campaign(self, kills):
        self.server.start()
        wait_until(lambda: self.server.get("/api/v2/dags", limit=10)["total_entries"] == 3, 120, "the DAGs")
        while sum(self.faults.values()) < kills:
            if len(self.runs) < 30 or self.random.random() < 0.2:
                self.feed()
            time.sleep(self.random.uniform(0.05, 0.8))
            self.kill()

    def judge(self):
        problems = []
        for dag_id, run_id in self.runs:
            state = self.server.wait_run(dag_id, run_id, seconds=300)
            tasks = self.server.tasks(dag_id, run_id)
            tries = {key: row["try_number"] for key, row in tasks.items() if row["try_number"] != 1}
            if state != "success" or tries:
                problems.append(f"{dag_id}/{run_id}: {state}, tries {tries}, "
                                f"{ {k: t['state'] for k, t in tasks.items() if t['state'] != 'success'} }")
                for key in (k for k, t in tasks.items() if t["try_number"] and t["state"] != "success"):
                    problems.append(f"   log of {key}: {self.server.log(dag_id, run_id, key[0], 1, key[1])[-40:]}")
            path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
            for name, value in EXPECTED.items():
                task_id = name.split(".")[0]
                try:
                    found = self.server.get(f"{path}/{task_id}/xcomEntries/return_value")["value"]
                except ApiError as error:
                    found = error
                if found != value:
                    problems.append(f"{dag_id}/{run_id}/{task_id}: XCom {found!r} in place of {value!r}")
        return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="etesian-") as folder:
        campaign = Campaign(pathlib.Path(folder), options.seed)
        try:
            campaign.campaign(options.kills)
            problems = campaign.judge()
        finally:
            campaign.server.close()
    for problem in problems:
        print("BROKEN " + problem)
    print(f"{dict(campaign.faults)}: {len(campaign.runs)} runs, {len(problems)} problems")
    if not campaign.faults["server"] or not campaign.faults["host"]:
        problems.append("not every kind of kill happened")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
