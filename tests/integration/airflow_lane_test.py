#!/usr/bin/env python3
"""Bash tasks end as they do in a worker when the agent runs them itself: two servers, one with the native lane."""
import concurrent.futures
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from etesian import ROOT, Etesian, quote, wait_until

PYTHON = os.environ.get("ETESIAN_AIRFLOW_PYTHON", str(ROOT / "build/airflow/bin/python"))
DAG_FILE = ROOT / "tests/airflow/lane/lane_tasks.py"
# Which tasks of each DAG have a lane.
LANES = {
    "lane_endings": "all",
    "lane_outputs": "all",
    "lane_surroundings": "all but folder_template folder_by_param",
    "lane_templates": "all but filter_of_jinja loop unknown",
    "lane_left_out": "none",
}
RUNS = {
    "first": {"logical_date": "2024-03-08T20:00:00+00:00"},
    "micro": {"logical_date": "2024-12-31T23:59:59.123456+00:00",
              "conf": {"number": -7, "ratio": 2.5, "word": "grüße \"x\"", "none": "text", "other": 1, "folder": "etc"}},
    "dateless": {"logical_date": None},
}
MORE_RUNS = {"lane_templates": ["micro", "dateless"], "lane_surroundings": ["dateless"]}
HOOK = "subprocess.SubprocessHook"
# A worker's line of log is a JSON object, which the log cuts where it is too long; ours is not.
LONG = ("long_line", "long_then_short")


class Lane:
    """A server with or without the native lane, and what its tasks did."""

    def __init__(self, folder, is_native):
        os.environ["ETESIAN_NATIVE_LANE"] = "1" if is_native else "0"
        self.is_native = is_native
        self.server = Etesian(folder)
        self.server.start()

    def run_all(self):
        for dag_id in LANES:
            self.server.patch(f"/api/v2/dags/{dag_id}", {"is_paused": False})
            for name in ["first", *MORE_RUNS.get(dag_id, [])]:
                self.server.trigger(dag_id, dag_run_id=name, **RUNS[name])
        return {(dag_id, name): self.results(dag_id, name)
                for dag_id in LANES for name in ["first", *MORE_RUNS.get(dag_id, [])]}

    def results(self, dag_id, run_id):
        state = self.server.wait_run(dag_id, run_id, 300)
        tasks = {f"{task}[{index}]" if index >= 0 else task: self.result(dag_id, run_id, row)
                 for (task, index), row in self.server.tasks(dag_id, run_id).items()}
        return {"state": state, "tasks": tasks}

    def result(self, dag_id, run_id, row):
        base = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{row['task_id']}"
        query = {"map_index": row["map_index"]}
        xcoms = self.server.get(f"{base}/xcomEntries", **query)["xcom_entries"]
        mapped = f"/{row['map_index']}" if row["map_index"] >= 0 else ""
        tries = self.server.get(f"{base}{mapped}/tries")["task_instances"]
        return {
            "lane": row["executor"],
            "state": row["state"],
            "tries": [(one["try_number"], one["state"]) for one in tries],
            "xcoms": {entry["key"]: self.plain(self.server.get(f"{base}/xcomEntries/{entry['key']}", **query)["value"])
                      for entry in xcoms},
            "fields": row["rendered_fields"],
            "log": [self.printed(dag_id, run_id, row, one["try_number"]) for one in tries if one["state"] != "upstream_failed"],
            "row": row,
        }

    def printed(self, dag_id, run_id, row, number):
        """What the command wrote, line by line, and its return code unless it is 0."""
        path = (f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{row['task_id']}/logs/{number}"
                f"?map_index={row['map_index']}")
        lines, token = [], None
        while True:
            page = self.server.request("GET", path + (f"&token={token}" if token else ""))
            lines += page["content"]
            token = page.get("continuation_token")
            if not token or not page["content"]:
                break
        if row["executor"] == "native lane":
            told = [line["event"] for line in lines if line["stream"] == "stdout"
                    or line["event"].startswith("Command exited with return code")]
        else:
            told = [line["event"] for line in lines if str(line.get("logger", "")).endswith(HOOK)]
            told = told[told.index("Output:") + 1:] if "Output:" in told else []
            told = [line for line in told if line != "Command exited with return code 0"]
        return [self.plain(line.rstrip()) for line in told]

    def plain(self, text):
        """The same on both servers: without their places and their tries."""
        if not isinstance(text, str):
            return text
        text = text.replace(str(self.server.home), "HOME_OF_SERVER").replace(self.server.url.split(":")[-1], "PORT")
        return re.sub(r"/airflowtmp[^/\s\"']*", "/OWN_FOLDER", text)


class LaneTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not pathlib.Path(PYTHON).exists():
            raise AssertionError(f"no Airflow environment at {PYTHON}; run ./dev test")
        os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-lane-"))
        cls.dags = cls.folder / "dags"
        cls.dags.mkdir()
        shutil.copy(DAG_FILE, cls.dags)
        # Somebody's shell settings are no part of this.
        os.environ["HOME"] = str(cls.folder)
        (cls.folder / ".bashrc").write_text("FROM_BASHRC=yes\n")
        os.environ.pop("SHLVL", None)
        cls.lanes = [Lane(cls.dags, True), Lane(cls.dags, False)]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            cls.native, cls.official = pool.map(Lane.run_all, cls.lanes)

    @classmethod
    def tearDownClass(cls):
        for lane in cls.lanes:
            lane.server.close()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def compare(self, what, skip=()):
        for key, native in self.native.items():
            official = self.official[key]["tasks"]
            self.assertEqual(sorted(native["tasks"]), sorted(official))
            for name, result in native["tasks"].items():
                if name not in skip:
                    with self.subTest("/".join([*key, name])):
                        self.assertEqual(result[what], official[name][what])

    def test_the_lane_of_each_task_is_told(self):
        for (dag_id, run_id), result in self.native.items():
            all_tasks = sorted(result["tasks"])
            rule, _, but = LANES[dag_id].partition(" but ")
            wanted = [name for name in all_tasks if rule == "all" and name not in but.split()]
            # One that was never started had no lane.
            started = [name for name in wanted if result["tasks"][name]["state"] != "upstream_failed"]
            found = [name for name in all_tasks if result["tasks"][name]["lane"] == "native lane"]
            self.assertEqual(found, started, f"{dag_id}/{run_id}")
        for result in self.official.values():
            self.assertNotIn("native lane", [task["lane"] for task in result["tasks"].values()])

    def test_runs_and_tasks_have_the_same_states(self):
        self.assertEqual({key: result["state"] for key, result in self.native.items()},
                         {key: result["state"] for key, result in self.official.items()})
        self.compare("state")

    def test_tries_have_the_same_states(self):
        self.compare("tries")

    def test_xcoms_are_the_same(self):
        self.compare("xcoms")

    def test_rendered_fields_are_the_same(self):
        self.compare("fields")

    def test_what_commands_print_is_in_the_log_the_same(self):
        # Bytes that are no text: a worker writes "\xff" into its log, ours are kept as they are.
        self.compare("log", skip=(*LONG, "not_utf8", "timed_out", "timed_out_politely"))

    def test_places_and_owners_of_native_tries_are_known(self):
        row = self.native["lane_endings", "first"]["tasks"]["zero"]["row"]
        self.assertTrue(row["hostname"])
        self.assertGreater(row["pid"], 0)


class MarkTest(unittest.TestCase):
    """What a person does to a native task while it runs."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-lane-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.environ["ETESIAN_AIRFLOW_PYTHON"] = PYTHON
        os.environ["ETESIAN_NATIVE_LANE"] = "1"
        self.write("echo one > $EVIDENCE; (trap '' TERM; sleep 60) & sleep 60")

    def write(self, command):
        evidence = str(self.folder / "evidence")
        (self.folder / "dags").mkdir(exist_ok=True)
        (self.folder / "dags/marked.py").write_text(f"""
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
with DAG("marked", schedule=None, is_paused_upon_creation=False):
    BashOperator(task_id="t", bash_command={command.replace("$EVIDENCE", evidence)!r}, append_env=True)
""")

    def instance(self, server):
        return server.tasks("marked", "r")["t", -1]

    def test_a_mark_ends_the_command_and_all_that_it_started(self):
        with Etesian(self.folder / "dags") as server:
            server.trigger("marked", dag_run_id="r")
            wait_until((self.folder / "evidence").exists, 60, "the command to run")
            wait_until(lambda: self.instance(server)["state"] == "running", 60, "the task to be running")
            pid = self.instance(server)["pid"]
            self.assertEqual(self.instance(server)["executor"], "native lane")
            server.patch("/api/v2/dags/marked/dagRuns/r/taskInstances/t", {"new_state": "success"})
            self.assertEqual(server.wait_run("marked", "r"), "success")
            self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())
            self.assertNotIn(str(pid), sessions())

    def test_a_new_command_is_run_after_a_clear_as_a_worker_would(self):
        self.write("echo old")
        with Etesian(self.folder / "dags") as server:
            server.trigger("marked", dag_run_id="r")
            self.assertEqual(server.wait_run("marked", "r"), "success")
            version = self.instance(server)["dag_version"]
            self.write("echo new")
            wait_until(lambda: server.get("/api/v2/dags/marked/details")["latest_dag_version"]["id"] != version["id"],
                       60, "the new version")
            server.post("/api/v2/dags/marked/clearTaskInstances",
                        {"dry_run": False, "dag_run_id": "r", "only_failed": False, "reset_dag_runs": True})
            wait_until(lambda: self.instance(server)["try_number"] == 2, 60, "the second try")
            self.assertEqual(server.wait_run("marked", "r"), "success")
            value = server.get("/api/v2/dags/marked/dagRuns/r/taskInstances/t/xcomEntries/return_value")["value"]
            self.assertEqual(value, "new")


def sessions():
    """Ids of all sessions that have a process."""
    found = set()
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            found.add(stat.read_text().rsplit(")", 1)[1].split()[3])
        except OSError:
            continue
    return found


if __name__ == "__main__":
    unittest.main()
