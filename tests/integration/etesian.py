"""A real Etesian for tests: the built binary, a fresh home, a free port, and its REST API."""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("ETESIAN_BINARY", str(ROOT / "build/release/bin/etesian"))
PASSWORD = "correct horse battery"


class ApiError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class Etesian:
    """One installation. `kill_server`, `kill_agent` and `start` may be mixed at will."""

    def __init__(self, dags, home=None, port=0, popen=None):
        self.temporary = None if home else tempfile.mkdtemp(prefix="etesian-")
        self.home = pathlib.Path(home or self.temporary)
        self.dags = str(dags)
        self.port = port  # 0: a free one at each start.
        self.popen = popen or {}  # What else Popen is told of the server: user, preexec_fn, …
        self.process = None
        self.url = None
        self.token = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.close()

    def start(self, ready=True):
        self.home.mkdir(exist_ok=True)
        # A home of its own: what the tester's .bashrc prints is no part of a task's output.
        environment = dict(os.environ, ETESIAN_ADMIN_PASSWORD=PASSWORD, HOME=str(self.home))
        self.stderr = open(self.home / "server.log", "ab")
        self.process = subprocess.Popen(
            [BINARY, "up", "--home", str(self.home), "--dags", self.dags, "--port", str(self.port)],
            stdout=subprocess.PIPE, stderr=self.stderr, env=environment, text=True, **self.popen)
        for line in self.process.stdout:
            found = re.search(r"http://localhost:(\d+)", line)
            if found:
                self.url = f"http://127.0.0.1:{found[1]}"
                break
        else:
            raise RuntimeError("etesian up ended: " + (self.home / "server.log").read_text()[-2000:])
        if ready:
            self.wait_ready()
            if self.token is None:
                self.log_in()

    def wait_ready(self, seconds=60):
        def is_ready():
            try:
                return urllib.request.urlopen(self.url + "/readyz", timeout=5).status == 200
            except (urllib.error.URLError, ConnectionError, OSError):
                return False
        wait_until(is_ready, seconds, "the server to be ready")

    def log_in(self):
        self.token = None
        self.token = self.post("/auth/token", {"username": "admin", "password": PASSWORD})["access_token"]

    def processes(self, command):
        """Pids of `etesian COMMAND … HOME …`, the oldest first."""
        found = []
        for folder in pathlib.Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                state = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            mentions_home = any(str(self.home).encode() in word for word in words[2:])
            if words[1:2] == [command.encode()] and mentions_home and state[0] != "Z":
                found.append((int(state[19]), int(folder.name), int(state[1])))
        return [(pid, parent) for _, pid, parent in sorted(found)]

    def agent_pid(self):
        """The agent's worker: the child of the other agent process, its keeper."""
        agents = self.processes("agent")
        pids = [pid for pid, _ in agents]
        for pid, parent in agents:
            if parent in pids:
                return pid
        return None

    def kill_server(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.stderr.close()

    def stop_server(self):
        self.process.terminate()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        self.stderr.close()
        return code

    def kill_agent(self):
        """kill -9 of the agent's worker; its keeper starts another one."""
        pid = self.agent_pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def kill_agent_and_keeper(self):
        for pid, _ in self.processes("agent"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill_server()
        while self.processes("agent"):
            self.kill_agent_and_keeper()
            time.sleep(0.05)
        if self.temporary:
            shutil.rmtree(self.temporary, ignore_errors=True)

    # ---- REST ----

    def request(self, method, path, body=None, query=None, headers=None, timeout=60):
        target = self.url + path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(target, data=data, method=method, headers=dict(headers or {}))
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                text = answer.read()
                return json.loads(text) if text and "json" in answer.headers.get("Content-Type", "") else text.decode()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, error.read().decode()) from None

    def get(self, path, **query):
        return self.request("GET", path, query=query)

    def post(self, path, body=None):
        return self.request("POST", path, body if body is not None else {})

    def patch(self, path, body):
        return self.request("PATCH", path, body)

    def all(self, path, member, **query):
        rows = []
        while True:
            page = self.get(path, limit=100, offset=len(rows), **query)[member]
            rows += page
            if len(page) < 100:
                return rows

    def trigger(self, dag_id, conf=None, **fields):
        body = {"logical_date": None, "conf": conf or {}, **fields}
        return self.post(f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]

    def run(self, dag_id, run_id):
        return self.get(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}")

    def runs(self, dag_id, **query):
        return self.all(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs", **query)

    def tasks(self, dag_id, run_id):
        rows = self.all(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances", "task_instances")
        return {(row["task_id"], row["map_index"]): row for row in rows}

    def states(self, dag_id, run_id):
        return {key: row["state"] for key, row in self.tasks(dag_id, run_id).items()}

    def wait_run(self, dag_id, run_id, seconds=60):
        def ended():
            return self.run(dag_id, run_id)["state"] in ("success", "failed")
        wait_until(ended, seconds, f"{dag_id}/{run_id} to end")
        return self.run(dag_id, run_id)["state"]

    def log(self, dag_id, run_id, task_id, try_number=1, map_index=-1):
        """Lines of one try: [(stream, text)]."""
        lines, token = [], None
        path = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}/logs/{try_number}"
        while True:
            query = {"map_index": map_index, **({"token": token} if token else {})}
            page = self.get(path, **query)
            lines += [(line["stream"], line["event"]) for line in page["content"]]
            token = page.get("continuation_token")
            if not token or not page["content"]:
                return lines

    def verify_log(self, dag_id, run_id, task_id, try_number=1, map_index=-1):
        return self.get(f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{quote(task_id)}"
                        f"/logs/{try_number}/verify", map_index=map_index)

    # ---- command line ----

    def cli(self, *words, check=True, **options):
        environment = dict(os.environ, ETESIAN_URL=self.url or "", ETESIAN_TOKEN=self.token or "", NO_COLOR="1",
                           XDG_CONFIG_HOME=str(self.home / "config"))
        done = subprocess.run([BINARY, *map(str, words)], capture_output=True, text=True, env=environment,
                              timeout=120, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"etesian {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done


def quote(segment):
    return urllib.parse.quote(segment, safe="")


def wait_until(condition, seconds, what):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


class InstallationTest(unittest.TestCase):
    """One installation for each class, with the DAGs of `DAGS`."""
    DAGS = {}

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="etesian-test-"))
        cls.project = write_project(cls.folder / "project", cls.DAGS)
        cls.prepare()
        cls.etesian = Etesian(cls.project, home=cls.folder / "home", popen=cls.popen())
        cls.etesian.start()

    @classmethod
    def prepare(cls):
        """What else lies in the folder before the start."""

    @classmethod
    def popen(cls):
        """How the server is started: arguments for Popen."""
        return {}

    @classmethod
    def tearDownClass(cls):
        cls.etesian.close()
        shutil.rmtree(cls.folder, ignore_errors=True)


def write_project(folder, dags, settings="name: test\n"):
    """{"name": "yaml text"} -> a project folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "etesian.yaml").write_text(settings)
    for name, text in dags.items():
        (folder / "dags" / name).mkdir(parents=True, exist_ok=True)
        (folder / "dags" / name / "dag.yaml").write_text(text)
    return folder
