"""Airflow as `airflow standalone` runs it, on PostgreSQL, and Etesian: started, asked and ended in the same way."""
from __future__ import annotations

import http.client
import json
import os
import pathlib
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import urllib.parse
from typing import Any

import processes
from processes import wait_until

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
USER, PASSWORD = "admin", "a password for benchmarks"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def clean_environment(home: pathlib.Path) -> dict[str, str]:
    """Nothing of the caller's: no proxy, no Airflow or Etesian settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"}


class RestError(Exception):
    def __init__(self, status: int, text: str):
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


class Rest:
    """REST API v2 over one kept connection."""

    def __init__(self, port: int):
        self.port, self.token = port, ""
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        target = path + ("?" + urllib.parse.urlencode(query, doseq=True) if query else "")
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if method != "GET":  # Not to be repeated, so never on a connection that the server may just have closed.
            self.connection.close()
        try:
            self.connection.request(method, target, json.dumps(body) if body is not None else None, headers)
            answer = self.connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        if answer.status >= 300:
            raise RestError(answer.status, f"{method} {target}: {text}")
        return json.loads(text) if "json" in answer.headers.get("Content-Type", "") else text

    def get(self, path: str, **query: Any) -> Any:
        try:
            return self.request("GET", path, **query)
        except (OSError, http.client.HTTPException):  # The server may have closed a connection that was idle.
            return self.request("GET", path, **query)


def run_path(dag_id: str, run_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{urllib.parse.quote(run_id, safe='')}"


class Service:
    """One installation on a fresh home; `stop` and `start` may follow each other."""

    def __init__(self, folder: pathlib.Path, dags: pathlib.Path):
        self.folder, self.dags = folder, dags
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.rest = Rest(self.port)
        self.keeper: subprocess.Popen[str] | None = None
        self.pids: dict[str, int] = {}

    def components(self) -> dict[str, dict[str, Any]]:
        raise NotImplementedError

    def is_healthy(self) -> bool:
        raise NotImplementedError

    def launch(self) -> None:
        """Starts the processes, without waiting for them."""
        self.keeper = subprocess.Popen([sys.executable, str(HERE / "keeper.py"), str(self.folder)], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        self.keeper.stdin.write(json.dumps(self.components()) + "\n")
        self.keeper.stdin.flush()
        self.pids = json.loads(self.keeper.stdout.readline())

    def stop(self) -> None:
        if self.keeper:
            self.rest.connection.close()
            self.keeper.communicate()  # Closes its standard input.
            self.keeper = None

    def __enter__(self) -> Service:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind and issubclass(kind, Exception):
            for log in sorted(self.folder.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}", file=sys.stderr)
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def wait_answers(self) -> None:
        """Until the API lets us in."""
        def let_in() -> bool:
            try:
                self.rest.token = ""
                body = {"username": USER, "password": PASSWORD}
                self.rest.token = self.rest.request("POST", "/auth/token", body)["access_token"]
                return True
            except (OSError, http.client.HTTPException, RestError):
                return False
        self.wait(let_in, 180, "the API")

    def wait_dags(self, count: int, seconds: float) -> None:
        """Until so many DAGs are listed."""
        self.wait(lambda: self.rest.get("/api/v2/dags", limit=1)["total_entries"] >= count, seconds, f"{count} DAGs")

    def start(self, dags: int) -> None:
        """Until all is up and the DAGs are loaded."""
        self.launch()
        self.wait_answers()
        self.wait_dags(dags, 600)
        self.wait(self.is_healthy, 120, "all parts to be healthy")

    def wait(self, condition: Any, seconds: float, what: str) -> None:
        def checked() -> object:
            for name, pid in self.pids.items():
                if not os.path.exists(f"/proc/{pid}"):
                    raise RuntimeError(f"{name} has ended")
            return condition()
        wait_until(checked, seconds, what)

    def unpause(self, dag_id: str) -> None:
        self.rest.request("PATCH", f"/api/v2/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str) -> str:
        body = {"logical_date": None, "conf": {}}
        return self.rest.request("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)["dag_run_id"]

    def wait_runs(self, runs: list[tuple[str, str]], seconds: float) -> list[dict[str, Any]]:
        """Until all have succeeded: a benchmark of failures says nothing."""
        ended = []
        for dag_id, run_id in runs:
            def has_ended() -> bool:
                return self.rest.get(run_path(dag_id, run_id))["state"] in ("success", "failed")
            self.wait(has_ended, seconds, f"{dag_id} to end")
            ended.append(self.rest.get(run_path(dag_id, run_id)))
            if ended[-1]["state"] != "success":
                raise RuntimeError(f"{dag_id}/{run_id} has failed: {self.failures(dag_id, run_id)}")
        return ended

    def failures(self, dag_id: str, run_id: str) -> str:
        """The tasks that have not succeeded, and the log of the first."""
        place = run_path(dag_id, run_id) + "/taskInstances"
        rows = self.rest.get(place, limit=100)["task_instances"]
        bad = [row for row in rows if row["state"] != "success"]
        log = self.rest.get(f"{place}/{bad[0]['task_id']}/logs/{bad[0]['try_number']}") if bad else ""
        return ", ".join(f"{row['task_id']} {row['state']}" for row in bad) + f"\n{json.dumps(log, indent=1)}"

    def parsed_since(self, moment: float) -> bool:
        raise NotImplementedError

    def waiting_memory_mib(self) -> float:
        """Of the processes that tend to deferred tasks."""
        raise NotImplementedError

    def waiting_cpu_s(self) -> float:
        raise NotImplementedError

    def memory(self) -> tuple[float, int]:
        """MiB and number of all its processes."""
        return processes.memory(self.keeper.pid)

    def cpu_s(self) -> float:
        return processes.cpu_s(self.keeper.pid)


class PostgreSQL:
    """A server of our own in a temporary folder, with the settings that the package comes with."""

    def __init__(self, folder: pathlib.Path):
        self.folder, self.port, self.count = folder, free_port(), 0
        self.process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root; its package has made this user.
        self.as_user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}

    def __enter__(self) -> PostgreSQL:
        self.folder.mkdir(parents=True)
        if self.as_user:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        data = str(self.folder / "data")
        self.run("initdb", "-D", data, "-U", "airflow", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        with open(self.folder.parent / "postgresql.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.program("postgres"), "-D", data, "-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/", **self.as_user)
        wait_until(lambda: subprocess.run([self.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                                          check=False).returncode == 0, 60, "PostgreSQL")
        return self

    def __exit__(self, *_: object) -> None:
        if self.process:
            self.process.send_signal(2)  # SIGINT: a fast shutdown
            self.process.wait()

    def program(self, name: str) -> str:
        """Debian keeps server programs out of PATH; the newest version."""
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
        path = str(found[-1]) if found else shutil.which(name)
        if not path:
            raise SystemExit(f"PostgreSQL's {name} is not installed")
        return path

    def run(self, name: str, *words: str) -> str:
        done = subprocess.run([self.program(name), *words], capture_output=True, text=True, check=False, cwd="/",
                              env=clean_environment(self.folder), **self.as_user)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def create(self, template: str = "template1") -> str:
        """A new database, copied from another one that nobody uses."""
        self.count += 1
        name = f"airflow_{self.count}"
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "airflow", "-T", template, name)
        return name

    def ask(self, database: str, query: str) -> str:
        return self.run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "airflow", "-d", database, "-Atc", query)

    def memory_mib(self) -> float:
        return processes.memory(self.process.pid)[0] + processes.pss_mib(self.process.pid)


class Airflow(Service):
    """The four components as `airflow standalone` starts them, each with its default settings."""

    python = ROOT / "build/airflow-bench/bin/python"
    migrated: dict[int, str] = {}  # the database with Airflow's tables, by port of the server

    def __init__(self, folder: pathlib.Path, dags: pathlib.Path, postgres: PostgreSQL):
        super().__init__(folder, dags)
        self.postgres = postgres
        self.settings = {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{self.port}/execution/",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{self.port}",
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        }
        (folder / "passwords.json").write_text(json.dumps({USER: PASSWORD}))
        if postgres.port not in self.migrated:
            self.use(postgres.create())
            done = subprocess.run([self.python, "-m", "airflow", "db", "migrate"], env=self.environment(),
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"airflow db migrate: {done.stdout[-2000:]}{done.stderr[-2000:]}")
            self.migrated[postgres.port] = self.database
        self.use(postgres.create(self.migrated[postgres.port]))

    def use(self, database: str) -> None:
        self.database = database
        place = f"airflow@127.0.0.1:{self.postgres.port}/{database}"
        self.settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"postgresql+psycopg2://{place}"
        self.settings["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] = f"postgresql+asyncpg://{place}"

    def environment(self) -> dict[str, str]:
        return clean_environment(self.folder) | self.settings

    def components(self) -> dict[str, dict[str, Any]]:
        api_server = ["api-server", "--host", "127.0.0.1", "--port", str(self.port)]
        return {words[0]: {"command": [str(self.python), "-m", "airflow", *words], "env": self.environment()}
                for words in (["scheduler"], ["dag-processor"], api_server, ["triggerer"])}

    def is_healthy(self) -> bool:
        return all(part["status"] == "healthy" for part in self.rest.get("/api/v2/monitor/health").values())

    def parsed_since(self, moment: float) -> bool:
        """Whether each DAG file has been parsed again since then (seconds since the epoch)."""
        query = f"select min(last_parsed_time) > to_timestamp({moment}) from dag"
        return self.postgres.ask(self.database, query) == "t"

    def waiting_memory_mib(self) -> float:
        """The triggerer."""
        pid = self.pids["triggerer"]
        return processes.pss_mib(pid) + processes.memory(pid)[0]

    def waiting_cpu_s(self) -> float:
        process = processes.all_processes()[self.pids["triggerer"]]
        return process.own_s + process.children_s + sum(p.own_s + p.children_s for p in processes.below(process.pid))


class Etesian(Service):
    """The server of the release build; with the native lane, or with all tasks run by the official SDK."""

    binary = ROOT / "build/release/bin/etesian"
    python = ROOT / "build/airflow/bin/python"

    def __init__(self, folder: pathlib.Path, dags: pathlib.Path, native_lane: bool):
        super().__init__(folder, dags)
        self.native_lane = native_lane

    def components(self) -> dict[str, dict[str, Any]]:
        environment = clean_environment(self.folder) | {
            "ETESIAN_ADMIN_PASSWORD": PASSWORD,
            "ETESIAN_AIRFLOW_PYTHON": str(self.python),
            "ETESIAN_NATIVE_LANE": "1" if self.native_lane else "0",
        }
        words = [str(self.binary), "up", "--home", str(self.folder / "home"), "--dags", str(self.dags),
                 "--port", str(self.port)]
        return {"etesian": {"command": words, "env": environment}}

    def is_healthy(self) -> bool:
        self.rest.get("/readyz")
        return True

    def parsed_since(self, _: float) -> bool:
        """Ready means: each file is known to be unchanged, or was parsed."""
        return self.is_healthy()

    def waiting_memory_mib(self) -> float:
        """All that runs Python: the host, and the triggers in a child of it."""
        return sum(processes.pss_mib(process.pid) for process in processes.below(self.keeper.pid)
                   if "python" in processes.command(process.pid).split(" ")[0])

    def waiting_cpu_s(self) -> float:
        """All of the service."""
        return self.cpu_s()
