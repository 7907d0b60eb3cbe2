#!/usr/bin/env python3
"""kill -9 of the server, the agent and both under load: no lost or doubled try, no lost log line, no wrong state.

usage: kill_test.py [--kills N] [--seed S] [--what server,agent,both,recovery,keeper]

agent is the agent's worker, which its keeper survives. With keeper both die at once: then what a task had written but
nobody had read may be lost, and the log of that try has to say that it is cut.

Every task proves itself: a file made with O_EXCL for each try (I2), a lock held while it runs (I1), numbered lines
(I11). Prints its seed; the same seed kills in the same pattern. Exit code 1 at the first broken promise.
"""
import argparse
import collections
import concurrent.futures
import pathlib
import random
import shutil
import sys
import tempfile
import time

from etesian import ApiError, Etesian, wait_until, write_project

DAGS, TASKS, LINES = 10, 10, 40

TASK = """#!/bin/sh
# Leaves evidence of each start, of each overlap, and numbered lines on both streams.
name="$ETESIAN_DAG_ID.$(echo "$ETESIAN_RUN_ID" | tr -c 'A-Za-z0-9\\n' _).$ETESIAN_TASK_ID"
if ! (set -C; : > "$EVIDENCE/start.$name.$ETESIAN_TRY_ID") 2>/dev/null; then
  : > "$EVIDENCE/DOUBLE.$name.$ETESIAN_TRY_ID"
fi
exec 9> "$EVIDENCE/lock.$name"
flock -n 9 || : > "$EVIDENCE/OVERLAP.$name.$ETESIAN_TRY_ID"
i=1
while [ $i -le %d ]; do
  echo "line $i"
  [ $((i %% 10)) -eq 0 ] && { echo "error line $i" >&2; sleep 0.0$((i / 10)); }
  i=$((i + 1))
done
: > "$EVIDENCE/end.$name.$ETESIAN_TRY_ID"
""" % LINES


def make_project(folder, evidence):
    dags = {}
    for d in range(DAGS):
        tasks = "".join(
            f"  t{t}:\n    run: [commands/task.sh]\n" + (f"    after: t{t // 2}\n" if t else "") for t in range(TASKS))
        dags[f"load_{d}"] = (f"dag: load_{d}\nhow: {{retries: 0, env: {{EVIDENCE: {evidence}}}}}\n"
                             f"when: {{max_active_runs: 2}}\ntasks:\n{tasks}")
    project = write_project(folder, dags)
    for d in range(DAGS):
        commands = project / "dags" / f"load_{d}" / "commands"
        commands.mkdir(exist_ok=True)
        (commands / "task.sh").write_text(TASK)
        (commands / "task.sh").chmod(0o755)
    return project


