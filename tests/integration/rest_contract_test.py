#!/usr/bin/env python3
"""Our REST API against Airflow's own OpenAPI document, and used by Airflow's official client."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.parse
import urllib.request

from etesian import ROOT, Etesian, quote, wait_until
from openapi_check import Checker

PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))
CLIENT = ROOT / "build/airflow-client"
DOCUMENT = "airflow/api_fastapi/core_api/openapi/v2-rest-api-generated.yaml"

DAGS = '''
from datetime import datetime, timezone
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param, task

with DAG("contract", schedule="0 0 1 1 *", start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False,
         tags=["t"], doc_md="# Doc", params={"n": Param(1, type="integer")}, default_args={"owner": "me"}):
    BashOperator(task_id="shell", bash_command="echo hello")

    @task
    def value():
        return {"rows": 3}

    @task
    def one(x):
        print("one", x)

    one.expand(x=[1, 2])
    value()

with DAG("waiting", schedule=None):
    @task
    def late(seconds):
        import time
        time.sleep(seconds)

    late(300)
'''

RUN = "/dags/contract/dagRuns/r1"
TASK = RUN + "/taskInstances"
# In this order: method, path below /api/v2, body, status. `*` at the front of a status: not the one that Airflow's
# document gives, but what Airflow does.
CALLS = [
    ("GET", "/version", None, 200),
    ("GET", "/monitor/health", None, 200),
    ("GET", "/dags?tags=t&order_by=-dag_id", None, 200),
    ("GET", "/dags/{dag_id}|contract", None, 200),
    ("GET", "/dags/{dag_id}/details|contract", None, 200),
    ("PATCH", "/dags/{dag_id}|contract", {"is_paused": False}, 200),
    ("PATCH", "/dags?dag_id_pattern=contract", {"is_paused": False}, 200),
    ("GET", "/dags/{dag_id}/tasks|contract", None, 200),
    ("GET", "/dags/{dag_id}/tasks/{task_id}|contract|one", None, 200),
    ("GET", "/dags/{dag_id}/dagVersions|contract", None, 200),
    ("GET", "/dags/{dag_id}/dagVersions/{version_number}|contract|1", None, 200),
    ("GET", "/dagSources/{dag_id}|contract", None, 200),
    ("GET", "/dagTags", None, 200),
    ("GET", "/dagWarnings", None, 200),
    ("GET", "/importErrors", None, 200),
    ("GET", "/importErrors/{import_error_id}|$import_error", None, 200),
    ("PUT", "/parseDagFile/{file_token}|$file_token", None, 201),
    ("POST", "/dags/{dag_id}/dagRuns|contract", {"logical_date": None, "dag_run_id": "r2"}, 200),
    ("GET", "/dags/{dag_id}/dagRuns|contract", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}|contract|r1", None, 200),
    ("POST", "/dags/{dag_id}/dagRuns/list|~", {"dag_ids": ["contract"]}, 200),
    ("GET", "/dagStats?dag_ids=contract", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/wait?interval=1|contract|r1", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances|contract|r1", None, 200),
    ("POST", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/list|~|~", {"task_ids": ["one"]}, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}|contract|r1|shell", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/listMapped|contract|r1|one", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}|contract|r1|one|1", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/tries|contract|r1|shell", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/tries/{task_try_number}|contract|r1|shell|1",
     None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/tries|contract|r1|one|0", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/tries/{task_try_number}"
     "|contract|r1|one|0|1", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/dependencies|contract|r1|shell", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/dependencies|contract|r1|one|0",
     None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/links|contract|r1|shell", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/externalLogUrl/{try_number}|contract|r1|shell|1",
     None, 400),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs/{try_number}|contract|r1|shell|1", None, 200),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries|contract|r1|~", None, 200),
    ("POST", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries|contract|r1|shell",
     {"key": "a/b", "value": {"x": [1, None]}}, 201),
    ("GET", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/{xcom_key}|contract|r1|shell|a/b",
     None, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/{xcom_key}|contract|r1|shell|a/b",
     {"value": 1}, 200),
    ("DELETE", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries/{xcom_key}|contract|r1|shell|a/b",
     None, 204),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/dry_run|contract|r1|shell",
     {"new_state": "failed"}, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}|contract|r1|shell", {"note": "n"}, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}/dry_run|contract|r1|one|0",
     {"new_state": "failed"}, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/{map_index}|contract|r1|one|0",
     {"note": "n"}, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances|contract|r1",
     {"actions": [{"action": "update", "entities": [{"task_id": "shell", "new_state": "failed"}]}]}, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskGroupInstances/{group_id}|contract|r1|nix", {"note": "n"}, 404),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}/taskGroupInstances/{group_id}/dry_run|contract|r1|nix",
     {"note": "n"}, 404),
    ("POST", "/dags/{dag_id}/clearTaskInstances|contract", {"dag_run_id": "r1", "task_ids": ["shell"]}, 200),
    ("POST", "/dags/{dag_id}/dagRuns/{dag_run_id}/clear|contract|r1", {"dry_run": True}, 200),
    ("POST", "/dags/{dag_id}/dagRuns/{dag_run_id}/clear|contract|r1", {"dry_run": False}, 200),
    ("POST", "/dags/{dag_id}/clearDagRuns|contract", {"dag_runs": [{"dag_run_id": "r1"}]}, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns/{dag_run_id}|contract|r1", {"state": "failed", "note": "n"}, 200),
    ("PATCH", "/dags/{dag_id}/dagRuns|contract",
     {"actions": [{"action": "update", "entities": [{"dag_run_id": "r2", "note": "n"}]}]}, 200),
    ("POST", "/variables", {"key": "a/b", "value": {"x": 1}, "description": "d"}, 201),
    ("GET", "/variables", None, 200),
    ("GET", "/variables/{variable_key}|a/b", None, 200),
    ("PATCH", "/variables/{variable_key}|a/b", {"key": "a/b", "value": "v"}, 200),
    ("PATCH", "/variables", {"actions": [{"action": "create", "entities": [{"key": "c", "value": "v"}]}]}, 200),
    ("DELETE", "/variables/{variable_key}|a/b", None, 204),
    ("POST", "/pools", {"name": "p", "slots": 2}, 201),
    ("GET", "/pools", None, 200),
    ("GET", "/pools/{pool_name}|p", None, 200),
    ("PATCH", "/pools/{pool_name}|p", {"slots": -1}, 200),
    ("PATCH", "/pools", {"actions": [{"action": "delete", "entities": ["nix"]}]}, 200),
    ("DELETE", "/pools/{pool_name}|p", None, 204),
    ("POST", "/connections", {"connection_id": "c", "conn_type": "http", "password": "s", "extra": "{}"}, 201),
    ("GET", "/connections", None, 200),
    ("GET", "/connections/{connection_id}|c", None, 200),
    ("PATCH", "/connections/{connection_id}|c", {"connection_id": "c", "conn_type": "http", "port": 1}, 200),
    ("PATCH", "/connections", {"actions": [{"action": "delete", "entities": ["nix"]}]}, 200),
    ("POST", "/connections/test", {"connection_id": "c", "conn_type": "http"}, 403),
    ("DELETE", "/connections/{connection_id}|c", None, 204),
    ("POST", "/backfills/dry_run", {"dag_id": "contract", "from_date": "2024-01-01T00:00:00Z",
                                    "to_date": "2025-01-02T00:00:00Z"}, 200),
    ("POST", "/backfills", {"dag_id": "contract", "from_date": "2024-01-01T00:00:00Z",
                            "to_date": "2024-01-02T00:00:00Z"}, 200),
    ("GET", "/backfills?dag_id=contract", None, 200),
    ("GET", "/backfills/{backfill_id}|1", None, 200),
    ("PUT", "/backfills/{backfill_id}/pause|1", None, 200),
    ("PUT", "/backfills/{backfill_id}/unpause|1", None, 200),
    ("PUT", "/backfills/{backfill_id}/cancel|1", None, 200),
    ("GET", "/eventLogs", None, 200),
    ("GET", "/eventLogs/{event_log_id}|1", None, 200),
    ("GET", "/config", None, 403),
    ("GET", "/config/section/{section}/option/{option}|core|x", None, 403),
    ("GET", "/plugins", None, 200),
    ("GET", "/plugins/importErrors", None, 200),
    ("GET", "/providers", None, 200),
    ("GET", "/jobs", None, 200),
    ("DELETE", "/dags/{dag_id}/dagRuns/{dag_run_id}|contract|r2", None, 204),
    ("DELETE", "/dags/{dag_id}|waiting", None, "*204"),
]


def airflow_document():
    """Airflow's document as JSON, read by the packages' own Python: it has the YAML library."""
    script = (f"import airflow, json, pathlib, yaml; "
              f"p = pathlib.Path(airflow.__file__).parent.parent / {DOCUMENT!r}; "
              f"print(json.dumps(yaml.safe_load(p.read_text())))")
    return json.loads(subprocess.run([PYTHON, "-c", script], stdout=subprocess.PIPE, check=True, text=True).stdout)


def client_python():
    """The interpreter of an environment with the official client; made where it is missing."""
    python = CLIENT / "bin/python"
    if not (CLIENT / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", CLIENT], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                        "apache-airflow-client==3.3.2"], check=True)
        (CLIENT / "done").touch()
    return python


class Contract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not pathlib.Path(PYTHON).exists():
            raise AssertionError(f"no Airflow environment at {PYTHON}; run ./dev test")
        os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
        cls.folder = tempfile.TemporaryDirectory()
        dags = pathlib.Path(cls.folder.name)
        (dags / "contract.py").write_text(DAGS)
        (dags / "broken.py").write_text("from airflow.sdk import DAG\nraise ValueError('airflow')\n")
        cls.server = Etesian(dags)
        cls.server.start()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.addClassCleanup(cls.server.close)
        wait_until(lambda: cls.server.get("/api/v2/dags")["total_entries"] == 2, 60, "the DAGs to be known")
        wait_until(lambda: cls.server.get("/api/v2/importErrors")["total_entries"] == 1, 60, "the broken file to be told")

    def test_answers_fit_airflows_document(self):
        server = self.server
        server.patch("/api/v2/dags/contract", {"is_paused": False})
        server.trigger("contract", dag_run_id="r1")
        self.assertEqual(server.wait_run("contract", "r1", 120), "success")
        saved = {"import_error": str(server.get("/api/v2/importErrors")["import_errors"][0]["import_error_id"]),
                 "file_token": server.get("/api/v2/dags/contract")["file_token"]}
        document = airflow_document()
        checker = Checker(document)
        called = set()
        for method, call, body, wanted in CALLS:
            template, _, values = call.partition("|")
            template, _, query = template.partition("?")
            called.add((method.lower(), "/api/v2" + template))
            path = template
            for value in filter(None, values.split("|")):
                value = saved[value[1:]] if value.startswith("$") else value
                begin, end = path.index("{"), path.index("}") + 1
                path = path[:begin] + quote(value) + path[end:]
            with self.subTest(call=f"{method} {path}"):
                status, answer = self.send(method, "/api/v2" + path + (f"?{query}" if query else ""), body)
                is_other = isinstance(wanted, str)
                self.assertEqual(status, int(wanted[1:]) if is_other else wanted, answer)
                if is_other or status == 204:
                    continue
                said = document["paths"]["/api/v2" + template][method.lower()]["responses"][str(status)]
                schema = said.get("content", {}).get("application/json", {}).get("schema", {})
                if isinstance(answer, (dict, list)):
                    self.assertEqual(checker.problems(answer, schema), [])
        ours = server.get("/openapi.json")["paths"]
        common = {(method, path) for path, methods in ours.items() for method in methods
                  if method in document["paths"].get(path, {})}
        self.assertEqual(common - called - self.elsewhere(common), set(), "operations that no call here checks")

    @staticmethod
    def elsewhere(common):
        """What needs assets or a person's answer is checked by the conformance suite."""
        return {(m, p) for m, p in common if "sset" in p or "hitlDetails" in p}

    def send(self, method, path, body):
        request = urllib.request.Request(self.server.url + path, method=method,
                                         data=json.dumps(body).encode() if body is not None else None)
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", "Bearer " + self.server.token)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, text, kind = answer.status, answer.read(), answer.headers.get("Content-Type", "")
        except urllib.error.HTTPError as error:
            status, text, kind = error.code, error.read(), error.headers.get("Content-Type", "")
        return status, json.loads(text) if text and kind.startswith("application/json") else text.decode()

    def test_the_official_client_works(self):
        server = self.server
        script = pathlib.Path(__file__).with_name("airflow_client_session.py")
        done = subprocess.run([client_python(), script, server.url, server.token], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])


if __name__ == "__main__":
    unittest.main()
