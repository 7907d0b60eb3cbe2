#!/usr/bin/env python3
"""Record what Airflow itself does with its example DAGs into expected.json. Takes some twenty minutes on two cores.

Airflow runs as for `./dev bench airflow`, whose environments must have been made: all its components, on PostgreSQL.

usage: record.py [--output expected.json] [--only DAG,…] [--python PATH]
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import examples

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "bench/airflow"))

import services  # noqa: E402

# Of the caller, for pip: the examples with virtual environments install packages.
PASSED_ON = ("PIP_INDEX_URL", "PIP_CERT", "PIP_CONFIG_FILE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy",
             "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def import_errors(airflow: services.Airflow) -> dict[str, str]:
    """What `airflow dags list-import-errors` says when all files have been parsed: {file: last line}."""
    words = [str(airflow.python), "-m", "airflow"]
    subprocess.run([*words, "dag-processor", "--num-runs", "1"], env=airflow.environment(), stdout=subprocess.PIPE,
                   stderr=subprocess.STDOUT, check=True)
    done = subprocess.run([*words, "dags", "list-import-errors", "-o", "json"], env=airflow.environment(),
                          stdout=subprocess.PIPE, text=True, check=False)
    start = done.stdout.rfind('[{"')  # Log lines come before.
    rows = json.loads(done.stdout[start:]) if start >= 0 else []
    return {row["filepath"].rpartition("/dags/")[2]: row["error"].strip().splitlines()[-1] for row in rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=HERE / "expected.json")
    parser.add_argument("--seconds", type=float, default=3000)
    parser.add_argument("--only", default="", help="record these anew, and keep what is recorded of the others")
    parser.add_argument("--python", type=pathlib.Path, help="another one with the packages of build/airflow-bench")
    arguments = parser.parse_args()
    if arguments.python:
        services.Airflow.python = arguments.python
    only = {name for name in arguments.only.split(",") if name}
    record = json.loads(arguments.output.read_text()) if only else {}
    site_packages = next((ROOT / "build/airflow/lib").glob("python3*/site-packages"))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="airflow-examples-"))
    folder.chmod(0o755)
    examples.copy_files(site_packages, folder)
    with services.PostgreSQL(folder / "postgresql") as postgres:
        airflow = services.Airflow(folder / "airflow", folder / "dags", postgres)
        airflow.settings |= {"AIRFLOW__CORE__PARALLELISM": "4", "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "20"}
        airflow.settings |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        errors = record["import_errors"] if only else import_errors(airflow)
        examples.patch_files(site_packages, folder)
        if only:
            wanted = {record["dags"][name] for name in only}
            for path in (folder / "dags").rglob("*.py"):
                if str(path.relative_to(folder / "dags")) not in wanted:
                    path.unlink()
        airflow.settings["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(folder / "plugins")
        with airflow:
            airflow.launch()
            rest = connect(f"http://127.0.0.1:{airflow.port}", arguments.seconds)
            threading.Thread(target=keep_api_server, args=(airflow,)).start()
            wait_for_dags(rest, len(only) or 100)
            drive = examples.Drive(rest, folder / "tmp", True, say, only)
            outcomes = drive.run(arguments.seconds)
            listed = {dag["dag_id"]: dag["relative_fileloc"] for dag in rest.all("/api/v2/dags", "dags")}
    if only:
        record["outcomes"] |= outcomes
        record["failures"] = {name: why for name, why in record["failures"].items() if name.split(".")[0] not in only}
        record["failures"] |= drive.failures
    else:
        record = {"airflow": "3.3.2", "dags": listed, "outcomes": outcomes, "failures": drive.failures,
                  "import_errors": errors}
    arguments.output.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    print(f"{len(listed)} dags, {len(outcomes)} run; left in {folder}")
    return 0


def connect(url: str, seconds: float) -> examples.Rest:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return examples.Rest(url, services.USER, services.PASSWORD)
        except (OSError, examples.RestError):
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def keep_api_server(airflow: services.Airflow) -> None:
    """Start the API server again when it dies by itself, which was seen (by SIGSEGV); workers outwait that."""
    component = airflow.components()["api-server"]
    pid = airflow.pids["api-server"]
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(1)
    while airflow.keeper is not None:
        say("the API server has died and is started again")
        with open(airflow.folder / "api-server-again.log", "ab") as log, subprocess.Popen(
                component["command"], env=component["env"], stdout=log, stderr=log) as server:
            while airflow.keeper is not None and server.poll() is None:
                time.sleep(1)
            server.terminate()


def say(text: str) -> None:
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def wait_for_dags(rest: examples.Rest, at_least: int) -> None:
    """Until the number of DAGs has not grown for half a minute."""
    count, since = -1, time.monotonic()
    while time.monotonic() - since < 30 or count < at_least:
        now = len(rest.all("/api/v2/dags", "dags"))
        if now != count:
            count, since = now, time.monotonic()
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())