class Campaign:
    def __init__(self, seed, folder):
        self.random = random.Random(seed)
        self.folder = pathlib.Path(folder)
        self.evidence = self.folder / "evidence"
        self.evidence.mkdir()
        self.etesian = Etesian(make_project(self.folder / "project", self.evidence), home=self.folder / "home")
        self.acknowledged = []  # Runs that the API promised.
        self.faults = collections.Counter()
        self.alive_tasks_at_kill = 0
        self.cut_logs = 0
        self.run_again = 0  # Tries of tasks whose end nobody could learn.

    def feed(self):
        """Keeps work in the house; what the API acknowledges is remembered (I14)."""
        for d in range(DAGS):
            try:
                self.acknowledged.append((f"load_{d}", self.etesian.trigger(f"load_{d}")))
            except (ApiError, OSError):
                return

    def strike(self, what):
        starts = len(list(self.evidence.glob("start.*")))
        ends = len(list(self.evidence.glob("end.*")))
        self.alive_tasks_at_kill += starts - ends
        if what in ("agent", "both") and self.etesian.kill_agent():
            self.faults["agent"] += 1
        if what == "keeper":
            self.etesian.kill_agent_and_keeper()
            self.faults["agent and keeper"] += 1
        if what in ("server", "both", "recovery"):
            self.etesian.kill_server()
            self.faults["server"] += 1
            self.etesian.start(ready=False)
        for _ in range(3 if what == "recovery" else 0):
            time.sleep(self.random.uniform(0, 0.15))
            self.etesian.kill_server()
            self.faults["during recovery"] += 1
            self.etesian.start(ready=False)
        self.etesian.wait_ready()

    def finish(self):
        def all_ended():
            for d in range(DAGS):
                if self.etesian.get(f"/api/v2/dags/load_{d}/dagRuns", state=["queued", "running"], limit=1)["total_entries"]:
                    return False
            return True
        wait_until(all_ended, 300, "every run to end")

    def check(self):
        broken = [p.name for p in self.evidence.iterdir() if p.name.startswith(("DOUBLE", "OVERLAP"))]
        known = {(f"load_{d}", run["dag_run_id"]): run for d in range(DAGS) for run in self.etesian.runs(f"load_{d}")}
        for key in self.acknowledged:
            if key not in known:
                broken.append(f"{key}: acknowledged and lost")
        tries = lines = retried = 0
        for (dag_id, run_id), run in known.items():
            if run["state"] != "success":
                broken.append(f"{dag_id}/{run_id} is {run['state']}")
        pool = concurrent.futures.ThreadPoolExecutor(4)
        for wrong, count in pool.map(self.check_run, known):
            broken += wrong
            tries += count
            lines += count * (LINES + LINES // 10)
        return broken, tries, lines

    def check_run(self, key):
        dag_id, run_id = key
        wrong = []
        tasks = self.etesian.tasks(dag_id, run_id)
        if len(tasks) != TASKS:
            wrong.append(f"{dag_id}/{run_id}: {len(tasks)} tasks")
        for (task_id, _), row in tasks.items():
            where = f"{dag_id}/{run_id}/{task_id}"
            if row["state"] != "success":
                wrong.append(f"{where} is {row['state']}")
                continue
            self.run_again += row["try_number"] - 1
            verdict = self.etesian.verify_log(dag_id, run_id, task_id, row["try_number"])
            if self.faults["agent and keeper"] and verdict["message"].startswith("cut at its end"):
                self.cut_logs += 1
                continue
            if not verdict["complete"]:
                wrong.append(f"{where}: {verdict['message']}")
            log = [line for line in self.etesian.log(dag_id, run_id, task_id, row["try_number"]) if line[0] != "system"]
            out = [text for stream, text in log if stream == "stdout"]
            err = [text for stream, text in log if stream == "stderr"]
            if out != [f"line {i}" for i in range(1, LINES + 1)] or len(err) != LINES // 10:
                wrong.append(f"{where}: log has {len(out)} + {len(err)} lines: {log[:3]} …")
        return wrong, len(tasks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--what", default="server,server,agent,both,recovery")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    folder = tempfile.mkdtemp(prefix="etesian-kill-")
    campaign = Campaign(options.seed, folder)
    try:
        campaign.etesian.start()
        kinds = options.what.split(",")
        while sum(campaign.faults.values()) < options.kills:
            campaign.feed()
            time.sleep(campaign.random.uniform(0, 1.0))
            campaign.strike(campaign.random.choice(kinds))
        campaign.finish()
        broken, tries, lines = campaign.check()
    finally:
        campaign.etesian.close()
    print(f"faults {dict(campaign.faults)}; tasks alive at a kill {campaign.alive_tasks_at_kill}; "
          f"{len(campaign.acknowledged)} runs, {tries} tasks, {lines} lines checked, "
          f"{campaign.cut_logs} logs cut and marked, {campaign.run_again} tasks run again after an unknown end")
    if campaign.alive_tasks_at_kill == 0:
        broken.append("no task was alive at any kill: the test tested nothing")
    for sentence in broken[:50]:
        print("BROKEN", sentence)
    if broken:
        print(f"replay with --seed {options.seed} --kills {options.kills}; state kept in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
