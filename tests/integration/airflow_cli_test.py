#!/usr/bin/env python3
"""`etesian airflow check` and `etesian airflow import`, with the official packages and a metadata database they made."""
import json
import os
import pathlib
import sqlite3
import subprocess
import tempfile
import unittest

from etesian import BINARY, ROOT, Etesian

PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))
SECRETS = ["s3cret pass", "sk-extra-secret", "value-of-region", "env-pass"]

# What an installation has: its configuration, and a database with settings encrypted by its key.
INSTALLATION = """
import os, sys
from cryptography.fernet import Fernet
home = os.environ["AIRFLOW_HOME"]
with open(home + "/airflow.cfg", "w") as file:
    file.write("[core]\\nfernet_key = " + Fernet.generate_key().decode() + "\\nexecutor = CeleryExecutor\\n"
               "parallelism = 32\\n[scheduler]\\nscheduler_heartbeat_sec = 9\\n[smtp]\\nsmtp_user = me\\n")
from airflow.utils import db
db.initdb()
from airflow.models import Connection, Pool, Variable
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.utils.session import create_session
with create_session() as session:
    session.query(Connection).delete()
    session.add(Connection(conn_id="warehouse", conn_type="postgres", host="db.example.com", login="etl", port=5432,
                           password="s3cret pass", schema="dw", extra='{"token": "sk-extra-secret"}'))
    session.add(Connection(conn_id="lake", conn_type="aws", host="here"))
    session.add(Variable(key="region", val="value-of-region"))
    session.add(Variable(key="a/b", val="with a slash"))
    session.add(Pool(pool="db", slots=3, description="two words", include_deferred=True))
    session.add(DagBundleModel(name="dags-folder"))
    session.flush()
    for dag_id, is_paused, is_stale in (("reader", False, False), ("paused_there", True, False),
                                        ("elsewhere", False, False), ("gone", False, True)):
        session.add(DagModel(dag_id=dag_id, is_paused=is_paused, is_stale=is_stale, bundle_name="dags-folder",
                             fileloc="/dags/" + dag_id + ".py"))
"""

READER = """
from airflow.sdk import DAG, Connection, Variable, task

with DAG("reader", schedule=None):
    @task
    def read():
        warehouse = Connection.get("warehouse")
        assert Connection.get("side").password == "env-pass"
        return [warehouse.password, warehouse.extra_dejson["token"], Variable.get("region"), Variable.get("a/b")]
    read()

with DAG("paused_there", schedule=None, is_paused_upon_creation=False):
    @task
    def nothing(): ...
    nothing()
"""

CHECKED = {
    "good.py": """
from datetime import timedelta
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset, Variable, task, task_group
Variable.get("colour", default="red")
with DAG("good", schedule="0 3 * * *", params={"n": 1}, dagrun_timeout=timedelta(hours=1)):
    first = BashOperator(task_id="first", bash_command="true", retries=2, pool="db", outlets=[Asset("s3://x")])
    @task(trigger_rule="all_done")
    def each(x): ...
    @task_group
    def inner(x):
        each(x)
    first >> inner.expand(x=[1, 2]) >> each.expand(x=[1])
""",
    "sub/odd.py": """
from datetime import timedelta
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, AsyncCallback, CronPartitionTimetable, DeadlineAlert, DeadlineReference
with DAG("odd", schedule=CronPartitionTimetable("0 * * * *", timezone="UTC")):
    BashOperator(task_id="a", bash_command="true")
with DAG("good", schedule=None):
    BashOperator(task_id="a", bash_command="true")
""",
    "broken.py": "from airflow.sdk import DAG\n\nimport no_such_module\n",
    "needs.py": "from airflow.sdk import DAG, Variable\nendpoint = Variable.get('endpoint')\n",
    "dies.py": "from airflow.sdk import DAG\nimport os\nos._exit(3)\n",
    "clock.py": """
import datetime
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
with DAG("clock", schedule=None):
    BashOperator(task_id="now", bash_command=f"echo {datetime.datetime.now()}")
""",
    "helper.py": "x = 1\n",
}


