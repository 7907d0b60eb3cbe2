#!/usr/bin/env python3
"""Every DAG scenario that was recorded from Airflow 3.3.2, run by the official packages under Etesian."""
import json
import os
import pathlib
import subprocess
import sys
import unittest

from etesian import PASSWORD, ROOT, Etesian

ORACLE = ROOT / "tests/oracle/airflow"
PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))


# Scenario -> how Etesian differs on purpose (docs/airflow.md).
DIFFERENT = {"mark_run_failed": "a run marked failed shows `running` until the processes of its tasks are gone"}


class Conformance(unittest.TestCase):
    def test_every_scenario_ends_as_in_airflow(self):
        self.assertTrue(pathlib.Path(PYTHON).exists(), f"no Airflow environment at {PYTHON}; run ./dev test")
        os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
        cases = json.loads((ORACLE / "expected.json").read_text())["cases"]
        with Etesian(ORACLE / "dags") as server:
            words = [sys.executable, str(ORACLE / "conformance.py"), "--url", server.url, "--expected",
                     str(ORACLE / "expected.json"), "--user", "admin", "--password", PASSWORD, "--jobs", "8",
                     "--only", ",".join(sorted(set(cases) - set(DIFFERENT)))]
            words += os.environ.get("ETESIAN_CONFORMANCE_OPTIONS", "").split()
            done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stdout.splitlines()[-1])


if __name__ == "__main__":
    unittest.main()
