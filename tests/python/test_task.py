"""Running tasks: the SDK's supervisor, forked, tied to a stub."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

from support import (
    HEARTBEAT_S,
    PACKAGE_ROOT,
    Host,
    HostTest,
    Stub,
    framing,
    is_alive,
    kill_at_end,
    wait_for_end,
    wait_until,
)

TASKS = """
import logging
import os
import signal
import subprocess
import sys
import time
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

with DAG("tasks", schedule=None):

    @task
    def succeed():
        return 42

    @task
    def talk():
        print("printed by the task")
        print("printed to stderr", file=sys.stderr)
        logging.getLogger("mine").info("logged by the task")
        os.system("echo said by a program")
        print("without an end of line", end="")

    @task
    def fail():
        raise ValueError("wrong on purpose")

    @task
    def skip():
        raise AirflowSkipException("not today")

    @task
    def exit_17():
        os._exit(17)

    @task
    def be_killed():
        os.kill(os.getpid(), signal.SIGKILL)

    @task
    def hang(note):
        program = subprocess.Popen(["sleep", "600"], start_new_session=True)
        with open(note + ".tmp", "w") as file:
            file.write(f"{os.getpid()} {program.pid}")
        os.rename(note + ".tmp", note)
        time.sleep(600)

    @task
    def wait_for_file(path):
        while not os.path.exists(path):
            time.sleep(0.01)
        print("it came")

    @task
    def show_environment():
        import gc
        from airflow.sdk import Variable
        print("ADDED", os.environ.get("ADDED"))
        print("PATH", os.environ.get("PATH"))
        print("PYTHONPATH", os.environ.get("PYTHONPATH"))
        print("cwd", os.getcwd())
        print("variable", Variable.get("colour", default=None))
        collections = (str(thing) for thing in gc.get_objects() if isinstance(thing, (dict, list)))
        print("host token", any("token-of-the-host" in text for text in collections))
        files = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        print("files", sorted(os.readlink(file).split(":")[0] for file in files if os.path.lexists(file)))
        print("limit", __import__("resource").getrlimit(__import__("resource").RLIMIT_NOFILE))
        print("signals", signal.getsignal(signal.SIGCHLD), signal.getsignal(signal.SIGIO))

    BashOperator(
        task_id="sleep",
        bash_command="trap 'echo cleaned up; exit 1' TERM; echo $$ > $NOTE.tmp; mv $NOTE.tmp $NOTE; sleep 600 & wait",
    )
    succeed() >> talk() >> fail() >> skip() >> exit_17() >> be_killed() >> show_environment()
    hang(note=os.environ.get("NOTE", ""))
    wait_for_file(path=os.environ.get("AWAITED", ""))
"""

# A task socket on a machine that has no process left.
EXHAUSTED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from etesian_airflow.credential import Credential
from etesian_airflow.loop import Loop
from etesian_airflow.tasks import TaskSocket

class ExhaustedLoop(Loop):
    def fork(self, main, child):
        raise BlockingIOError(11, os.strerror(11))

loop = ExhaustedLoop()
socket = TaskSocket(loop, sys.argv[2], Credential.take_from_environment(), lambda: None)
loop.run()
"""