def run(*words, **variables):
    keep = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    environment = keep | {"ETESIAN_AIRFLOW_PYTHON": PYTHON, "NO_COLOR": "1"} | variables
    return subprocess.run([BINARY, *map(str, words)], env=environment, capture_output=True, text=True, timeout=300,
                          check=False)


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


class Check(unittest.TestCase):
    def test_a_folder_is_told_file_by_file(self):
        with tempfile.TemporaryDirectory() as name:
            folder = write(pathlib.Path(name) / "dags", CHECKED)
            home = pathlib.Path(name) / "home"
            done = run("airflow", "check", folder, "--home", home, "-o", "json", AIRFLOW_VAR_ENDPOINT="x")
            told = json.loads(done.stdout)
            text = run("airflow", "check", folder, "--home", home)
            self.assertFalse(home.exists(), "a check leaves nothing behind")
        self.assertEqual(done.returncode, 1)
        files = {file["file"]: file for file in told["files"]}
        self.assertEqual(sorted(files), ["broken.py", "clock.py", "dies.py", "good.py", "needs.py", "sub/odd.py"])
        good, = files["good.py"]["dags"]
        del good["native_tasks"]
        self.assertEqual(good, {
            "dag_id": "good", "supported": True, "reason": None, "timetable": "0 3 * * *",
            "operators": {"@task": 2, "BashOperator": 1},
            "features": ["assets", "mapped task groups", "mapped tasks", "params", "retries", "run timeouts",
                         "trigger rule all_done"],
            "pools": ["db"], "without_effect": []})
        again, odd = files["sub/odd.py"]["dags"]
        self.assertFalse(again["supported"] or odd["supported"])
        self.assertEqual(again["reason"], "it is defined in 'good.py' already; this one is left out")
        self.assertRegex(odd["reason"], "^unsupported: partitioned timetable")
        broken, = files["broken.py"]["errors"]
        self.assertEqual((broken["line"], broken["message"]),
                         (3, "ModuleNotFoundError: No module named 'no_such_module'"))
        self.assertEqual(files["dies.py"]["errors"][0]["message"], "exit code 3 while parsing")
        self.assertEqual(files["needs.py"]["errors"], [], "the environment's variables are there")
        self.assertEqual(told["variables_read"], ["colour"])
        self.assertEqual([file["file"] for file in told["files"] if file["unstable"]], ["clock.py"])
        self.assertEqual(told["summary"],
                         {"files": 6, "dags": 4, "supported": 2, "not_supported": 2, "broken_files": 2})

        self.assertEqual(text.returncode, 1)
        for line in ("  broken.py:3: error: ModuleNotFoundError: No module named 'no_such_module'",
                     "  warning: differs from parse to parse: clock: tasks.now.bash_command",
                     "    schedule 0 3 * * *; 3 tasks: 2 @task, BashOperator",
                     "6 files, 4 DAGs: 2 supported, 2 not supported; 3 files broken"):
            self.assertIn(line + "\n", text.stdout)
        self.assertIn("variables colour, endpoint: they were not there", text.stdout)

    def test_what_is_all_right_ends_with_0_and_a_folder_without_dags_with_3(self):
        with tempfile.TemporaryDirectory() as name:
            folder = write(pathlib.Path(name), {"good.py": CHECKED["good.py"]})
            self.assertEqual(run("airflow", "check", folder).returncode, 0)
            (folder / "good.py").unlink()
            self.assertEqual(run("airflow", "check", folder).returncode, 3)


