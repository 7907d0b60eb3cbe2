"""A bounded child: time and output are limited, its answer is one frame, and nothing that it started outlives it."""

from __future__ import annotations

import os
import resource
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass

from etesian_airflow import framing, process
from etesian_airflow.loop import Child, Loop, Timer
from etesian_airflow.parse import MEMORY_EXIT_CODE

_READ = 1 << 16


@dataclass(frozen=True)
class Outcome:
    """How a job went: the body of its answer, or else why there is none; its last output; what it took."""

    answer: bytes | None
    failure: str | None
    output: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Bounds:
    """Limits of a job: seconds until it is killed, and how much of its output's end is kept."""

    timeout_s: float
    output_bytes: int


class Job:
    """One child, from `start` to `on_done`. *main* runs in it, with the descriptor that the answer goes to."""

    def __init__(
        self, loop: Loop, main: Callable[[int], None], bounds: Bounds, on_done: Callable[[Outcome], None]
    ) -> None:
        self._loop = loop
        self._main = main
        self._bounds = bounds
        self._on_done = on_done
        self._reader = framing.FrameReader()
        self._answer: bytes | None = None
        self._failure: str | None = None
        self._output = b""
        self._pid = 0
        self._answer_end = -1
        self._output_end = -1
        self._timer: Timer | None = None
        self._started = 0.0

    def start(self) -> None:
        """Fork. When that fails the job is done at once, with that as its failure."""
        self._started = time.monotonic()
        ends: list[int] = []
        try:
            ends += os.pipe()
            ends += os.pipe()
            self._fork(*ends)
        except OSError as error:
            for descriptor in ends:
                os.close(descriptor)
            self._on_done(Outcome(None, f"fork: {error}", "", 0.0, 0.0))

    def _fork(self, answer_end: int, answer: int, output_end: int, output: int) -> None:
        parent = os.getpid()
        self._answer_end, self._output_end = answer_end, output_end

        def be_child() -> None:
            process.die_with_parent(parent)
            os.close(self._answer_end)
            os.close(self._output_end)
            process.use_stdio(output, output)
            self._main(answer)

        self._pid = self._loop.fork(be_child, Child(self._end, process.kill_group))
        os.close(answer)
        os.close(output)
        for descriptor in (answer_end, output_end):
            os.set_blocking(descriptor, False)
        self._loop.watch(answer_end, selectors.EVENT_READ, lambda _events: self._read_answer())
        self._loop.watch(output_end, selectors.EVENT_READ, lambda _events: self._read_output())
        self._timer = self._loop.after(self._bounds.timeout_s, self._time_out)

    def kill(self, why: str) -> None:
        """End the child and all that it started; *why* becomes the failure."""
        self._failure = self._failure or why
        process.kill_tree(self._pid)

    def _time_out(self) -> None:
        self.kill(f"did not finish within {self._bounds.timeout_s:g} s")

    def _read(self, descriptor: int) -> bytes | None:
        """Return what is there, b"" at the end, None when nothing is there now."""
        try:
            return os.read(descriptor, _READ)
        except BlockingIOError:
            return None

    def _read_answer(self) -> bool:
        data = self._read(self._answer_end)
        if data == b"":
            self._loop.unwatch(self._answer_end)
        if not data:
            return False
        try:
            for body in self._reader.feed(data):
                self._answer = body
        except framing.FrameError as error:
            self.kill(str(error))
            return False
        return True

    def _read_output(self) -> bool:
        data = self._read(self._output_end)
        if data == b"":
            self._loop.unwatch(self._output_end)
        if not data:
            return False
        self._output = (self._output + data)[-self._bounds.output_bytes :]
        return True

    def _end(self, status: int, usage: resource.struct_rusage) -> None:
        if self._timer:
            self._timer.cancel()
        # All that the child wrote is in the pipes. Their end may never come: who else holds them is not waited for.
        while self._read_answer():
            pass
        budget = 1 << 20
        while budget > 0 and self._read_output():
            budget -= _READ
        for descriptor in (self._answer_end, self._output_end):
            self._loop.unwatch(descriptor)
            os.close(descriptor)
        failure = self._failure
        if failure is None and os.WIFEXITED(status) and os.WEXITSTATUS(status) == MEMORY_EXIT_CODE:
            failure = "memory limit"
        if failure is None:
            failure = process.describe_end(status)
        if failure is None and self._answer is None:
            failure = "ended without an answer"
        self._on_done(
            Outcome(
                answer=None if failure else self._answer,
                failure=failure,
                output=self._output.decode("utf-8", "replace"),
                wall_s=round(time.monotonic() - self._started, 4),
                cpu_s=round(usage.ru_utime + usage.ru_stime, 4),
            )
        )