class TaskTest(HostTest):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        (cls.host.dags / "tasks.py").write_text(TASKS)

    def run_task(self, task_id: str, **options: object) -> tuple[Stub, int | None]:
        stub = self.stub()
        stub.run("tasks.py", "tasks", task_id, **options)
        return stub, stub.finish()

    def hang(self, task_id: str = "hang") -> tuple[Stub, list[int]]:
        """Start a task that hangs; return with the ids of processes of it that it tells."""
        stub = self.stub()
        note = self.folder / stub.instance
        stub.run("tasks.py", "tasks", task_id, env={"NOTE": str(note)})
        supervisor = stub.wait_for_start()
        kill_at_end(self, supervisor)
        pids = [int(text) for text in wait_until(lambda: note.exists() and note.read_text(), "the task").split()]
        for pid in pids:
            kill_at_end(self, pid)
        return stub, pids

    def test_a_task_succeeds_and_its_result_arrives(self) -> None:
        stub, code = self.run_task("succeed")
        self.assertEqual(code, 0)
        self.assertEqual(self.api.states_of(stub.instance), ["success"])
        self.assertEqual(self.api.wait_for("xcoms/tasks/r/succeed/return_value", "POST").body, 42)
        start = next(r for r in self.api.requests if r.path == f"task-instances/{stub.instance}/run")
        self.assertEqual(start.token, f"token-{stub.instance}")
        wait_for_end(stub.pid)

    def test_a_failure_is_reported_as_the_server_wants_it(self) -> None:
        stub, code = self.run_task("fail")
        self.assertEqual((code, self.api.states_of(stub.instance)), (0, ["failed"]))
        stub = self.stub()
        self.api.should_retry.add(stub.instance)
        stub.run("tasks.py", "tasks", "fail")
        self.assertEqual((stub.finish(), self.api.states_of(stub.instance)), (0, ["up_for_retry"]))

    def test_a_skip_is_reported(self) -> None:
        stub, code = self.run_task("skip")
        self.assertEqual((code, self.api.states_of(stub.instance)), (0, ["skipped"]))

    def test_a_task_that_dies_while_it_may_retry_tells_the_server_nothing_and_the_stub_its_end(self) -> None:
        for task_id, expected in (("exit_17", 17), ("be_killed", -9)):
            with self.subTest(task_id):
                stub = self.stub()
                self.api.should_retry.add(stub.instance)
                stub.run("tasks.py", "tasks", task_id)
                self.assertEqual(stub.finish(), expected)
                self.assertEqual(self.api.states_of(stub.instance), [])

    def test_a_task_that_dies_in_its_last_try_is_reported_failed(self) -> None:
        stub, code = self.run_task("exit_17")
        self.assertEqual((code, self.api.states_of(stub.instance)), (17, ["failed"]))

    def test_a_refused_start_ends_with_1_and_a_reason(self) -> None:
        stub = self.stub()
        self.api.refuse_run.add(stub.instance)
        stub.run("tasks.py", "tasks", "succeed")
        self.assertEqual(stub.finish(), 1)
        self.assertIn("Workload was not run to its end", [line["event"] for line in stub.lines()])

    def test_each_line_comes_once_in_order_and_as_json(self) -> None:
        stub, _ = self.run_task("talk")
        lines = stub.lines()
        events = [line["event"] for line in lines]
        for text in ("printed by the task", "logged by the task", "said by a program", "without an end of line"):
            self.assertEqual([event for event in events if text in str(event)], [text])
        said = [line for line in lines if line["event"] == "printed to stderr"]
        self.assertEqual([(line["level"], line["logger"]) for line in said], [("error", "task.stderr")])
        [logged] = [line for line in lines if line["event"] == "logged by the task"]
        self.assertEqual((logged["logger"], logged["level"], logged["task_id"]), ("mine", "info", "talk"))
        self.assertLess(events.index("printed by the task"), events.index("Workload finished"))
        self.assertTrue(all({"timestamp", "level", "event", "logger"} <= line.keys() for line in lines), lines)
        self.assertEqual(stub.stderr(), "")

    def test_a_retried_request_is_logged_as_json_too(self) -> None:
        stub = self.stub()
        self.api.fail_run_once.add(stub.instance)
        stub.run("tasks.py", "tasks", "succeed")
        self.assertEqual(stub.finish(), 0)
        retried = [line for line in stub.lines() if line["logger"] == "airflow.sdk.api.client"]
        self.assertEqual([line["level"] for line in retried], ["warning"])

    def test_an_exception_is_logged_once_with_its_traceback(self) -> None:
        stub, _ = self.run_task("fail")
        with_error = [line for line in stub.lines() if "error_detail" in line]
        self.assertEqual(len(with_error), 1)
        [detail] = with_error[0]["error_detail"]
        self.assertEqual((detail["exc_type"], detail["exc_value"]), ("ValueError", "wrong on purpose"))

    def test_the_environment_is_the_requests_and_nothing_of_the_host_leaks(self) -> None:
        stub, code = self.run_task(
            "show_environment",
            env={"ADDED": "yes", "AIRFLOW_VAR_COLOUR": "blue"},
            unset=["PATH"],
            cwd=str(self.folder),
        )
        self.assertEqual(code, 0)
        said = dict(line["event"].split(" ", 1) for line in stub.lines() if line["logger"] == "task.stdout")
        self.assertEqual((said["ADDED"], said["PATH"], said["PYTHONPATH"]), ("yes", "None", "None"))
        self.assertEqual((said["cwd"], said["variable"]), (str(self.folder), "blue"))
        self.assertEqual(said["host"], "token False")
        self.assertEqual(said["signals"], "0 0")
        self.assertNotIn("memfd", said["files"])
        self.assertNotIn("tasks.sock", said["files"])
        self.assertNotIn("anon_inode", said["files"])
        # The SDK's own: requests, output, errors, each also as a standard stream, and log records.
        self.assertEqual(said["files"].count("'socket'"), 7, said["files"])

    def test_sigterm_reaches_the_operator_which_cleans_up(self) -> None:
        stub, pids = self.hang("sleep")
        stub.signal(signal.SIGTERM)
        self.assertEqual(stub.finish(), 0)
        self.assertEqual(self.api.states_of(stub.instance), ["failed"])
        self.assertIn("cleaned up", [line["event"] for line in stub.lines()], stub.lines())
        for pid in pids:
            wait_for_end(pid)

    def test_sigkill_ends_supervisor_and_task(self) -> None:
        stub, pids = self.hang()
        stub.signal(signal.SIGKILL)
        self.assertIsNone(stub.finish())
        for pid in [stub.pid, *pids]:
            wait_for_end(pid)

    def test_nothing_of_a_task_outlives_its_stub(self) -> None:
        stub, pids = self.hang()
        began = time.monotonic()
        stub.close()
        for pid in [stub.pid, *pids]:
            wait_for_end(pid)
        # Before the supervisor's next heartbeat, that is inside its wait.
        self.assertLess(time.monotonic() - began, HEARTBEAT_S / 2)
        self.assertEqual(self.api.states_of(stub.instance), [])

    def test_a_killed_supervisor_is_noticed_by_its_stub(self) -> None:
        stub, pids = self.hang()
        os.kill(stub.pid, signal.SIGKILL)
        self.assertIsNone(stub.receive())
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def test_twenty_tasks_at_once_end_without_waiting_for_a_heartbeat(self) -> None:
        began = time.monotonic()
        stubs = [self.stub() for _ in range(20)]
        for stub in stubs:
            stub.run("tasks.py", "tasks", "succeed")
        for stub in stubs:
            self.api.wait_for(f"task-instances/{stub.instance}/state")
        reported = time.monotonic() - began
        for stub in stubs:
            self.assertEqual(stub.finish(), 0)
            self.assertEqual(self.api.states_of(stub.instance), ["success"])
        ended = time.monotonic() - began
        print(f"\n20 tasks at once: all reported after {reported:.2f} s, all ended after {ended:.2f} s", end=" ")
        self.assertLess(ended - reported, HEARTBEAT_S / 2)
        wait_until(lambda: self.host.ask("stat")["tasks"] == 0, "no task left")

    def test_stubs_that_make_no_sense_are_refused(self) -> None:
        refused = [
            (framing.encode({"op": "dance"}), 2, "unknown op"),
            (framing.encode({"op": "run", "workload": {}, "server": "http://x/"}), 1, "needs 2 descriptors, 1 came"),
            (framing.encode({"op": "run", "workload": {}, "server": "http://x/"}), 3, "needs 2 descriptors, 3 came"),
            (framing.encode({"op": "run", "server": "http://x/"}), 2, "'workload'"),
            (b"\xff\xff\xff\xffgarbage", 2, "more than"),
            (b"\x00\x00\x00\x02{]", 2, "not JSON"),
        ]
        for data, pipes, why in refused:
            with self.subTest(why):
                stub = self.stub()
                stub.send_with_pipes(data, pipes)
                message = stub.receive()
                assert message
                self.assertEqual(message["op"], "refused")
                self.assertIn(why, message["error"])
        self.assertEqual(self.run_task("succeed")[1], 0)

    def test_an_invalid_workload_ends_with_1(self) -> None:
        stub = self.stub()
        stub.run("tasks.py", "tasks", "succeed", workload={"type": "ExecuteTask"})
        self.assertEqual(stub.finish(), 1)
        self.assertIn("Workload was not run to its end", [line["event"] for line in stub.lines()])

    def test_a_thousand_silent_connections_hinder_nobody(self) -> None:
        silent = []
        for _ in range(1000):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.connect(self.host.socket_path)
            silent.append(connection)
        self.assertEqual(self.run_task("succeed")[1], 0)
        # All are told after ten seconds.
        silent[0].settimeout(60)
        self.assertIn(b"no request came within 10 s", silent[0].recv(1000))
        for connection in silent:
            connection.close()

    def test_only_the_owner_may_connect(self) -> None:
        self.assertEqual(stat.S_IMODE(os.stat(self.host.socket_path).st_mode), 0o600)

    def test_the_host_keeps_standard_output_to_itself(self) -> None:
        assert self.host.process.stdout
        # Nothing ever came, and nobody holds it open.
        self.assertEqual(self.host.process.stdout.read(), b"")