class Import(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.temporary.name)
        cls.installation = folder / "airflow"
        cls.installation.mkdir()
        keep = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        subprocess.run([PYTHON, "-c", INSTALLATION], env=keep | {"AIRFLOW_HOME": str(cls.installation)}, check=True,
                       capture_output=True)
        os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
        cls.server = Etesian(write(folder / "dags", {"reader.py": READER}))
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.temporary.cleanup()

    def take(self, *words, **variables):
        variables = {"ETESIAN_URL": self.server.url, "ETESIAN_TOKEN": self.server.token,
                     "AIRFLOW_CONN_SIDE": "http://u:env-pass@x:80/y", **variables}
        done = run("airflow", "import", "--airflow-home", self.installation, *words, **variables)
        for secret in SECRETS:
            self.assertNotIn(secret, done.stdout + done.stderr)
        return done

    def test_an_installation_is_taken_over(self):
        before = (self.installation / "airflow.db").read_bytes()
        trial = self.take("--dry-run")
        self.assertEqual(trial.returncode, 0, trial.stderr)
        self.assertIn("to create     connection 'warehouse'\n", trial.stdout)
        self.assertTrue(trial.stdout.endswith("nothing has been changed: this was a dry run\n"))
        self.assertEqual(self.server.all("/api/v2/connections", "connections"), [])

        # A setting that is here already stays as it is.
        self.server.post("/api/v2/connections", {"connection_id": "lake", "conn_type": "aws", "host": "ours"})
        done = self.take("-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        steps = {(step["kind"], step["name"]): step for step in told["steps"]}
        self.assertEqual({key: step["action"] for key, step in steps.items()}, {
            ("connection", "lake"): "kept",
            ("connection", "side"): "created",
            ("connection", "warehouse"): "created",
            ("variable", "a/b"): "created",
            ("variable", "region"): "created",
            ("pool", "db"): "created",
            ("pool", "default_pool"): "kept",
            ("dag", "elsewhere"): "not here",
            ("dag", "paused_there"): "paused",
            ("dag", "reader"): "kept",
            ("", "[core] executor = CeleryExecutor"): "no equivalent",
            ("", "[scheduler] scheduler_heartbeat_sec = 9"): "no equivalent"})
        self.assertIn("another host", steps["connection", "lake"]["note"])
        self.assertEqual((self.installation / "airflow.db").read_bytes(), before)

        again = self.take("--overwrite", "--unpause")
        self.assertIn("replaced      connection 'lake'\n", again.stdout)
        self.assertIn("same          variable 'region'\n", again.stdout)
        self.assertIn("same          pool 'db'\n", again.stdout)
        self.assertIn("unpaused      dag 'reader'\n", again.stdout)
        self.assertEqual(self.server.get("/api/v2/connections/lake")["host"], "here")
        pool = self.server.get("/api/v2/pools/db")
        self.assertEqual((pool["slots"], pool["description"], pool["include_deferred"]), (3, "two words", True))

        # What was encrypted there arrives in a task here.
        run_id = self.server.trigger("reader")
        self.assertEqual(self.server.wait_run("reader", run_id), "success")
        path = f"/api/v2/dags/reader/dagRuns/{run_id}/taskInstances/read/xcomEntries/return_value"
        self.assertEqual(self.server.get(path)["value"],
                         ["s3cret pass", "sk-extra-secret", "value-of-region", "with a slash"])

    def test_what_cannot_be_decrypted_costs_only_itself(self):
        key = "Zm9yIHRoaXMgdGVzdCBvbmx5LCBhbmQgbm8gb3RoZXI="
        done = self.take("--dry-run", AIRFLOW__CORE__FERNET_KEY=key)
        self.assertEqual(done.returncode, 1)
        for what in ("connection 'warehouse'", "variable 'region'"):
            self.assertIn(f"not read      {what}: cannot be decrypted; is [core] fernet_key that of this database?\n",
                          done.stdout)
        self.assertIn("connection 'lake'", done.stdout)

    def test_a_database_that_is_none_is_told(self):
        with tempfile.TemporaryDirectory() as name:
            sqlite3.connect(f"{name}/other.db").execute("create table t (x)")
            done = self.take("--dry-run", "--sql-alchemy-conn", f"sqlite:///{name}/other.db")
            self.assertEqual(done.returncode, 1)
            self.assertIn("not read      table 'connection': is not there; is this Airflow's metadata database?\n",
                          done.stdout)
            missing = self.take("--dry-run", "--sql-alchemy-conn", f"sqlite:///{name}/none.db")
            self.assertEqual(missing.returncode, 1)
            self.assertIn("there is no such file", missing.stdout)
            self.assertFalse(pathlib.Path(f"{name}/none.db").exists())

    def test_nobody_is_there(self):
        done = run("airflow", "import", "--airflow-home", self.installation, "--url", "http://127.0.0.1:9",
                   ETESIAN_TOKEN="x")
        self.assertEqual(done.returncode, 4)


if __name__ == "__main__":
    unittest.main()
