"""What the tests of the Python host share: a host process, a server that records, a stub that asks for tasks.

The packages, the processes and the sockets are the real ones; only the Execution API is a recording stand-in.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PACKAGE_ROOT = Path(__file__).resolve().parents[2] / "python"
sys.path.insert(0, str(PACKAGE_ROOT))

from etesian_airflow import framing  # noqa: E402

# Long enough for a loaded machine: it is only ever waited out by a test that fails.
PATIENCE_S = 120.0
HEARTBEAT_S = 60
HOST_TOKEN = "token-of-the-host"


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Return the first true value of *condition*; fail when none comes. For states of processes, which tell nobody."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    """Whether *pid* runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_end(pid: int) -> None:
    """Return when *pid* has ended."""
    wait_until(lambda: not is_alive(pid), f"the end of process {pid}")


class Request:
    """One request that the API has answered."""

    def __init__(self, method: str, path: str, body: Any, token: str) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.token = token

    def __repr__(self) -> str:
        return f"{self.method} {self.path} {self.body}"


class Api:
    """An Execution API that says yes and records. What a test needs beyond that it puts into the dictionaries."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.variables: dict[str, str] = {}
        self.connections: dict[str, dict[str, Any]] = {}
        self.should_retry: set[str] = set()
        self.refuse_run: set[str] = set()
        self.fail_run_once: set[str] = set()
        self._changed = threading.Condition()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                raw = self.rfile.read(length)
                body = json.loads(raw) if raw else None
                path = self.path.removeprefix("/execution/")
                status, reply = api.decide(self.command, path)
                data = b"" if reply is None else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
                token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
                with api._changed:
                    api.requests.append(Request(self.command, path, body, token))
                    api._changed.notify_all()

            do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = answer

            def log_message(self, *_arguments: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_arguments: Any) -> None:
                """Tests kill clients; their broken connections are no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/execution/"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()

    def decide(self, method: str, path: str) -> tuple[int, Any]:
        """Return status and body of the answer."""
        parts = path.partition("?")[0].split("/")
        if parts[0] == "variables" and method == "GET":
            return self._found(self.variables.get(parts[1]), lambda value: {"key": parts[1], "value": value})
        if parts[0] == "connections":
            return self._found(self.connections.get(parts[1]), lambda value: value)
        if parts[0] == "xcoms" and method == "GET":
            return 404, {"detail": {"reason": "not_found", "message": "no such XCom"}}
        if parts[-1] == "run":
            if parts[1] in self.fail_run_once:
                self.fail_run_once.remove(parts[1])
                return 503, {"detail": "later"}
            if parts[1] in self.refuse_run:
                detail = {"reason": "invalid_state", "message": "no", "previous_state": "success"}
                return 409, {"detail": detail}
            return 200, self._context(parts[1])
        if parts[-1] == "previous-successful-dagrun":
            return 200, {"start_date": "2026-01-02T00:00:00Z"}
        if parts[-1] in ("heartbeat", "state"):
            return 204, None
        return (201 if method in ("POST", "PUT") else 200), {"message": "ok"}

    @staticmethod
    def _found(value: Any, answer: Callable[[Any], Any]) -> tuple[int, Any]:
        if value is None:
            return 404, {"detail": {"reason": "not_found", "message": "not there"}}
        return 200, answer(value)

    def _context(self, instance: str) -> dict[str, Any]:
        return {
            "dag_run": DAG_RUN,
            "task_reschedule_count": 0,
            "max_tries": 1,
            "variables": [],
            "connections": [],
            "xcom_keys_to_clear": [],
            "should_retry": instance in self.should_retry,
        }

    def wait_for(self, suffix: str, method: str | None = None) -> Request:
        """Return the first request whose path ends with *suffix*, when it has come."""

        def find() -> Request | None:
            for request in list(self.requests):
                if request.path.endswith(suffix) and method in (None, request.method):
                    return request
            return None

        with self._changed:
            if not self._changed.wait_for(find, PATIENCE_S):
                raise AssertionError(f"no request {suffix}; came: {self.requests}")
        found = find()
        assert found
        return found

    def states_of(self, instance: str) -> list[str]:
        """Return the states reported for a task instance, in order."""
        path = f"task-instances/{instance}/state"
        return [request.body["state"] for request in list(self.requests) if request.path == path]


