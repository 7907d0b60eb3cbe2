#!/usr/bin/env python3
"""Airflow's own example DAGs end here as they ended in Airflow (tests/airflow/examples/expected.json).

What needs a package index, the internet or other services is left out: examples.NOT_RUN says why. With
ETESIAN_EXAMPLES_INDEX=1 those that only need a package index run too. ETESIAN_EXAMPLES_OUT names a file for what was
seen, for tests/airflow/examples/table.py.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from etesian import BINARY, PASSWORD, ROOT, Etesian, wait_until

EXAMPLES = ROOT / "tests/airflow/examples"
sys.path.insert(0, str(EXAMPLES))

import examples  # noqa: E402

PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))
SITE_PACKAGES = next((pathlib.Path(PYTHON).parent.parent / "lib").glob("python3*/site-packages"))
WITH_INDEX = os.environ.get("ETESIAN_EXAMPLES_INDEX") == "1"
# These depend on when they are asked; the others of their DAGs are compared.
TIMED_KINDS = ("scheduled",)


class Examples(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.expected = json.loads((EXAMPLES / "expected.json").read_text())
        cls.temporary = tempfile.TemporaryDirectory(prefix="etesian-examples-")
        cls.folder = pathlib.Path(cls.temporary.name)
        examples.copy_files(SITE_PACKAGES, cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_1_files_that_airflow_cannot_import_are_told(self):
        """The same files with the same reason; what the engine refuses comes on top."""
        keep = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        done = subprocess.run([BINARY, "airflow", "check", str(self.folder / "dags"), "-o", "json"], check=False,
                              capture_output=True, text=True, env=keep | {"ETESIAN_AIRFLOW_PYTHON": PYTHON})
        files = json.loads(done.stdout)["files"]
        errors = {error["file"]: error["trace"].strip().splitlines()[-1] for file in files for error in file["errors"]}
        self.assertEqual(errors, self.expected["import_errors"])

    def test_2_the_same_states_and_tries(self):
        examples.patch_files(SITE_PACKAGES, self.folder)
        os.environ |= {"ETESIAN_AIRFLOW_PYTHON": PYTHON,
                       "AIRFLOW__CORE__PLUGINS_FOLDER": str(self.folder / "plugins")}
        with Etesian(self.folder / "dags") as server:
            wait_until(lambda: self.is_loaded(server), 120, "all DAGs to be loaded")
            drive = examples.Drive(examples.Rest(server.url, "admin", PASSWORD), self.folder / "tmp", WITH_INDEX,
                                   lambda text: print(text, file=sys.stderr, flush=True))
            outcomes = drive.run(float(os.environ.get("ETESIAN_EXAMPLES_SECONDS", "330")))
            refused = examples.refusals(drive.rest)
        if out := os.environ.get("ETESIAN_EXAMPLES_OUT"):
            seen = {"outcomes": outcomes, "refused": refused, "failures": drive.failures}
            pathlib.Path(out).write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n")
        self.assertEqual(sorted(refused), sorted(examples.REFUSED), refused)
        seen = {dag_id: self.compared(kinds) for dag_id, kinds in outcomes.items()}
        wanted = {dag_id: self.compared(kinds) for dag_id, kinds in self.expected["outcomes"].items()
                  if dag_id not in refused and drive.is_run(dag_id)}
        for dag_id in examples.DIFFERENT:
            self.assertNotEqual(seen.pop(dag_id), wanted.pop(dag_id), f"{dag_id} is the same now: take it off the list")
        self.assertEqual(seen, wanted)

    def is_loaded(self, server):
        dags = server.all("/api/v2/dags", "dags")
        return len(dags) + len(examples.REFUSED) >= len(self.expected["dags"])

    @staticmethod
    def compared(kinds):
        return {kind: outcomes for kind, outcomes in kinds.items() if kind not in TIMED_KINDS}


if __name__ == "__main__":
    unittest.main()
