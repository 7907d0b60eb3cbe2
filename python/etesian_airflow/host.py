"""The host: what the server's messages do, and when the process ends."""

from __future__ import annotations

import functools
import os
import resource
import socket
from collections.abc import Callable
from typing import Any, NoReturn

from etesian_airflow import callback, framing, parse
from etesian_airflow.credential import Credential
from etesian_airflow.job import Bounds, Job, Outcome
from etesian_airflow.loop import Channel, Loop, complain
from etesian_airflow.tasks import TaskSocket
from etesian_airflow.triggers import Triggers

_PARSE_OUTPUT = 16 << 10
_CALLBACK_OUTPUT = 64 << 10
_PARSE_TIMEOUT_S = 50.0
_CALLBACK_TIMEOUT_S = 300.0


class Host:
    """Serves the control channel and the task socket until the server goes away or the host has retired and is idle."""

    def __init__(self, control: socket.socket, socket_path: str, credential: Credential) -> None:
        self._loop = Loop()
        self._credential = credential
        self._control = Channel(self._loop, control, self._obey, lambda why: self._leave(why))
        self._tasks = TaskSocket(self._loop, socket_path, credential, self._end_when_idle)
        self._triggers = Triggers(self._loop, credential, self._control.send, self._end_when_idle)
        self._jobs: set[Job] = set()
        self._is_retiring = False
        self._operations: dict[str, Callable[[dict[str, Any]], None]] = {
            "parse": self._parse,
            "callback": self._callback,
            "trigger": self._triggers.start,
            "cancel": self._triggers.cancel,
            "persisted": self._triggers.confirm,
            "retire": self._retire,
            "stat": self._stat,
        }

    def run(self, versions: dict[str, Any]) -> None:
        """Say that the host is ready, then serve."""
        self._control.send({"op": "ready", **versions, "pid": os.getpid()})
        self._loop.run()
        self._control.finish()

    def _obey(self, message: dict[str, Any]) -> None:
        operation = self._operations.get(str(message.get("op")))
        if operation is None:
            self._control.send({"op": "error", "error": f"unknown op {message.get('op')!r}"})
            return
        try:
            operation(message)
        except Exception as error:
            text = f"{message['op']}: {type(error).__name__}: {error}"
            self._control.send({"op": "error", "id": message.get("id"), "error": text})

    def _parse(self, message: dict[str, Any]) -> None:
        for name in ("id", "file", "bundle", "bundle_path"):
            message[name]
        self._start_parse(message, None)

    def _start_parse(self, message: dict[str, Any], first: Outcome | None) -> None:
        main = functools.partial(parse.run, message, credential=self._credential, first=first.answer if first else None)
        bounds = Bounds(float(message.get("timeout_s", _PARSE_TIMEOUT_S)), _PARSE_OUTPUT)
        self._start_job(main, bounds, functools.partial(self._parsed, message, first))

    def _parsed(self, message: dict[str, Any], first: Outcome | None, outcome: Outcome) -> None:
        if message.get("twice") and first is None and outcome.answer:
            self._start_parse(message, outcome)
            return
        told = first or outcome
        reply = {
            "op": "parsed",
            "id": message["id"],
            "file": message["file"],
            "output": told.output,
            "wall_s": told.wall_s,
            "cpu_s": told.cpu_s,
        }
        if first and outcome.failure:
            reply["unstable"] = [f"the second time: {outcome.failure} while parsing"]
        answers = [told.answer, outcome.answer if first else None]
        if told.failure:
            reply |= parse.failed(message["file"], message["bundle_path"], f"{told.failure} while parsing")
        # The DAGs are JSON already, and may be many: they pass through without being read.
        bodies = [framing.to_json(reply)] + [answer for answer in answers if answer]
        self._control.send_body(b"{" + b",".join(body[1:-1] for body in bodies) + b"}")

    def _callback(self, message: dict[str, Any]) -> None:
        for name in ("id", "file", "bundle", "bundle_path", "request"):
            message[name]
        main = functools.partial(callback.run, message, credential=self._credential)
        bounds = Bounds(float(message.get("timeout_s", _CALLBACK_TIMEOUT_S)), _CALLBACK_OUTPUT)
        self._start_job(main, bounds, functools.partial(self._called, message))

    def _called(self, message: dict[str, Any], outcome: Outcome) -> None:
        error = outcome.failure
        if outcome.answer:
            error = framing.decode(outcome.answer).get("error")
        reply = {"op": "called", "id": message["id"], "ok": error is None, "output": outcome.output}
        self._control.send(reply if error is None else reply | {"error": error})

    def _start_job(self, main: Callable[[int], None], bounds: Bounds, on_done: Callable[[Outcome], None]) -> None:
        def done(outcome: Outcome) -> None:
            self._jobs.discard(job)
            on_done(outcome)
            self._end_when_idle()

        job = Job(self._loop, main, bounds, done)
        self._jobs.add(job)
        job.start()

    def _retire(self, _message: dict[str, Any]) -> None:
        self._is_retiring = True
        self._tasks.retire()
        self._end_when_idle()

    def _stat(self, _message: dict[str, Any]) -> None:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        self._control.send(
            {
                "op": "stat",
                "rss_bytes": pages * resource.getpagesize(),
                "tasks": self._tasks.running,
                "triggers": len(self._triggers),
            }
        )

    def _end_when_idle(self) -> None:
        if self._is_retiring and self._tasks.is_idle and not self._jobs and not self._triggers:
            self._loop.stop()

    def _leave(self, why: str) -> NoReturn:
        complain(f"the control channel ended ({why}): leaving; {self._tasks.running} tasks go on")
        self._triggers.stop()
        for job in self._jobs:
            job.kill("the server is gone")
        os._exit(0)