DAG_RUN = {
    "dag_id": "d",
    "run_id": "r",
    "logical_date": "2026-01-01T00:00:00Z",
    "data_interval_start": "2026-01-01T00:00:00Z",
    "data_interval_end": "2026-01-01T00:00:00Z",
    "run_after": "2026-01-01T00:00:00Z",
    "start_date": "2026-01-01T00:00:00Z",
    "end_date": None,
    "run_type": "manual",
    "state": "running",
    "conf": {},
    "consumed_asset_events": [],
    "partition_key": None,
}


class Host:
    """A host process with its control channel; messages that nobody asked for yet are kept."""

    def __init__(self, folder: Path, api: Api, **environment: str) -> None:
        self.folder = folder
        self.dags = folder / "dags"
        self.dags.mkdir(exist_ok=True)
        self.api = api
        self.socket_path = str(folder / "tasks.sock")
        self.stderr = open(folder / "host.log", "ab")
        self._control, theirs = socket.socketpair()
        self._control.settimeout(PATIENCE_S)
        self._reader = framing.FrameReader()
        self._kept: list[dict[str, Any]] = []
        self._ids = 0
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "etesian_airflow"]
            + [f"--control-fd={theirs.fileno()}", f"--socket={self.socket_path}"],
            pass_fds=[theirs.fileno()],
            env=self._environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
        )
        theirs.close()
        self.ready = self.wait_for(lambda message: message["op"] in ("ready", "broken"))

    def _environment(self) -> dict[str, str]:
        bundles = [
            {
                "name": "dags-folder",
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(self.dags)},
            }
        ]
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(PACKAGE_ROOT),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": self.api.url,
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
            "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MIN": "0.05",
            "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "0.2",
            # Whatever waits for a heartbeat to notice something is told from what notices by itself.
            "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": str(HEARTBEAT_S),
            "AIRFLOW_VAR_FROM_ENVIRONMENT": "environment",
            "ETESIAN_AIRFLOW_HOST_TOKEN": HOST_TOKEN,
        }

    def close(self) -> None:
        """End the host as the death of its server would."""
        self._control.close()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout
        self.process.stdout.close()
        self.stderr.close()

    def close_control(self) -> None:
        """Only end the control channel."""
        self._control.close()

    def log(self) -> str:
        """Return what the host wrote to standard error so far."""
        return (self.folder / "host.log").read_text()

    def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self.send_raw(framing.encode(message))

    def send_raw(self, data: bytes) -> None:
        """Send bytes."""
        self._control.sendall(data)

    def wait_for(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first message for which *condition* holds; others wait for their turn."""
        for index, message in enumerate(self._kept):
            if condition(message):
                return self._kept.pop(index)
        while True:
            data = self._control.recv(1 << 18)
            if not data:
                raise AssertionError(f"the host has left; its log:\n{self.log()}")
            self._kept += [framing.decode(body) for body in self._reader.feed(data)]
            for index, message in enumerate(self._kept):
                if condition(message):
                    return self._kept.pop(index)

    def ask(self, op: str) -> dict[str, Any]:
        """Send {"op": op} and return the answer of the same name."""
        self.send({"op": op})
        return self.wait_for(lambda message: message["op"] == op)

    def write(self, name: str, source: str) -> Path:
        """Write a DAG file."""
        path = self.dags / name
        path.write_text(textwrap.dedent(source))
        return path

    def start_parse(self, path: Path, **options: Any) -> int:
        """Ask for a parse; return its id."""
        self._ids += 1
        message = {"op": "parse", "id": self._ids, "bundle": "dags-folder", "bundle_path": str(self.dags)}
        limits = {"timeout_s": 30, "memory_bytes": 2 << 30}
        self.send(message | {"file": str(path)} | limits | options)
        return self._ids

    def finish_parse(self, number: int) -> dict[str, Any]:
        """Return the result of a parse."""
        return self.wait_for(lambda message: message["op"] == "parsed" and message["id"] == number)

    def parse(self, path: Path, **options: Any) -> dict[str, Any]:
        """Parse and return the result."""
        return self.finish_parse(self.start_parse(path, **options))

    def callback(self, path: Path, request: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Run a callback request and return the answer."""
        self._ids += 1
        message = {"op": "callback", "id": self._ids, "bundle": "dags-folder", "bundle_path": str(self.dags)}
        self.send(message | {"file": str(path), "request": request, "timeout_s": 30} | options)
        return self.wait_for(lambda reply: reply["op"] == "called" and reply["id"] == self._ids)


class Stub:
    """The client of one task, as the agent's native stub is one; here in the test's own process."""

    def __init__(self, host: Host) -> None:
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.settimeout(PATIENCE_S)
        self._connection.connect(host.socket_path)
        self._host = host
        self._reader = framing.FrameReader()
        self._kept: list[dict[str, Any]] = []
        self._output: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        self._readers: list[threading.Thread] = []
        self.instance = str(uuid.uuid4())
        self.pid = 0

    def workload(self, file: str, dag_id: str, task_id: str) -> dict[str, Any]:
        """Return an ExecuteTask as the server makes it."""
        instance = {
            "id": self.instance,
            "dag_version_id": str(uuid.uuid4()),
            "task_id": task_id,
            "dag_id": dag_id,
            "run_id": "r",
            "try_number": 1,
            "map_index": -1,
            "pool_slots": 1,
            "priority_weight": 1,
            "queue": "default",
        }
        return {
            "type": "ExecuteTask",
            "token": f"token-{self.instance}",
            "dag_rel_path": file,
            "bundle_info": {"name": "dags-folder", "version": None},
            "log_path": None,
            "ti": instance,
        }

    def run(self, file: str, dag_id: str, task_id: str, **options: Any) -> None:
        """Ask for a task."""
        message = {
            "op": "run",
            "workload": self.workload(file, dag_id, task_id),
            "env": {},
            "unset": [],
            "server": self._host.api.url,
            "cwd": None,
        }
        self.send_with_pipes(framing.encode(message | options))

    def send_with_pipes(self, data: bytes, pipes: int = 2) -> None:
        """Send *data*, the descriptors of new output pipes with its first byte."""
        ends = []
        for name in ("stdout", "stderr", "more")[:pipes]:
            read, write = os.pipe()
            ends.append(write)
            thread = threading.Thread(target=self._collect, args=(name, read), daemon=True)
            thread.start()
            self._readers.append(thread)
        socket.send_fds(self._connection, [data[:1]], ends)
        for end in ends:
            os.close(end)
        self._connection.sendall(data[1:])

    def _collect(self, name: str, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while data := pipe.read(1 << 16):
                self._output.setdefault(name, bytearray()).extend(data)

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, None at the end of the connection."""
        while not self._kept:
            try:
                data = self._connection.recv(1 << 16)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._kept += [framing.decode(body) for body in self._reader.feed(data)]
        return self._kept.pop(0)

    def wait_for_start(self) -> int:
        """Return the supervisor's id when it says that it has started."""
        message = self.receive()
        assert message and message["op"] == "started", message
        self.pid = message["pid"]
        return self.pid

    def finish(self) -> int | None:
        """Return the code of the end, None when the connection broke before; all output is here then."""
        if not self.pid:
            self.wait_for_start()
        message = self.receive()
        for thread in self._readers:
            thread.join(PATIENCE_S)
        return message["code"] if message else None

    def signal(self, number: int) -> None:
        """Pass a signal on."""
        self._connection.sendall(framing.encode({"op": "signal", "signo": number}))

    def close(self) -> None:
        """Die, as far as the supervisor can tell."""
        self._connection.close()

    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines, each of which must be JSON."""
        return [json.loads(line) for line in bytes(self._output["stdout"]).splitlines()]

    def stderr(self) -> str:
        """Return what came out of the second pipe."""
        return bytes(self._output["stderr"]).decode()


def children_of(pid: int) -> list[int]:
    """Return the ids of the children of *pid*."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] not in "ZX":
                found.append(int(entry.name))
    return found


def kill_at_end(test: unittest.TestCase, pid: int) -> None:
    """See to it that a process of the test does not outlive it."""

    def kill() -> None:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)

    test.addCleanup(kill)


class HostTest(unittest.TestCase):
    """Tests that share one host, one API and one folder."""

    host: Host
    api: Api
    folder: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = Path(tempfile.mkdtemp(prefix="etesian-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.api = Api()
        cls.addClassCleanup(cls.api.close)
        cls.prepare()
        cls.host = Host(cls.folder, cls.api)
        cls.addClassCleanup(cls.host.close)

    @classmethod
    def prepare(cls) -> None:
        """Set up what the host must find when it starts."""

    def stub(self) -> Stub:
        """Return a new stub that is closed at the end of the test."""
        stub = Stub(self.host)
        self.addCleanup(stub.close)
        return stub
