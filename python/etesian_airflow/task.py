"""The forked task supervisor: the SDK's own supervisor, tied to the stub that asked for the task.

The stub's connection stays open for as long as the supervisor lives. It carries signals in, the end out, and its loss
means that the stub is gone: then nothing of the task may stay behind.
"""

from __future__ import annotations

import dis
import fcntl
import functools
import json
import os
import selectors
import signal
import socket
import struct
from types import CodeType, FrameType
from typing import Any, NoReturn

from etesian_airflow import framing, logs, process

_READ = 1 << 16
# How soon after a child's end the supervisor is woken again when it was not waiting at that very moment.
_WAKE_AGAIN_S = 0.02
_FAILED = 1


@functools.cache
def workload_adapter() -> Any:
    """The validator of workloads, as the SDK's own command builds it."""
    from pydantic import TypeAdapter

    from airflow.executors import workloads

    return TypeAdapter(workloads.All)


def peer_of(connection: socket.socket) -> int:
    """Return the id of the process at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[0]


def run(request: dict[str, Any], connection: socket.socket, reader: framing.FrameReader) -> NoReturn:
    """Supervise one workload to its end and exit with its code. Runs in a forked child that leads its own session.

    *reader* may hold bytes that came after the request.
    """
    process.join_cgroup_of(peer_of(connection))
    environment, unset = request.get("env") or {}, request.get("unset") or ()
    for name in unset:
        os.environ.pop(name, None)
    os.environ.update(environment)
    # Without a log path the task's lines take the same road as the supervisor's, each once and in order.
    if any(name.startswith("AIRFLOW__LOGGING__") for name in (*environment, *unset)):
        logs.write_json_as_configured_now()
    else:
        logs.write_json()
    link = StubLink(connection, reader)
    link.watch()
    link.send({"op": "started", "pid": os.getpid()})
    _wake_when_children_end()
    code = _run_workload(request)
    process.flush_stdio()
    link.send({"op": "ended", "code": code})
    os._exit(code if 0 <= code <= 255 else 128 - code if -127 <= code < 0 else _FAILED)


def _run_workload(request: dict[str, Any]) -> int:
    """Return what the SDK's supervisor returns: 0 for an orderly end whatever the task's state, else not 0."""
    import structlog

    from airflow.executors.base_executor import BaseExecutor

    log = structlog.get_logger(logger_name="supervisor")
    try:
        if request.get("cwd"):
            os.chdir(request["cwd"])
        workload = workload_adapter().validate_json(json.dumps(request["workload"]))
        return int(BaseExecutor.run_workload(workload, server=request["server"], subprocess_logs_to_stdout=False))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else _FAILED
    except BaseException:
        log.exception("Workload was not run to its end")
        return _FAILED


class StubLink:
    """The connection to the stub, served by a signal: the SDK's loop knows nothing of it and need not.

    The kernel sends SIGIO when bytes or the end arrive. Python runs the handler wherever the supervisor is, also in the
    middle of a wait.
    """

    def __init__(self, connection: socket.socket, reader: framing.FrameReader) -> None:
        self._connection = connection
        self._reader = reader
        self._supervisor = os.getpid()

    def watch(self) -> None:
        """Begin to serve the connection; what has arrived before counts as well."""
        self._connection.setblocking(True)
        signal.signal(signal.SIGIO, self._serve)
        os.register_at_fork(after_in_child=self._leave)
        descriptor = self._connection.fileno()
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, self._supervisor)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
        self._obey(self._reader.feed(b""))
        self._serve(signal.SIGIO, None)

    def send(self, message: dict[str, Any]) -> None:
        """Tell the stub; a stub that is gone ends everything."""
        try:
            self._connection.sendall(framing.encode(message))
        except OSError:
            self._end_everything()

    def _serve(self, _number: int, _frame: FrameType | None) -> None:
        while True:
            try:
                data = self._connection.recv(_READ, socket.MSG_DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._end_everything()
            self._obey(self._reader.feed(data))

    def _obey(self, bodies: Any) -> None:
        try:
            for body in bodies:
                message = framing.decode(body)
                number = message.get("signo")
                if message.get("op") != "signal" or number not in signal.valid_signals():
                    continue
                if number == signal.SIGKILL:
                    self._end_everything()
                os.kill(self._supervisor, number)
        except framing.FrameError:
            # Whatever talks like this is not our stub any more.
            self._end_everything()

    def _end_everything(self) -> NoReturn:
        process.kill_tree(self._supervisor)
        os._exit(128 + signal.SIGKILL)

    def _leave(self) -> None:
        """Let a child of the supervisor forget the connection, whose end tells the stub of the supervisor's end."""
        if self._connection.fileno() < 0:
            return
        self._connection.close()
        for number in (signal.SIGIO, signal.SIGCHLD, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)


def _wake_when_children_end() -> None:
    """Have the SDK's loop notice the end of its child at once.

    It waits for up to a heartbeat interval with nothing registered, and Python takes up a wait again after a signal. A
    selector returns early when its system call seems interrupted, which is what the handler makes it believe.
    """
    select = selectors.DefaultSelector.select.__code__
    waiting = _lines_that_call(select, "poll")

    def wake(_number: int, frame: FrameType | None) -> None:
        # Only inside the wait itself: elsewhere in the method the exception would get out of it.
        if frame is not None and frame.f_code is select and frame.f_lineno in waiting:
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise InterruptedError
        signal.setitimer(signal.ITIMER_REAL, _WAKE_AGAIN_S)

    signal.signal(signal.SIGCHLD, wake)
    signal.signal(signal.SIGALRM, wake)


def _lines_that_call(code: CodeType, method: str) -> frozenset[int]:
    """Return the lines of *code* on which *method* is looked up."""
    lines = set()
    line = 0
    for instruction in dis.get_instructions(code):
        line = instruction.starts_line or line
        if instruction.argval == method:
            lines.add(line)
    return frozenset(lines)