class LifeOfHostTest(HostTest):
    def start_waiting_task(self) -> tuple[Stub, Path]:
        (self.host.dags / "tasks.py").write_text(TASKS)
        stub = self.stub()
        awaited = self.folder / stub.instance
        stub.run("tasks.py", "tasks", "wait_for_file", env={"AWAITED": str(awaited)})
        kill_at_end(self, stub.wait_for_start())
        return stub, awaited

    def finish_waiting_task(self, stub: Stub, awaited: Path) -> None:
        awaited.touch()
        self.assertEqual(stub.finish(), 0)
        self.assertEqual(self.api.states_of(stub.instance), ["success"])
        self.assertIn("it came", [line["event"] for line in stub.lines()])

    def test_a_task_outlives_the_server_and_the_host(self) -> None:
        host = Host(self.folder, self.api)
        type(self).host, before = host, self.host
        try:
            stub, awaited = self.start_waiting_task()
            host.close_control()
            self.assertEqual(host.process.wait(60), 0)
            self.finish_waiting_task(stub, awaited)
        finally:
            type(self).host = before
            host.close()

    def test_a_task_outlives_a_killed_host(self) -> None:
        host = Host(self.folder, self.api)
        type(self).host, before = host, self.host
        try:
            stub, awaited = self.start_waiting_task()
            host.process.kill()
            host.process.wait(60)
            self.finish_waiting_task(stub, awaited)
        finally:
            type(self).host = before
            host.close()

    def test_running_out_of_descriptors_refuses_stubs_and_passes(self) -> None:
        host = Host(self.folder, self.api)
        self.addCleanup(host.close)
        (host.dags / "tasks.py").write_text(TASKS)
        _, hard = resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE)
        try:
            used = len(os.listdir(f"/proc/{host.process.pid}/fd"))
        except PermissionError:
            self.skipTest("only root sees how many descriptors the host has")
        resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (used + 5, hard))
        connections = []
        for _ in range(20):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(20)
            connection.connect(host.socket_path)
            connections.append(connection)
        self.assertEqual(connections[-1].recv(1), b"")
        for connection in connections:
            connection.close()
        wait_until(lambda: len(os.listdir(f"/proc/{host.process.pid}/fd")) == used, "all connections are closed")
        resource.prlimit(host.process.pid, resource.RLIMIT_NOFILE, (hard, hard))
        stub = Stub(host)
        self.addCleanup(stub.close)
        stub.run("tasks.py", "tasks", "succeed")
        self.assertEqual(stub.finish(), 0)

    def test_a_failing_fork_is_told_to_the_stub(self) -> None:
        path = str(self.folder / "exhausted.sock")
        process = subprocess.Popen([sys.executable, "-c", EXHAUSTED, str(PACKAGE_ROOT), path])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(Path(path).exists, "the socket")
        stub = Stub(SimpleNamespace(socket_path=path, api=self.api))  # type: ignore[arg-type]
        self.addCleanup(stub.close)
        stub.run("tasks.py", "tasks", "succeed")
        message = stub.receive()
        assert message
        self.assertEqual(message["op"], "refused")
        self.assertIn("Resource temporarily unavailable", message["error"])

    def test_the_end_of_the_server_ends_parses(self) -> None:
        host = Host(self.folder, self.api)
        note = self.folder / "parsing"
        source = f"""
            from airflow.sdk import DAG
            import os, time
            open({str(note)!r}, "w").write(str(os.getpid()))
            time.sleep(600)
            """
        host.start_parse(host.write("sleeps.py", source))
        pid = int(wait_until(lambda: note.exists() and note.read_text(), "the parse"))
        kill_at_end(self, pid)
        host.close()
        wait_for_end(pid)

    def test_a_retired_host_takes_nothing_new_and_leaves_when_its_task_has_ended(self) -> None:
        old = self.host
        stub, awaited = self.start_waiting_task()
        new = Host(self.folder, self.api)
        type(self).host = new
        self.addClassCleanup(new.close)
        old.send({"op": "retire"})
        fresh = self.stub()
        fresh.run("tasks.py", "tasks", "succeed")
        fresh.wait_for_start()
        self.assertEqual(fresh.finish(), 0)
        self.assertTrue(is_alive(old.process.pid))
        self.finish_waiting_task(stub, awaited)
        self.assertEqual(old.process.wait(60), 0)
        # The successor's socket is still there.
        self.assertTrue(Path(new.socket_path).exists())


class CostTest(HostTest):
    def test_the_cost_of_a_task(self) -> None:
        (self.host.dags / "tasks.py").write_text(TASKS)
        count = 10
        self.one()
        before, began = self.cpu_of_children(), time.monotonic()
        reports = [self.one() for _ in range(count)]
        wall = (time.monotonic() - began) / count
        cpu = (self.cpu_of_children() - before) / count
        memory = self.host.ask("stat")["rss_bytes"] / (1 << 20)
        print(f"\none task: {cpu:.3f} s CPU, {wall:.3f} s to its end, {sum(reports) / count:.3f} s to its report")
        print(f"parent: {memory:.0f} MiB RSS", end=" ")

    def one(self) -> float:
        stub = self.stub()
        began = time.monotonic()
        stub.run("tasks.py", "tasks", "succeed")
        path = f"task-instances/{stub.instance}/state"
        self.api.wait_for(path)
        reported = time.monotonic() - began
        self.assertEqual(stub.finish(), 0)
        return reported

    def cpu_of_children(self) -> float:
        """Return the CPU time of all ended children of the host, and of theirs."""
        wait_until(lambda: self.host.ask("stat")["tasks"] == 0, "no task left")
        fields = Path(f"/proc/{self.host.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
