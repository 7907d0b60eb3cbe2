"""An installation under measurement: the one of the tests, with a client that costs little, and what it uses."""
from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Callable

from rows.row import ROOT

sys.path.insert(0, str(ROOT / "tests/integration"))
from etesian import Etesian, quote, write_project  # noqa: E402, F401

ALIVE_S = 600


class Client:
    """One connection that stays open, and requests that are made before the clock starts."""

    def __init__(self, url: str, token: str):
        self.host, port = url.removeprefix("http://").split(":")
        self.token = token
        self.socket = socket.create_connection((self.host, int(port)), timeout=ALIVE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def request(self, method: str, path: str, body: Any = None) -> bytes:
        text = json.dumps(body).encode() if body is not None else b""
        head = (f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n")
        return head.encode() + text

    def send(self, request: bytes) -> bytes:
        self.socket.sendall(request)
        answer = http.client.HTTPResponse(self.socket, method=request.split(b" ", 1)[0].decode())
        answer.begin()
        body = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{request.splitlines()[0].decode()}: {answer.status} {body.decode()}")
        return body

    def get(self, path: str) -> dict:
        return json.loads(self.send(self.request("GET", path)))

    def close(self) -> None:
        self.socket.close()


def run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id)}"


def seconds_of(text: str) -> float:
    """Of an instant as the API writes it, since 1970."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def until(condition: Callable[[], bool], what: str, *, every_s: float, within_s: float = ALIVE_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {within_s:g} s for {what}")
        time.sleep(every_s)


class Installation(Etesian):
    def __init__(self, project: pathlib.Path, home: pathlib.Path):
        super().__init__(project, home=home)
        self.project = pathlib.Path(project)
        self.client: Client | None = None

    def start(self, ready: bool = True) -> None:
        super().start(ready=False)
        if not ready:
            return
        self.wait_ready()
        if self.token is None:
            self.log_in()
        self.connect()

    def connect(self) -> Client:
        if self.client:
            self.client.close()
        self.client = Client(self.url, self.token)
        return self.client

    def wait_ready(self, seconds: float = ALIVE_S) -> None:
        """In steps that a start of a tenth of a second can be measured with."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=ALIVE_S)

        def is_ready() -> bool:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            answer.read()
            return answer.status == 200
        until(is_ready, "the server to be ready", every_s=0.002, within_s=seconds)
        connection.close()

    def seconds_to_ready(self) -> float:
        begin = time.monotonic()
        self.start(ready=False)
        self.wait_ready()
        return time.monotonic() - begin

    def close(self) -> None:
        """Ends everything of the installation, tasks included; what is stored is as after an ordinary stop."""
        if self.client:
            self.client.close()
            self.client = None
        if self.process and self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop_server()
        super().close()
        mark = f"ETESIAN_DAG_FOLDER={self.project}/".encode()
        for folder in pathlib.Path("/proc").iterdir():
            try:
                is_task = folder.name.isdigit() and mark in (folder / "environ").read_bytes()
                if is_task:
                    os.kill(int(folder.name), signal.SIGKILL)
            except OSError:
                continue  # Gone, or another user's.

    # ---- runs ----

    def trigger_request(self, dag_id: str) -> bytes:
        return self.client.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": {}})

    def trigger(self, dag_id: str, conf: dict | None = None, **fields: Any) -> str:
        return json.loads(self.client.send(self.trigger_request(dag_id)))["dag_run_id"]

    def wait_success(self, dag_id: str, run_id: str) -> None:
        """Returns as soon as the run's end is durable."""
        lines = self.client.send(self.client.request("GET", run_path(dag_id, run_id) + "/wait?interval=1"))
        state = json.loads(lines.decode().strip().splitlines()[-1])["state"]
        if state != "success":
            raise RuntimeError(f"{dag_id}/{run_id} is {state}: a benchmark of failures says nothing")

    def seconds_of_runs(self, dag_ids: list[str]) -> float:
        """From before the first trigger until all have succeeded."""
        begin = time.monotonic()
        runs = [(dag_id, self.trigger(dag_id)) for dag_id in dag_ids]
        for run in runs:
            self.wait_success(*run)
        return time.monotonic() - begin

    def count(self, path: str) -> int:
        return self.client.get(path + ("&" if "?" in path else "?") + "limit=1")["total_entries"]

    def wait_pool(self, pool: str, **slots: int) -> None:
        """Until the pool shows these numbers of slots: running=…, scheduled=…."""
        def is_so() -> bool:
            row = self.client.get(f"/api/v2/pools/{pool}")
            return all(row[f"{name}_slots"] == number for name, number in slots.items())
        until(is_so, f"pool {pool} to have {slots}", every_s=0.1)

    # ---- what it uses ----

    def service_pids(self) -> list[int]:
        """Server, keeper and worker; no task."""
        until(lambda: self.agent_pid() is not None, "the agent", every_s=0.01)
        return [self.process.pid, *(pid for pid, _ in self.processes("agent"))]

    def pss_bytes(self) -> int:
        """Proportional set size: shared pages are counted once."""
        def pss(pid: int) -> int:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
        return sum(map(pss, self.service_pids()))

    def cpu_seconds(self) -> float:
        """Processor time of all their threads so far."""
        def of_task(folder: pathlib.Path) -> int:
            return int((folder / "schedstat").read_text().split()[0])
        return sum(of_task(folder) for pid in self.service_pids()
                   for folder in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9

    def settle(self, quiet_s: float = 0.5) -> None:
        """Until it does next to nothing: memory and processor time are those of rest."""
        def is_quiet() -> bool:
            before = self.cpu_seconds()
            time.sleep(quiet_s)
            return self.cpu_seconds() - before < 0.02 * quiet_s
        until(is_quiet, "the installation to rest", every_s=0)
