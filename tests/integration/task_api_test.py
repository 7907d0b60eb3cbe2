#!/usr/bin/env python3
"""The official SDK's own HTTP client against the Execution API, in the name of a task that runs."""
import base64
import hashlib
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest
import uuid

from etesian import ROOT, Etesian, wait_until

PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))
DAGS = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG


def wait():
    import time

    print("waits", flush=True)
    time.sleep(600)


with DAG("session", schedule=None, tags=["b", "a"], is_paused_upon_creation=False):
    PythonOperator(task_id="hold", python_callable=wait) >> PythonOperator(task_id="skipped", python_callable=wait)
with DAG("other", schedule=None, is_paused_upon_creation=False):
    EmptyOperator(task_id="only")
"""


def token(secret: bytes, try_id: str) -> str:
    """The token of the first run's first task (src/wire/worker_token.h)."""
    key = hashlib.blake2b(b"etesian key: worker-token", key=secret, digest_size=32).digest()
    content = b"T" + struct.pack("<qIi", 1, 0, -1) + uuid.UUID(try_id).bytes + struct.pack("<i?", 1, False)
    mac = hashlib.blake2b(content, key=key, digest_size=32).digest()
    return base64.urlsafe_b64encode(content + mac).rstrip(b"=").decode()


class TaskApi(unittest.TestCase):
    def test_the_official_client_gets_what_its_models_expect(self):
        self.assertTrue(pathlib.Path(PYTHON).exists(), f"no Airflow environment at {PYTHON}; run ./dev test")
        os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
        with tempfile.TemporaryDirectory() as dags:
            pathlib.Path(dags, "session.py").write_text(DAGS)
            with Etesian(dags) as server:
                wait_until(lambda: len(server.get("/api/v2/dags")["dags"]) == 2, 180, "the DAG file to be parsed")
                server.post("/api/v2/connections", {"connection_id": "db", "conn_type": "postgres", "host": "h",
                                                    "port": 5432, "password": "p\"w", "extra": '{"mode":"ro"}'})
                server.trigger("session", dag_run_id="r1")
                wait_until(lambda: server.states("session", "r1")[("hold", -1)] == "running", 120, "the task to run")
                try_id = server.tasks("session", "r1")[("hold", -1)]["id"]
                secret = (server.home / "secret.key").read_bytes()
                words = [PYTHON, str(ROOT / "tests/integration/task_api_session.py"), server.url + "/execution/",
                         token(secret, try_id), try_id]
                # Its process runs a moment before its worker has said hello.
                wait_until(lambda: self.has_begun(server), 120, "the worker to start the task")
                done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
                self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-4000:])
                server.patch("/api/v2/dags/session/dagRuns/r1", {"state": "failed"})
                server.wait_run("session", "r1")

    @staticmethod
    def has_begun(server):
        return any("waits" in text for _, text in server.log("session", "r1", "hold"))


if __name__ == "__main__":
    unittest.main()
