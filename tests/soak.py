#!/usr/bin/env python3
"""Long campaigns. usage: ./dev soak [sim|kill|timetable|airflow|all] [--hours H]

sim        the deterministic simulation over fresh seeds, until the time is over
kill       kill -9 of server, agent and both, 1,000 kills a round
timetable  random schedules against the minute-walking oracle
airflow    random Airflow DAGs against Airflow's own code, and kills under official tasks
Each round prints its seed; a failure stops with what replays it.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def run(words, **environment):
    print("+", " ".join(f"{k}={v}" for k, v in environment.items()), *words, flush=True)
    if subprocess.run(words, cwd=ROOT, env=dict(os.environ, **environment)).returncode != 0:
        sys.exit("failed: replay with the line above")


def sim(seed):
    run(["build/release/bin/sim_test"], ETESIAN_SEED=str(seed), ETESIAN_SEEDS="10000")


def kill(seed):
    run([sys.executable, "tests/integration/kill_test.py", "--kills", "1000", "--seed", str(seed)])


def timetable(seed):
    run(["build/release/bin/timetable_test", "--gtest_filter=*Propert*"], ETESIAN_SEED=str(seed), ETESIAN_CASES="100000")


def airflow(seed):
    folder = "tests/integration/"
    run([sys.executable, folder + "airflow_differential_test.py", "--count", "500", "--seed", str(seed)])
    run([sys.executable, folder + "airflow_kill_test.py", "--kills", "200", "--seed", str(seed)])


CAMPAIGNS = {"sim": sim, "kill": kill, "timetable": timetable, "airflow": airflow}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="all", choices=[*CAMPAIGNS, "all"])
    parser.add_argument("--hours", type=float, default=2)
    options = parser.parse_args()
    chosen = list(CAMPAIGNS.values()) if options.name == "all" else [CAMPAIGNS[options.name]]
    end, seed = time.monotonic() + options.hours * 3600, int(time.time())
    while time.monotonic() < end:
        for campaign in chosen:
            campaign(seed)
        seed += 10_000
    print("soak ended without a failure")


if __name__ == "__main__":
    main()
